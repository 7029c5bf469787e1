/*
 * The journal: what cannot be rebuilt. A SQLite database in the state folder, synchronous FULL, one
 * row (or one stated change) per transaction: outbox, stamps, whiteouts, renames, staged ranges,
 * resumable uploads. What FUSE requests ask of it is answered from memory.
 *
 * Any thread; calls that write wait for the disk (fsync), never for the network or the store.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "sync/store.h"
#include "sync/truth.h"

struct journal;

enum journal_outcome {
	JOURNAL_NONE = 1, /* no such row */
};

/* PATH is created where missing. */
int journal_open(const char *path, struct journal **ret, struct error *error);
void journal_free(struct journal *journal);
DEFINE_CLEANUP(struct journal *, journal_free);

/* Small facts ("store", "site", "root:work"): JOURNAL_NONE; ret allocated. */
int journal_get(struct journal *journal, const char *name, char **ret);
int journal_set(struct journal *journal, const char *name, const char *value);

/* ---- outbox: every success before the store hears of it (law 7) ---- */

struct outbox_row {
	int64_t seq;
	bool has_record, has_truth;
	struct record record; /* a change of a document */
	struct truth truth;   /* a truth record to be put */
	bool is_replacing;    /* put_truth's REPLACE */
	bool is_once; /* not added where a row for its record's file and site waits already */
	char *parked; /* why the row was refused for good, or NULL */
};
void outbox_row_done(struct outbox_row *row);

/* Appends N rows in one transaction (seq is given out): they are on the disk on return. */
int journal_outbox_add(struct journal *journal, const struct outbox_row *rows, size_t n);
/* Up to LIMIT rows after SEQ in order, parked ones only if PARKED. *ret is an array for the caller to end. */
int journal_outbox_read(struct journal *journal, int64_t after, size_t limit, bool parked,
			struct outbox_row **ret, size_t *ret_n);
int journal_outbox_drop(struct journal *journal, const int64_t *seqs, size_t n);
int journal_outbox_park(struct journal *journal, int64_t seq, const char *why);
void journal_outbox_count(struct journal *journal, int64_t *ret_waiting,
			  int64_t *ret_parked);
/* A row that waits for this file and site exists: what the store says of it is not the newest. */
bool journal_outbox_has(struct journal *journal, const char *project, const char *repre,
			const char *file, const char *site);
/* The same of a truth record. */
bool journal_outbox_has_truth(struct journal *journal, const char *project,
			      const char *key);

/* ---- stamps: of what a disk file is a copy, or that it was uploaded ---- */

enum stamp_kind {
	STAMP_COPY = 1, /* we downloaded it */
	STAMP_UPLOADED, /* we sent it, or found it equal to the truth record */
	STAMP_FOREIGN, /* hashed and unequal to the truth: saves hashing again; still foreign */
};

struct stamp {
	enum stamp_kind kind;
	uint64_t dev, ino;
	int64_t size, mtime_ns, ctime_ns;
	struct digest digest;
	char *remote_id, *revision; /* or NULL */
	char **files; /* "PROJECT/REPRE/FILE" ids that it is a copy of, sorted */
	size_t n_files;
};
void stamp_done(struct stamp *stamp);

enum stamp_match {
	STAMP_OTHER = 0, /* another file, or changed */
	STAMP_REHASH,    /* only ctime differs: the digest decides */
	STAMP_SAME,
};
enum stamp_match stamp_compare(const struct stamp *stamp, const struct stat *st);
/* Fills dev .. ctime_ns. */
void stamp_take_stat(struct stamp *stamp, const struct stat *st);

int journal_stamp_get(struct journal *journal, int root, const char *rel,
		      struct stamp *ret);
int journal_stamp_put(struct journal *journal, int root, const char *rel,
		      const struct stamp *stamp);
int journal_stamp_drop(struct journal *journal, int root, const char *rel);
/* Bytes of the files that have a stamp of KIND. */
int journal_stamp_bytes(struct journal *journal, enum stamp_kind kind, int64_t *ret);
/* From memory: a STAMP_COPY row exists, so that the file keeps the st_ino it was shown with. */
bool journal_has_copy(struct journal *journal, int root, const char *rel);
int journal_stamp_each(struct journal *journal, enum stamp_kind kind,
		       int (*fn)(void *context, int root, const char *rel),
		       void *context);

/* ---- whiteouts: names that a person took away; durable on return ---- */

enum whiteout_kind {
	WHITEOUT_NAME =
		1, /* a published file's name: hidden while its file ids are among HASHES */
	WHITEOUT_FOLDER, /* a published folder was removed: hidden while nothing below it shows */
	WHITEOUT_TREE, /* a folder was renamed away: it and all below, while ids among HASHES */
	WHITEOUT_ALIAS, /* a name (file or folder) under a renamed folder: hidden for good; its
			    HASHES (if any) turn it into a TREE where the folder is renamed back,
			    and hide the index's own names like one */
};

struct whiteout {
	enum whiteout_kind kind;
	int root;
	char *rel;
	int64_t created_ms;
	uint64_t *hashes; /* index_file_hash() of the file ids hidden, sorted */
	size_t n_hashes;
};

