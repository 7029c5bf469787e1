/*
 * Frame sequences: the pattern of a file name, and the folding of many names into few lines
 * ("beauty.[1001-1100].exr"). Pure; one thread at a time.
 *
 * A frame number is the last run of digits of a name that stands after '.', '_' or '-' (or at the start) and before
 * '.' or the end: "sh010_v003.1001.exr" has frame 1001, "clip_v003.mp4" none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/buf.h"
#include "sync/base/cleanup.h"

/* Where the frame number stands in a name. */
struct sequence_frame {
	size_t offset, length; /* of the digits, in bytes */
	int64_t number;
};

/* False where NAME (or the last component of a path) has none. Up to 15 digits. */
bool sequence_find_frame(const char *path, struct sequence_frame *ret);

/* ---- folding ---- */

struct fold;

/* A line of the result. Borrowed from the fold. */
struct fold_line {
	const char *
		name; /* "a/beauty.[1001-1100].exr", or the name itself for a single file */
	int tag;
	int64_t files, bytes;
	bool is_size_unknown; /* of some file: BYTES counts the others */
};

/* IS_LONG: nothing folds; each file is a line. */
int fold_new(bool is_long, struct fold **ret);
void fold_free(struct fold *fold);
DEFINE_CLEANUP(struct fold *, fold_free);
/* A file: only those of the same TAG (its state) fold together. SIZE -1: unknown. 0 or -ENOMEM. */
int fold_add(struct fold *fold, const char *path, int tag, int64_t size);
/* Lines in order of their first file; stops at FN's first non-zero result and returns it. */
int fold_each(struct fold *fold, int (*fn)(void *context, const struct fold_line *line),
	      void *context);
