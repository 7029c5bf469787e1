/*
 * What others do at the remote: its feed of changes is followed, and everything recorded there is compared with what lies
 * there now and then (at first, where the feed's token was lost, and where there is no feed). Whatever does not fit is
 * looked at again before it is believed: it may be the work of a site whose records are still on their way.
 *
 *   feed ──► what may concern us ──► settled? look at it ──► the store says so too? ──► index
 *   listing, hydration ─────┘
 *
 * A token counts as read once everything that came before it was looked at. Sync thread, but for the jobs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/base/map.h"

struct engine;

struct news {
	bool is_busy;    /* a job is under way */
	bool has_asked;  /* the feed answered since the start, or cannot */
	bool is_started; /* what the index keeps was read */
	char *token;     /* NULL: none yet */
	bool is_ahead;   /* the index keeps an older one */
	int64_t next_ask_ms, next_compare_ms, not_before_ms; /* monotonic */
	int n_faults;
	struct map suspects; /* "ROOT:REL" -> struct suspect */
	struct map folders;  /* "ROOT:REL": to be compared as a whole */
	struct map twins;    /* "ROOT:REL": names that stand for several things there */
	bool is_comparing;   /* everything */
	int64_t compare_by_ms; /* put off until a quiet moment, and no longer than this; 0: not put off */
	int64_t quiet_ms; /* monotonic: when it will have been quiet for a while */
	int64_t after;    /* the folder compared last */
};

void news_done(struct news *news);
/* Starts the next job where one is due. */
void news_due(struct engine *engine);
/* When something is due next; INT64_MAX while nothing can be asked: whatever ends that wakes the sync thread. */
int64_t news_next_ms(struct engine *engine);
/* Nothing of the feed is left to look at: for sync --once. */
bool news_is_settled(struct engine *engine);
/* That path may not be what the index says: it is looked at soon. */
void news_suspect(struct engine *engine, int root, const char *rel);
/* Somebody surveyed it for other reasons. Any thread. */
struct survey_finding;
void news_tell(struct engine *engine, const struct survey_finding *finding);
