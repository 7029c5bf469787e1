/* The MongoDB store: telling who looks, where there are no change streams, what was changed here. */
#include <errno.h>

#include "sync/store_mongo.h"

static int add_touch(mongoc_bulk_operation_t *bulk, enum store_event_kind kind,
		     const char *project, const char *id)
{
	_cleanup_(bson_destroyp) bson_t *filter =
		BCON_NEW("_id", "{", "k", BCON_INT32(kind), "p", BCON_UTF8(project), "i",
			 BCON_UTF8(id), "}");
	/* The server's own time, in the order of its writes. */
	_cleanup_(bson_destroyp) bson_t *update =
		BCON_NEW("$currentDate", "{", "at", "{", "$type", BCON_UTF8("timestamp"),
			 "}", "day", BCON_BOOL(true), "}");
	_cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	bson_error_t error = { 0 };

	if (mongoc_bulk_operation_update_one_with_opts(bulk, filter, update, opts,
						       &error))
		return 0;
	return store_mongo_errno(&error, "tell of a change");
}

static int touch(struct store_mongo *s, enum store_event_kind kind, const char *project,
		 const char *const *ids, size_t n)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *touched = NULL;
	mongoc_bulk_operation_t *bulk;
	bson_error_t error = { 0 };
	int r = 0;

	if (s->has_streams || n == 0)
		return 0;
	touched = store_mongo_own(s, "touched");
	bulk = mongoc_collection_create_bulk_operation_with_opts(touched, NULL);
	if (!bulk)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_touch(bulk, kind, project, ids[i]);
	if (r == 0 && !mongoc_bulk_operation_execute(bulk, NULL, &error))
		r = store_mongo_errno(&error, "tell of a change");
	mongoc_bulk_operation_destroy(bulk);
	return r;
}

int store_mongo_touch(struct store_mongo *s, enum store_event_kind kind,
		      const char *project, const char *id)
{
	return touch(s, kind, project, &id, 1);
}

int store_mongo_touch_all(struct store_mongo *s, const char *project,
			  const char *const *ids, size_t n)
{
	return touch(s, STORE_EVENT_DOC, project, ids, n);
}
