/*
 * Inside of the engine, shared by its own files only (engine, syncer, feed, act, upload, check, outbox,
 * scan, describe, status). Everybody else uses sync/engine.h.
 */
#pragma once

#include <pthread.h>

#include "sync/assess.h"
#include "sync/base/lock.h"
#include "sync/departed.h"
#include "sync/engine.h"
#include "sync/events.h"
#include "sync/lost_projects.h"
#include "sync/mail.h"
#include "sync/news.h"
#include "sync/plan.h"
#include "sync/presence.h"
#include "sync/store.h"
#include "sync/tally.h"
#include "sync/upload.h"

/* Why something as a whole stands still (law 8). */
struct fault {
	int outcome; /* 0: none; provider_outcome or negative errno */
	char text[256];
	int64_t next_probe_ms; /* monotonic; also before the first answer */
	bool is_of_writing;    /* what is there can be read all the same */
};

struct upload;

struct engine {
	struct engine_setup setup;
	const struct config *config;
	char *project, *mountpoint;
	char *store_identity;
	int state_fd; /* the state folder's lock */
	struct journal *journal;
	struct index *index;
	struct roots *roots;
	struct view *view;
	struct provider *provider; /* or NULL */
	struct pool *readers, *workers;
	struct hydrator *hydrator;
	struct plans plans;
	struct events events;
	struct tally tally;
	struct lost_projects lost_projects;
	struct pauses pauses;
	pthread_t thread;
	bool has_thread;

	/* sync thread only */
	struct store
		*store; /* NULL while it cannot be opened; wake() through wake_lock */
	int64_t store_retry_ms;
	int store_trouble; /* what a lease met, whose caller could not end the store: negative until
			      the next look at it. Each further call would wait for it as long */
	char *token;
	bool needs_reading; /* a project is back, or may be adopted: everything is read again */
	struct departed departed; /* documents that went, until that is believed */
	bool is_kin;              /* the site's other hosts have the same roots */
	bool is_swept;            /* the first look at everything is done */
	bool is_outdated; /* OpenPype's settings are others than the configuration's */
	int64_t next_sweep_ms;
	int64_t next_greeting_ms; /* monotonic */
	int64_t next_progress_ms;
	bool needs_resuming;      /* a pause is over: what waits is looked at */
	int64_t next_resume_ms;   /* wall time at which one ends by itself */
	bool is_probing;          /* a probe of the remote is under way */
	bool has_probed;          /* its first answer came */
	int n_busy_probes;        /* in a row: the remote had trouble of the moment */
	struct news news;         /* what others do at the remote */
	struct presence presence; /* what is here without an entry */
	int64_t n_pulls;          /* of this pass: more than 100 mean a lost root */
	char *meter;              /* what the journal has of it */
	int64_t next_meter_ms;
	struct map
		dirty; /* "ROOT:REL" of paths to be decided and told once their rows are committed */
	struct map
		folder_ids; /* "ROOT:REL" of folders -> id that the remote's folder has or gets */
	bool is_restocking;     /* ids are on their way */
	struct map written;     /* "PROJECT\nREPRE" -> int64_t: when its document was */
	int64_t next_write_ms;  /* one that waits may be, INT64_MAX: none waits */
	struct map lingering;   /* keys of leases -> int64_t: when they are given back */
	int64_t next_linger_ms; /* the first of them, INT64_MAX: none */
	struct map
		own_pulls; /* "PROJECT/REPRE/FILE/SITE": entries that our outbox removed lately */

	struct mutex lock;
	struct cond changed;
	struct mail *mail_first GUARDED_BY(&lock), *mail_last GUARDED_BY(&lock);
	bool is_stopping GUARDED_BY(&lock);
	bool is_ready GUARDED_BY(&lock), is_idle GUARDED_BY(&lock);
	bool is_store_reachable GUARDED_BY(&lock);
	int64_t n_read GUARDED_BY(&lock); /* documents of the first reading */
	int64_t n_jobs GUARDED_BY(&lock); /* submitted, their mail not handled yet */
	char store_error[256] GUARDED_BY(&lock);
	struct error
		refusal GUARDED_BY(&lock); /* why this host may not act for the site */
	int store_errno GUARDED_BY(&lock);
	struct fault remote GUARDED_BY(&lock), local GUARDED_BY(&lock);
	void (*listener)(void *context, int root, const char *rel,
			 enum engine_change change) GUARDED_BY(&lock);
	void *listener_context GUARDED_BY(&lock);
	int64_t n_posted GUARDED_BY(&lock), n_handled GUARDED_BY(&lock); /* mail, ever */
	struct map missing
		GUARDED_BY(&lock); /* "PROJECT/REPRE" -> struct missing (arrive.c) */
	struct call *
		calls GUARDED_BY(&lock);   /* provider calls under way, to be cancelled */
	int64_t n_twins GUARDED_BY(&lock); /* names seen at the remote more than once */
	int64_t bytes_up GUARDED_BY(&lock), bytes_down GUARDED_BY(&lock);
	struct sending *sending GUARDED_BY(&lock);  /* upload_twin.c */
	struct upload *unsettled GUARDED_BY(&lock); /* stored, the newest first */
	size_t n_unsettled GUARDED_BY(&lock);
	int64_t unsettled_ms GUARDED_BY(&lock); /* since when the oldest waits */
	struct store *
		wakeable GUARDED_BY(&lock); /* the store while watch() may be woken */
};

