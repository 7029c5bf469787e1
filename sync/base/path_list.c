/* Things that lie on paths, sorted by tree. */
#include "sync/base/path_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/path.h"

static int compare_bytes(unsigned char a, unsigned char b)
{
	if (a == b)
		return 0;
	if (a == '/' || b == '/')
		return a == '/' ? -1 : 1;
	return a < b ? -1 : 1;
}

static int compare(const struct path_item *item, int root, const char *rel, size_t len)
{
	size_t i = 0;
	int r = 0;

	if (item->root != root)
		return item->root < root ? -1 : 1;
	while (i < len && item->rel[i] && r == 0) {
		r = compare_bytes((unsigned char)item->rel[i], (unsigned char)rel[i]);
		i++;
	}
	if (r)
		return r;
	return item->rel[i] ? 1 : i < len ? -1 : 0;
}

void path_list_done(struct path_list *list, void (*free_value)(void *))
{
	for (size_t i = 0; i < list->n && free_value; i++)
		free_value(list->items[i].value);
	free(list->items);
	*list = (struct path_list){ 0 };
}

int path_list_reserve(struct path_list *list, size_t more)
{
	size_t cap = list->cap ? list->cap : 16;
	struct path_item *items;

	while (cap < list->n + more)
		cap *= 2;
	if (cap == list->cap)
		return 0;
	items = realloc(list->items, cap * sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	list->cap = cap;
	return 0;
}

size_t path_list_lower(const struct path_list *list, int root, const char *rel,
		       size_t len)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&list->items[middle], root, rel, len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *path_list_get_n(const struct path_list *list, int root, const char *rel, size_t len)
{
	size_t i = path_list_lower(list, root, rel, len);

	if (i == list->n || compare(&list->items[i], root, rel, len) != 0)
		return NULL;
	return list->items[i].value;
}

void *path_list_get(const struct path_list *list, int root, const char *rel)
{
	return path_list_get_n(list, root, rel, strlen(rel));
}

void *path_list_put(struct path_list *list, int root, const char *rel, void *value)
{
	size_t i = path_list_lower(list, root, rel, strlen(rel));
	struct path_item item = { .root = root, .rel = rel, .value = value };
	void *old = NULL;

	if (i < list->n && compare(&list->items[i], root, rel, strlen(rel)) == 0) {
		old = list->items[i].value;
	} else {
		memmove(&list->items[i + 1], &list->items[i],
			(list->n - i) * sizeof(item));
		list->n++;
	}
	list->items[i] = item;
	return old;
}

void *path_list_remove(struct path_list *list, int root, const char *rel)
{
	size_t i = path_list_lower(list, root, rel, strlen(rel));
	void *value;

	if (i == list->n || compare(&list->items[i], root, rel, strlen(rel)) != 0)
		return NULL;
	value = list->items[i].value;
	list->n--;
	memmove(&list->items[i], &list->items[i + 1],
		(list->n - i) * sizeof(*list->items));
	return value;
}

bool path_list_is_below(const struct path_list *list, size_t i, int root, const char *rel)
{
	return i < list->n && list->items[i].root == root &&
	       path_is_below(list->items[i].rel, rel);
}

size_t path_up(const char *rel, size_t len)
{
	while (len > 0 && rel[len - 1] != '/')
		len--;
	return len ? len - 1 : 0;
}
