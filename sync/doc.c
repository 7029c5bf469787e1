/* Representation documents: the one place that reads raw ones. */
#include "sync/doc.h"

#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/map.h"
#include "sync/bson_id.h"
#include "sync/doc_site.h"

/* MongoDB's own limit (BSONObjMaxInternalSize), which leaves room for its bookkeeping. */
#define DOC_BYTES_MAX (16 * 1024 * 1024 + 16 * 1024)
/* 16 MiB of the smallest real file records are about 40,000. */
#define DOC_FILES_MAX 200000
#define ID_BYTES_MAX 1024

struct field {
	const char *name;
	bool is_there;
	bson_iter_t value;
};

/* Notes where each field's first value is. False where the object is damaged. */
static bool find_fields(bson_iter_t *object, struct field *fields, size_t n)
{
	while (bson_iter_next(object)) {
		const char *key = bson_iter_key(object);

		for (size_t i = 0; i < n; i++) {
			if (fields[i].is_there || strcmp(fields[i].name, key) != 0)
				continue;
			fields[i].is_there = true;
			fields[i].value = *object;
		}
	}
	return object->err_off == 0;
}

static const char *field_text(const struct field *field)
{
	return field->is_there ? bson_get_text(&field->value) : NULL;
}

static bool is_null(const struct field *field)
{
	return !field->is_there || BSON_ITER_HOLDS_NULL(&field->value);
}

/* *ret stays NULL where the field is no id. */
static int read_id(const struct field *field, char **ret)
{
	const char *text = field_text(field);

	if (!field->is_there || !(text || BSON_ITER_HOLDS_OID(&field->value)))
		return 0;
	if (text && strlen(text) > ID_BYTES_MAX)
		return 0;
	*ret = bson_id_text(&field->value);
	return *ret ? 0 : -ENOMEM;
}

