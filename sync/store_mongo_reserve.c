/*
 * The MongoDB store: ids that were reserved for what will be made at a remote. A key's first id counts for all hosts
 * and for ever: whoever comes later, or wakes up late, makes the same thing and is told that it is there.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "sync/bson_id.h"
#include "sync/store_mongo.h"

struct reading {
	const char *const *keys;
	size_t n, n_found;
	char **ret;
};

static int take(void *context, const bson_t *doc)
{
	struct reading *reading = context;
	const char *key = NULL, *id = NULL;
	bson_iter_t it;

	if (bson_iter_init_find(&it, doc, "_id"))
		key = bson_get_text(&it);
	if (bson_iter_init_find(&it, doc, "id"))
		id = bson_get_text(&it);
	for (size_t i = 0; key && id && i < reading->n; i++) {
		if (reading->ret[i] || strcmp(reading->keys[i], key) != 0)
			continue;
		reading->ret[i] = strdup(id);
		if (!reading->ret[i])
			return -ENOMEM;
		reading->n_found++;
	}
	return 0;
}

static int read_reserved(mongoc_collection_t *reserved, struct reading *reading)
{
	bson_t filter = BSON_INITIALIZER, in, list;
	int r;

	BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &list);
	for (size_t i = 0; i < reading->n; i++) {
		char number[24];

		snprintf(number, sizeof(number), "%zu", i);
		BSON_APPEND_UTF8(&list, number, reading->keys[i]);
	}
	bson_append_array_end(&in, &list);
	bson_append_document_end(&filter, &in);
	r = store_mongo_each(reserved, &filter, NULL, take, reading);
	bson_destroy(&filter);
	return r;
}

static int insert(struct store_mongo *s, mongoc_collection_t *reserved, const char *key,
		  const char *id)
{
	_cleanup_(bson_destroyp) bson_t *doc =
		BCON_NEW("_id", BCON_UTF8(key), "id", BCON_UTF8(id));
	bson_error_t error = { 0 };
	int r;

	if (mongoc_collection_insert_one(reserved, doc, s->durable, NULL, &error))
		return 0;
	r = store_mongo_errno(&error, "reserve an id");
	/* Another one was faster: its id counts. */
	return r == -EEXIST ? 0 : r;
}

int store_mongo_reserve(struct store *store, const char *const *keys,
			const char *const *ids, size_t n, char **ret)
{
	struct store_mongo *s = store_mongo_of(store);
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *reserved =
		store_mongo_own(s, "reserved");
	char *found[STORE_RESERVE_MAX] = { 0 };
	struct reading reading = { .keys = keys, .n = n, .ret = found };
	int r;

	assert(n <= STORE_RESERVE_MAX);
	r = read_reserved(reserved, &reading);
	if (r == 0 && reading.n_found < n) {
		for (size_t i = 0; r == 0 && i < n; i++)
			if (!found[i] && ids[i])
				r = insert(s, reserved, keys[i], ids[i]);
		if (r == 0)
			r = read_reserved(reserved, &reading);
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		if (!found[i] && ids[i])
			r = -EUCLEAN; /* somebody emptied it between */
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			ret[i] = found[i];
		else
			free(found[i]);
	}
	return r;
}

int store_mongo_forget(struct store *store, const char *key)
{
	struct store_mongo *s = store_mongo_of(store);
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *reserved =
		store_mongo_own(s, "reserved");
	_cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", BCON_UTF8(key));
	bson_error_t error = { 0 };
	bson_iter_t it;
	bson_t reply;
	bool is_done, was_there;

	is_done = mongoc_collection_delete_one(reserved, filter, s->durable, &reply,
					       &error);
	was_there = is_done && bson_iter_init_find(&it, &reply, "deletedCount") &&
		    bson_iter_as_int64(&it) == 1;
	bson_destroy(&reply);
	if (!is_done)
		return store_mongo_errno(&error, "forget what was agreed on");
	return was_there ? 0 : STORE_GONE;
}
