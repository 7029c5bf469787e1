/* Walks the elements of a document or array and tells their bytes. */
#include "sync/bson_walk.h"

#include <string.h>

void bson_walk_init(struct bson_walk *walk, const void *data, size_t len)
{
	*walk = (struct bson_walk){ .end = (const uint8_t *)data + len - 1 };
	walk->has_ahead = bson_iter_init_from_data(&walk->ahead, data, len) &&
			  bson_iter_next(&walk->ahead);
}

void bson_walk_enter(const struct bson_walk *outer, struct bson_walk *walk)
{
	bson_walk_init(walk, outer->value, outer->len);
}

bool bson_walk_next(struct bson_walk *walk)
{
	const uint8_t *next;

	if (!walk->has_ahead)
		return false;
	walk->it = walk->ahead;
	walk->key = bson_iter_key(&walk->it);
	walk->start = (const uint8_t *)walk->key - 1;
	walk->value = (const uint8_t *)walk->key + strlen(walk->key) + 1;
	walk->has_ahead = bson_iter_next(&walk->ahead);
	next = walk->has_ahead ? (const uint8_t *)bson_iter_key(&walk->ahead) - 1
			       : walk->end;
	walk->len = (size_t)(next - walk->value);
	return true;
}

bool bson_walk_is(const struct bson_walk *walk, bson_type_t type, const char *key)
{
	return bson_iter_type(&walk->it) == type && strcmp(walk->key, key) == 0;
}
