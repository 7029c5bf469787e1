/*
 * The engine: everything of one site on this machine, put together. It owns the state folder (one engine per
 * folder, locked), journal, index, roots, view, pools, hydrator, and the sync thread, which alone talks
 * to the store: it follows the feed, decides (sync/decide), starts transfers and replays the outbox.
 *
 * fs and tools use what is declared here; any thread unless said. No function here but
 * engine_new/start/stop and engine_release() waits for the network or the store.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/base/buf.h"
#include "sync/config.h"
#include "sync/file_state.h"
#include "sync/hydrate.h"
#include "sync/index.h"
#include "sync/journal.h"
#include "sync/pauses.h"
#include "sync/provider.h"
#include "sync/roots.h"
#include "sync/view.h"

struct engine;

struct engine_setup {
	const struct config *config; /* borrowed, outlives the engine */
	struct provider
		*provider;      /* of the remote site; taken; NULL where there is none */
	const char *project;    /* only this one, or NULL */
	const char *mountpoint; /* for status and messages, or NULL */
	bool can_adopt;         /* --adopt */
	bool can_create_root;   /* --create-root */
	bool is_read_only; /* mount -o ro: records nothing, moves nothing in the background */
	bool is_cache_only;    /* mount -o cache: fetch and keep, record nothing */
	bool is_partial_shown; /* mount -o show_partial */
	bool has_sync;         /* false: mount --no-sync: on demand only */
	bool is_mirror;        /* sync --mirror */
};

/* Opens everything local: state folder, journal, index, roots. No threads yet: may be followed by fork only
 * before. -EBUSY another daemon has the state folder; -EREMOTE state on a network file system; -EXDEV the
 * state folder belongs to another store, site or roots. */
int engine_new(const struct engine_setup *setup, struct engine **ret,
	       struct error *error);
/* Starts the threads. */
int engine_start(struct engine *engine, struct error *error);
/* Waits until the index may be shown (at once where it was complete; else the first complete reading of the store).
 * PROGRESS (may be NULL) hears the number of documents read. -ECANCELED after engine_stop(); a negative
 * errno where the store cannot be read and there is no index yet; -EXDEV: other hosts of this site have
 * another root. */
int engine_wait_ready(struct engine *engine,
		      void (*progress)(void *context, int64_t documents), void *context,
		      struct error *error);
/* Waits until nothing is left to do (sync --once): queues, outbox and feed empty. The number of files that finally
 * failed or could not be recorded goes to ret_failed. A site fault or lost root ends it too: positive
 * provider_outcome, -ESTALE (lost root), with ERROR; -EHOSTUNREACH: store away. */
int engine_wait_idle(struct engine *engine, int64_t *ret_failed, struct error *error);
/* Looks at the store now: what others have written by then is known and decided, as far as a change feed has brought it,
 * when this returns. After some seconds it does so anyway. Any thread but the sync thread. */
void engine_catch_up(struct engine *engine);
/* Ends threads and transfers; staged ranges and outbox stay for the next start. Callable from a signal-handling
 * thread; idempotent. */
void engine_stop(struct engine *engine);
void engine_free(struct engine *engine);
DEFINE_CLEANUP(struct engine *, engine_free);

const struct config *engine_config(const struct engine *engine);
struct index *engine_index(const struct engine *engine);
struct journal *engine_journal(const struct engine *engine);
struct view *engine_view(const struct engine *engine);
struct roots *engine_roots(const struct engine *engine);
struct hydrator *engine_hydrator(const struct engine *engine);

/* ---- for fs ---- */

/* What changed about a name without the kernel knowing. */
enum engine_change {
	ENGINE_CHANGE_NAME =
		1, /* what the name stands for: appeared, gone, completed, replaced */
	ENGINE_CHANGE_ATTR, /* size or time of a remote-only name became known or other */
};
/* One listener. Called from any thread, no lock held; must not wait. */
void engine_set_listener(struct engine *engine,
			 void (*fn)(void *context, int root, const char *rel,
				    enum engine_change change),
			 void *context);
/* A person's hand on the disk through the mount: a file was closed after writing, created, linked, renamed or
 * removed at this name. Never waits. */
void engine_touch(struct engine *engine, int root, const char *rel);

/* ---- for people ---- */