int journal_whiteout_put(struct journal *journal, const struct whiteout *whiteout);
/* JOURNAL_NONE. */
int journal_whiteout_drop(struct journal *journal, int root, const char *rel);
/* From memory. The whiteout on exactly this name, or the WHITEOUT_TREE at or above it (the nearest);
 * a copy for the caller to end with whiteout_done(). JOURNAL_NONE. */
int journal_whiteout_find(struct journal *journal, int root, const char *rel,
			  struct whiteout *ret);
/* From memory, no copies: is HASH hidden at this name (by NAME, or by TREE above)? */
bool journal_is_hidden(struct journal *journal, int root, const char *rel, uint64_t hash);
/* From memory: any whiteout at all at or below REL? Quick no for most folders. */
bool journal_has_whiteouts_below(struct journal *journal, int root, const char *rel);
/* From memory: which whiteouts concern this name: 1u << kind of the one on it, and the two below. With
 * IS_ALIAS as a name under a renamed folder: only what lies between it and the rename's target counts. */
#define WHITEOUT_MARK_TREE_ABOVE (1u << 8)
#define WHITEOUT_MARK_ALIAS_ABOVE (1u << 9)
unsigned journal_whiteout_marks(struct journal *journal, int root, const char *rel,
				bool is_alias);
/* restore: the whiteouts at and below REL go, HASHES (sorted: what is at and below it) are taken out of a
 * WHITEOUT_TREE above; one transaction. JOURNAL_NONE where nothing was hidden. */
int journal_whiteout_lift(struct journal *journal, int root, const char *rel,
			  const uint64_t *hashes, size_t n);
/* Changes whenever a whiteout or a rename does. */
uint64_t journal_laid_generation(struct journal *journal);
int journal_whiteout_each(struct journal *journal,
			  int (*fn)(void *context, const struct whiteout *whiteout),
			  void *context);
void whiteout_done(struct whiteout *whiteout);

/* ---- renames of folders laid over the index ---- */

/*
 * Under TO the mount shows what the index has under FROM, as unpublished aliases. One transaction: the
 * row, the whiteout of the old name, and everything already laid below the old name moved
 * along. Only what OLD_NAME's hashes name is shown there: a file published into the old folder later
 * stays out. OLD_NAME is
 *  - WHITEOUT_TREE with the ids at and below FROM, where FROM is a folder of the index;
 *  - WHITEOUT_ALIAS with the ids behind it, where FROM lies inside a renamed folder;
 *  - NULL where FROM is itself the target of a rename (its row moves), or where the index shows nothing
 *    there (only what is laid below moves).
 * A row that comes back to its own index path vanishes, with its part of the TREE whiteout there.
 */
int journal_rename(struct journal *journal, int root, const char *from, const char *to,
		   const struct whiteout *old_name);
/* From memory: where REL lies under a renamed folder, the index path behind it (allocated), nearest first.
 * JOURNAL_NONE where it is not an alias. */
int journal_alias_resolve(struct journal *journal, int root, const char *rel, char **ret);
/* From memory: REL itself is the target of a rename. */
bool journal_alias_has(struct journal *journal, int root, const char *rel);
/* From memory: REL lies under a renamed folder, which shows HASH there; or took it along at least, whatever
 * was removed since. */
bool journal_alias_shows(struct journal *journal, int root, const char *rel,
			 uint64_t hash);
bool journal_alias_covers(struct journal *journal, int root, const char *rel,
			  uint64_t hash);
/* From memory: names directly below folder REL that exist only through a rename (its target, or a
 * folder on the way to one). */
int journal_alias_list(struct journal *journal, int root, const char *rel,
		       int (*fn)(void *context, const char *name), void *context);
/* Forgets the rename whose target is REL, and alias whiteouts below. JOURNAL_NONE. */
int journal_alias_drop(struct journal *journal, int root, const char *rel);

/* ---- staged files: partial downloads that survive a restart ---- */

struct staged {
	int root;
	char *rel;
	char *name; /* file name in .sitefs/staged */
	char *remote_id, *revision;
	int64_t size, mtime_ns;
};
struct staged_block {
	int64_t offset, length;
	uint64_t xxh3; /* of the bytes: checked before they are used after a restart */
};
void staged_done(struct staged *staged);
int journal_staged_put(struct journal *journal, const struct staged *staged);
/* Several blocks in one transaction. The bytes must be on the disk (fdatasync) before. */
int journal_staged_add(struct journal *journal, int root, const char *rel,
		       const struct staged_block *blocks, size_t n);
int journal_staged_get(struct journal *journal, int root, const char *rel,
		       struct staged *ret, struct staged_block **ret_blocks,
		       size_t *ret_n);
int journal_staged_drop(struct journal *journal, int root, const char *rel);
int journal_staged_each(struct journal *journal,
			int (*fn)(void *context, const struct staged *staged),
			void *context);

/* ---- uploads that can be resumed ---- */

struct upload_resume {
	uint64_t dev, ino; /* of the source */
	int64_t size, mtime_ns;
	char *token; /* the provider's; a secret: never logged */
	int64_t bytes;
};
int journal_upload_put(struct journal *journal, int root, const char *rel,
		       const char *site, const struct upload_resume *upload);
int journal_upload_get(struct journal *journal, int root, const char *rel,
		       const char *site, struct upload_resume *ret);
int journal_upload_drop(struct journal *journal, int root, const char *rel,
			const char *site);
