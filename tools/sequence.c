/* Frame sequences. */
#include "tools/sequence.h"

#include <errno.h>
#include <string.h>

#include "sync/base/map.h"
#include "sync/base/path.h"

#define DIGITS_MAX 15 /* fits an int64_t with room */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_before(char c)
{
	return c == '.' || c == '_' || c == '-';
}

bool sequence_find_frame(const char *path, struct sequence_frame *ret)
{
	const char *name = path_name(path);
	size_t end = strlen(name);

	while (end > 0) {
		size_t start;

		while (end > 0 && !is_digit(name[end - 1]))
			end--;
		start = end;
		while (start > 0 && is_digit(name[start - 1]))
			start--;
		if (end > start && end - start <= DIGITS_MAX &&
		    (!name[end] || name[end] == '.') &&
		    (start == 0 || is_before(name[start - 1]))) {
			ret->offset = (size_t)(name - path) + start;
			ret->length = end - start;
			ret->number = strtoll(name + start, NULL, 10);
			return true;
		}
		end = start;
	}
	return false;
}

struct range {
	int64_t first, last;
};

/* Files that fold into one line. */
struct group {
	char *prefix, *suffix; /* around the number; suffix NULL: a single name */
	int width;
	int tag;
	struct range *ranges; /* in order of arrival; touching ones are joined */
	size_t n_ranges, cap;
	int64_t files, bytes;
	bool is_size_unknown;
};

struct fold {
	struct map by_pattern; /* of struct group, owned by the array */
	struct group **groups;
	size_t n_groups, cap;
	bool is_long;
};

static void group_free(struct group *group)
{
	if (!group)
		return;
	free(group->prefix);
	free(group->suffix);
	free(group->ranges);
	free(group);
}
DEFINE_CLEANUP(struct group *, group_free);

int fold_new(bool is_long, struct fold **ret)
{
	struct fold *fold = calloc(1, sizeof(*fold));

	if (!fold)
		return -ENOMEM;
	fold->is_long = is_long;
	*ret = fold;
	return 0;
}

void fold_free(struct fold *fold)
{
	if (!fold)
		return;
	for (size_t i = 0; i < fold->n_groups; i++)
		group_free(fold->groups[i]);
	free(fold->groups);
	map_done(&fold->by_pattern, NULL);
	free(fold);
}

static int keep_group(struct fold *fold, struct group *group)
{
	if (fold->n_groups == fold->cap) {
		size_t cap = fold->cap ? fold->cap * 2 : 64;
		struct group **groups = reallocarray(fold->groups, cap, sizeof(*groups));

		if (!groups)
			return -ENOMEM;
		fold->groups = groups;
		fold->cap = cap;
	}
	fold->groups[fold->n_groups++] = group;
	return 0;
}

/* The group of PATH, made where it is the first. FRAME NULL: a name of its own. */
static int find_group(struct fold *fold, const char *path, int tag,
		      const struct sequence_frame *frame, struct group **ret)
{
	_cleanup_(group_freep) struct group *group = NULL;
	_cleanup_(buf_done) struct buf key = { 0 };
	int r;

	if (frame) {
		buf_addf(&key, "%d/%zu/", tag, frame->length);
		buf_add(&key, path, frame->offset);
		buf_addc(&key, '\0');
		buf_adds(&key, path + frame->offset + frame->length);
		if (key.has_failed)
			return -ENOMEM;
		*ret = map_get_n(&fold->by_pattern, key.data, key.len);
		if (*ret)
			return 0;
	}
	group = calloc(1, sizeof(*group));
	if (!group)
		return -ENOMEM;
	group->tag = tag;
	group->prefix = frame ? strndup(path, frame->offset) : strdup(path);
	if (frame) {
		group->width = (int)frame->length;
		group->suffix = strdup(path + frame->offset + frame->length);
	}
	if (!group->prefix || (frame && !group->suffix))
		return -ENOMEM;
	if (frame) {
		r = map_put_n(&fold->by_pattern, key.data, key.len, group, NULL);
		if (r < 0)
			return r;
	}
	r = keep_group(fold, group);
	if (r < 0) {
		if (frame)
			map_remove_n(&fold->by_pattern, key.data, key.len);
		return r;
	}
	*ret = steal(group);
	return 0;
}

static int add_frame(struct group *group, int64_t number)
{
	struct range *last = group->n_ranges ? &group->ranges[group->n_ranges - 1] : NULL;

	if (last && last->last + 1 == number) {
		last->last = number;
		return 0;
	}
	if (!group->ranges || group->n_ranges == group->cap) {
		size_t cap = group->cap ? group->cap * 2 : 4;
		struct range *ranges = reallocarray(group->ranges, cap, sizeof(*ranges));

		if (!ranges)
			return -ENOMEM;
		group->ranges = ranges;
		group->cap = cap;
	}
	group->ranges[group->n_ranges++] = (struct range){ number, number };
	return 0;
}

int fold_add(struct fold *fold, const char *path, int tag, int64_t size)
{
	struct sequence_frame frame;
	bool has_frame = !fold->is_long && sequence_find_frame(path, &frame);
	struct group *group;
	int r;

	r = find_group(fold, path, tag, has_frame ? &frame : NULL, &group);
	if (r < 0)
		return r;
	if (has_frame) {
		r = add_frame(group, frame.number);
		if (r < 0)
			return r;
	}
	group->files++;
	if (size >= 0)
		group->bytes += size;
	else
		group->is_size_unknown = true;
	return 0;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static void add_ranges(struct group *group, struct buf *name)
{
	const char *comma = "";

	qsort(group->ranges, group->n_ranges, sizeof(*group->ranges), compare_ranges);
	for (size_t i = 0; i < group->n_ranges; i++) {
		struct range range = group->ranges[i];

		while (i + 1 < group->n_ranges &&
		       group->ranges[i + 1].first <= range.last + 1)
			range.last = group->ranges[++i].last;
		buf_addf(name, "%s%0*lld", comma, group->width, (long long)range.first);
		if (range.last > range.first)
			buf_addf(name, "-%0*lld", group->width, (long long)range.last);
		comma = ",";
	}
}

static void add_name(struct group *group, struct buf *name)
{
	buf_adds(name, group->prefix);
	if (!group->suffix)
		return;
	if (group->files > 1)
		buf_addc(name, '[');
	add_ranges(group, name);
	if (group->files > 1)
		buf_addc(name, ']');
	buf_adds(name, group->suffix);
}

int fold_each(struct fold *fold, int (*fn)(void *context, const struct fold_line *line),
	      void *context)
{
	for (size_t i = 0; i < fold->n_groups; i++) {
		_cleanup_(buf_done) struct buf name = { 0 };
		struct group *group = fold->groups[i];
		int r;

		add_name(group, &name);
		if (name.has_failed)
			return -ENOMEM;
		r = fn(context, &(struct fold_line){
					.name = buf_str(&name),
					.tag = group->tag,
					.files = group->files,
					.bytes = group->bytes,
					.is_size_unknown = group->is_size_unknown,
				});
		if (r)
			return r;
	}
	return 0;
}
