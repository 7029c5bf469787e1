/* Changes of `sites` in a representation, on its BSON. */
#include "sync/store_sites.h"

#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/map.h"
#include "sync/base/path.h"
#include "sync/bson_id.h"
#include "sync/bson_walk.h"
#include "sync/bson_write.h"
#include "sync/doc.h"
#include "sync/store_entries.h"

/* ---- one entry ---- */

/* What a precondition compares. */
struct state {
	enum doc_presence presence;
	int64_t created_ms;
	const char *id;
};

/* A null says "not there", as in doc_parse(). */
static void take_created(struct state *state, const bson_iter_t *value)
{
	if (state->presence == DOC_PRESENT || BSON_ITER_HOLDS_NULL(value))
		return;
	state->presence = DOC_PRESENT;
	bson_get_date_ms(value, &state->created_ms);
}

static struct state entry_state(const struct store_entry *entry)
{
	struct state state = { .presence = DOC_WANTED };
	struct bson_walk walk;

	bson_walk_init(&walk, entry->value.data, entry->value.len);
	while (bson_walk_next(&walk)) {
		if (strcmp(walk.key, "created_dt") == 0)
			take_created(&state, &walk.it);
		else if (strcmp(walk.key, "id") == 0 && !state.id)
			state.id = bson_get_text(&walk.it);
	}
	return state;
}

/* A name without a date is read as 0 and converted to the id's time: they are the same. */
static bool is_as_decided(const struct store_entry *entry, const struct record *record,
			  int64_t id_ms)
{
	struct state state = entry_state(entry);

	if ((int)state.presence != record->had_presence ||
	    !str_is_same(state.id, record->had_id))
		return false;
	return state.presence != DOC_PRESENT ||
	       state.created_ms == record->had_created_ms ||
	       (record->had_created_ms == 0 && state.created_ms == id_ms);
}

/* ---- records ---- */

#define RECORD_MAX_FIELDS 6

/* BSON holds UTF-8 only; a name inside of a message need not be. */
static char *clean_text(const char *text)
{
	char *clean = strdup(text ? text : "");

	if (clean && !path_is_utf8(clean))
		for (char *c = clean; *c; c++)
			if ((unsigned char)*c >= 0x80)
				*c = '?';
	return clean;
}

static size_t record_fields(const struct record *record, const char *error,
			    struct store_field ret[RECORD_MAX_FIELDS])
{
	size_t n = 0;

	switch (record->op) {
	case RECORD_DONE:
		ret[n++] = (struct store_field){ "created_dt", STORE_FIELD_DATE,
						 .number = record->created_ms };
		ret[n++] = (struct store_field){ "error", STORE_FIELD_UNSET };
		if (record->id)
			ret[n++] = (struct store_field){ "id", STORE_FIELD_TEXT,
							 .text = record->id };
		ret[n++] = (struct store_field){ "last_failed_dt", STORE_FIELD_UNSET };
		ret[n++] = (struct store_field){ "progress", STORE_FIELD_UNSET };
		ret[n++] = (struct store_field){ "tries", STORE_FIELD_UNSET };
		break;
	case RECORD_FAILED:
		ret[n++] =
			(struct store_field){ "error", STORE_FIELD_TEXT, .text = error };
		ret[n++] = (struct store_field){ "last_failed_dt", STORE_FIELD_DATE,
						 .number = record->failed_ms };
		ret[n++] = (struct store_field){ "progress", STORE_FIELD_UNSET };
		ret[n++] = (struct store_field){ "tries", STORE_FIELD_INT32,
						 .number = record->tries };
		break;
	case RECORD_PROGRESS:
		ret[n++] =
			(struct store_field){ "progress",
					      record->progress < 0 ? STORE_FIELD_UNSET
								   : STORE_FIELD_DOUBLE,
					      .real = record->progress };
		break;
	case RECORD_RETRY:
		ret[n++] = (struct store_field){ "error", STORE_FIELD_UNSET };
		ret[n++] = (struct store_field){ "last_failed_dt", STORE_FIELD_UNSET };
		ret[n++] = (struct store_field){ "progress", STORE_FIELD_UNSET };
		ret[n++] = (struct store_field){ "tries", STORE_FIELD_UNSET };
		break;
	case RECORD_PULL:
		break;
	}
	return n;
}

