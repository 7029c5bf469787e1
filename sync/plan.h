/*
 * Plans: what is under way or to be looked at again, per path. A path without a plan has nothing pending.
 * The sync thread makes and ends plans; people's questions (status, ls) read them under the table's lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/buf.h"
#include "sync/base/lock.h"
#include "sync/base/map.h"

/* Movers: the sync thread only.  idle -> queued (job submitted) -> idle (its mail came). */
enum plan_phase {
	PLAN_IDLE = 0, /* only a time to look again, or a failure to show */
	PLAN_DOWNLOAD,
	PLAN_UPLOAD,
	PLAN_CHECK, /* the object or the disk file is being looked at */
};

struct plan {
	int root;
	char *rel;
	enum plan_phase phase;
	uint64_t signature; /* of the assessment since SINCE_MS */
	int64_t since_ms;   /* monotonic */
	int64_t due_ms;     /* monotonic; INT64_MAX: only on events */
	int n_faults;       /* transient faults in a row: backoff */
	bool is_failed; /* failed in this run for good: shown until something changes */
	bool is_of_reading; /* ... a person's read: nothing else may ever be asked of it */
	bool is_leased;     /* an upload lease is held */
	bool is_forced;     /* retry by a person: sends what differs */
	bool is_pull;    /* our entry waits to be pulled (counted against a lost root) */
	bool is_patient; /* waits for another hand: sync --once does not wait with it */
	bool is_dirty;   /* touched while a job ran: decide again after it */
	bool is_held;    /* its upload was cut short by a pause: nothing failed */
	bool is_told;    /* its progress stands, or stood, in the documents */
	uint64_t job; /* number of its upload; another one that is still queued is void */
	bool is_running; /* that upload has begun */
	int priority;    /* of the transfer under way */
	enum plan_phase
		wanted; /* PLAN_UPLOAD, PLAN_DOWNLOAD: what it waits to begin; else PLAN_IDLE */
	char *error;         /* of the last failure, for people */
	int64_t bytes, size; /* of the transfer */
};

struct plans {
	struct mutex lock;
	struct map map GUARDED_BY(&lock);      /* "ROOT:REL" -> struct plan */
	int64_t next_due_ms GUARDED_BY(&lock); /* no plan is due before */
	uint64_t last_job GUARDED_BY(&lock);
};

void plans_init(struct plans *plans);
void plans_done(struct plans *plans);
/* Sync thread. NULL where there is none; the plan stays the table's and is changed by the sync thread only,
 * with lock held where people read the field. */
struct plan *plans_find(struct plans *plans, int root, const char *rel);
/* Finds or makes. NULL on -ENOMEM. */
struct plan *plans_get(struct plans *plans, int root, const char *rel);
void plans_drop(struct plans *plans, struct plan *plan);
void plan_set_due(struct plans *plans, struct plan *plan, int64_t due_ms);
void plan_set_phase(struct plans *plans, struct plan *plan, enum plan_phase phase);
/* What of SIZE bytes is to be moved as soon as it can be. */
void plan_set_wanted(struct plans *plans, struct plan *plan, enum plan_phase wanted,
		     int64_t size);
/* TEXT NULL: no failure to show. */
void plan_set_error(struct plans *plans, struct plan *plan, const char *text,
		    bool is_failed);
void plan_set_patient(struct plans *plans, struct plan *plan, bool is_patient);
/* An upload of SIZE bytes is submitted: its number, which the job brings to plans_claim(). */
uint64_t plan_begin_job(struct plans *plans, struct plan *plan, int priority,
			int64_t size);
/* Worker: the upload of that number begins; false where it is void. */
bool plans_claim(struct plans *plans, int root, const char *rel, uint64_t job);
/* Sync thread: the upload is void, unless it has begun: false then. */
bool plan_void_job(struct plans *plans, struct plan *plan);
/* Some transfer is under way. */
bool plans_are_busy(struct plans *plans);
/* Sync thread: calls FN for each path with a transfer under way. FN may change the table. */
void plans_each_busy(struct plans *plans,
		     void (*fn)(void *context, int root, const char *rel), void *context);
void plan_set_bytes(struct plans *plans, int root, const char *rel, int64_t bytes);

void plan_set_told(struct plans *plans, int root, const char *rel);
/* Any thread: the progress that the documents tell of is that of our own transfer. */
bool plans_are_moving(struct plans *plans, int root, const char *rel);

/* Any thread: a copy of what people see. False where there is none. */
struct plan_glance {
	enum plan_phase phase;
	bool is_failed;
	int64_t bytes, size, due_ms;
	char error[256];
};
bool plans_glance(struct plans *plans, int root, const char *rel,
		  struct plan_glance *ret);

struct plan_totals {
	int64_t n_download, n_upload, n_check, n_failed, n_patient, n_waiting;
	int64_t n_upload_later, n_download_later; /* idle, but wanted */
	int64_t upload_bytes,
		download_later_bytes; /* still to send, to fetch of those not begun */
	int64_t next_due_ms;          /* of those that are not patient; INT64_MAX */
};
void plans_count(struct plans *plans, struct plan_totals *ret);
/* Sync thread: takes every plan that is due by NOW (their due becomes INT64_MAX) and calls FN. The soonest
 * due that is left is returned. */
int64_t plans_take_due(struct plans *plans, int64_t now_ms,
		       void (*fn)(void *context, int root, const char *rel),
		       void *context);
/* Sync thread: makes every plan that waits due at once (a fault is over), but for failed ones. */
void plans_wake_all(struct plans *plans);
