/*
 * Tells the store which files this site holds that no entry of it says, so that `--site` of another machine tells of them:
 * what was pulled on open while its representation is not whole here, what stays after its entry was removed.
 *
 *   a path is decided ──► is that told already? ── no ──► its representation waits a moment ──► one write of all that wait
 *   start, each sweep ──► the store's rows are read: those that are not as they were told wait too
 *
 * Nothing of it is durable here: a row that could not be written is found again by the first look at everything. What lies
 * here without a stamp of ours begins no row (sitefs never fetched it), but counts in one: other hosts of the site have
 * stamps of their own. What waits to be recorded does not count, nor does anything in a site that records nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/holdings.h"

struct assessment;
struct engine;

/* Sync thread only. */
struct presence {
	struct holdings told; /* as the store has it, as far as is known */
	struct map waiting;   /* holdings_key() of representations to be looked at */
	int64_t next_ms;      /* monotonic; INT64_MAX: nothing waits */
	bool is_read;         /* what the store has was read, since the last sweep */
};

void presence_done(struct presence *presence);
/* A path was looked at. */
void presence_note(struct engine *engine, const struct assessment *assessment);
/* Everything is looked at again: so is what the store has. */
void presence_look_again(struct engine *engine);
/* Tells what is due; a store that cannot be told is no fault. */
void presence_due(struct engine *engine);
/* When something is due next; INT64_MAX while nothing can be told. */
int64_t presence_next_ms(struct engine *engine);
/* What still waits, at the end. */
void presence_end(struct engine *engine);
