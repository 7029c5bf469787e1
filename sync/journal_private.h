/*
 * What the files of the journal share.
 *
 * One connection writes. It belongs to whoever holds the *pen*, a state word and not a lock, so
 * that nothing is locked while SQLite waits for the disk: other writers wait for the pen, and readers of
 * memory take the lock for a moment only. What is in memory is changed by the holder of the
 * pen, after the commit: memory and disk change in the same order.
 *
 *   take pen -> plan from memory (lock) -> BEGIN .. COMMIT (no lock) -> memory (lock) -> give pen
 *
 * Questions that memory cannot answer read through connections of their own (WAL: writers do not stop
 * them).
 */
#pragma once

#include "sync/base/db.h"
#include "sync/base/db_pool.h"
#include "sync/base/hash_set.h"
#include "sync/base/lock.h"
#include "sync/base/map.h"
#include "sync/base/path_list.h"
#include "sync/journal.h"

/* A folder's rename laid over the index. */
struct alias {
	int root;
	char *to, *from; /* from: index path */
	int64_t created_ms;
	uint64_t *hashes; /* file ids that it shows, sorted; none: whatever is there */
	size_t n_hashes;
};
void alias_free(struct alias *alias);
DEFINE_CLEANUP(struct alias *, alias_free);
void whiteout_free(struct whiteout *whiteout);
DEFINE_CLEANUP(struct whiteout *, whiteout_free);

struct journal {
	struct db *db; /* the pen's */
	struct db_pool *readers;
	struct mutex lock;
	struct cond pen_is_free;
	bool is_pen_taken GUARDED_BY(&lock);
	struct path_list whiteouts GUARDED_BY(&lock); /* struct whiteout */
	struct path_list aliases GUARDED_BY(&lock);   /* struct alias, by `to` */
	uint64_t laid_generation GUARDED_BY(&lock);   /* of the two above */
	struct hash_set copies GUARDED_BY(&lock);     /* path_hash() of STAMP_COPY rows */
	struct map
		outbox GUARDED_BY(&lock); /* key of waiting rows -> int64_t, how many */
	int64_t n_waiting GUARDED_BY(&lock);
	int64_t n_parked GUARDED_BY(&lock);
};

/* Waits until no other thread writes. */
void journal_take_pen(struct journal *journal) EXCLUDES(&journal->lock);
void journal_give_pen(struct journal *journal) EXCLUDES(&journal->lock);
/* The pen, and a transaction begun; on failure neither. */
int journal_begin(struct journal *journal);
/* Ends the transaction: commits where R is 0, else rolls back. Keeps the pen. The result so far. */
int journal_end(struct journal *journal, int r);

uint64_t path_hash(int root, const char *rel);

/* What memory holds, read at open. */
int journal_load_outbox(struct journal *journal);
int journal_load_copies(struct journal *journal);
int journal_load_laid(struct journal *journal);

/*
 * A change of whiteouts and renames: what lies on each path afterwards, decided step by step. Asking
 * the plan sees its own earlier steps. Made under the lock, written without, applied under it.
 */
struct laid_plan {
	struct journal *journal;
	struct path_list whiteouts; /* struct whiteout; kind 0: nothing any more */
	struct path_list aliases;   /* struct alias; from NULL: nothing any more */
};
void laid_plan_done(struct laid_plan *plan);
/* Borrowed, or NULL. */
const struct whiteout *laid_get(const struct laid_plan *plan, int root, const char *rel);
/* Takes the whiteout, also on failure. */
int laid_put(struct laid_plan *plan, struct whiteout *whiteout);
int laid_drop(struct laid_plan *plan, int root, const char *rel);
const struct alias *laid_get_alias(const struct laid_plan *plan, int root,
				   const char *rel);
int laid_put_alias(struct laid_plan *plan, struct alias *alias);
int laid_drop_alias(struct laid_plan *plan, int root, const char *rel);
/* With the pen held, the lock not: one transaction, then memory. A plan without steps does nothing. */
int laid_run(struct laid_plan *plan) EXCLUDES(&plan->journal->lock);

/* A copy with other hashes (sorted; copied). NULL on -ENOMEM. */
struct whiteout *whiteout_new(enum whiteout_kind kind, int root, const char *rel,
			      const uint64_t *hashes, size_t n);
