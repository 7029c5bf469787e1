/* One edit of many files of a document as one update by the site's name. */
#include "sync/store_mongo_many.h"

#include <errno.h>
#include <string.h>

#include "sync/base/map.h"
#include "sync/bson_id.h"
#include "sync/bson_walk.h"
#include "sync/bson_write.h"

#define PATH "files.$[f].sites"

struct many {
	const struct site_edit *edit;
	struct map wanted; /* ids of files, where only some are meant */
	struct map keys;   /* RESET: of the entries, without name and priority */
	const uint8_t *id; /* of the document, an element's value */
	size_t id_len;
	uint8_t id_type;
	struct buf ids; /* elements of $in */
	size_t n;
	bool is_other; /* not to be made in this way */
};

static bool is_plain_key(const char *key)
{
	return key[0] && key[0] != '$' && !strchr(key, '.') && strlen(key) < 128;
}

static void keys_done(struct map *keys)
{
	map_done(keys, NULL);
}

/* Each key once, and such that a path can name it; RESET remembers those that go. */
static int look_at_fields(struct many *many, const struct bson_walk *entry)
{
	_cleanup_(keys_done) struct map seen = { 0 };
	struct bson_walk walk;
	int r = 0;

	bson_walk_enter(entry, &walk);
	while (r == 0 && bson_walk_next(&walk)) {
		if (!is_plain_key(walk.key) || map_get(&seen, walk.key))
			many->is_other = true;
		r = map_put(&seen, walk.key, many, NULL);
		if (r == 0 && many->edit->op == SITE_RESET &&
		    strcmp(walk.key, "name") != 0 && strcmp(walk.key, "priority") != 0)
			r = map_put(&many->keys, walk.key, many, NULL);
	}
	return r;
}

static const char *name_of(const struct bson_walk *entry)
{
	struct bson_walk walk;

	bson_walk_enter(entry, &walk);
	while (bson_walk_next(&walk))
		if (strcmp(walk.key, "name") == 0)
			return bson_get_text(&walk.it);
	return NULL;
}

/* How many entries are the site's. A text among them is an old form. */
static int look_at_sites(struct many *many, const struct bson_walk *sites, size_t *ret_n)
{
	struct bson_walk entry;
	const char *name;
	int r = 0;

	if (bson_iter_type(&sites->it) != BSON_TYPE_ARRAY) {
		many->is_other = true;
		return 0;
	}
	bson_walk_enter(sites, &entry);
	while (r == 0 && bson_walk_next(&entry)) {
		if (BSON_ITER_HOLDS_UTF8(&entry.it))
			many->is_other = true;
		name = BSON_ITER_HOLDS_DOCUMENT(&entry.it) ? name_of(&entry) : NULL;
		if (!name || strcmp(name, many->edit->site) != 0)
			continue;
		++*ret_n;
		r = look_at_fields(many, &entry);
	}
	return r;
}

static int is_meant(const struct many *many, const struct bson_walk *id, bool *ret)
{
	_cleanup_(freep) char *text = NULL;

	*ret = true;
	if (!many->edit->files)
		return 0;
	text = bson_id_text(&id->it);
	if (!text)
		return -ENOMEM;
	*ret = map_get(&many->wanted, text) != NULL;
	return 0;
}

static void add_id(struct many *many, const struct bson_walk *id)
{
	char key[24];

	snprintf(key, sizeof(key), "%zu", many->n++);
	bson_write_raw(&many->ids, (uint8_t)bson_iter_type(&id->it), key, id->value,
		       id->len);
}

static int look_at_file(struct many *many, const struct bson_walk *file)
{
	struct bson_walk walk, id = { 0 }, sites = { 0 };
	size_t n_entries = 0;
	bool is_wanted;
	int r;

	bson_walk_enter(file, &walk);
	while (bson_walk_next(&walk)) {
		if (strcmp(walk.key, "_id") == 0 && !id.value)
			id = walk;
		else if (strcmp(walk.key, "sites") == 0 && !sites.value)
			sites = walk;
	}
	if (!id.value || !(BSON_ITER_HOLDS_OID(&id.it) || bson_get_text(&id.it))) {
		many->is_other |= !many->edit->files;
		return 0;
	}
	r = is_meant(many, &id, &is_wanted);
	if (r < 0 || !is_wanted)
		return r;
	if (!sites.value) {
		many->is_other = true;
		return 0;
	}
	r = look_at_sites(many, &sites, &n_entries);
	many->is_other |= n_entries > 1;
	if (r == 0 && (n_entries == 0) == (many->edit->op == SITE_ADD))
		add_id(many, &id);
	return r;
}

