/*
 * Hash chains of things that carry their own link: no copy of the key, no allocation per entry. Who compares keys
 * is the caller, along the entries of one hash. Not thread-safe: the owner's lock guards it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sync/base/cleanup.h"

/* Embedded as the first member of what is kept. */
struct chain_link {
	struct chain_link *next;
	uint64_t hash;
};

/* A zeroed struct is an empty one. */
struct chains {
	struct chain_link **slots;
	size_t n_slots, n_used;
};

/* Frees the table, not what is in it. */
void chains_done(struct chains *chains);
/* Makes room for one more, so that chains_add() cannot fail. 0 or -ENOMEM. */
int chains_reserve(struct chains *chains) _must_check_;
/* After many were taken out: a smaller table, if there is memory for it. */
void chains_shrink(struct chains *chains);
void chains_add(struct chains *chains, struct chain_link *link, uint64_t hash);
/* Takes it out; it must be in. */
void chains_remove(struct chains *chains, struct chain_link *link);
/* First with this hash, and the next one after LINK with the same; NULL at the end. */
struct chain_link *chains_first(const struct chains *chains, uint64_t hash);
struct chain_link *chains_next(const struct chain_link *link);