/* A new entry {name[, priority]}. NULL: no memory. */
static struct store_entry *add_entry(struct store_entries *entries, const char *name,
				     int priority)
{
	struct store_entry *entry = store_entries_add(entries, BSON_TYPE_DOCUMENT, name);
	size_t begin;

	if (!entry)
		return NULL;
	begin = bson_write_begin(&entry->value);
	bson_write_text(&entry->value, "name", name);
	if (priority)
		bson_write_int32(&entry->value, "priority", priority);
	bson_write_end(&entry->value, begin);
	return entry->value.has_failed ? NULL : entry;
}

/* How many of that name were removed. */
static size_t remove_entries(struct store_entries *entries, const char *name)
{
	size_t n = 0;

	for (size_t i = entries->n; i-- > 0;) {
		if (!str_is_same(entries->list[i].name, name))
			continue;
		store_entries_remove(entries, i);
		n++;
	}
	return n;
}

/* 0, STORE_CONFLICT, -ENOMEM; ENTRIES are of use only where *ret_changed. */
static int change_entries(struct store_entries *entries, const struct record *record,
			  int64_t id_ms, bool *ret_changed)
{
	_cleanup_(freep) char *error = clean_text(record->error);
	struct store_entry *entry = store_entries_find(entries, record->site);
	struct store_field fields[RECORD_MAX_FIELDS];
	bool is_right = true, is_changed = true;
	int r = 0;

	if (!error)
		return -ENOMEM;
	if (entry) {
		is_right = is_as_decided(entry, record, id_ms);
	} else {
		if (record->op == RECORD_PULL)
			return 0;
		if (record->op != RECORD_DONE || record->had_presence != DOC_ABSENT)
			return STORE_CONFLICT;
		entry = add_entry(entries, record->site, 0);
		if (!entry)
			return -ENOMEM;
	}
	if (record->op == RECORD_PULL)
		remove_entries(entries, record->site);
	else
		r = store_entry_set(entry, fields, record_fields(record, error, fields),
				    &is_changed);
	/* What is as wanted already is no conflict: doing it twice is doing it once. */
	if (r < 0 || !is_changed)
		return r;
	*ret_changed = is_right;
	return is_right ? 0 : STORE_CONFLICT;
}

int store_sites_record(struct buf *doc, const struct record *record, bool *ret_changed)
{
	const struct store_wanted wanted = { record->file, record->path };
	_cleanup_(store_entries_done) struct store_entries entries = { 0 };
	struct store_place place;
	bool is_changed = false;
	int r;

	*ret_changed = false;
	r = store_place_find(doc, &wanted, &place);
	if (r == 0)
		r = store_entries_load(doc, &place, &entries);
	if (r == 0)
		r = change_entries(&entries, record, place.id_ms, &is_changed);
	if (r != 0 || !is_changed)
		return r;
	r = store_entries_save(doc, &place, &entries);
	if (r == -EFBIG)
		return STORE_CONFLICT;
	*ret_changed = r == 0;
	return r;
}

/* ---- edits ---- */

/* Only what a new entry has, and its priority. */
static int reset_entry(struct store_entry *entry, bool *ret_changed)
{
	_cleanup_(buf_done) struct buf value = { 0 };
	size_t begin = bson_write_begin(&value);
	struct bson_walk walk;

	bson_walk_init(&walk, entry->value.data, entry->value.len);
	while (bson_walk_next(&walk))
		if (strcmp(walk.key, "name") == 0 || strcmp(walk.key, "priority") == 0)
			bson_write_raw(&value, (uint8_t)bson_iter_type(&walk.it),
				       walk.key, walk.value, walk.len);
	bson_write_end(&value, begin);
	if (value.has_failed)
		return -ENOMEM;
	*ret_changed = store_entry_replace(entry, &value);
	return 0;
}

