/* The update between two states of a representation. */
#include "sync/store_mongo_diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/bson_id.h"
#include "sync/bson_walk.h"
#include "sync/bson_write.h"

/* The parts of the update while it grows; the index of a file names its array filters. */
struct work {
	struct buf matches; /* elements of $all */
	struct buf filters; /* elements of arrayFilters */
	struct buf set, unset, push, pull;
	size_t n_filters;
	size_t n; /* of the file: "f0" */
};

static void work_done(struct work *work)
{
	struct buf *const all[] = { &work->matches, &work->filters, &work->set,
				    &work->unset,   &work->push,    &work->pull };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		buf_done(all[i]);
}

/* ---- elements of `sites` ---- */

struct element {
	uint8_t type;
	const uint8_t *value;
	size_t len;
	const char *name; /* of a site, or NULL */
};

struct elements {
	struct element *list;
	size_t n;
};

static void elements_done(struct elements *elements)
{
	free(elements->list);
}

static const char *name_of(const struct bson_walk *element)
{
	struct bson_walk walk;

	if (bson_iter_type(&element->it) != BSON_TYPE_DOCUMENT)
		return NULL;
	bson_walk_enter(element, &walk);
	while (bson_walk_next(&walk))
		if (strcmp(walk.key, "name") == 0)
			return bson_get_text(&walk.it);
	return NULL;
}

static int elements_load(const struct bson_walk *array, struct elements *ret)
{
	struct bson_walk walk;
	size_t n = 0;

	bson_walk_enter(array, &walk);
	while (bson_walk_next(&walk))
		n++;
	ret->list = calloc(n + 1, sizeof(*ret->list));
	if (!ret->list)
		return -ENOMEM;
	bson_walk_enter(array, &walk);
	while (bson_walk_next(&walk))
		ret->list[ret->n++] =
			(struct element){ (uint8_t)bson_iter_type(&walk.it), walk.value,
					  walk.len, name_of(&walk) };
	return 0;
}

static bool is_same(const struct element *a, const struct element *b)
{
	return a->type == b->type && a->len == b->len &&
	       memcmp(a->value, b->value, a->len) == 0;
}

/* NAME names exactly one entry. */
static bool is_unique(const struct elements *elements, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; name && i < elements->n; i++)
		n += elements->list[i].name && strcmp(elements->list[i].name, name) == 0;
	return n == 1;
}

/* ---- conditions ---- */

/* What `sites` was when it was decided on. */
struct condition {
	const struct bson_walk
		*whole; /* the old value; NULL with is_missing: there was none */
	bool is_missing;
	const struct element *entry; /* an element as it was read */
	const char *absent;          /* or no element of that name */
};

static void write_equal(struct buf *buf, const char *key, uint8_t type, const void *value,
			size_t len)
{
	size_t begin = bson_write_open(buf, BSON_WRITE_DOCUMENT, key);

	bson_write_raw(buf, type, "$eq", value, len);
	bson_write_end(buf, begin);
}

static void write_missing(struct buf *buf, const char *key)
{
	size_t begin = bson_write_open(buf, BSON_WRITE_DOCUMENT, key);

	bson_write_bool(buf, "$exists", false);
	bson_write_end(buf, begin);
}

/* {$eq: VALUE, $type: ITS TYPE}: without it a null is equal to nothing at all. */
static void write_whole(struct buf *buf, const char *key, const struct bson_walk *value)
{
	size_t begin = bson_write_open(buf, BSON_WRITE_DOCUMENT, key);
	uint8_t type = (uint8_t)bson_iter_type(&value->it);

	bson_write_raw(buf, type, "$eq", value->value, value->len);
	bson_write_int32(buf, "$type", type);
	bson_write_end(buf, begin);
}

static void write_entry(struct buf *buf, const char *key, const struct element *entry)
{
	size_t outer = bson_write_open(buf, BSON_WRITE_DOCUMENT, key);

	write_equal(buf, "$elemMatch", entry->type, entry->value, entry->len);
	bson_write_end(buf, outer);
}

/* No entry of that name, in a list: a push into another form would be refused. */
static void write_absent(struct buf *buf, const char *prefix, const char *name)
{
	_cleanup_(freep) char *sites = strf("%ssites", prefix);
	_cleanup_(freep) char *names = strf("%ssites.name", prefix);
	size_t begin;

	if (!sites || !names) {
		buf->has_failed = true;
		return;
	}
	begin = bson_write_open(buf, BSON_WRITE_DOCUMENT, sites);
	bson_write_int32(buf, "$type", BSON_TYPE_ARRAY);
	bson_write_end(buf, begin);
	begin = bson_write_open(buf, BSON_WRITE_DOCUMENT, names);
	bson_write_text(buf, "$ne", name);
	bson_write_end(buf, begin);
}

