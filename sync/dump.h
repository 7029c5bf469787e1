/*
 * Documents in files, without loss: mongodump's BSON (one document after the other) and MongoDB's
 * extended JSON (an array, or objects one after the other as mongoexport writes them; relaxed or
 * canonical). Which of the two a file is, its first bytes say. Hostile input; fuzzed.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"

enum dump_format {
	DUMP_BSON = 1,
	DUMP_JSON, /* canonical, one object a line */
};

/* A document that has passed bson_check(), borrowed; a non-zero result ends the reading. */
typedef int dump_fn(void *context, const void *bson, size_t len);

/*
 * Reads FILE to its end. 0; the result of FN; -EBADMSG where it is cut off, damaged or something else,
 * with the byte (BSON) or line (JSON) where the document begins, NAME being what the file is called
 * in it: the documents before that were given; -EIO ...; -ENOMEM.
 */
int dump_read(FILE *file, const char *name, dump_fn *fn, void *context,
	      struct error *error);

/* Writes one document. -EBADMSG: not as JSON, that would read back as something else (deeper than 100
 * levels, texts that are no UTF-8, fields named like extended JSON's own); errno of the file. */
int dump_write(FILE *file, enum dump_format format, const void *bson, size_t len,
	       struct error *error);
