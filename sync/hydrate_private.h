/*
 * What the files of hydration share; the outside is sync/hydrate.h.
 *
 * One `hydrate_file` per file being brought; it lives while it is in the table, a handle is open, or a work of
 * it is queued or running. All of it is guarded by the hydrator's one lock, which is never held across I/O, a callback,
 * a pool, the journal, the index or the provider: what is to be done outside is collected in a `hydrate_todo` and done
 * by hydrate_settle() after the unlock. Its phase is moved only as drawn:
 *
 *          first work            stat fits,                all bytes here,          digest and revision
 *                                staged file open          none in flight           right
 *   NEW ──────────► PREPARING ──────────────► READY ──────────────► FINISHING ──────────────► DONE
 *    ▲                  │                       ▲                       │         in place, or not to be
 *    └──────────────────┘ busy, site fault      └───────────────────────┘         placed: handles read on
 *
 *   any but DONE ──► FAILED: the object is gone, changed or torn; invalidated. Staged bytes go, reads are EIO.
 *
 * DONE and FAILED files leave the table, so that the next open starts anew. The works of a file are what runs on
 * pools: LANES fetch ranges that reads wait for, AHEAD what a sequential reader will want, SLOTS the rest in
 * chunks, FINISH verifies and places, KEEP writes the rows of staged ranges after the last close. Each work does one
 * step, then hydrate_plan() decides what comes next. `taken` holds the bytes here and in flight: a work takes its
 * range there before it fetches, so that no byte is fetched twice.
 *
 * Functions whose names end in _locked are called with the hydrator's lock. The checker cannot follow it from a file to
 * its hydrator, hence NO_THREAD_SAFETY on some.
 */
#pragma once

#include "sync/base/lock.h"
#include "sync/base/map.h"
#include "sync/hydrate.h"
#include "sync/rangemap.h"
#include "sync/staging.h"

#define HYDRATE_ALIGN (128 * 1024)  /* a wanted range is rounded to this */
#define HYDRATE_LEAST (256 * 1024)  /* smallest request for a person */
#define HYDRATE_WINDOW (512 * 1024) /* first read-ahead, once as much was read in order */
#define HYDRATE_PROBE (1024 * 1024) /* head and tail windows: probes stay inside */
#define HYDRATE_BODY \
	(2 * 1024 * 1024)       /* read in order in the body: the rest will be wanted */
#define HYDRATE_JUMPS 3         /* the same, by jumps into the body */
#define HYDRATE_LINGER_MS 10000 /* a closed file is kept for the next open */
#define HYDRATE_LINGER_MAX 256  /* as many */
#define HYDRATE_SPAN_MAX \
	(256LL           \
	 << 20) /* of one request of the background: a quarter of the file, up to that */
#define HYDRATE_SEEN_MS \
	10000 /* what the remote said of an object that long ago will do between two ranges */
#define HYDRATE_TORN_MAX 3
#define HYDRATE_N_LISTED 64
#define HYDRATE_LISTED_MS 60000 /* a listing is not repeated in the background before */
#define HYDRATE_PRIORITY 500    /* of works that people wait for */

enum hydrate_phase {
	HYDRATE_NEW = 0,
	HYDRATE_PREPARING,
	HYDRATE_READY,
	HYDRATE_FINISHING,
	HYDRATE_DONE,
	HYDRATE_FAILED,
};

enum hydrate_kind {
	HYDRATE_LANE = 1,
	HYDRATE_AHEAD,
	HYDRATE_SLOT,
	HYDRATE_FINISH,
	HYDRATE_KEEP,
};
#define HYDRATE_N_MORE 9 /* three lanes, three more slots, one of each other kind */

struct hydrate_file;

struct hydrate_work {
	struct job job;
	struct hydrate_file *file;
	enum hydrate_kind kind;
	bool is_busy;      /* queued or running; holds a reference of the file */
	bool has_range;    /* it fetches one now: who wants another needs another work */
	struct range span; /* of a slot: from where it is to where its request ends */
	struct pool *pool; /* where; with the rank and priority asked for last */
	enum pool_rank rank;
	int priority;
	struct provider_call *call; /* of the running request, to be cancelled */
};

struct hydrate_file {
	struct hydrator *hydrator;
	char *rel, *key;
	int root;
	int refs;
	int64_t size, mtime_ns;              /* as shown */
	struct mutex room;                   /* taken before the hydrator's */
	bool is_allocated GUARDED_BY(&room); /* room for the whole file is taken */
	enum hydrate_phase phase;
	bool is_listed;   /* in the hydrator's table (one reference) */
	bool is_small;    /* verified before the first reply */
	bool is_keepable; /* the root can be written */
	bool is_verified;
	bool is_cramped; /* no room for all of it: not tried again because somebody reads */
	bool has_timer;  /* in the timer's list (one reference) */
	bool is_idle;    /* closed, lingers until idle_until_ms */
	bool is_chained; /* somebody will plan it soon (one reference) */

