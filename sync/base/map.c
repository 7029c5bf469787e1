/* A hash map from byte strings to pointers. */
#include "sync/base/map.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define DEAD SIZE_MAX

static struct map_slot *find(const struct map *map, const void *key, size_t len,
			     uint64_t hash)
{
	size_t mask = map->n_slots - 1;

	if (!map->n_slots)
		return NULL;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct map_slot *slot = &map->slots[i];

		if (!slot->key && slot->len != DEAD)
			return NULL;
		if (slot->key && slot->hash == hash && slot->len == len &&
		    memcmp(slot->key, key, len) == 0)
			return slot;
	}
}

static void place(struct map_slot *slots, size_t n_slots, const struct map_slot *from)
{
	size_t i = from->hash & (n_slots - 1);

	while (slots[i].key)
		i = (i + 1) & (n_slots - 1);
	slots[i] = *from;
}

static int grow(struct map *map)
{
	size_t n = map->n_slots ? map->n_slots : 16;
	struct map_slot *slots;

	while (n < (map->n_used + 1) * 2)
		n *= 2;
	slots = calloc(n, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->n_slots; i++)
		if (map->slots[i].key)
			place(slots, n, &map->slots[i]);
	free(map->slots);
	map->slots = slots;
	map->n_slots = n;
	map->n_dead = 0;
	return 0;
}

void map_done(struct map *map, void (*free_value)(void *))
{
	for (size_t i = 0; i < map->n_slots; i++) {
		if (!map->slots[i].key)
			continue;
		free(map->slots[i].key);
		if (free_value)
			free_value(map->slots[i].value);
	}
	free(map->slots);
	*map = (struct map){ 0 };
}

void *map_get_n(const struct map *map, const void *key, size_t len)
{
	struct map_slot *slot = find(map, key, len, XXH3_64bits(key, len));

	return slot ? slot->value : NULL;
}

void *map_get(const struct map *map, const char *key)
{
	return map_get_n(map, key, strlen(key));
}

int map_put_n(struct map *map, const void *key, size_t len, void *value, void **ret_old)
{
	struct map_slot slot = { .len = len,
				 .hash = XXH3_64bits(key, len),
				 .value = value };
	struct map_slot *old = find(map, key, len, slot.hash);

	if (ret_old)
		*ret_old = old ? old->value : NULL;
	if (old) {
		old->value = value;
		return 0;
	}
	if ((map->n_used + map->n_dead + 1) * 4 > map->n_slots * 3 && grow(map) < 0)
		return -ENOMEM;
	slot.key = malloc(len + 1);
	if (!slot.key)
		return -ENOMEM;
	memcpy(slot.key, key, len);
	slot.key[len] = '\0';
	place(map->slots, map->n_slots, &slot);
	map->n_used++;
	return 0;
}

int map_put(struct map *map, const char *key, void *value, void **ret_old)
{
	return map_put_n(map, key, strlen(key), value, ret_old);
}

void *map_remove_n(struct map *map, const void *key, size_t len)
{
	struct map_slot *slot = find(map, key, len, XXH3_64bits(key, len));
	void *value;

	if (!slot)
		return NULL;
	value = slot->value;
	free(slot->key);
	*slot = (struct map_slot){ .len = DEAD };
	map->n_used--;
	map->n_dead++;
	return value;
}

void *map_remove(struct map *map, const char *key)
{
	return map_remove_n(map, key, strlen(key));
}

size_t map_size(const struct map *map)
{
	return map->n_used;
}

struct map_slot *map_next(const struct map *map, size_t *pos)
{
	while (*pos < map->n_slots) {
		struct map_slot *slot = &map->slots[(*pos)++];

		if (slot->key)
			return slot;
	}
	return NULL;
}