static int look(struct many *many, const struct buf *doc)
{
	struct bson_walk walk, file;
	bool has_files = false;
	int r = 0;

	bson_walk_init(&walk, doc->data, doc->len);
	while (r == 0 && bson_walk_next(&walk)) {
		if (strcmp(walk.key, "_id") == 0 && !many->id) {
			many->id = walk.value;
			many->id_len = walk.len;
			many->id_type = (uint8_t)bson_iter_type(&walk.it);
		}
		if (has_files || strcmp(walk.key, "files") != 0)
			continue;
		has_files = true;
		if (bson_iter_type(&walk.it) != BSON_TYPE_ARRAY)
			return 0;
		bson_walk_enter(&walk, &file);
		while (r == 0 && bson_walk_next(&file))
			if (BSON_ITER_HOLDS_DOCUMENT(&file.it))
				r = look_at_file(many, &file);
	}
	return r;
}

/* ---- what is sent ---- */

/* KEY: {$in: [the ids]} */
static void write_ids(struct buf *buf, const char *key, const struct many *many)
{
	size_t outer = bson_write_open(buf, BSON_WRITE_DOCUMENT, key);
	size_t list = bson_write_open(buf, BSON_WRITE_ARRAY, "$in");

	buf_add(buf, many->ids.data, many->ids.len);
	bson_write_end(buf, list);
	bson_write_end(buf, outer);
}

/* A list that has the site, or has not. */
static void write_sites(struct buf *buf, const char *sites, const char *name,
			const struct site_edit *edit)
{
	size_t begin = bson_write_open(buf, BSON_WRITE_DOCUMENT, sites);

	bson_write_int32(buf, "$type", BSON_TYPE_ARRAY);
	bson_write_end(buf, begin);
	begin = bson_write_open(buf, BSON_WRITE_DOCUMENT, name);
	bson_write_text(buf, edit->op == SITE_ADD ? "$ne" : "$eq", edit->site);
	bson_write_end(buf, begin);
}

static void write_query(struct buf *buf, const struct many *many)
{
	size_t begin = bson_write_begin(buf), files, match;

	bson_write_raw(buf, many->id_type, "_id", many->id, many->id_len);
	bson_write_text(buf, "type", "representation");
	files = bson_write_open(buf, BSON_WRITE_DOCUMENT, "files");
	match = bson_write_open(buf, BSON_WRITE_DOCUMENT, "$elemMatch");
	write_ids(buf, "_id", many);
	write_sites(buf, "sites", "sites.name", many->edit);
	bson_write_end(buf, match);
	bson_write_end(buf, files);
	bson_write_end(buf, begin);
}

static bool needs_entry(const struct site_edit *edit)
{
	return edit->op != SITE_ADD && edit->op != SITE_REMOVE;
}

static void write_missing(struct buf *buf, const char *key)
{
	size_t begin = bson_write_open(buf, BSON_WRITE_DOCUMENT, key);

	bson_write_bool(buf, "$exists", false);
	bson_write_end(buf, begin);
}

static void write_filters(struct buf *buf, const struct many *many)
{
	size_t begin = bson_write_begin(buf), list, filter;

	list = bson_write_open(buf, BSON_WRITE_ARRAY, "arrayFilters");
	filter = bson_write_open(buf, BSON_WRITE_DOCUMENT, "0");
	write_ids(buf, "f._id", many);
	write_sites(buf, "f.sites", "f.sites.name", many->edit);
	bson_write_end(buf, filter);
	if (needs_entry(many->edit)) {
		filter = bson_write_open(buf, BSON_WRITE_DOCUMENT, "1");
		bson_write_text(buf, "s.name", many->edit->site);
		/* whatever its value, the key says it (C6) */
		if (many->edit->op == SITE_PAUSE)
			write_missing(buf, "s.paused");
		bson_write_end(buf, filter);
	}
	bson_write_end(buf, list);
	bson_write_end(buf, begin);
}

