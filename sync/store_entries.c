/* A file's `sites` taken out of a document, changed, and put back. */
#include "sync/store_entries.h"

#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/path.h"
#include "sync/bson_check.h"
#include "sync/bson_id.h"
#include "sync/bson_walk.h"
#include "sync/bson_write.h"
#include "sync/store.h"

static bool is_id(const struct bson_walk *walk, const char *id)
{
	char hex[25];

	if (id[0] == '=')
		return str_is_same(bson_get_text(&walk->it), id + 1);
	if (bson_iter_type(&walk->it) != BSON_TYPE_OID)
		return false;
	bson_oid_to_string(bson_iter_oid(&walk->it), hex);
	return strcmp(hex, id) == 0;
}

static void place_read(struct store_place *place, const char *doc,
		       const struct bson_walk *file)
{
	struct bson_walk walk;

	place->file = (size_t)((const char *)file->value - doc);
	place->start = place->end = place->file + file->len - 1;
	bson_walk_enter(file, &walk);
	while (bson_walk_next(&walk)) {
		if (bson_walk_is(&walk, BSON_TYPE_OID, "_id"))
			place->id_ms =
				(int64_t)bson_oid_get_time_t(bson_iter_oid(&walk.it)) *
				1000;
		if (strcmp(walk.key, "sites") != 0 || place->type)
			continue;
		place->type = (uint8_t)bson_iter_type(&walk.it);
		place->start = (size_t)((const char *)walk.start - doc);
		place->end = (size_t)((const char *)walk.value - doc) + walk.len;
	}
}

/* Does the file bear the id, the path? Of two fields of one name the first counts, as in doc_parse(). */
static void file_compare(const struct bson_walk *file, const struct store_wanted *wanted,
			 bool *ret_id, bool *ret_path)
{
	bool has_id = false, has_path = false;
	struct bson_walk walk;

	*ret_id = !wanted->id;
	*ret_path = !wanted->path;
	bson_walk_enter(file, &walk);
	while (bson_walk_next(&walk)) {
		if (strcmp(walk.key, "_id") == 0 && !has_id) {
			has_id = true;
			*ret_id |= wanted->id && is_id(&walk, wanted->id);
		} else if (strcmp(walk.key, "path") == 0 && !has_path) {
			has_path = true;
			*ret_path |= str_is_same(bson_get_text(&walk.it), wanted->path);
		}
	}
}

static int place_find_in(const struct buf *doc, const struct bson_walk *files,
			 const struct store_wanted *wanted, struct store_place *ret)
{
	struct store_place place = { .files = (size_t)((const char *)files->value -
						       doc->data) };
	size_t skip = wanted->skip;
	bool is_near = false;
	struct bson_walk file;

	bson_walk_enter(files, &file);
	while (bson_walk_next(&file)) {
		bool has_id, has_path;

		if (bson_iter_type(&file.it) != BSON_TYPE_DOCUMENT)
			continue;
		file_compare(&file, wanted, &has_id, &has_path);
		is_near |= (has_id && wanted->id) || (has_path && wanted->path);
		if (!has_id || !has_path || skip-- > 0)
			continue;
		place_read(&place, doc->data, &file);
		*ret = place;
		return 0;
	}
	return is_near && wanted->path ? STORE_CONFLICT : STORE_GONE;
}

bool store_is_representation(const struct buf *doc)
{
	struct bson_walk walk;

	bson_walk_init(&walk, doc->data, doc->len);
	while (bson_walk_next(&walk))
		if (strcmp(walk.key, "type") == 0)
			return str_is_same(bson_get_text(&walk.it), "representation");
	return false;
}

int store_place_find(const struct buf *doc, const struct store_wanted *wanted,
		     struct store_place *ret)
{
	struct bson_walk walk;

	if (!store_is_representation(doc))
		return STORE_GONE;
	bson_walk_init(&walk, doc->data, doc->len);
	while (bson_walk_next(&walk))
		if (strcmp(walk.key, "files") == 0)
			break;
	if (bson_walk_is(&walk, BSON_TYPE_ARRAY, "files"))
		return place_find_in(doc, &walk, wanted, ret);
	return STORE_GONE;
}

static void entry_done(struct store_entry *entry)
{
	free(entry->name);
	buf_done(&entry->value);
	*entry = (struct store_entry){ 0 };
}

