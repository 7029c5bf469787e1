/* The MongoDB store: the index of what waits, in the studio's collections. */
#include "sync/store_mongo_index.h"

#include <errno.h>
#include <string.h>

#define NAME "sitefs_waiting"
/* A million documents take a minute or two. */
#define MAKE_MS (60 * 60 * 1000)

void store_mongo_index_key(bson_t *ret)
{
	bson_init(ret);
	BSON_APPEND_INT32(ret, "files.sites.name", 1);
	BSON_APPEND_INT32(ret, "files.sites.created_dt", 1);
	BSON_APPEND_INT32(ret, "_id", 1);
}

void store_mongo_index_query(const struct store_mongo *s, bson_t *ret)
{
	const char *const *sites = s->store.sites;

	BCON_APPEND(ret, "type", BCON_UTF8("representation"), "files.sites", "{",
		    "$elemMatch", "{", "name", "{", "$in", "[", BCON_UTF8(sites[0]),
		    BCON_UTF8(sites[1] ? sites[1] : sites[0]), "]", "}", "created_dt",
		    "{", "$exists", BCON_BOOL(false), "}", "}", "}");
}

/* Whatever its name is: somebody may have made it by hand. */
static int has_index(mongoc_collection_t *collection, bool *ret)
{
	_cleanup_(mongoc_cursor_destroyp) mongoc_cursor_t *cursor =
		mongoc_collection_find_indexes_with_opts(collection, NULL);
	bson_t wanted, found;
	bson_error_t error = { 0 };
	const uint8_t *data;
	const bson_t *doc;
	bson_iter_t it;
	uint32_t len;

	*ret = false;
	store_mongo_index_key(&wanted);
	while (!*ret && mongoc_cursor_next(cursor, &doc)) {
		if (!bson_iter_init_find(&it, doc, "key") ||
		    !BSON_ITER_HOLDS_DOCUMENT(&it) ||
		    bson_iter_init_find(&it, doc, "partialFilterExpression"))
			continue;
		bson_iter_init_find(&it, doc, "key");
		bson_iter_document(&it, &len, &data);
		*ret = bson_init_static(&found, data, len) && bson_equal(&wanted, &found);
	}
	bson_destroy(&wanted);
	return !*ret && mongoc_cursor_error(cursor, &error)
		       ? store_mongo_errno(&error, "list the indexes")
		       : 0;
}

/* By a client of its own, since it may take longer than any other call. */
static int make_index(struct store_mongo *s, const char *project)
{
	mongoc_uri_t *uri = mongoc_uri_copy(s->uri);
	_cleanup_(mongoc_client_destroyp) mongoc_client_t *client = NULL;
	_cleanup_(bson_destroyp) bson_t *command = NULL;
	bson_error_t error = { 0 };
	bson_t key;
	int r = 0;

	mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, MAKE_MS);
	client = mongoc_client_new_from_uri(uri);
	mongoc_uri_destroy(uri);
	if (!client)
		return -ENOMEM;
	mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
	store_mongo_index_key(&key);
	/* background: servers before 4.2 would stand still */
	command = BCON_NEW("createIndexes", BCON_UTF8(project), "indexes", "[", "{",
			   "key", BCON_DOCUMENT(&key), "name", BCON_UTF8(NAME),
			   "background", BCON_BOOL(true), "}", "]");
	if (!mongoc_client_write_command_with_opts(client, s->database, command, NULL,
						   NULL, &error))
		r = store_mongo_errno(&error, "make an index");
	bson_destroy(&key);
	return r;
}

static int look_at_project(struct store_mongo *s, const char *project, bool make,
			   bool *ret_is_missing)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_project(s, project);
	bool has = false;
	int r = has_index(collection, &has);

	*ret_is_missing = !has;
	return r == 0 && !has && make ? make_index(s, project) : r;
}

int store_mongo_indexes(struct store *store, bool make, store_name_fn *fn, void *context)
{
	struct store_mongo *s = store_mongo_of(store);
	_cleanup_(buf_done) struct buf names = { 0 };
	int r;

	if (s->has_streams)
		return 0;
	r = store_mongo_names(s, &names);
	for (size_t at = 0; r == 0 && at < names.len; at += strlen(names.data + at) + 1) {
		bool is_missing;

		r = look_at_project(s, names.data + at, make, &is_missing);
		if (r == 0 && is_missing)
			r = fn(context, names.data + at);
	}
	return r;
}
