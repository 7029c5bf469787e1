/* A set of 64-bit hashes, and sorted arrays of them. */
#include "sync/base/hash_set.h"

#include <errno.h>
#include <stdlib.h>

#include "sync/base/cleanup.h"

/* 0 marks a free slot, so the hash 0 is kept as 1: one more collision among 2^64. */
static uint64_t slot_of(uint64_t hash)
{
	return hash ? hash : 1;
}

static size_t find(const struct hash_set *set, uint64_t hash)
{
	size_t mask = set->n_slots - 1;
	size_t i = hash & mask;

	while (set->slots[i] && set->slots[i] != hash)
		i = (i + 1) & mask;
	return i;
}

void hash_set_done(struct hash_set *set)
{
	free(set->slots);
	*set = (struct hash_set){ 0 };
}

int hash_set_reserve(struct hash_set *set)
{
	struct hash_set bigger = { .n_slots = set->n_slots ? set->n_slots * 2 : 64 };

	if ((set->n_used + 1) * 4 <= set->n_slots * 3)
		return 0;
	bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_slots; i++)
		if (set->slots[i])
			bigger.slots[find(&bigger, set->slots[i])] = set->slots[i];
	bigger.n_used = set->n_used;
	free(set->slots);
	*set = bigger;
	return 0;
}

int hash_set_add(struct hash_set *set, uint64_t hash)
{
	size_t i;

	if (hash_set_reserve(set) < 0)
		return -ENOMEM;
	hash = slot_of(hash);
	i = find(set, hash);
	set->n_used += !set->slots[i];
	set->slots[i] = hash;
	return 0;
}

bool hash_set_has(const struct hash_set *set, uint64_t hash)
{
	return set->n_used && set->slots[find(set, slot_of(hash))];
}

/* Knuth 6.4 R: what was pushed past the freed slot moves back, so no tombstones are needed. */
void hash_set_remove(struct hash_set *set, uint64_t hash)
{
	size_t mask = set->n_slots - 1;
	size_t hole;

	if (!hash_set_has(set, hash))
		return;
	hole = find(set, slot_of(hash));
	set->slots[hole] = 0;
	set->n_used--;
	for (size_t i = (hole + 1) & mask; set->slots[i]; i = (i + 1) & mask) {
		size_t home = set->slots[i] & mask;

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		set->slots[hole] = set->slots[i];
		set->slots[i] = 0;
		hole = i;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

size_t hashes_sort(uint64_t *hashes, size_t n)
{
	size_t used = 0;

	if (n)
		qsort(hashes, n, sizeof(*hashes), compare);
	for (size_t i = 0; i < n; i++)
		if (!used || hashes[used - 1] != hashes[i])
			hashes[used++] = hashes[i];
	return used;
}

bool hashes_have(const uint64_t *hashes, size_t n, uint64_t hash)
{
	return n && bsearch(&hash, hashes, n, sizeof(*hashes), compare);
}

size_t hashes_filter(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b,
		     bool keep, uint64_t *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < n_a; i++)
		if (hashes_have(b, n_b, a[i]) == keep)
			ret[n++] = a[i];
	return n;
}