#define PULLS_OF_A_LOST_ROOT 100

/* A provider call that engine_stop() can cancel. */
struct call {
	struct provider_call provider;
	int root;        /* of an upload: its path */
	const char *rel; /* or NULL */
	struct call *next, **at;
};

/* A job of the engine in a pool: dropped through DROP where it never ran. */
struct engine_job {
	struct job job;
	struct engine *engine;
	void (*drop)(struct engine_job *job);
};

/* ---- mail.c ---- */
/* Takes MAIL (NULL is ignored) and wakes the sync thread. */
void engine_post(struct engine *engine, struct mail *mail);
/* Until what was posted before is handled, which the sync thread does in order; after 5 s without. Not on the sync
 * thread. */
void engine_await_mail(struct engine *engine);

/* ---- engine.c ---- */
struct assess_setup engine_assess_setup(const struct engine *engine);
bool engine_is_stopping(struct engine *engine);
void engine_wake(struct engine *engine);
/* Tells the listener (fs) and the watchers. */
void engine_tell(struct engine *engine, int root, const char *rel,
		 enum engine_change change);
void engine_set_remote_fault(struct engine *engine, int outcome, const char *text);
/* The same where an upload met it: no room, no right to write. Reads and downloads go on; it is tried again after the
 * longest backoff, since a probe does not tell. */
void engine_set_upload_fault(struct engine *engine, int outcome, const char *text);
void engine_call_begin(struct engine *engine, struct call *call);
void engine_call_end(struct engine *engine, struct call *call);
/* The upload of that path ends as if it had been cut short, if it runs. */
void engine_cancel_upload(struct engine *engine, int root, const char *rel);
bool engine_has_fault(struct engine *engine, struct fault *ret);
/* True where nothing may be recorded or moved in the background. */
bool engine_is_passive(const struct engine *engine);

/* ---- syncer.c: the sync thread ---- */
void *syncer_run(void *context);
/* Decides every path that was touched, and tells fs. Sync thread, no transaction open. */
void syncer_decide_dirty(struct engine *engine);
/* Decide this path anew, now. Sync thread. */
void syncer_decide(struct engine *engine, int root, const char *rel);
int syncer_touched(void *context, int root, const char *rel); /* index_touched_fn */
/* What waits is done: mail, outbox, feed, without waiting. Called between the steps of long walks. */
void syncer_pump(struct engine *engine);
/* A job is handed to a pool; it ends with the mail that its end posts. */
void syncer_submit(struct engine *engine, struct engine_job *job, enum pool_rank rank,
		   int priority);
void syncer_job_end(struct engine *engine);

/* ---- probe.c: is the remote there? ---- */
/* Before the first call: which roots the remote is known to have. */
void probe_expect(struct engine *engine);
/* Keeps the provider's count of what was sent, a minute after the last time, or NOW. Sync thread. */
void probe_keep_meter(struct engine *engine, bool now);
/* Starts a probe where one is due. Sync thread. */
void probe_due(struct engine *engine);

/* ---- feed.c: store -> index ---- */
int feed_open(struct engine *engine);
/* Everything, by mark and sweep. */
int feed_read_all(struct engine *engine);
/* Which projects take part: also by the configuration, which may be another than at the last run. */
int feed_read_projects(struct engine *engine);
/* Events until TIMEOUT_MS; 0, or a negative errno where the store cannot be used. */
int feed_follow(struct engine *engine, int64_t timeout_ms);
/* One document as it is now, where the store does not tell of each change. */
int feed_reread(struct engine *engine, const char *project, const char *repre);
void feed_lost(struct engine *engine, int r, const char *what);

