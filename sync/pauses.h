/*
 * What a person holds back on this machine: all background transfers, those of a project, or those at and below a path,
 * in one direction or both, for a while or until further notice. Kept in the journal. Reads that people wait for are
 * never held. `paused` in a document is another thing: it is of all machines (sync/decide knows both).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/lock.h"
#include "sync/journal.h"

enum pause_direction {
	PAUSE_UPLOADS = 1,
	PAUSE_DOWNLOADS = 2,
};

struct pause {
	unsigned directions; /* of enum pause_direction */
	char *project;       /* or NULL */
	int root;
	char *rel;        /* at and below it; or NULL: everywhere */
	int64_t until_ms; /* wall time; 0: until it is ended */
};

struct pauses {
	struct mutex lock;
	struct pause *list GUARDED_BY(&lock); /* one direction each */
	size_t n GUARDED_BY(&lock);
	struct journal *journal;
};

void pauses_init(struct pauses *pauses);
void pauses_done(struct pauses *pauses);
/* JOURNAL is borrowed. */
int pauses_load(struct pauses *pauses, struct journal *journal);
/* PAUSE is copied; one of the same extent gets its end. 0 or a negative errno. */
int pauses_put(struct pauses *pauses, const struct pause *pause);
/* Ends those of the directions that lie within the extent of PAUSE: without project and path all, with a project those
 * of it, with a path those at and below it. The number of them, or a negative errno. */
int pauses_end(struct pauses *pauses, const struct pause *pause);
/* Is a transfer of that project and path held? Any thread. */
bool pauses_hold(struct pauses *pauses, const char *project, int root, const char *rel,
		 enum pause_direction direction);
/* Drops what is over; true where something was. The end of the next one (wall time) goes to ret_next, INT64_MAX where
 * there is none. */
bool pauses_expire(struct pauses *pauses, int64_t now_ms, int64_t *ret_next);
/* Calls FN for each with a borrowed copy, no lock held. */
void pauses_each(struct pauses *pauses,
		 void (*fn)(void *context, const struct pause *pause), void *context);
