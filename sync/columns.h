/*
 * Values as the index and the journal keep them in columns: texts, digests, lists of texts, the
 * remotes of a truth record. Private to those two.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sync/base/buf.h"
#include "sync/base/db.h"
#include "sync/base/digest.h"
#include "sync/truth.h"

/* A copy of the text (NULL for NULL). Without memory *r becomes -ENOMEM; it is left alone else, so that
 * a row of columns is loaded first and judged once. */
char *column_text(struct sqlite3_stmt *stmt, int column, int *r);
/* A copy of a blob of 64-bit hashes in host order (NULL where empty). Same rule. */
uint64_t *column_hashes(struct sqlite3_stmt *stmt, int column, size_t *ret_n, int *r);

/* Two columns from FIRST: SHA-256 and MD5, NULL where unknown. Bound with
 * DIGEST_TYPES and DIGEST_BIND. */
void column_digest(struct sqlite3_stmt *stmt, int first, struct digest *ret);
#define DIGEST_TYPES "bb"
#define DIGEST_BIND(d)                                              \
	(d)->has_sha256 ? (d)->sha256 : NULL,                       \
		(size_t)((d)->has_sha256 ? DIGEST_SHA256_SIZE : 0), \
		(d)->has_md5 ? (d)->md5 : NULL,                     \
		(size_t)((d)->has_md5 ? DIGEST_MD5_SIZE : 0)

/* Texts one after the other, each with its NUL; a NULL text is kept as an empty one. */
int pack_text(struct buf *buf, const char *text);
/* The text at *pos, advancing it; NULL at the end or where no NUL follows. Borrowed. */
const char *unpack_text(const char *data, size_t len, size_t *pos);

int pack_remotes(struct buf *buf, const struct truth *truth);
/* The same of the ids of files. */
int pack_files(struct buf *buf, const struct truth_files *files);
int column_files(struct sqlite3_stmt *stmt, int column, struct truth_files *ret);
/* Adds to TRUTH what pack_remotes() wrote in the blob of that column. 0 or -ENOMEM. */
int column_remotes(struct sqlite3_stmt *stmt, int column, struct truth *truth);
