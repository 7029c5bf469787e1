/*
 * A JSON file that a person wrote: presets, settings, key files. The one place of sync/ that reads
 * JSON. Its errors name file, line, key and remedy, never the content (it may be a secret).
 * A value once parsed; any thread may read it.
 *
 * Of a key that stands twice in one object the last counts, as in the old loader.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"

#define JSON_FILE_MAX (4 * 1024 * 1024) /* bytes */

struct json_file;

/* A value in a file; NODE is NULL where there is none. Lives as long as its file. */
struct json_at {
	const struct json_file *file;
	const void *node;
};

/* An empty file is {}. -ENOENT and other errnos of open(2); -EFBIG; -EINVAL where the text is no JSON. */
int json_file_load(const char *path, struct json_file **ret, struct error *error);
/* The same of a text; errors call it NAME. */
int json_file_parse(const char *name, const char *text, size_t len,
		    struct json_file **ret, struct error *error);
/* The same of what a database holds: it has no lines, NAME tells people where it stands. */
int json_file_parse_document(const char *name, const char *text, struct json_file **ret,
			     struct error *error);
void json_file_free(struct json_file *file);
DEFINE_CLEANUP(struct json_file *, json_file_free);

const char *json_file_name(const struct json_file *file);
/* What a person should hear although the file is usable (keys that stand twice), or NULL. */
const char *json_file_warning(const struct json_file *file);
struct json_at json_file_top(const struct json_file *file);

/* Member of an object; no value where there is none, or OBJECT is no object. */
struct json_at json_at_find(struct json_at object, const char *key);
/* Members of an object or a list in order. */
struct json_at json_at_first(struct json_at container);
struct json_at json_at_next(struct json_at member);
/* Key of an object's member; NULL in a list and at the top. Borrowed. */
const char *json_at_key(struct json_at at);
int json_at_line(struct json_at at);
/* Where it stands, for people: "FILE:LINE", of a document its name alone. */
struct json_where {
	char text[512]; /* cut where it is longer */
};
struct json_where json_at_where(struct json_at at);
/* It stands in a document of a database, not in a file. */
bool json_at_is_document(struct json_at at);

/* False where there is no value. */
bool json_at_is_object(struct json_at at);
bool json_at_is_list(struct json_at at);
bool json_at_is_text(struct json_at at);
bool json_at_is_number(struct json_at at);
bool json_at_is_null(struct json_at at);

/* -EINVAL with "FILE:LINE: studio.root.work: " and the text; -ENOMEM. */
int json_at_error(struct json_at at, struct error *error, const char *fmt, ...)
	_printf_(3, 4);
/* A text, borrowed. -EINVAL. */
int json_at_text(struct json_at at, const char **ret, struct error *error);
/* The text under KEY, borrowed; NULL where there is none, or an empty one. */
const char *json_at_find_text(struct json_at object, const char *key);
/* A number, or a text that is one. -EINVAL. */
int json_at_number(struct json_at at, double *ret, struct error *error);
/* true or false, or a text that says so. -EINVAL. */
int json_at_bool(struct json_at at, bool *ret, struct error *error);