/* The file's field KEY is as it is in FILE: by its bytes, or not there. */
static void write_field(struct buf *buf, const char *prefix, const char *key,
			const struct bson_walk *file)
{
	_cleanup_(freep) char *name = strf("%s%s", prefix, key);
	struct bson_walk walk;

	if (!name) {
		buf->has_failed = true;
		return;
	}
	bson_walk_enter(file, &walk);
	while (bson_walk_next(&walk))
		if (strcmp(walk.key, key) == 0) {
			write_equal(buf, name, (uint8_t)bson_iter_type(&walk.it),
				    walk.value, walk.len);
			return;
		}
	write_missing(buf, name);
}

/* All of it, for a file whose fields are called PREFIX + key. */
static void write_condition(struct buf *buf, const char *prefix,
			    const struct bson_walk *file, const struct condition *c)
{
	_cleanup_(freep) char *sites = strf("%ssites", prefix);

	if (!sites) {
		buf->has_failed = true;
		return;
	}
	write_field(buf, prefix, "_id", file);
	write_field(buf, prefix, "path", file);
	if (c->is_missing)
		write_missing(buf, sites);
	else if (c->whole)
		write_whole(buf, sites, c->whole);
	else if (c->entry)
		write_entry(buf, sites, c->entry);
	else
		write_absent(buf, prefix, c->absent);
}

/* The file as an element of $all, and as the array filter fN. */
static void add_file(struct work *work, const struct bson_walk *file,
		     const struct condition *condition)
{
	char key[32], prefix[32];
	size_t outer, inner;

	snprintf(key, sizeof(key), "%zu", work->n);
	outer = bson_write_open(&work->matches, BSON_WRITE_DOCUMENT, key);
	inner = bson_write_open(&work->matches, BSON_WRITE_DOCUMENT, "$elemMatch");
	write_condition(&work->matches, "", file, condition);
	bson_write_end(&work->matches, inner);
	bson_write_end(&work->matches, outer);

	snprintf(key, sizeof(key), "%zu", work->n_filters++);
	snprintf(prefix, sizeof(prefix), "f%zu.", work->n);
	outer = bson_write_open(&work->filters, BSON_WRITE_DOCUMENT, key);
	write_condition(&work->filters, prefix, file, condition);
	bson_write_end(&work->filters, outer);
}

/* The entry as it was read, as the array filter sN. */
static void add_entry_filter(struct work *work, const struct element *entry)
{
	char key[32], name[32];
	size_t outer;

	snprintf(key, sizeof(key), "%zu", work->n_filters++);
	snprintf(name, sizeof(name), "s%zu", work->n);
	outer = bson_write_open(&work->filters, BSON_WRITE_DOCUMENT, key);
	write_equal(&work->filters, name, entry->type, entry->value, entry->len);
	bson_write_end(&work->filters, outer);
}

/* ---- one entry, field by field ---- */

static bool is_plain_key(const char *key)
{
	return key[0] && key[0] != '$' && !strchr(key, '.');
}

/* How often the entry has the key; *RET is the first. */
static size_t find_field(const struct element *entry, const char *key,
			 struct bson_walk *ret)
{
	struct bson_walk walk;
	size_t n = 0;

	bson_walk_init(&walk, entry->value, entry->len);
	while (bson_walk_next(&walk))
		if (strcmp(walk.key, key) == 0 && n++ == 0)
			*ret = walk;
	return n;
}

/* Every key is plain and there once. */
static bool is_plain(const struct element *entry)
{
	struct bson_walk walk, found;

	bson_walk_init(&walk, entry->value, entry->len);
	while (bson_walk_next(&walk))
		if (!is_plain_key(walk.key) || find_field(entry, walk.key, &found) != 1)
			return false;
	return entry->type == BSON_TYPE_DOCUMENT;
}

static void write_path(char *ret, size_t size, size_t n, const char *key)
{
	snprintf(ret, size, "files.$[f%zu].sites.$[s%zu].%s", n, n, key);
}

/* False where a key is too long for a path. */
static bool change_fields(struct work *work, const struct element *old_entry,
			  const struct element *new_entry)
{
	struct bson_walk walk, other;
	char path[256];

	bson_walk_init(&walk, new_entry->value, new_entry->len);
	while (bson_walk_next(&walk)) {
		if (find_field(old_entry, walk.key, &other) &&
		    bson_iter_type(&other.it) == bson_iter_type(&walk.it) &&
		    other.len == walk.len &&
		    memcmp(other.value, walk.value, walk.len) == 0)
			continue;
		if (strlen(walk.key) > 128)
			return false;
		write_path(path, sizeof(path), work->n, walk.key);
		bson_write_raw(&work->set, (uint8_t)bson_iter_type(&walk.it), path,
			       walk.value, walk.len);
	}
	bson_walk_init(&walk, old_entry->value, old_entry->len);
	while (bson_walk_next(&walk)) {
		if (find_field(new_entry, walk.key, &other))
			continue;
		if (strlen(walk.key) > 128)
			return false;
		write_path(path, sizeof(path), work->n, walk.key);
		bson_write_text(&work->unset, path, "");
	}
	return true;
}

