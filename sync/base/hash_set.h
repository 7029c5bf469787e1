/*
 * A set of 64-bit hashes (open addressing), for "is this path among them" with a million members.
 * Not thread-safe: the owner's lock guards it.
 *
 * Also sorted arrays of such hashes, as whiteouts and renames carry them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_set {
	uint64_t *slots;        /* 0: free */
	size_t n_slots, n_used; /* a zeroed struct is an empty set */
};

void hash_set_done(struct hash_set *set);
/* Room for one more, so that the next hash_set_add() cannot fail. 0 or -ENOMEM. */
int hash_set_reserve(struct hash_set *set);
/* 0 or -ENOMEM. */
int hash_set_add(struct hash_set *set, uint64_t hash);
bool hash_set_has(const struct hash_set *set, uint64_t hash);
void hash_set_remove(struct hash_set *set, uint64_t hash);

/* Sorts and drops doubles in place; the new length. */
size_t hashes_sort(uint64_t *hashes, size_t n);
bool hashes_have(const uint64_t *hashes, size_t n, uint64_t hash);

/* Members of A that are (KEEP) or are not (!KEEP) in B, written to RET (room for n_a; may be A);
 * their number. */
size_t hashes_filter(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b,
		     bool keep, uint64_t *ret);
