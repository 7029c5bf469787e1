/*
 * The staged file of one download: a sparse file in `.sitefs/staged`, and the journal rows by which a restart knows
 * what of it can be used. It knows nothing of the remote, of names in the root, or of who wants which range.
 *
 *   staging_write ──► bytes in the file ──► fdatasync ──► row of each block with its XXH3
 *                                          (in batches: a chunk, or a second)
 *   restart ──► rows = kept blocks ──► read and hashed before the first use ──► good, or forgotten
 *
 * The first row is written with the first batch: what is complete before never costs a row.
 *
 * Any thread that may wait for the disk; several writers at once, each on its own range.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/journal.h"
#include "sync/rangemap.h"
#include "sync/roots.h"

struct staging;

struct staging_setup {
	struct journal *journal; /* both outlive the staging; strings are copied */
	struct roots *roots;
	const char *host; /* staging_load_host() */
	int root;
	const char *rel;
	const char *remote_id,
		*revision; /* of the object that the bytes are of; or NULL */
	int64_t size, mtime_ns;
	int64_t batch_bytes; /* rows are due after as many bytes */
};

/* Goes on with what the journal has of the same object, revision and size; else drops that and begins anew.
 * -ESTALE while the root is lost. */
int staging_open(const struct staging_setup *setup, struct staging **ret);
/* Closes the file. What was not committed is fetched again next time. */
void staging_free(struct staging *staging);
DEFINE_CLEANUP(struct staging *, staging_free);

int staging_fd(const struct staging *staging);
const char *staging_name(const struct staging *staging);

/* Adds the ranges of kept blocks that were not checked yet. */
int staging_add_kept(struct staging *staging, struct rangemap *map);
/* Reads and hashes the kept blocks that overlap the range; the whole ranges of good ones are added to RET. */
int staging_check(struct staging *staging, struct range range, struct rangemap *ret);

/* One run of bytes being written, in order. One thread at a time. */
struct staging_writer;
int staging_begin(struct staging *staging, int64_t offset, struct staging_writer **ret);
int staging_write(struct staging_writer *writer, const void *data, size_t len);
/* The run is right: its blocks get rows with the next batch (written here if it is due; a failure of that only
 * costs a download after a restart, and is logged). */
int staging_end(struct staging_writer *writer);
/* Without staging_end() before: the bytes do not count. */
void staging_writer_free(struct staging_writer *writer);
DEFINE_CLEANUP(struct staging_writer *, staging_writer_free);

/* Writes the rows that are due or not. */
int staging_commit(struct staging *staging);
/* Removes the file's name (where it still has it) and the rows. The descriptor goes on. */
void staging_drop(struct staging *staging);
/* The file was moved to its place: the rows go. */
void staging_forget(struct staging *staging);

/* 0 where BYTES more leave KEEP_FREE bytes on its file system; -ENOSPC. */
int staging_check_room(const struct staging *staging, int64_t bytes, int64_t keep_free);
/* Takes the room for the whole file now. -ENOSPC; 0 where the file system cannot. */
int staging_allocate(const struct staging *staging);

/* What names of this host's staged files begin with: made once and kept in the journal. */
int staging_load_host(struct journal *journal, char **ret);
/* At start: removes staged files of this host that no row names, and rows whose file is gone. Nothing is touched of
 * a lost root. */
int staging_sweep(struct journal *journal, struct roots *roots, const char *host);
/* The same end for a file that nobody has open. */
int staging_drop_row(struct journal *journal, struct roots *roots, int root,
		     const char *rel);