	/* set by who prepares, fixed from READY on */
	struct index_path facts;
	struct truth_files files,
		there; /* that named the path then; of them those recorded at the remote */
	char *id, *revision, *document_id;
	struct staging *staging;
	/* of who finishes */
	struct digest digest;

	/* who wants it, and how far it is */
	bool is_wanted;      /* hydrate_fetch() */
	bool is_rest_wanted; /* a handle reads its body */
	int n_handles, n_waiting;
	enum pool_rank rank;
	int priority;
	int n_torn, n_busy;
	int64_t next_pos;   /* where the slots go on */
	struct range ahead; /* where a sequential reader will be */
	struct rangemap present, taken;
	struct rangemap
		reserved; /* the rest of running requests: slots keep out, people may come before */

	/* time, and lists that it is in */
	int64_t wake_ms;  /* backoff: no request before */
	int64_t timer_ms; /* the timer looks at the file then */
	int64_t idle_until_ms;
	struct hydrate_file *timer_next, *chain_next, *stop_next;

	struct hydrate_work *more; /* HYDRATE_N_MORE, from the first open or request on */
	struct hydrate_work
		starter; /* the first slot: all that a queued download needs */
};

/* Works by number, from 0; NULL behind the last. */
static inline struct hydrate_work *hydrate_work_at(struct hydrate_file *file, size_t i)
{
	if (i == 0)
		return &file->starter;
	return file->more && i <= HYDRATE_N_MORE ? &file->more[i - 1] : NULL;
}

struct hydration {
	struct hydrate_file *file;
	/* how it reads */
	bool has_read;
	int64_t next;          /* end of the last read */
	int64_t run, body_run; /* bytes in order, all and in the body */
	int64_t window, ahead_end;
	int n_jumps;
};

struct hydrate_listing;

struct hydrator {
	struct hydrator_setup setup;
	const struct config *config;
	char *host;
	pthread_t timer;
	bool has_timer;

	struct mutex lock;
	struct cond timer_wake, ended;
	struct map files GUARDED_BY(&lock); /* "ROOT:REL" -> struct hydrate_file */
	struct hydrate_read *first_read GUARDED_BY(&lock); /* waiting, oldest first */
	struct hydrate_file *timers GUARDED_BY(&lock);
	struct map
		listings GUARDED_BY(&lock); /* "ROOT:FOLDER" -> struct hydrate_listing */
	struct hydrate_learn *first_learn GUARDED_BY(&lock); /* waiting, oldest first */
	char *fault GUARDED_BY(&lock);
	bool is_stopping GUARDED_BY(&lock);
	int n_busy GUARDED_BY(
		&lock); /* works queued or running, of files and of learnings */
	int n_ahead GUARDED_BY(&lock);     /* works that read ahead */
	int n_listing GUARDED_BY(&lock);   /* listings that nobody waits for */
	int n_idle GUARDED_BY(&lock);      /* closed files that linger */
	int64_t calm_ms GUARDED_BY(&lock); /* the remote is busy: no background before */
	int64_t bytes_done GUARDED_BY(&lock);
	struct hydrate_listed {
		uint64_t hash;
		int64_t ms;
	} listed[HYDRATE_N_LISTED] GUARDED_BY(&lock); /* folders listed last, a ring */
	size_t next_listed GUARDED_BY(&lock);
};

/* What to do after the unlock. */
struct hydrate_todo {
	struct {
		struct hydrate_work *work;
		struct pool *pool;
		enum pool_rank rank;
		int priority;
		bool is_move; /* queued already: elsewhere in the order now */
	} works[HYDRATE_N_MORE + 1];
	size_t n_works;
	struct hydrate_read *answers; /* with their results */
};

/* A running request of the background will be at that byte soon. */
bool hydrate_is_coming_locked(struct hydrate_file *file, int64_t at);

/* ---- hydrate.c: files ---- */

void hydrate_ref_locked(struct hydrate_file *file);
/* Takes the lock by itself. */
void hydrate_unref(struct hydrate_file *file);
/* Out of the table. */
void hydrate_delist_locked(struct hydrate_file *file);
/* Ends the file for good: FAILED, staged bytes dropped, waiting reads EIO, COMPLETED told. TEXT NULL: it is no fault,
 * told only to who asked for the whole file. */
void hydrate_fail(struct hydrate_file *file, int error, const char *text);
/* Trouble of this machine, not of the object: waiting reads fail, background stops with the error. */
void hydrate_stop_file(struct hydrate_file *file, int error, const char *text);
/* The background alone stops. */
void hydrate_stop_background(struct hydrate_file *file, int error, const char *text);
/* Law 8. */
void hydrate_meet_fault(struct hydrator *hydrator, int outcome, const char *text);
void hydrate_complete(struct hydrate_file *file, int error, const char *text);
/* Of what names the path now something is of a newer publish than what the file was begun with, or was sent since. */
bool hydrate_is_outdated(const struct hydrate_file *file, const struct truth_name *names,
			 size_t n);