/* ---- one file ---- */

static bool find_sites(const struct bson_walk *file, struct bson_walk *ret)
{
	bson_walk_enter(file, ret);
	while (bson_walk_next(ret))
		if (strcmp(ret->key, "sites") == 0)
			return true;
	return false;
}

static void change_whole(struct work *work, const struct bson_walk *old_file,
			 const struct bson_walk *new_file)
{
	struct bson_walk old_sites, new_sites;
	struct condition condition = { 0 };
	char path[64];

	condition.is_missing = !find_sites(old_file, &old_sites);
	if (!condition.is_missing)
		condition.whole = &old_sites;
	if (!find_sites(new_file, &new_sites))
		return;
	add_file(work, old_file, &condition);
	snprintf(path, sizeof(path), "files.$[f%zu].sites", work->n);
	bson_write_raw(&work->set, (uint8_t)bson_iter_type(&new_sites.it), path,
		       new_sites.value, new_sites.len);
}

/* The index of the first element that differs. */
static size_t first_difference(const struct elements *a, const struct elements *b)
{
	size_t i = 0;

	while (i < a->n && i < b->n && is_same(&a->list[i], &b->list[i]))
		i++;
	return i;
}

static bool has_same_rest(const struct elements *a, size_t at_a, const struct elements *b,
			  size_t at_b)
{
	if (a->n - at_a != b->n - at_b)
		return false;
	while (at_a < a->n)
		if (!is_same(&a->list[at_a++], &b->list[at_b++]))
			return false;
	return true;
}

/* Each of these: false, with nothing written, where it is another kind of change. */

static bool try_push(struct work *work, const struct bson_walk *file,
		     const struct elements *old_list, const struct elements *new_list)
{
	struct condition condition = { 0 };
	char path[64];

	if (new_list->n != old_list->n + 1 ||
	    first_difference(old_list, new_list) != old_list->n ||
	    !is_unique(new_list, new_list->list[old_list->n].name))
		return false;
	condition.absent = new_list->list[old_list->n].name;
	add_file(work, file, &condition);
	snprintf(path, sizeof(path), "files.$[f%zu].sites", work->n);
	bson_write_raw(&work->push, new_list->list[old_list->n].type, path,
		       new_list->list[old_list->n].value,
		       new_list->list[old_list->n].len);
	return true;
}

static bool try_pull(struct work *work, const struct bson_walk *file,
		     const struct elements *old_list, const struct elements *new_list)
{
	size_t at = first_difference(old_list, new_list), begin;
	struct condition condition = { .entry = &old_list->list[at] };
	char path[64];

	if (at >= old_list->n || old_list->n != new_list->n + 1 ||
	    !has_same_rest(old_list, at + 1, new_list, at) ||
	    !is_unique(old_list, old_list->list[at].name))
		return false;
	add_file(work, file, &condition);
	snprintf(path, sizeof(path), "files.$[f%zu].sites", work->n);
	begin = bson_write_open(&work->pull, BSON_WRITE_DOCUMENT, path);
	bson_write_text(&work->pull, "name", old_list->list[at].name);
	bson_write_end(&work->pull, begin);
	return true;
}

static bool try_fields(struct work *work, const struct bson_walk *file,
		       const struct elements *old_list, const struct elements *new_list)
{
	size_t at = first_difference(old_list, new_list);
	size_t set = work->set.len, unset = work->unset.len;
	struct condition condition = { .entry = &old_list->list[at] };

	if (at >= old_list->n || old_list->n != new_list->n ||
	    !has_same_rest(old_list, at + 1, new_list, at + 1) ||
	    !is_unique(old_list, old_list->list[at].name) ||
	    !is_unique(new_list, old_list->list[at].name) ||
	    !is_plain(&old_list->list[at]) || !is_plain(&new_list->list[at]))
		return false;
	if (!change_fields(work, &old_list->list[at], &new_list->list[at])) {
		work->set.len = set;
		work->unset.len = unset;
		return false;
	}
	add_file(work, file, &condition);
	add_entry_filter(work, &old_list->list[at]);
	return true;
}

