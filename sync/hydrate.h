/*
 * Hydration: bringing the bytes of a published file here. One hydration per physical file at a time, with a
 * staged sparse file in `.sitefs/staged` and a map of the ranges that are in it:
 *
 *   open ──► staged file + range map (resumed from the journal, blocks checked by XXH3)
 *   read ──► range there? ── yes ──► reply from the staged file
 *              no: wanted range goes first (reader pool), reply when it has landed;
 *              then read-ahead, then (body read, or asked for) the rest
 *   all there ──► digest against the truth record ──► fsync ──► owner, mode, mtime
 *             ──► claim the name ──► RENAME_NOREPLACE into the root ──► fsync the folder
 *             ──► stamp ──► COMPLETED (the engine writes the outbox and tells the kernel)
 *
 * All ranges belong to one revision of one object, checked before the first and at the end; where it differs,
 * staged bytes go and every waiting and later read of the open handles is EIO (law 1). Files up
 * to config verify_first_bytes are fetched whole and verified before the first reply.
 *
 * Any thread. Nothing here waits for the network but pool threads.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/index.h"
#include "sync/journal.h"
#include "sync/pool.h"
#include "sync/provider.h"
#include "sync/roots.h"

struct hydrator;
struct hydration; /* one handle's hold on a file that is being brought */

/* How a hydration ended, for the engine. Borrowed. */
struct hydrate_result {
	int root;
	const char *rel; /* index path */
	int error; /* 0: complete, verified, in place. A positive provider_outcome or a negative errno: why
			    not. -EEXIST: something else has the name (it stays). -ECANCELED: what the
			    documents say of it changed meanwhile, decide anew. -ESTALE: root lost */
	const char *text;   /* for people, where error */
	struct truth truth; /* of what was verified (digests filled), where complete */
	bool is_new_truth;  /* the store had none, or lacked digests: to be put */
	const char *document_id; /* what the document's `id` gets */
};

struct hydrator_setup {
	const struct config *config;
	struct index *index;
	struct journal *journal;
	struct roots *roots;
	struct provider *provider; /* NULL: no remote: every open is EIO */
	struct pool *readers, *workers;
	/* No lock held. Success is told on a pool thread, after the stamp is durable; an error on the thread that met
	 * it (hydrate_invalidate()'s caller too). Every hydrate_fetch() that returned 0 ends in one COMPLETED, but for
	 * hydrate_forget() and hydrator_stop(); so does what reads alone started, if it ends for good. A small file's
	 * read is answered once its bytes are verified, COMPLETED may come a moment later. */
	void (*completed)(void *context, const struct hydrate_result *result);
	/* Sizes learnt by listing a folder: objects to be put into the index. Their state is OBJECT_UNKNOWN: who knows
	 * the truth records compares. Names of the folder that are not among them have no object. */
	void (*listed)(void *context, int root, const char *rel_folder,
		       const struct index_object *objects, char *const *names, size_t n,
		       int error);
	/* A site fault was met (law 8); reads fail at once until hydrator_set_fault(NULL). */
	void (*fault)(void *context, int outcome, const char *text);
	void *context;
	bool is_cache_only; /* mount -o cache: as usual; the engine records nothing */
};

int hydrator_new(const struct hydrator_setup *setup, struct hydrator **ret);
/* Cancels what runs, fails waiting reads with -EIO, keeps staged ranges for the next start. Before the
 * pools are stopped. */
void hydrator_stop(struct hydrator *hydrator);
/* After the last handle was closed. */
void hydrator_free(struct hydrator *hydrator);
DEFINE_CLEANUP(struct hydrator *, hydrator_free);

/* An OPEN of a remote-only file (index path). No network. -EIO with reason (failed, object missing or
 * different, no remote), -ENODATA where its true size is unknown: hydrate_learn() first. */
int hydrate_open(struct hydrator *hydrator, int root, const char *rel,
		 struct hydration **ret);
/* The last close of an unread or probed file leaves its ranges staged and stops; one whose body was
 * being read goes on to the end in the background. */
void hydrate_close(struct hydration *hydration);

/* A read that waits. The caller's struct lives until DONE was called, exactly once, from any thread
 * (possibly before hydrate_read() returns), no lock held. */
struct hydrate_read {
	int64_t offset, length; /* clipped to the size by the callee */
	/* RESULT: bytes at OFFSET that FD holds now (0 at or past the end), or a negative errno: -EIO, -ETIMEDOUT
	 * (deadline), -EINTR (cancelled), -ENOSPC. FD is borrowed during the call. */
	void (*done)(struct hydrate_read *read, int64_t result, int fd);
	/* private */
	struct hydration *hydration;
	struct hydrate_read *next;
	int64_t deadline_ms, result;
	int fd;
	bool is_waiting;
};
void hydrate_read(struct hydration *hydration, struct hydrate_read *read);
/* Ends the wait with -EINTR, if it still waits. Any thread. */
void hydrate_cancel(struct hydrate_read *read);

/* An OPEN whose size is unknown: lists the folder at the remote with a person's rank, then calls DONE
 * once (0, or -EIO, -ETIMEDOUT) after LISTED was called. Cancel by hydrate_learn_cancel(). */
struct hydrate_learn {
	void (*done)(struct hydrate_learn *learn, int result);
	/* private */
	struct hydrator *hydrator;
	struct hydrate_learn *next;
	struct hydrate_listing *listing;
	int64_t deadline_ms;
};
void hydrate_learn(struct hydrator *hydrator, int root, const char *rel,
		   struct hydrate_learn *learn);
void hydrate_learn_cancel(struct hydrate_learn *learn);
/* The same in the background, for folders that somebody looked at. Coalesced. False: it was listed in the last minute, and
 * is not listed again. */
bool hydrate_learn_later(struct hydrator *hydrator, int root, const char *rel_folder);

/* Background: the whole file, at this rank. Negative like hydrate_open(), or -EROFS where its root cannot be written
 * (nothing is kept there); 0: the end comes through COMPLETED. Already under way: its rank is raised. */
int hydrate_fetch(struct hydrator *hydrator, int root, const char *rel,
		  enum pool_rank rank, int priority);
/* Stops a background fetch (paused, no longer wanted); handles that read keep theirs. No COMPLETED. */
void hydrate_forget(struct hydrator *hydrator, int root, const char *rel);
/* Something changed what the file is (newer publish, object differs): staged bytes are dropped, open
 * handles get EIO from now on. */
void hydrate_invalidate(struct hydrator *hydrator, int root, const char *rel);

/* Law 8: while a fault is set, reads that need the remote fail at once with its text, background waits. */
void hydrator_set_fault(struct hydrator *hydrator, const char *text);

struct hydrate_state {
	bool is_active;  /* bytes are being fetched now */
	int64_t present; /* bytes in the staged file */
	int64_t size;
	int n_handles;
};
/* JOURNAL_NONE where nothing of it is staged. */
int hydrate_get_state(struct hydrator *hydrator, int root, const char *rel,
		      struct hydrate_state *ret);
/* Present ranges of the staged file, ascending (offset, length pairs); allocated. */
int hydrate_get_ranges(struct hydrator *hydrator, int root, const char *rel,
		       int64_t **ret, size_t *ret_n);
/* Something is being fetched, or listed. */
bool hydrator_is_at_work(struct hydrator *hydrator);

struct hydrate_totals {
	int64_t files, bytes; /* still to come, background */
	int64_t bytes_done;   /* since start */
};
void hydrate_get_totals(struct hydrator *hydrator, struct hydrate_totals *ret);
