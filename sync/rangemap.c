/* A set of bytes as sorted ranges: found by bisection, changed by moving the tail of the array. */
#include "sync/rangemap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void rangemap_done(struct rangemap *map)
{
	free(map->ranges);
	*map = (struct rangemap){ 0 };
}

/* The first range that ends at or after OFFSET (touches it from the left, or lies behind). */
static size_t find(const struct rangemap *map, int64_t offset)
{
	size_t low = 0, high = map->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->ranges[middle].end < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Makes N places at I instead of the M ranges that are there. */
static int splice(struct rangemap *map, size_t i, size_t m, size_t n)
{
	size_t cap = map->cap ? map->cap : 4;
	struct range *ranges;

	while (cap < map->n - m + n)
		cap *= 2;
	if (cap > map->cap) {
		ranges = realloc(map->ranges, cap * sizeof(*ranges));
		if (!ranges)
			return -ENOMEM;
		map->ranges = ranges;
		map->cap = cap;
	}
	memmove(map->ranges + i + n, map->ranges + i + m,
		(map->n - i - m) * sizeof(*map->ranges));
	map->n += n - m;
	return 0;
}

int rangemap_add(struct rangemap *map, int64_t start, int64_t end)
{
	size_t i = find(map, start), j = i;
	int r;

	if (start >= end)
		return 0;
	for (; j < map->n && map->ranges[j].start <= end; j++) {
		if (map->ranges[j].start < start)
			start = map->ranges[j].start;
		if (map->ranges[j].end > end)
			end = map->ranges[j].end;
	}
	r = splice(map, i, j - i, 1);
	if (r < 0)
		return r;
	map->ranges[i] = (struct range){ start, end };
	return 0;
}

int rangemap_remove(struct rangemap *map, int64_t start, int64_t end)
{
	size_t i = find(map, start), j = i, n = 0;
	struct range left[2];
	int r;

	if (start >= end)
		return 0;
	for (; j < map->n && map->ranges[j].start < end; j++) {
		struct range old = map->ranges[j];

		/* at most one range reaches out to the left, and one to the right */
		if (old.start < start)
			left[n++] = (struct range){ old.start,
						    old.end < start ? old.end : start };
		if (old.end > end)
			left[n++] = (struct range){ end, old.end };
	}
	r = splice(map, i, j - i, n);
	if (r < 0)
		return r;
	for (size_t k = 0; k < n; k++)
		map->ranges[i + k] = left[k];
	return 0;
}

int rangemap_add_all(struct rangemap *map, const struct rangemap *other)
{
	int r = 0;

	for (size_t i = 0; i < other->n && r == 0; i++)
		r = rangemap_add(map, other->ranges[i].start, other->ranges[i].end);
	return r;
}

bool rangemap_has(const struct rangemap *map, int64_t start, int64_t end)
{
	struct range gap;

	return !rangemap_gap(map, start, end, &gap);
}

bool rangemap_gap(const struct rangemap *map, int64_t from, int64_t limit,
		  struct range *ret)
{
	size_t i = find(map, from);

	if (i < map->n && map->ranges[i].start <= from) {
		from = map->ranges[i].end;
		i++;
	}
	if (from >= limit)
		return false;
	ret->start = from;
	ret->end =
		i < map->n && map->ranges[i].start < limit ? map->ranges[i].start : limit;
	return true;
}

bool rangemap_hole(const struct rangemap *map, int64_t at, struct range within,
		   struct range *ret)
{
	size_t i = find(map, at);

	if (at < within.start || !rangemap_gap(map, at, within.end, ret) ||
	    ret->start != at)
		return false;
	/* a range that ends exactly at AT touches it from the left */
	if (i < map->n && map->ranges[i].end == at)
		return true;
	ret->start = i > 0 && map->ranges[i - 1].end > within.start
			     ? map->ranges[i - 1].end
			     : within.start;
	return true;
}

int64_t rangemap_total(const struct rangemap *map)
{
	int64_t total = 0;

	for (size_t i = 0; i < map->n; i++)
		total += map->ranges[i].end - map->ranges[i].start;
	return total;
}
