/*
 * Ids as text, and single values of BSON whatever their type: what every reader and writer of
 * documents needs. Pure; any thread.
 *
 * An id is 24 lower-case hex digits for an ObjectId, "=" + the string for a string id.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <bson/bson.h>

#include "sync/base/cleanup.h"

/* Appends the value that ID stands for. -EINVAL where it is no id; -E2BIG where the document
 * would grow over BSON's limit. */
int bson_id_append(bson_t *b, const char *key, const char *id);
/* Allocated; NULL where the value is no id (another type, a NUL in it), or out of memory. */
char *bson_id_text(const bson_iter_t *iter);
/* Time in an ObjectId's text, seconds since 1970; -1 for other ids. */
int64_t bson_id_seconds(const char *id);

/* Borrowed; NULL where the value is no string, has a NUL in it or is not UTF-8. */
const char *bson_get_text(const bson_iter_t *iter);
/* int32, int64, double (cut off) or a string of decimal digits; false for others, NaN and what does
 * not fit. */
bool bson_get_int64(const bson_iter_t *iter, int64_t *ret);
/* int32, int64, double; false for others, NaN and infinite ones. */
bool bson_get_double(const bson_iter_t *iter, double *ret);
/* A date, milliseconds since 1970; false for others. */
bool bson_get_date_ms(const bson_iter_t *iter, int64_t *ret);