struct engine_file {
	enum file_state state;
	bool is_published, is_on_disk, is_pinned;
	int64_t size;    /* on disk, else by truth; -1 unknown */
	int64_t present; /* bytes here */
	double progress; /* 0..1 of what goes on now; 1 where local */
	char *error;     /* one line, where failed or modified; or NULL */
	struct index_path
		path; /* records, truth, object; records NULL where not published */
};
void engine_file_done(struct engine_file *file);
/* Of a path below a root (mount name; an alias is resolved). INDEX_NONE where it is neither on disk nor published. */
int engine_describe(struct engine *engine, int root, const char *rel,
		    struct engine_file *ret);
/* Just the state: for xattrs and listings. INDEX_NONE. */
int engine_get_state(struct engine *engine, int root, const char *rel,
		     enum file_state *ret);
/* The decision chain in plain lines, the last one what happens next and when. */
int engine_explain(struct engine *engine, int root, const char *rel, struct buf *ret);
/* Every file at and below the path, on disk or published (AWAITED: those only that are awaited), in byte order. */
typedef int engine_file_fn(void *context, int root, const char *rel,
			   enum file_state state, int64_t size);
int engine_each_file(struct engine *engine, int root, const char *rel, bool awaited,
		     engine_file_fn *fn, void *context);

/* What was done for a request by path; counted over all files at and below it. */
struct engine_result {
	int64_t n_done, n_skipped, n_failed;
	char first_error[256];
};
/* Clears error and tries on the right site's record and schedules (ACCEPT: the object at the remote as it
 * is now becomes the truth). REL NULL: every failed file. */
int engine_retry(struct engine *engine, int root, const char *rel, bool accept,
		 struct engine_result *ret);
/* What became of local copies. */
struct engine_release {
	int64_t n_released, bytes;
	int64_t n_kept; /* originals */
	int64_t n_failed;
	char first_error[256];
};
/* Unlinks the copies at and below the path that the remote is found to hold just now (sync/release.h); adds to RET.
 * Waits for the remote. 0; INDEX_NONE; negative with ERROR where nothing can be asked of the remote. */
int engine_release(struct engine *engine, int root, const char *rel,
		   struct engine_release *ret, struct error *error);
/* Holds background transfers back (sync/pauses.h), durably; those that run are cut short, and no try is counted. Reads
 * go on. */
int engine_pause(struct engine *engine, const struct pause *pause);
/* The number of pauses that were ended. */
int engine_resume(struct engine *engine, const struct pause *pause);
void engine_each_pause(struct engine *engine,
		       void (*fn)(void *context, const struct pause *pause),
		       void *context);
/* Lifts whiteouts, else brings back the newest superseded file if the name is free. */
int engine_restore(struct engine *engine, int root, const char *rel,
		   struct engine_result *ret);
/* Records at our site what is on disk and equals its truth record or has none. Waits for hashing: call it
 * from a thread that may. */
int engine_scan(struct engine *engine, int root, const char *rel,
		struct engine_result *ret);

struct engine_flow {
	int64_t files, bytes; /* waiting or moving */
	int64_t bytes_per_s;
};
struct engine_status {
	char active_site[128], remote_site[128];
	char store_uri[256]; /* without secrets */
	bool is_store_reachable;
	char store_error[256];
	char mountpoint[256];
	bool is_ready;
	int64_t n_state[FILE_N_STATES]; /* published files by enum file_state */
	struct engine_flow upload, download;
	int64_t cache_bytes, cache_limit, cache_unsynced;
	int64_t outbox_waiting, outbox_parked;
	bool is_remote_reachable;
	char remote_error[256];
	bool has_quota;
	struct provider_quota quota; /* of what is sent there */
	char lost_root[256];         /* why, "" = none is lost */
	int64_t n_refused;
	int64_t n_twins; /* names that stand for several things at the remote */
	int64_t n_trouble; /* published files whose object at the remote is missing or different */
};
void engine_get_status(struct engine *engine, struct engine_status *ret);

/* Something happened to a file: for watch. */
struct engine_event {
	uint64_t seq;
	int64_t wall_ms;
	int root;
	const char *rel; /* "" where the event is the site's */
	const char *
		what; /* "state", "progress", "recorded", "failed", "fault", "lost", "back" */
	enum file_state state; /* of the file, or 0 */
	double progress;
	const char *text; /* or NULL */
};
typedef void engine_event_fn(void *context, const struct engine_event *event);
/* FN is called from engine threads until unsubscribed, no lock held; must not wait. */
int engine_subscribe(struct engine *engine, engine_event_fn *fn, void *context);
void engine_unsubscribe(struct engine *engine, engine_event_fn *fn, void *context);
