/*
 * Walks the elements of a document or array and tells their bytes, for those who copy what they do
 * not change. The document has passed bson_check(); what is told points into it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bson/bson.h>

struct bson_walk {
	/* the element */
	bson_iter_t it;
	const char *key;
	const uint8_t *start; /* its first byte: the type */
	const uint8_t *value;
	size_t len; /* of the value */

	/* private */
	const uint8_t *end; /* of the document: its closing NUL */
	bson_iter_t ahead;
	bool has_ahead;
};

void bson_walk_init(struct bson_walk *walk, const void *data, size_t len);
/* Into the element, a document or an array. */
void bson_walk_enter(const struct bson_walk *outer, struct bson_walk *walk);
/* Steps on the next element; false at the end. */
bool bson_walk_next(struct bson_walk *walk);
/* The element is of that type and key. */
bool bson_walk_is(const struct bson_walk *walk, bson_type_t type, const char *key);