static void write_unset(struct buf *buf, const char *const *keys, size_t n)
{
	size_t begin = bson_write_open(buf, BSON_WRITE_DOCUMENT, "$unset");
	char path[256];

	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), PATH ".$[s].%s", keys[i]);
		bson_write_text(buf, path, "");
	}
	bson_write_end(buf, begin);
}

static int write_reset(struct buf *buf, const struct many *many)
{
	_cleanup_(freep) const char **keys =
		calloc(map_size(&many->keys) + 1, sizeof(*keys));
	const struct map_slot *slot;
	size_t pos = 0, n = 0;

	if (!keys)
		return -ENOMEM;
	while ((slot = map_next(&many->keys, &pos)))
		keys[n++] = slot->key;
	write_unset(buf, keys, n);
	return 0;
}

static int write_update(struct buf *buf, const struct many *many)
{
	static const char *const retry[] = { "error", "last_failed_dt", "progress",
					     "tries" };
	static const char *const paused[] = { "paused" };
	const struct site_edit *edit = many->edit;
	size_t begin = bson_write_begin(buf), inner, entry;
	int r = 0;

	switch (edit->op) {
	case SITE_ADD:
		inner = bson_write_open(buf, BSON_WRITE_DOCUMENT, "$push");
		entry = bson_write_open(buf, BSON_WRITE_DOCUMENT, PATH);
		bson_write_text(buf, "name", edit->site);
		if (edit->priority)
			bson_write_int32(buf, "priority", edit->priority);
		bson_write_end(buf, entry);
		bson_write_end(buf, inner);
		break;
	case SITE_REMOVE:
		inner = bson_write_open(buf, BSON_WRITE_DOCUMENT, "$pull");
		entry = bson_write_open(buf, BSON_WRITE_DOCUMENT, PATH);
		bson_write_text(buf, "name", edit->site);
		bson_write_end(buf, entry);
		bson_write_end(buf, inner);
		break;
	case SITE_RESET:
		r = write_reset(buf, many);
		break;
	case SITE_PAUSE:
		inner = bson_write_open(buf, BSON_WRITE_DOCUMENT, "$set");
		bson_write_bool(buf, PATH ".$[s].paused", true);
		bson_write_end(buf, inner);
		break;
	case SITE_UNPAUSE:
		write_unset(buf, paused, ARRAY_SIZE(paused));
		break;
	case SITE_PRIORITY:
		inner = bson_write_open(buf, BSON_WRITE_DOCUMENT, "$set");
		bson_write_int32(buf, PATH ".$[s].priority", edit->priority);
		bson_write_end(buf, inner);
		break;
	case SITE_RETRY:
		write_unset(buf, retry, ARRAY_SIZE(retry));
		break;
	case SITE_LIST_FORM: /* is_other */
		break;
	}
	bson_write_end(buf, begin);
	return r;
}

static int write_all(const struct many *many, struct store_mongo_diff *ret)
{
	int r;

	write_query(&ret->query, many);
	write_filters(&ret->filters, many);
	r = write_update(&ret->update, many);
	if (r == 0 && (many->ids.has_failed || ret->query.has_failed ||
		       ret->filters.has_failed || ret->update.has_failed))
		r = -ENOMEM;
	return r;
}

int store_mongo_many(const struct buf *old_doc, const struct site_edit *edit,
		     struct store_mongo_diff *ret)
{
	struct many many = { .edit = edit, .is_other = edit->op == SITE_LIST_FORM };
	int r = 0;

	for (size_t i = 0; edit->files && r == 0 && i < edit->n_files; i++)
		r = map_put(&many.wanted, edit->files[i], &many, NULL);
	if (r == 0 && !many.is_other)
		r = look(&many, old_doc);
	if (r == 0 && !many.is_other && many.id && many.n >= STORE_MONGO_MANY &&
	    !(edit->op == SITE_RESET && map_size(&many.keys) == 0)) {
		r = write_all(&many, ret);
		if (r == 0)
			ret->n_files = many.n;
	}
	map_done(&many.wanted, NULL);
	map_done(&many.keys, NULL);
	buf_done(&many.ids);
	return r;
}
