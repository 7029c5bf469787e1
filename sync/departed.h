/*
 * Documents that were removed, until that is believed: when no more go for a moment. Whoever empties a collection removes
 * them one after the other, and so does a re-publish before it inserts. Until then the index holds them as they were. Sync
 * thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sync/base/map.h"

struct departed {
	struct map docs; /* "PROJECT\nID" */
	int64_t first_ms, last_ms;
};

void departed_done(struct departed *departed);
/* NOW_MS: monotonic. 0 or -ENOMEM. */
int departed_add(struct departed *departed, const char *project, const char *id,
		 int64_t now_ms);
/* It is there again. */
void departed_remove(struct departed *departed, const char *project, const char *id);
/* When they are believed to be gone, after QUIET_MS without another; some times that at most. INT64_MAX: there are none. */
int64_t departed_due_ms(const struct departed *departed, int64_t quiet_ms);
/* Calls FN for each; with 0 from all of them there are none afterwards, else FN's result is returned and all stay. */
typedef int departed_fn(void *context, const char *project, const char *id);
int departed_each(struct departed *departed, departed_fn *fn, void *context);