/* *ret stays NULL where the field is no text. */
static int read_text(const struct field *field, char **ret)
{
	const char *text = field_text(field);

	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int read_text_or_empty(const struct field *field, char **ret)
{
	const char *text = field_text(field);

	*ret = strdup(text ? text : "");
	return *ret ? 0 : -ENOMEM;
}

static int64_t read_size(const struct field *field)
{
	int64_t size;

	if (!field->is_there || !bson_get_int64(&field->value, &size) || size < 0)
		return -1;
	return size;
}

static int refuse(struct doc_file *file, const char *why)
{
	if (!file->refused)
		file->refused = strf("file %s", why);
	return file->refused ? 0 : -ENOMEM;
}

/* mtime of a file of whose bytes nothing is known yet. */
static int64_t guess_mtime(const struct doc_file *file)
{
	int64_t ns = file->hash ? doc_hash_mtime_ns(file->hash) : -1;
	int64_t seconds = ns < 0 && file->id ? bson_id_seconds(file->id) : -1;

	return seconds < 0 ? ns : seconds * 1000000000;
}

static const char *path_text_refusal(const struct field *field)
{
	const char *text;
	uint32_t len;

	if (!field->is_there)
		return "has no path";
	if (!BSON_ITER_HOLDS_UTF8(&field->value))
		return "has a path that is no text";
	text = bson_iter_utf8(&field->value, &len);
	if (memchr(text, '\0', len))
		return "has a path with a NUL in it";
	return bson_get_text(&field->value) ? NULL : "has a path that is not UTF-8";
}

static int parse_path(const struct field *field, struct doc_file *file)
{
	const char *why = path_text_refusal(field);
	_cleanup_(freep) char *refused = NULL;
	int r;

	if (why)
		return refuse(file, why);
	r = read_text(field, &file->path);
	if (r < 0)
		return r;
	r = doc_path_parse(file->path, &file->root, &file->rel, &refused);
	if (r == -EINVAL) {
		if (!file->refused)
			file->refused = steal(refused);
		return 0;
	}
	if (r < 0 || !file->root)
		return r;
	file->key = doc_path_key(file->root, file->rel);
	return file->key ? 0 : -ENOMEM;
}

static int parse_file_fields(struct doc_file *file, const struct field fields[5])
{
	const struct field *sites = &fields[4];
	const char *why = NULL;
	int r;

	r = read_id(&fields[0], &file->id);
	if (r == 0 && !file->id)
		r = refuse(file, "has no _id that is an ObjectId or a text");
	if (r == 0)
		r = parse_path(&fields[1], file);
	if (r == 0)
		r = read_text(&fields[2], &file->hash);
	if (r < 0)
		return r;
	file->size = read_size(&fields[3]);
	file->mtime_ns = guess_mtime(file);
	r = doc_sites_parse(sites->is_there ? &sites->value : NULL, file, &why);
	return r == -EINVAL ? refuse(file, why) : r;
}

static int parse_file(const bson_iter_t *element, struct doc_file *file)
{
	struct field fields[] = {
		{ "_id" }, { "path" }, { "hash" }, { "size" }, { "sites" }
	};
	bson_iter_t object;

	file->size = -1;
	file->mtime_ns = -1;
	file->form = DOC_FORM_MISSING;
	if (!BSON_ITER_HOLDS_DOCUMENT(element))
		return refuse(file, "is no object");
	if (!bson_iter_recurse(element, &object) ||
	    !find_fields(&object, fields, ARRAY_SIZE(fields)))
		return refuse(file, "is damaged");
	return parse_file_fields(file, fields);
}

static int count_files(const bson_iter_t *array, size_t *ret)
{
	bson_iter_t element;
	size_t n = 0;

	if (!bson_iter_recurse(array, &element))
		return -EBADMSG;
	while (bson_iter_next(&element))
		n++;
	*ret = n;
	return element.err_off ? -EBADMSG : 0;
}

static void drop_map(struct map *map)
{
	map_done(map, NULL);
}

/* Records are addressed by files._id: of two with one id the second cannot be told apart. */
static int refuse_doubled(struct doc *doc)
{
	_cleanup_(drop_map) struct map ids = { 0 };

	for (size_t i = 0; i < doc->n_files && doc->n_files > 1; i++) {
		struct doc_file *file = &doc->files[i];
		int r;

		if (!file->id)
			continue;
		if (map_get(&ids, file->id))
			r = refuse(file,
				   "has the _id of another file of its representation");
		else
			r = map_put(&ids, file->id, file, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_files(struct doc *doc, const bson_iter_t *array, struct error *error)
{
	bson_iter_t element;
	size_t n = 0;
	int r;

	r = count_files(array, &n);
	if (r < 0)
		return error_set(error, r, "%s: representation %s: its files are damaged",
				 doc->project, doc->id);
	if (n > DOC_FILES_MAX)
		return error_set(error, -EBADMSG,
				 "%s: representation %s lists %zu files, %d at most",
				 doc->project, doc->id, n, DOC_FILES_MAX);
	doc->files = calloc(n ? n : 1, sizeof(*doc->files));
	if (!doc->files || !bson_iter_recurse(array, &element))
		return -ENOMEM;
	while (doc->n_files < n && bson_iter_next(&element)) {
		r = parse_file(&element, &doc->files[doc->n_files++]);
		if (r < 0)
			return r;
	}
	return refuse_doubled(doc);
}

static int read_version(const struct field *field, char **ret)
{
	int64_t number;

	if (!field->is_there) /* of a hero version, which has no number */
		*ret = strdup("hero");
	else if (bson_get_int64(&field->value, &number))
		*ret = strf("v%03lld", (long long)number);
	else
		return read_text_or_empty(field, ret);
	return *ret ? 0 : -ENOMEM;
}

static int parse_context(struct doc *doc, const struct field *context)
{
	struct field fields[] = { { "asset" }, { "subset" }, { "version" } };
	bool has_context = context->is_there && BSON_ITER_HOLDS_DOCUMENT(&context->value);
	bson_iter_t object;
	int r;

	if (has_context && bson_iter_recurse(&context->value, &object))
		has_context = find_fields(&object, fields, ARRAY_SIZE(fields));
	r = read_text_or_empty(&fields[0], &doc->asset);
	if (r == 0)
		r = read_text_or_empty(&fields[1], &doc->subset);
	if (r < 0)
		return r;
	if (has_context)
		return read_version(&fields[2], &doc->version);
	doc->version = strdup("");
	return doc->version ? 0 : -ENOMEM;
}

enum { TYPE, ID, PARENT, NAME, CONTEXT, FILES, N_FIELDS };

static int fill(struct doc *doc, const struct field fields[N_FIELDS], struct error *error)
{
	const struct field *files = &fields[FILES];
	int r;

	r = read_id(&fields[ID], &doc->id);
	if (r < 0)
		return r;
	if (!doc->id)
		return error_set(
			error, -EBADMSG,
			"%s: a representation has no _id that is an ObjectId or a text",
			doc->project);
	r = read_id(&fields[PARENT], &doc->parent);
	if (r == 0)
		r = read_text_or_empty(&fields[NAME], &doc->name);
	if (r == 0)
		r = parse_context(doc, &fields[CONTEXT]);
	if (r < 0 || is_null(files))
		return r;
	if (!BSON_ITER_HOLDS_ARRAY(&files->value))
		return error_set(error, -EBADMSG,
				 "%s: representation %s: \"files\" is no array",
				 doc->project, doc->id);
	return parse_files(doc, &files->value, error);
}

int doc_parse(const void *bson, size_t len, const char *project, struct doc **ret,
	      struct error *error)
{
	struct field fields[N_FIELDS] = {
		[TYPE] = { "type" }, [ID] = { "_id" },          [PARENT] = { "parent" },
		[NAME] = { "name" }, [CONTEXT] = { "context" }, [FILES] = { "files" },
	};
	_cleanup_(doc_freep) struct doc *doc = NULL;
	const char *type;
	bson_iter_t top;
	int r;

	if (len > DOC_BYTES_MAX)
		return error_set(error, -EBADMSG,
				 "%s: a document of %zu bytes, %d at most", project, len,
				 DOC_BYTES_MAX);
	if (!bson_iter_init_from_data(&top, bson, len) ||
	    !find_fields(&top, fields, N_FIELDS))
		return error_set(error, -EBADMSG, "%s: a document is damaged BSON",
				 project);
	type = field_text(&fields[TYPE]);
	if (!type || strcmp(type, "representation") != 0)
		return DOC_OTHER;
	doc = calloc(1, sizeof(*doc));
	if (!doc)
		return -ENOMEM;
	doc->project = strdup(project);
	r = doc->project ? fill(doc, fields, error) : -ENOMEM;
	if (r < 0)
		return r;
	*ret = steal(doc);
	return 0;
}

static void file_done(struct doc_file *file)
{
	free(file->id);
	free(file->path);
	free(file->root);
	free(file->rel);
	free(file->key);
	free(file->hash);
	free(file->refused);
	doc_sites_done(file);
}

void doc_free(struct doc *doc)
{
	if (!doc)
		return;
	for (size_t i = 0; i < doc->n_files; i++)
		file_done(&doc->files[i]);
	free(doc->files);
	free(doc->project);
	free(doc->id);
	free(doc->parent);
	free(doc->name);
	free(doc->asset);
	free(doc->subset);
	free(doc->version);
	free(doc);
}

const struct doc_site *doc_find_site(const struct doc_file *file, const char *site)
{
	for (size_t i = 0; i < file->n_sites; i++)
		if (strcmp(file->sites[i].name, site) == 0)
			return &file->sites[i];
	return NULL;
}

const struct doc_file *doc_find_file(const struct doc *doc, const char *file_id)
{
	for (size_t i = 0; i < doc->n_files; i++)
		if (doc->files[i].id && strcmp(doc->files[i].id, file_id) == 0)
			return &doc->files[i];
	return NULL;
}
