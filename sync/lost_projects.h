/*
 * Projects that have lost all their representations: kept by name, in the journal too, until they are back or the
 * emptiness is adopted. Any thread.
 */
#pragma once

#include <stdbool.h>

#include "sync/base/lock.h"
#include "sync/base/map.h"
#include "sync/journal.h"

struct lost_projects {
	struct mutex lock;
	struct map names GUARDED_BY(&lock);
};

void lost_projects_init(struct lost_projects *lost);
void lost_projects_done(struct lost_projects *lost);
/* What the journal remembers; ADOPT forgets it. */
int lost_projects_load(struct lost_projects *lost, struct journal *journal, bool adopt);
void lost_projects_add(struct lost_projects *lost, struct journal *journal,
		       const char *project);
void lost_projects_remove(struct lost_projects *lost, struct journal *journal,
			  const char *project);
bool lost_projects_has(struct lost_projects *lost, const char *project);
/* One of them into an array of SIZE bytes, "" where there is none. */
void lost_projects_name(struct lost_projects *lost, char *ret, size_t size);
