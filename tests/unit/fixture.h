/*
 * The documents and files of a real studio that tests read: $SITEFS_FIXTURES, else
 * ../shared/fixtures beside the source tree. They are no part of this tree; a test that needs
 * them is skipped, and says so, where they are missing.
 */
#pragma once

#include <bson/bson.h>

/* Ends the calling test as skipped where there are no fixtures. */
void fixture_skip_if_missing(void);
/* Allocated. */
char *fixture_path(const char *name);
/* A file with a JSON array of documents, as one document with their numbers as keys. The caller
 * ends it with bson_destroy(). */
bson_t *fixture_read_json_list(const char *path);