void store_entries_done(struct store_entries *entries)
{
	for (size_t i = 0; i < entries->n; i++)
		entry_done(&entries->list[i]);
	free(entries->list);
	*entries = (struct store_entries){ 0 };
}

struct store_entry *store_entries_add(struct store_entries *entries, uint8_t type,
				      const char *name)
{
	struct store_entry entry = { .type = type };

	if (entries->n == entries->cap) {
		size_t cap = entries->cap ? 2 * entries->cap : 4;
		struct store_entry *grown =
			reallocarray(entries->list, cap, sizeof(*entries->list));

		if (!grown)
			return NULL;
		entries->list = grown;
		entries->cap = cap;
	}
	if (name) {
		entry.name = strdup(name);
		if (!entry.name)
			return NULL;
	}
	entries->list[entries->n] = entry;
	return &entries->list[entries->n++];
}

void store_entries_remove(struct store_entries *entries, size_t i)
{
	entry_done(&entries->list[i]);
	entries->n--;
	memmove(&entries->list[i], &entries->list[i + 1],
		(entries->n - i) * sizeof(*entries->list));
}

struct store_entry *store_entries_find(const struct store_entries *entries,
				       const char *name)
{
	for (size_t i = 0; i < entries->n; i++)
		if (str_is_same(entries->list[i].name, name))
			return &entries->list[i];
	return NULL;
}

static const char *name_in(const struct bson_walk *element)
{
	struct bson_walk walk;

	bson_walk_enter(element, &walk);
	while (bson_walk_next(&walk))
		if (strcmp(walk.key, "name") == 0)
			return bson_get_text(&walk.it);
	return NULL;
}

/* A name in a list says "present". A text that names nothing is dropped, as doc_parse() does. */
static int load_name(struct store_entries *entries, const char *name, int64_t id_ms)
{
	struct store_entry *entry;
	size_t begin;

	if (!name || !name[0])
		return 0;
	entry = store_entries_add(entries, BSON_TYPE_DOCUMENT, name);
	if (!entry)
		return -ENOMEM;
	begin = bson_write_begin(&entry->value);
	bson_write_text(&entry->value, "name", name);
	bson_write_date(&entry->value, "created_dt", id_ms);
	bson_write_end(&entry->value, begin);
	return entry->value.has_failed ? -ENOMEM : 0;
}

/* An element of a list: an object, a name, or whatever it may be. */
static int load_element(struct store_entries *entries, const struct bson_walk *walk,
			int64_t id_ms)
{
	uint8_t type = (uint8_t)bson_iter_type(&walk->it);
	struct store_entry *entry;

	if (type == BSON_TYPE_UTF8)
		return load_name(entries, bson_get_text(&walk->it), id_ms);
	entry = store_entries_add(entries, type,
				  type == BSON_TYPE_DOCUMENT ? name_in(walk) : NULL);
	return entry ? buf_add(&entry->value, walk->value, walk->len) : -ENOMEM;
}

/* A member of the object form: the key is the name, the fields follow. What doc_parse() does not take
 * for an entry has no place in a list of objects. */
static int load_member(struct store_entries *entries, const struct bson_walk *walk)
{
	bool is_object = BSON_ITER_HOLDS_DOCUMENT(&walk->it);
	struct store_entry *entry;
	struct bson_walk field;
	size_t begin;

	if (!walk->key[0] || !(is_object || BSON_ITER_HOLDS_NULL(&walk->it)) ||
	    !path_is_utf8(walk->key))
		return 0;
	entry = store_entries_add(entries, BSON_TYPE_DOCUMENT, walk->key);
	if (!entry)
		return -ENOMEM;
	begin = bson_write_begin(&entry->value);
	bson_write_text(&entry->value, "name", walk->key);
	if (is_object) {
		bson_walk_enter(walk, &field);
		while (bson_walk_next(&field))
			if (strcmp(field.key, "name") != 0)
				bson_write_raw(&entry->value,
					       (uint8_t)bson_iter_type(&field.it),
					       field.key, field.value, field.len);
	}
	bson_write_end(&entry->value, begin);
	return entry->value.has_failed ? -ENOMEM : 0;
}

int store_entries_load(const struct buf *doc, const struct store_place *place,
		       struct store_entries *ret)
{
	size_t value = place->start + 1 + sizeof("sites");
	struct bson_walk walk;
	int r = 0;