static bool has_field(const struct store_entry *entry, const char *key)
{
	struct bson_walk walk;

	bson_walk_init(&walk, entry->value.data, entry->value.len);
	while (bson_walk_next(&walk))
		if (strcmp(walk.key, key) == 0)
			return true;
	return false;
}

static int edit_entry(struct store_entry *entry, const struct site_edit *edit,
		      bool *ret_changed)
{
	const struct store_field pause = { "paused", STORE_FIELD_TRUE };
	const struct store_field unpause = { "paused", STORE_FIELD_UNSET };
	const struct store_field retry[] = {
		{ "error", STORE_FIELD_UNSET },
		{ "last_failed_dt", STORE_FIELD_UNSET },
		{ "progress", STORE_FIELD_UNSET },
		{ "tries", STORE_FIELD_UNSET },
	};
	const struct store_field priority = { "priority", STORE_FIELD_INT32,
					      .number = edit->priority };

	*ret_changed = false;
	switch (edit->op) {
	case SITE_ADD:
	case SITE_REMOVE:
	case SITE_LIST_FORM:
		break;
	case SITE_RESET:
		return reset_entry(entry, ret_changed);
	case SITE_PAUSE: /* whatever the value, the key says it (C6) */
		if (has_field(entry, "paused"))
			break;
		return store_entry_set(entry, &pause, 1, ret_changed);
	case SITE_UNPAUSE:
		return store_entry_set(entry, &unpause, 1, ret_changed);
	case SITE_PRIORITY:
		return store_entry_set(entry, &priority, 1, ret_changed);
	case SITE_RETRY:
		return store_entry_set(entry, retry, ARRAY_SIZE(retry), ret_changed);
	}
	return 0;
}

/* Every entry of that name; the number of changed ones, or a negative errno. */
static int edit_entries(struct store_entries *entries, const struct site_edit *edit)
{
	int r, n = 0;

	if (edit->op == SITE_ADD && !store_entries_find(entries, edit->site)) {
		if (!add_entry(entries, edit->site, edit->priority))
			return -ENOMEM;
		n = 1;
	} else if (edit->op == SITE_REMOVE) {
		n = (int)remove_entries(entries, edit->site);
	}
	for (size_t i = 0; i < entries->n; i++) {
		bool is_changed;

		if (!str_is_same(entries->list[i].name, edit->site))
			continue;
		r = edit_entry(&entries->list[i], edit, &is_changed);
		if (r < 0)
			return r;
		n += is_changed;
	}
	return n;
}

struct edit_call {
	const struct site_edit *edit;
	struct map wanted; /* ids of files, where only some are meant */
	size_t n_found, n_changed;
};

static int edit_file(void *context, struct store_file *file)
{
	struct edit_call *call = context;
	int n;

	if (call->edit->files && (!file->id || !map_get(&call->wanted, file->id)))
		return 0;
	call->n_found++;
	n = call->edit->op == SITE_LIST_FORM ? file->is_old_form
					     : edit_entries(&file->entries, call->edit);
	if (n > 0)
		call->n_changed += (size_t)n;
	return n > 0 ? 1 : n;
}

int store_sites_edit(struct buf *doc, const struct site_edit *edit, size_t *ret_changed)
{
	struct edit_call call = { .edit = edit };
	int r = 0;

	for (size_t i = 0; edit->files && r == 0 && i < edit->n_files; i++)
		r = map_put(&call.wanted, edit->files[i], &call, NULL);
	if (r == 0)
		r = store_entries_each(doc, edit_file, &call);
	map_done(&call.wanted, NULL);
	if (r != 0)
		return r;
	if (edit->files && call.n_found == 0)
		return STORE_GONE;
	*ret_changed = call.n_changed;
	return 0;
}
