/* Stories of MongoDB alone: its connection, what is sent to it, and what the server takes away. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mongoc/mongoc.h>

#include "sync/base/clock.h"
#include "tests/contract/store/stage.h"
#include "tests/contract/store/stories.h"

static void test_unreachable(void **state)
{
	struct store *store = NULL;
	struct error error = { 0 };

	assert_int_equal(store_open("mongodb://u:secret@127.0.0.1:1/db", "avalon", true,
				    &store, &error),
			 -EHOSTUNREACH);
	assert_non_null(strstr(error.text, "127.0.0.1:1"));
	assert_null(strstr(error.text, "secret"));
}

/* ---- OpenPype's settings ---- */

static void write_settings(const char *database, const char *json)
{
	mongoc_client_t *client = mongoc_client_new(stage.uri);
	mongoc_collection_t *collection =
		mongoc_client_get_collection(client, database, "settings");
	bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, NULL);

	assert_non_null(doc);
	assert_true(mongoc_collection_insert_one(collection, doc, NULL, NULL, NULL));
	bson_destroy(doc);
	mongoc_collection_destroy(collection);
	mongoc_client_destroy(client);
}

/* Each as relaxed JSON, in a line. */
static int note_settings(void *context, const char *project, const void *bson, size_t len)
{
	struct buf *seen = context;
	bson_t doc;
	char *text;

	assert_null(project);
	assert_true(bson_init_static(&doc, bson, len));
	text = bson_as_relaxed_extended_json(&doc, NULL);
	buf_addf(seen, "%s\n", strstr(text, "\"type\""));
	bson_free(text);
	return 0;
}

/* Of the machine that asks and of all, cut down: the rest of them is large, and secret. */
static void test_settings(void **state)
{
	_cleanup_(freep) char *database = strf("op_%s", stage_project());
	_cleanup_(buf_done) struct buf seen = { 0 };

	setenv("OPENPYPE_DATABASE_NAME", database, 1);
	assert_int_equal(
		stage.store->ops->settings(stage.store, "ann", note_settings, &seen), 0);
	assert_int_equal(seen.len, 0);
	write_settings(
		database,
		"{\"type\": \"system_settings\", \"data\": {\"modules\": {\"sync_server\": "
		"{\"enabled\": true}, \"ftrack\": {\"key\": \"secret\"}}}}");
	write_settings(database,
		       "{\"type\": \"project_settings_versioned\", \"version\": \"3\", "
		       "\"project_name\": \"p\", \"data\": {\"maya\": 1}}");
	write_settings(database,
		       "{\"type\": \"local_settings\", \"site_id\": \"ann\", "
		       "\"data\": {\"projects\": {}, \"general\": \"secret\"}}");
	write_settings(database, "{\"type\": \"local_settings\", \"site_id\": \"bob\"}");
	write_settings(database, "{\"type\": \"else\"}");
	assert_int_equal(
		stage.store->ops->settings(stage.store, "ann", note_settings, &seen), 0);
	unsetenv("OPENPYPE_DATABASE_NAME");
	assert_string_equal(
		seen.data,
		"\"type\" : \"system_settings\", \"data\" : { \"modules\" : { \"sync_server\" : { "
		"\"enabled\" : true } } } }\n"
		"\"type\" : \"project_settings_versioned\", \"version\" : \"3\", "
		"\"project_name\" : \"p\", \"data\" : {  } }\n"
		"\"type\" : \"local_settings\", \"site_id\" : \"ann\", \"data\" : { \"projects\" : {  "
		"} } }\n");
}

/* ---- leases of other hosts ---- */

#define ELSEWHERE "0000-boot/1/2/3"

/* Another host, by its own hand: its lease, and a beat. */
static void write_elsewhere(const char *collection, bson_t *filter, bson_t *update)
{
	mongoc_client_t *client = mongoc_client_new(stage.uri);
	mongoc_collection_t *found =
		mongoc_client_get_collection(client, "avalon_sitefs", collection);
	bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	bson_error_t error = { 0 };

	assert_true(
		mongoc_collection_update_one(found, filter, update, opts, NULL, &error));
	bson_destroy(opts);
	bson_destroy(filter);
	bson_destroy(update);
	mongoc_collection_destroy(found);
	mongoc_client_destroy(client);
}

static void lease_elsewhere(const char *key)
{
	write_elsewhere("lease", BCON_NEW("_id", BCON_UTF8(key)),
			BCON_NEW("$set", "{", "owner", BCON_UTF8(ELSEWHERE), "epoch",
				 BCON_INT64(1), "ids", BCON_UTF8("x y"), "}"));
}

/* With a clock that says what it likes: it is read by nobody. */
static void beat_elsewhere(int64_t clock_ms)
{
	write_elsewhere("owner", BCON_NEW("_id", BCON_UTF8(ELSEWHERE)),
			BCON_NEW("$inc", "{", "beat", BCON_INT64(1), "}", "$set", "{",
				 "at", BCON_DATE_TIME(clock_ms), "}"));
}

static int lease_here(const char *key)
{
	_cleanup_(freep) char *ids = NULL;
	int r = stage.store->ops->lease(stage.store, key, "ours", &ids);

	if (r == 0)
		assert_string_equal(ids, "x y");
	return r;
}

