/*
 * JSON as the command and its control socket speak it: the one place of tools/ that touches cJSON. Building, reading
 * and printing documents; not streaming. Values are trees owned by their root; one thread at a time.
 *
 * Names on disk are bytes. In memory and on the socket such a byte string is a JSON string as it is; on stdout a byte
 * that is no UTF-8 is written as the lone surrogate "\udcXX", so that the output is always valid JSON and
 * Python's surrogateescape gives the bytes back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"

struct json;

/* ---- building ---- */

/* NULL on -ENOMEM; every function below takes NULL for a document and does nothing then, so that only the
 * printing at the end needs a check. */
struct json *json_object(void);
struct json *json_array(void);
struct json *json_text_value(const char *text);
struct json *json_int_value(int64_t value);
/* An object with "schema": 1: what --json prints. */
struct json *json_document(void);
void json_free(struct json *json);
DEFINE_CLEANUP(struct json *, json_free);

/* Takes VALUE. */
void json_set(struct json *object, const char *key, struct json *value);
void json_append(struct json *array, struct json *value);
/* NULL is null. */
void json_set_text(struct json *object, const char *key, const char *text);
void json_set_int(struct json *object, const char *key, int64_t value);
void json_set_double(struct json *object, const char *key, double value);
void json_set_bool(struct json *object, const char *key, bool value);
/* RFC 3339, UTC; null where WALL_MS is 0 or less. */
void json_set_time(struct json *object, const char *key, int64_t wall_ms);
/* TEXT is JSON already (a value of config_each_key(), an extended JSON document); null where it is not. */
void json_set_json(struct json *object, const char *key, const char *text);

/* ---- reading ---- */

/* One value of LEN bytes and nothing behind it. -EBADMSG with the reason; a NUL (raw or escaped) in it is
 * refused, so that every string is what it seems. */
int json_parse(const char *text, size_t len, struct json **ret, struct error *error);
bool json_is_object(const struct json *json);
bool json_is_array(const struct json *json);
/* NULL where there is none (or OBJECT is no object). Borrowed, as everything that is read. */
struct json *json_get(const struct json *object, const char *key);
/* NULL where it is no string. */
const char *json_get_text(const struct json *object, const char *key);
const char *json_as_text(const struct json *value);
/* OTHERWISE where it is no number or none that an int64_t holds. */
int64_t json_get_int(const struct json *object, const char *key, int64_t otherwise);
int64_t json_as_int(const struct json *value, int64_t otherwise);
double json_get_double(const struct json *object, const char *key, double otherwise);
bool json_get_bool(const struct json *object, const char *key);
/* Members of an object or array in order; NULL at the end. */
struct json *json_first(const struct json *container);
struct json *json_next(const struct json *member);
/* The key under which a member stands in its object. */
const char *json_key(const struct json *member);
size_t json_size(const struct json *container);
/* Takes the member out of its object; the caller's. NULL where there is none. */
struct json *json_detach(struct json *object, const char *key);
/* NULL on -ENOMEM. */
struct json *json_copy(const struct json *json);
/* Same type and content; objects in any order. */
bool json_equal(const struct json *a, const struct json *b);

/* ---- printing ---- */

/* One line without newline, strings as bytes: for the socket. Allocated; NULL on -ENOMEM. */
char *json_line(const struct json *json);
/* Indented, with newline: for files that people edit. Allocated; NULL on -ENOMEM. */
char *json_pretty(const struct json *json);
/* One line with newline on stdout, always valid JSON. 0 or -ENOMEM. */
int json_print(const struct json *json);
/* Writes the same without newline to stdout: for documents that are printed in pieces. */
int json_print_piece(const struct json *json);
