/* The MongoDB store: documents read. */
#include <errno.h>
#include <string.h>

#include "sync/bson_id.h"
#include "sync/store_mongo.h"

/* Documents of a reply while all are read: enough that few questions are asked, and a reply of the server's own size, 16
 * MB, is not held beside its copy. */
#define SCAN_BATCH 1000

int store_mongo_names(struct store_mongo *s, struct buf *ret)
{
	_cleanup_(bson_destroyp) bson_t *opts = BCON_NEW(
		"nameOnly", BCON_BOOL(true), "authorizedCollections", BCON_BOOL(true),
		"filter", "{", "type", BCON_UTF8("collection"), "}");
	mongoc_database_t *database = mongoc_client_get_database(s->client, s->database);
	bson_error_t error = { 0 };
	char **names;
	int r = 0;

	names = mongoc_database_get_collection_names_with_opts(database, opts, &error);
	mongoc_database_destroy(database);
	if (!names)
		return store_mongo_errno(&error, "list the projects");
	for (size_t i = 0; r == 0 && names[i]; i++)
		if (strncmp(names[i], "system.", strlen("system.")) != 0)
			r = buf_add(ret, names[i], strlen(names[i]) + 1);
	bson_strfreev(names);
	return r;
}

int store_mongo_projects(struct store *store, store_name_fn *fn, void *context)
{
	_cleanup_(buf_done) struct buf names = { 0 };
	int r = store_mongo_names(store_mongo_of(store), &names);

	for (size_t at = 0; r == 0 && at < names.len; at += strlen(names.data + at) + 1)
		r = fn(context, names.data + at);
	return r;
}

struct scan {
	const char *project;
	bool is_glance; /* its caller may end it with the first document */
	store_doc_fn *fn;
	void *context;
};

static int give_doc(void *context, const bson_t *doc)
{
	const struct scan *scan = context;

	return scan->fn(scan->context, scan->project, bson_get_data(doc), doc->len);
}

static int scan_project(struct store_mongo *s, const bson_t *filter, struct scan *scan)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_project(s, scan->project);
	_cleanup_(bson_destroyp) bson_t *opts =
		BCON_NEW("batchSize", BCON_INT32(SCAN_BATCH));

	return store_mongo_each(collection, filter, scan->is_glance ? NULL : opts,
				give_doc, scan);
}

static int scan_all(struct store_mongo *s, const bson_t *filter, struct scan *scan)
{
	_cleanup_(buf_done) struct buf names = { 0 };
	int r;

	if (scan->project)
		return scan_project(s, filter, scan);
	r = store_mongo_names(s, &names);
	for (size_t at = 0; r == 0 && at < names.len; at += strlen(names.data + at) + 1) {
		scan->project = names.data + at;
		r = scan_project(s, filter, scan);
	}
	return r;
}

int store_mongo_scan(struct store *store, const char *project, bool all, store_doc_fn *fn,
		     void *context)
{
	struct scan scan = {
		.project = project, .is_glance = all, .fn = fn, .context = context
	};
	_cleanup_(bson_destroyp) bson_t *filter =
		all ? bson_new() : BCON_NEW("type", BCON_UTF8("representation"));

	return scan_all(store_mongo_of(store), filter, &scan);
}

/* ---- search ---- */

/* A path as databases spell it (sync/doc_path.c): slashes of both kinds, several of them, "." between. */
static char *path_pattern(const char *path)
{
	_cleanup_(buf_done) struct buf pattern = { 0 };

	for (const char *p = path; *p; p++) {
		if (*p == '/')
			buf_adds(&pattern, "[/\\\\]+(?:\\.[/\\\\]+)*");
		else if (strchr("\\^$.|?*+()[]{}", *p))
			buf_addf(&pattern, "\\%c", *p);
		else
			buf_addc(&pattern, *p);
	}
	return buf_take(&pattern);
}

static int append_where(bson_t *arm, const struct store_where *where)
{
	_cleanup_(freep) char *pattern = NULL;
	int r = 0;

	if (where->id) {
		r = bson_id_append(arm, "_id", where->id);
		if (r == -EINVAL) /* such an id no document has */
			BSON_APPEND_UTF8(arm, "_id", where->id);
		return r == -EINVAL ? 0 : r;
	}
	if (where->path) {
		pattern = path_pattern(where->path);
		if (!pattern)
			return -ENOMEM;
		BSON_APPEND_REGEX(arm, "files.path", pattern, "");
	}
	for (size_t i = 0; i < where->n_equals; i++)
		BSON_APPEND_UTF8(arm, where->equals[i].key, where->equals[i].text);
	return 0;
}

int store_mongo_search(struct store *store, const char *project,
		       const struct store_where *where, size_t n, store_doc_fn *fn,
		       void *context)
{
	struct scan scan = { .project = project, .fn = fn, .context = context };
	bson_t filter = BSON_INITIALIZER, list, arm;
	char key[24];
	int r = 0;

	BSON_APPEND_UTF8(&filter, "type", "representation");
	if (n)
		BSON_APPEND_ARRAY_UNSAFE_BEGIN(&filter, "$or", &list);
	for (size_t i = 0; i < n && r == 0; i++) {
		snprintf(key, sizeof(key), "%zu", i);
		BSON_APPEND_DOCUMENT_BEGIN(&list, key, &arm);
		r = append_where(&arm, &where[i]);
		bson_append_document_end(&list, &arm);
	}
	if (n)
		bson_append_array_end(&filter, &list);
	if (r == 0)
		r = scan_all(store_mongo_of(store), &filter, &scan);
	bson_destroy(&filter);
	return r;
}

int store_mongo_load(struct store *store, const char *project, const char *id,
		     struct buf *ret)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_project(store_mongo_of(store), project);
	bson_t filter;
	int r;

	r = store_mongo_by_id(id, &filter);
	if (r == 0)
		r = store_mongo_first(collection, &filter, NULL, ret);
	bson_destroy(&filter);
	return r == -EINVAL ? STORE_GONE : r;
}

/* The text, and the integer of these digits. */
static void append_name(bson_t *filter, const char *name)
{
	long long number;
	bson_t in, list;
	char *end;

	errno = 0;
	number = strtoll(name, &end, 10);
	BSON_APPEND_DOCUMENT_BEGIN(filter, "name", &in);
	BSON_APPEND_ARRAY_UNSAFE_BEGIN(&in, "$in", &list);
	BSON_APPEND_UTF8(&list, "0", name);
	if (end != name && *end == 0 && errno == 0)
		BSON_APPEND_INT64(&list, "1", number);
	bson_append_array_end(&in, &list);
	bson_append_document_end(filter, &in);
}

/* Its parameters are the port's. */
int store_mongo_find(struct store *store, const char *project, const char *type,
		     const char *parent, const char *name, struct buf *ret)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_project(store_mongo_of(store), project);
	_cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("type", BCON_UTF8(type));
	_cleanup_(bson_destroyp) bson_t *opts = NULL;

	if (parent && bson_id_append(filter, "parent", parent) < 0)
		return STORE_GONE;
	if (name) {
		append_name(filter, name);
		opts = BCON_NEW("limit", BCON_INT64(1));
	} else {
		BCON_APPEND(filter, "name", "{", "$type", BCON_UTF8("number"), "}");
		opts = BCON_NEW("sort", "{", "name", BCON_INT32(-1), "}", "limit",
				BCON_INT64(1));
	}
	return store_mongo_first(collection, filter, opts, ret);
}