/* Of a sitefs that did not know of which files a truth record is: it is of whatever names the path, till somebody who
 * verified the bytes says more. */
static void test_truth_of_an_older_sitefs(void **state)
{
	const char *project = stage_project();
	struct truth truth = { .size = 10, .mtime_ns = 42 };
	_cleanup_(truth_done) struct truth got = { 0 };

	write_elsewhere("truth",
			BCON_NEW("_id", "{", "p", BCON_UTF8(project), "k",
				 BCON_UTF8("{root}/a"), "}"),
			BCON_NEW("$set", "{", "rev", BCON_INT64(1), "size",
				 BCON_INT64(10), "mtime_ns", BCON_INT64(42), "}"));
	truth.project = strdup(project);
	truth.key = strdup("{root}/a");
	assert_int_equal(
		stage.store->ops->load_truth(stage.store, project, truth.key, &got), 0);
	assert_int_equal(got.files.n, 0);
	truth_done(&got);
	truth_files_add(&truth.files, "r1", "f1");
	assert_int_equal(stage.store->ops->put_truth(stage.store, &truth, false), 0);
	assert_int_equal(
		stage.store->ops->load_truth(stage.store, project, truth.key, &got), 0);
	assert_int_equal(got.files.n, 1);
	truth_done(&truth);
}

/* A holder on another host lives while its beat changes within our own takeover_ms, whatever any clock says. */
static void test_lease_of_another_host(void **state)
{
	static const int64_t clocks[] = { 0, 4102444800000, -1000, 1700000000000 };
	const char *key = stage_project();
	int64_t takeover_ms = stage.store->takeover_ms;

	lease_elsewhere(key);
	beat_elsewhere(clocks[0]);
	assert_int_equal(lease_here(key), STORE_CONFLICT);
	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		clock_advance(takeover_ms - 10000);
		beat_elsewhere(clocks[i]);
		assert_int_equal(lease_here(key), STORE_CONFLICT);
	}
	clock_advance(takeover_ms - 10000);
	assert_int_equal(lease_here(key), STORE_CONFLICT);
	clock_advance(10000);
	assert_int_equal(lease_here(key), 0);
	/* It was only asleep: its lease is another's now, which it hears when it gives it back; it takes none over. */
	lease_elsewhere(key);
	beat_elsewhere(0);
	assert_int_equal(stage.store->ops->release(stage.store, key), STORE_GONE);
	assert_int_equal(lease_here(key), STORE_CONFLICT);
}

/* One that never followed the store has no beat at all. */
static void test_lease_of_a_host_that_died_young(void **state)
{
	const char *key = stage_project();

	write_elsewhere("lease", BCON_NEW("_id", BCON_UTF8(key)),
			BCON_NEW("$set", "{", "owner", BCON_UTF8("9999-boot/1/2/3"),
				 "epoch", BCON_INT64(1), "ids", BCON_UTF8("x y"), "}"));
	assert_int_equal(lease_here(key), STORE_CONFLICT);
	clock_advance(stage.store->takeover_ms);
	assert_int_equal(lease_here(key), 0);
	assert_int_equal(stage.store->ops->release(stage.store, key), 0);
}

/* ---- looking ---- */

/* As Pype inserts it: past our code, with an id of now. */
static void insert_elsewhere(const char *project, char ret_id[25])
{
	mongoc_client_t *client = mongoc_client_new(stage.uri);
	mongoc_collection_t *found =
		mongoc_client_get_collection(client, "avalon", project);
	bson_error_t error = { 0 };
	bson_oid_t oid;
	bson_t *doc;

	bson_oid_init(&oid, NULL);
	bson_oid_to_string(&oid, ret_id);
	doc = BCON_NEW("_id", BCON_OID(&oid), "type", BCON_UTF8("representation"));
	assert_true(mongoc_collection_insert_one(found, doc, NULL, NULL, &error));
	bson_destroy(doc);
	mongoc_collection_destroy(found);
	mongoc_client_destroy(client);
}

/* What is of the last day goes by the server's clock. */
static void test_host_with_a_wrong_clock(void **state)
{
	const char *project = stage_project();
	char id[25], wanted[64];

	clock_advance(7 * 24 * 60 * 60 * INT64_C(1000));
	{
		_cleanup_(freep) char *token = stage_now();
		_cleanup_(freep) char *events = NULL;

		insert_elsewhere(project, id);
		snprintf(wanted, sizeof(wanted), "doc %s;", id);
		events = stage_wait(&token, project, WAIT_MS);
		assert_string_equal(events, wanted);
	}
}

const struct CMUnitTest mongo_stories[] = {
	cmocka_unit_test(test_unreachable),
	cmocka_unit_test(test_settings),
	cmocka_unit_test(test_truth_of_an_older_sitefs),
	cmocka_unit_test(test_lease_of_another_host),
	cmocka_unit_test(test_lease_of_a_host_that_died_young),
	cmocka_unit_test(test_host_with_a_wrong_clock),
};

const size_t n_mongo_stories = ARRAY_SIZE(mongo_stories);