	if (place->type != BSON_TYPE_ARRAY && place->type != BSON_TYPE_DOCUMENT)
		return 0;
	bson_walk_init(&walk, doc->data + value, place->end - value);
	while (r == 0 && bson_walk_next(&walk)) {
		if (place->type == BSON_TYPE_ARRAY)
			r = load_element(ret, &walk, place->id_ms);
		else
			r = load_member(ret, &walk);
	}
	return r;
}

static void write_entries(struct buf *out, const struct store_entries *entries)
{
	size_t begin = bson_write_open(out, BSON_WRITE_ARRAY, "sites");

	for (size_t i = 0; i < entries->n; i++) {
		char key[24];

		snprintf(key, sizeof(key), "%zu", i);
		bson_write_raw(out, entries->list[i].type, key,
			       entries->list[i].value.data, entries->list[i].value.len);
	}
	bson_write_end(out, begin);
}

/* The length of the document or array at AT becomes larger by MORE, modulo 2^32. */
static void grow(struct buf *out, size_t at, size_t more)
{
	uint32_t len;

	memcpy(&len, out->data + at, sizeof(len));
	len = BSON_UINT32_TO_LE(BSON_UINT32_FROM_LE(len) + (uint32_t)more);
	memcpy(out->data + at, &len, sizeof(len));
}

int store_entries_save(struct buf *doc, const struct store_place *place,
		       const struct store_entries *entries)
{
	const size_t outer[] = { 0, place->files, place->file };
	_cleanup_(buf_done) struct buf out = { 0 };
	struct buf old;

	buf_add(&out, doc->data, place->start);
	write_entries(&out, entries);
	buf_add(&out, doc->data + place->end, doc->len - place->end);
	if (out.has_failed)
		return -ENOMEM;
	if (out.len > BSON_CHECK_MAX_SIZE)
		return -EFBIG;
	for (size_t i = 0; i < ARRAY_SIZE(outer); i++)
		grow(&out, outer[i], out.len - doc->len);
	old = *doc;
	*doc = out;
	out = old;
	return 0;
}

/* ---- all files in one pass ---- */

struct pass {
	const struct buf *doc;
	struct buf out;
	size_t copied; /* bytes of DOC that are in OUT, or replaced there */
};

/* Puts ENTRIES in place of what DOC has there, after all that lies before it. */
static void put_back(struct pass *pass, const struct store_place *place,
		     const struct store_entries *entries)
{
	size_t file, sites;

	buf_add(&pass->out, pass->doc->data + pass->copied, place->start - pass->copied);
	sites = pass->out.len;
	file = sites - (place->start - place->file);
	write_entries(&pass->out, entries);
	if (!pass->out.has_failed)
		grow(&pass->out, file,
		     pass->out.len - sites - (place->end - place->start));
	pass->copied = place->end;
}

/* Objects by site, or a list that holds texts. What is of no form is left: nothing is known of it. */
static bool is_old_form(const struct buf *doc, const struct store_place *place)
{
	struct bson_walk walk;

	if (place->type == BSON_TYPE_DOCUMENT)
		return true;
	if (place->type != BSON_TYPE_ARRAY)
		return false;
	/* the value stands behind its type and key */
	for (bson_walk_init(&walk, doc->data + place->start + 1 + sizeof("sites"),
			    place->end - place->start - 1 - sizeof("sites"));
	     bson_walk_next(&walk);)
		if (bson_iter_type(&walk.it) == BSON_TYPE_UTF8)
			return true;
	return false;
}

static void file_done(struct store_file *file)
{
	free(file->id);
	store_entries_done(&file->entries);
}

static int take_file_id(const struct bson_walk *file, char **ret)
{
	struct bson_walk walk;

	bson_walk_enter(file, &walk);
	while (bson_walk_next(&walk)) {
		if (strcmp(walk.key, "_id") != 0)
			continue;
		if (!BSON_ITER_HOLDS_OID(&walk.it) && !bson_get_text(&walk.it))
			return 0;
		*ret = bson_id_text(&walk.it);
		return *ret ? 0 : -ENOMEM;
	}
	return 0;
}