static int change_file(struct work *work, const struct bson_walk *old_file,
		       const struct bson_walk *new_file, bool is_whole)
{
	_cleanup_(elements_done) struct elements old_list = { 0 };
	_cleanup_(elements_done) struct elements new_list = { 0 };
	struct bson_walk old_sites, new_sites;
	int r = 0;

	if (!is_whole && find_sites(old_file, &old_sites) &&
	    find_sites(new_file, &new_sites) &&
	    bson_iter_type(&old_sites.it) == BSON_TYPE_ARRAY) {
		r = elements_load(&old_sites, &old_list);
		if (r == 0)
			r = elements_load(&new_sites, &new_list);
		if (r != 0)
			return r;
		if (try_push(work, old_file, &old_list, &new_list) ||
		    try_pull(work, old_file, &old_list, &new_list) ||
		    try_fields(work, old_file, &old_list, &new_list))
			return 0;
	}
	change_whole(work, old_file, new_file);
	return 0;
}

/* ---- the document ---- */

static bool find_top(const struct buf *doc, const char *key, struct bson_walk *ret)
{
	bson_walk_init(ret, doc->data, doc->len);
	while (bson_walk_next(ret))
		if (strcmp(ret->key, key) == 0)
			return true;
	return false;
}

static void write_part(struct buf *buf, const char *key, const struct buf *elements)
{
	size_t begin;

	if (!elements->len)
		return;
	begin = bson_write_open(buf, BSON_WRITE_DOCUMENT, key);
	buf_add(buf, elements->data, elements->len);
	bson_write_end(buf, begin);
}

static int assemble(const struct buf *doc, const struct work *work,
		    struct store_mongo_diff *ret)
{
	size_t begin, files, all;
	struct bson_walk id;

	begin = bson_write_begin(&ret->query);
	if (find_top(doc, "_id", &id))
		bson_write_raw(&ret->query, (uint8_t)bson_iter_type(&id.it), "_id",
			       id.value, id.len);
	bson_write_text(&ret->query, "type", "representation");
	files = bson_write_open(&ret->query, BSON_WRITE_DOCUMENT, "files");
	all = bson_write_open(&ret->query, BSON_WRITE_ARRAY, "$all");
	buf_add(&ret->query, work->matches.data, work->matches.len);
	bson_write_end(&ret->query, all);
	bson_write_end(&ret->query, files);
	bson_write_end(&ret->query, begin);

	begin = bson_write_begin(&ret->update);
	write_part(&ret->update, "$set", &work->set);
	write_part(&ret->update, "$unset", &work->unset);
	write_part(&ret->update, "$push", &work->push);
	write_part(&ret->update, "$pull", &work->pull);
	bson_write_end(&ret->update, begin);

	begin = bson_write_begin(&ret->filters);
	all = bson_write_open(&ret->filters, BSON_WRITE_ARRAY, "arrayFilters");
	buf_add(&ret->filters, work->filters.data, work->filters.len);
	bson_write_end(&ret->filters, all);
	bson_write_end(&ret->filters, begin);
	return ret->query.has_failed || ret->update.has_failed || ret->filters.has_failed
		       ? -ENOMEM
		       : 0;
}

static bool has_failed(const struct work *work)
{
	return work->matches.has_failed || work->filters.has_failed ||
	       work->set.has_failed || work->unset.has_failed || work->push.has_failed ||
	       work->pull.has_failed;
}

int store_mongo_diff(const struct buf *old_doc, const struct buf *new_doc,
		     struct store_mongo_diff_range range, struct store_mongo_diff *ret)
{
	_cleanup_(work_done) struct work work = { 0 };
	struct bson_walk old_files, new_files, old_file, new_file;
	int r = 0;

	if (!find_top(old_doc, "files", &old_files) ||
	    !find_top(new_doc, "files", &new_files))
		return 0;
	bson_walk_enter(&old_files, &old_file);
	bson_walk_enter(&new_files, &new_file);
	while (r == 0 && work.n < range.max && bson_walk_next(&old_file) &&
	       bson_walk_next(&new_file)) {
		if (old_file.len == new_file.len &&
		    memcmp(old_file.value, new_file.value, old_file.len) == 0)
			continue;
		if (range.skip) {
			range.skip--;
			continue;
		}
		r = change_file(&work, &old_file, &new_file, range.is_whole);
		work.n++;
	}
	if (r == 0 && has_failed(&work))
		r = -ENOMEM;
	if (r == 0 && work.n)
		r = assemble(old_doc, &work, ret);
	if (r == 0)
		ret->n_files = work.n;
	return r;
}

void store_mongo_diff_done(struct store_mongo_diff *diff)
{
	buf_done(&diff->query);
	buf_done(&diff->update);
	buf_done(&diff->filters);
}
