/* Another hand in MongoDB: what a person with a client of the server, or Pype, does past our code. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mongoc/mongoc.h>

#include "tests/contract/store/stage.h"

/* Runs FN on the project's collection, as a program of its own would. */
static int with_collection(const char *uri, const char *project, const char *id,
			   bool (*fn)(mongoc_collection_t *collection,
				      const bson_t *filter, bson_error_t *error))
{
	mongoc_collection_t *collection;
	mongoc_client_t *client;
	bson_error_t error = { 0 };
	bson_t filter;
	bson_oid_t oid;
	bool is_done;

	mongoc_init(); /* any number of times; driver 2.x no longer does it by itself */
	client = mongoc_client_new(uri);
	if (!client)
		return -EINVAL;
	collection = mongoc_client_get_collection(client, "avalon", project);
	bson_init(&filter);
	bson_oid_init_from_string(&oid, id);
	BSON_APPEND_OID(&filter, "_id", &oid);
	is_done = fn(collection, &filter, &error);
	if (!is_done)
		print_error("another hand: %s\n", error.message);
	bson_destroy(&filter);
	mongoc_collection_destroy(collection);
	mongoc_client_destroy(client);
	return is_done ? 0 : -EIO;
}

static bool remove_one(mongoc_collection_t *collection, const bson_t *filter,
		       bson_error_t *error)
{
	return mongoc_collection_delete_one(collection, filter, NULL, NULL, error);
}

/* There and back: a $set of what is there already is no change to the server. */
static bool touch_one(mongoc_collection_t *collection, const bson_t *filter,
		      bson_error_t *error)
{
	bson_t *set = BCON_NEW("$set", "{", "touched", BCON_INT32(1), "}");
	bson_t *unset = BCON_NEW("$unset", "{", "touched", BCON_INT32(1), "}");
	bool is_done;

	is_done = mongoc_collection_update_one(collection, filter, set, NULL, NULL,
					       error) &&
		  mongoc_collection_update_one(collection, filter, unset, NULL, NULL,
					       error);
	bson_destroy(set);
	bson_destroy(unset);
	return is_done;
}

static int hand_remove(const char *uri, const char *project, const char *id)
{
	return with_collection(uri, project, id, remove_one);
}

static int hand_touch(const char *uri, const char *project, const char *id)
{
	return with_collection(uri, project, id, touch_one);
}

const struct hand hand_mongo = {
	.scheme = "mongodb:",
	.remove = hand_remove,
	.touch = hand_touch,
};
