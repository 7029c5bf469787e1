/*
 * Is this BSON, to the bottom? Everything that enters a store passes here once: libbson checks each
 * element as it is met, but follows nested documents as deep as they go.
 */
#pragma once

#include <stddef.h>

/* The largest document that MongoDB keeps, with the room that its tools allow themselves. */
#define BSON_CHECK_MAX_SIZE (16 * 1024 * 1024 + 16 * 1024)
#define BSON_CHECK_MAX_DEPTH 200 /* levels, as MongoDB has it */

/* 0, or -EBADMSG: length, types, bounds, terminators, depth. Texts may be other than UTF-8. */
int bson_check(const void *data, size_t len);