static int pass_file(struct pass *pass, const struct bson_walk *walk, store_file_fn *fn,
		     void *context)
{
	_cleanup_(file_done) struct store_file file = { 0 };
	struct store_place place = { 0 };
	int r;

	place_read(&place, pass->doc->data, walk);
	file.is_old_form = is_old_form(pass->doc, &place);
	r = take_file_id(walk, &file.id);
	if (r == 0)
		r = store_entries_load(pass->doc, &place, &file.entries);
	if (r == 0)
		r = fn(context, &file);
	if (r > 0)
		put_back(pass, &place, &file.entries);
	return r < 0 ? r : 0;
}

/* The rest of DOC follows, and OUT takes its place. */
static int pass_end(struct pass *pass, struct buf *doc, size_t files)
{
	buf_add(&pass->out, doc->data + pass->copied, doc->len - pass->copied);
	if (pass->out.has_failed)
		return -ENOMEM;
	if (pass->out.len > BSON_CHECK_MAX_SIZE)
		return -EFBIG;
	grow(&pass->out, 0, pass->out.len - doc->len);
	grow(&pass->out, files, pass->out.len - doc->len);
	buf_done(doc);
	*doc = pass->out;
	pass->out = (struct buf){ 0 };
	return 0;
}

int store_entries_each(struct buf *doc, store_file_fn *fn, void *context)
{
	struct pass pass = { .doc = doc };
	struct bson_walk files, file;
	int r = 0;

	if (!store_is_representation(doc))
		return STORE_GONE;
	bson_walk_init(&files, doc->data, doc->len);
	while (bson_walk_next(&files))
		if (strcmp(files.key, "files") == 0)
			break;
	if (!bson_walk_is(&files, BSON_TYPE_ARRAY, "files"))
		return 0;
	bson_walk_enter(&files, &file);
	while (r == 0 && bson_walk_next(&file))
		if (bson_iter_type(&file.it) == BSON_TYPE_DOCUMENT)
			r = pass_file(&pass, &file, fn, context);
	if (r == 0 && pass.copied)
		r = pass_end(&pass, doc, (size_t)((const char *)files.value - doc->data));
	buf_done(&pass.out);
	return r;
}

/* ---- fields of an entry ---- */

static void field_write(struct buf *buf, const struct store_field *field)
{
	switch (field->kind) {
	case STORE_FIELD_UNSET:
		break;
	case STORE_FIELD_TEXT:
		bson_write_text(buf, field->key, field->text);
		break;
	case STORE_FIELD_DATE:
		bson_write_date(buf, field->key, field->number);
		break;
	case STORE_FIELD_INT32:
		bson_write_int32(buf, field->key, (int32_t)field->number);
		break;
	case STORE_FIELD_DOUBLE:
		bson_write_double(buf, field->key, field->real);
		break;
	case STORE_FIELD_TRUE:
		bson_write_bool(buf, field->key, true);
		break;
	}
}

static size_t field_find(const struct store_field *fields, size_t n, const char *key)
{
	size_t i = 0;

	while (i < n && strcmp(fields[i].key, key) != 0)
		i++;
	return i;
}

bool store_entry_replace(struct store_entry *entry, struct buf *value)
{
	struct buf old = entry->value;

	entry->value = *value;
	*value = old;
	return old.len != entry->value.len ||
	       memcmp(old.data, entry->value.data, old.len) != 0;
}

int store_entry_set(struct store_entry *entry, const struct store_field *fields, size_t n,
		    bool *ret_changed)
{
	_cleanup_(buf_done) struct buf value = { 0 };
	size_t begin = bson_write_begin(&value);
	unsigned written = 0;
	struct bson_walk walk;

	bson_walk_init(&walk, entry->value.data, entry->value.len);
	while (bson_walk_next(&walk)) {
		size_t i = field_find(fields, n, walk.key);

		if (i == n)
			bson_write_raw(&value, (uint8_t)bson_iter_type(&walk.it),
				       walk.key, walk.value, walk.len);
		else if (!(written & 1u << i))
			field_write(&value, &fields[i]);
		if (i < n)
			written |= 1u << i;
	}
	for (size_t i = 0; i < n; i++)
		if (!(written & 1u << i))
			field_write(&value, &fields[i]);
	bson_write_end(&value, begin);
	if (value.has_failed)
		return -ENOMEM;
	*ret_changed = store_entry_replace(entry, &value);
	return 0;
}