/* ---- vanish.c: documents and projects that are gone; sync thread ---- */
/* A document came, or was changed. */
void vanish_came(struct engine *engine, const char *project, const char *id);
/* One was removed. Within a transaction of the index. */
int vanish_went(struct engine *engine, const char *project, const char *id);
/* For index_sweep_end(). */
bool vanish_keeps(void *context, const char *project, bool is_empty);
/* When vanish_settle() has something to do, monotonic. */
int64_t vanish_due_ms(struct engine *engine);
int vanish_settle(struct engine *engine);

/* ---- outbox.c: results -> store ---- */
int outbox_replay(struct engine *engine);
struct outbox_rows {
	struct outbox_row *rows;
	size_t n, cap;
};
void outbox_rows_done(struct outbox_rows *rows);
/* The row added last is left out where one for the same file and site waits already: another thread was faster. */
void outbox_rows_once(struct outbox_rows *rows);
/* Adds a change of the entry of SITE (ours or remote). The returned record is for filling in; NULL on -ENOMEM. */
struct record *outbox_rows_add(struct outbox_rows *rows, enum record_op op,
			       const struct index_record *record, const char *site,
			       const struct index_entry *entry);
int outbox_rows_add_truth(struct outbox_rows *rows, const struct truth *truth,
			  bool replace);
/* The document of RECORD was not written in the second before STARTED_MS (monotonic), or by the pass that began then. */
bool outbox_may_write(struct engine *engine, const struct record *record,
		      int64_t started_ms);
void outbox_note_write(struct engine *engine, const struct record *record,
		       int64_t started_ms);
/* Makes them durable and wakes the sync thread. Any thread. */
int outbox_commit(struct engine *engine, struct outbox_rows *rows);

/* ---- act.c: decisions -> jobs and rows; sync thread ---- */
void act_on(struct engine *engine, struct plan *plan, struct assessment *assessment);
/* The same where a transfer is under way: it is stopped where it is paused, and moved in the queue where its priority
 * is another one. */
void act_on_busy(struct engine *engine, struct plan *plan, struct assessment *assessment);
int64_t act_backoff_ms(const struct config *config, int n_faults);

/* ---- lease.c: law 6, one upload per file in all processes of the site; sync thread ---- */
/* 0: it is ours, and IDS (allocated, or NULL) is what the provider makes the file and its folders with; STORE_CONFLICT:
 * another process has it; negative: the store is away, or (-EAGAIN) no ids are in stock. */
int lease_take(struct engine *engine, struct plan *plan, char **ret_ids) _must_check_;
/* Gives it back, if it is held. */
void lease_release(struct engine *engine, struct plan *plan);
/* The same in a moment, when the site's other hosts have heard what is recorded now: one that has not would begin anew. */
void lease_linger(struct engine *engine, struct plan *plan);
/* Gives back those whose moment has come (IS_ALL: every one); next_linger_ms says when the next one's does. */
void lease_give_back(struct engine *engine, bool is_all);

/* ---- upload_twin.c ---- */
/* That file is not on its way to the remote any more; or none is. */
void upload_sent(struct engine *engine, int root, const char *rel);
void upload_sent_all(struct engine *engine);

/* ---- upload.c, check.c: jobs ---- */
int upload_start(struct engine *engine, const struct assessment *assessment,
		 const struct upload_order *order);
/* Settles what was stored, where that is due; else the ms until then. Sync thread. */
int64_t upload_settle_due(struct engine *engine);
/* What was stored and is not recorded is found again at the next start. */
void upload_drop_unsettled(struct engine *engine);
/* The object at the remote against the truth record; ACCEPT: it becomes the truth as it is. */
int check_object_start(struct engine *engine, const struct assessment *assessment,
		       bool accept);
/* What was just stored there and verified. 0 or -ENOMEM. */
int check_note_object(const struct provider_object *object, struct index_object *ret);
/* What was missing or different there is right again: MAIL's object. Sync thread. */
void check_forget_trouble(struct engine *engine, const struct mail *mail);
/* The disk file's digest: against its stamp, or the truth record (learnt from the remote where none is). */
int check_disk_start(struct engine *engine, const struct assessment *assessment);
/* A whole disk file's stamp with KIND and DIGEST, if it still is ST. */
void check_stamp(struct engine *engine, const struct assessment *assessment,
		 enum stamp_kind kind, const struct digest *digest);

/* ---- uploaded.c: an upload has ended; sync thread ---- */
void uploaded_handle(struct engine *engine, struct mail *mail);

/* ---- arrive.c: a file has come ---- */
void missing_free(void *data);
void arrive_completed(void *context, const struct hydrate_result *result);
void arrive_listed(void *context, int root, const char *rel_folder,
		   const struct index_object *objects, char *const *names, size_t n,
		   int error);
void arrive_fault(void *context, int outcome, const char *text);