/* Of works of one kind; 0: of every kind. */
void hydrate_cancel_calls_locked(struct hydrate_file *file, enum hydrate_kind only);
static inline bool hydrate_has_background(const struct hydrate_file *file)
{
	return file->is_wanted || file->is_rest_wanted;
}

/* ---- hydrate_plan.c: what comes next ---- */

void hydrate_plan_locked(struct hydrate_file *file, struct hydrate_todo *todo);
/* Rows for what is staged, after the last close. */
void hydrate_keep_locked(struct hydrate_file *file, struct hydrate_todo *todo);
void hydrate_settle(struct hydrate_todo *todo);
/* plan, for callers without the lock */
void hydrate_plan(struct hydrate_file *file);
/* Chains the file to *CHAIN unless somebody else will plan it soon; the chain is planned after the unlock. */
void hydrate_chain_locked(struct hydrate_file *file, struct hydrate_file **chain);
void hydrate_plan_chain(struct hydrate_file *chain);
/* Sets up the starter, then the other works. -ENOMEM. */
void hydrate_init_starter(struct hydrate_file *file);
int hydrate_make_works_locked(struct hydrate_file *file);
/* A work ended, or was taken back from its pool. */
void hydrate_end_work(struct hydrate_work *work);

/* ---- hydrate_prepare.c ---- */

/* Prepares the file if nobody has; true where it is READY. On a pool thread. */
bool hydrate_prepare(struct hydrate_work *work);

/* ---- hydrate_fetch.c: jobs that ask the remote ---- */

void hydrate_run_fetch(struct hydrate_work *work);
void hydrate_run_keep(struct hydrate_work *work);
/* Registers the call of a work so that it can be cancelled; false where it must not begin. */
bool hydrate_begin_call(struct hydrate_work *work, struct provider_call *call);
void hydrate_end_call(struct hydrate_work *work);
/* Doubling from the least to the most, half of it by chance, and not before the remote wants it. */
int64_t hydrate_backoff_ms(const struct hydrator *hydrator, int n, int64_t asked_ms);
/* What a provider call that did not return 0 means for the file. */
void hydrate_judge(struct hydrate_file *file, int r, const struct provider_call *call);
struct provider_ref hydrate_ref_of(const struct hydrate_file *file);

/* ---- hydrate_finish.c ---- */

void hydrate_run_finish(struct hydrate_work *work);

/* Where a request for a read that waits ends, if nothing of it is here. */
static inline int64_t hydrate_end_of_wanted(int64_t offset, int64_t length)
{
	int64_t start = offset / HYDRATE_ALIGN * HYDRATE_ALIGN;
	int64_t end =
		(offset + length + HYDRATE_ALIGN - 1) / HYDRATE_ALIGN * HYDRATE_ALIGN;

	return end < start + HYDRATE_LEAST ? start + HYDRATE_LEAST : end;
}

/* ---- hydrate_read.c: reads that wait ---- */

/* The bytes are here and may be shown. */
bool hydrate_is_readable_locked(const struct hydrate_file *file, int64_t offset,
				int64_t length);
/* Hands the waiting reads of FILE (NULL: of all) that can be answered now to the caller's list; with ERROR all of them. */
void hydrate_answer_locked(struct hydrator *hydrator, struct hydrate_file *file,
			   int error, struct hydrate_todo *todo)
	REQUIRES(&hydrator->lock);

/* -ETIMEDOUT for those whose deadline is over; -EINTR for those of a handle that closes. */
void hydrate_expire_reads_locked(struct hydrator *hydrator, int64_t now_ms,
				 struct hydrate_todo *todo) REQUIRES(&hydrator->lock);
void hydrate_drop_reads_locked(struct hydration *hydration, struct hydrate_todo *todo);

/* ---- hydrate_timer.c ---- */

int hydrate_start_timer(struct hydrator *hydrator);
/* The timer looks at the file at MS, or earlier if it was to. */
void hydrate_set_timer_locked(struct hydrate_file *file, int64_t ms);

/* ---- hydrate_learn.c ---- */

/* For the timer: answers those whose deadline is over, resumes listings that waited. Leaves and takes the lock again
 * where there was something to do, and returns 0 then; else when the next is due. */
int64_t hydrate_look_at_learns_locked(struct hydrator *hydrator, int64_t now_ms)
	REQUIRES(&hydrator->lock);
/* Takes all that wait, to be answered after the unlock. */
struct hydrate_learn *hydrate_take_learns_locked(struct hydrator *hydrator)
	REQUIRES(&hydrator->lock);
void hydrate_answer_learns(struct hydrate_learn *learns, int result);
/* At the end: cancels what runs; frees what is left. */
void hydrate_stop_learning(struct hydrator *hydrator);
void hydrate_free_learning(struct hydrator *hydrator);
