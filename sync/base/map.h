/*
 * A hash map from byte strings to pointers (open addressing, XXH3). Keys are copied; values are
 * the caller's. Not thread-safe: the owner's lock guards it. Iteration order is unspecified.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/cleanup.h"

struct map_slot {
	char *key; /* NULL: free, or a tombstone where len is SIZE_MAX */
	size_t len;
	uint64_t hash;
	void *value;
};

struct map {
	struct map_slot *slots;
	size_t n_slots, n_used, n_dead; /* a zeroed struct is an empty map */
};

/* Frees keys and table; values with FREE_VALUE unless NULL. */
void map_done(struct map *map, void (*free_value)(void *));
/* The value under KEY, or NULL. */
void *map_get(const struct map *map, const char *key);
void *map_get_n(const struct map *map, const void *key, size_t len);
/* Adds or replaces; the value that was there goes to ret_old if not NULL. 0 or -ENOMEM. */
int map_put(struct map *map, const char *key, void *value, void **ret_old);
int map_put_n(struct map *map, const void *key, size_t len, void *value, void **ret_old);
/* Removes and hands back the value, or NULL. */
void *map_remove(struct map *map, const char *key);
void *map_remove_n(struct map *map, const void *key, size_t len);
size_t map_size(const struct map *map);
/* Next used slot at or after *pos, advancing it; NULL at the end. Do not change the map. */
struct map_slot *map_next(const struct map *map, size_t *pos);
