/*
 * A set of bytes as sorted ranges that neither overlap nor touch: which parts of a file are here. A value;
 * pure; not thread-safe. A range is [start, end), never empty.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	int64_t start, end;
};

struct rangemap {
	struct range *ranges; /* ascending; a zeroed struct is an empty map */
	size_t n, cap;
};

void rangemap_done(struct rangemap *map);
/* 0, or -ENOMEM with the map unchanged. An empty range changes nothing. */
int rangemap_add(struct rangemap *map, int64_t start, int64_t end);
int rangemap_remove(struct rangemap *map, int64_t start, int64_t end);
int rangemap_add_all(struct rangemap *map, const struct rangemap *other);
/* Every byte of [start, end) is in the map. */
bool rangemap_has(const struct rangemap *map, int64_t start, int64_t end);
/* The first run of bytes that are not in the map, within [from, limit); false where there is none. */
bool rangemap_gap(const struct rangemap *map, int64_t from, int64_t limit,
		  struct range *ret);
/* The whole run of bytes around AT that are not in the map, as far as it lies within WITHIN; false where AT is in
 * the map or outside. */
bool rangemap_hole(const struct rangemap *map, int64_t at, struct range within,
		   struct range *ret);
int64_t rangemap_total(const struct rangemap *map);
