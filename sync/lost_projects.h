/*
 * Projects whose collection was dropped or emptied: kept by name, in the journal too, until they are back or the
 * emptiness is adopted. A project is back when documents of it are, and no more have come for a while: what is restored
 * comes one by one. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/lock.h"
#include "sync/base/map.h"
#include "sync/journal.h"

struct lost_projects {
	struct mutex lock;
	struct map names GUARDED_BY(&lock); /* -> when a document of it came last */
};

void lost_projects_init(struct lost_projects *lost);
void lost_projects_done(struct lost_projects *lost);
/* What the journal remembers; ADOPT forgets it. */
int lost_projects_load(struct lost_projects *lost, struct journal *journal, bool adopt);
void lost_projects_add(struct lost_projects *lost, struct journal *journal,
		       const char *project);
bool lost_projects_has(struct lost_projects *lost, const char *project);
/* Some of the N "PROJECT/REPRE/FILE" is of a lost project. */
bool lost_projects_hold(struct lost_projects *lost, const char *const *files, size_t n);
/* One of them into an array of SIZE bytes, "" where there is none. */
void lost_projects_name(struct lost_projects *lost, char *ret, size_t size);

/* A document of it came. False where the project is not lost. NOW_MS: monotonic. */
bool lost_projects_note(struct lost_projects *lost, const char *project, int64_t now_ms);
/* When the next project counts as back, of which nothing came for QUIET_MS; INT64_MAX: none comes back. */
int64_t lost_projects_due_ms(struct lost_projects *lost, int64_t quiet_ms);
/* The name, allocated, of one that counts as back by NOW_MS, and is no longer lost; else NULL. */
char *lost_projects_take_back(struct lost_projects *lost, struct journal *journal,
			      int64_t now_ms, int64_t quiet_ms);
