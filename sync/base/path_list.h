/*
 * Things that lie on paths: (root number, relative path) -> value, sorted so that everything at and
 * below a folder is one run: "/" sorts before every other byte ("a", "a/b", "a-b"). Not thread-safe:
 * the owner's lock guards it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct path_item {
	int root;
	const char *rel; /* borrowed, usually from the value */
	void *value;
};

struct path_list {
	struct path_item *items;
	size_t n, cap; /* a zeroed struct is an empty list */
};

/* Frees the list, and values with FREE_VALUE unless NULL. */
void path_list_done(struct path_list *list, void (*free_value)(void *));
/* Room for MORE, so that as many path_list_put() cannot fail. 0 or -ENOMEM. */
int path_list_reserve(struct path_list *list, size_t more);
/* Position of the first item at or after the path. LEN bytes of REL count. */
size_t path_list_lower(const struct path_list *list, int root, const char *rel,
		       size_t len);
/* The value on exactly this path, or NULL. */
void *path_list_get(const struct path_list *list, int root, const char *rel);
void *path_list_get_n(const struct path_list *list, int root, const char *rel,
		      size_t len);
/* Puts the value; what was there is handed back, or NULL. Room must be reserved. REL lives as long as
 * the item. */
void *path_list_put(struct path_list *list, int root, const char *rel, void *value);
/* Removes and hands back, or NULL. */
void *path_list_remove(struct path_list *list, int root, const char *rel);
/* Item I exists and lies at or below the path. */
bool path_list_is_below(const struct path_list *list, size_t i, int root,
			const char *rel);

/* Length of the path one level up of the first LEN bytes of REL. "" has none: ask only if LEN > 0. */
size_t path_up(const char *rel, size_t len);
