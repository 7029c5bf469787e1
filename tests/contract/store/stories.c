/*
 * Stories of the store's contract that are more than one change of one file: inserting, scanning,
 * publishing, following the feed, leases between processes. They know no implementation.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/base/clock.h"
#include "tests/contract/store/stage.h"
#include "tests/contract/store/stories.h"

/* Ids: "5fa2cf00aabbccddeeff" and four digits of the story's choice. */
#define ID(n) "5fa2cf00aabbccddeeff" n
#define OID(n) "{'$oid': '" ID(n) "'}"

#define PROJECT_DOC "{'_id': " OID("0010") ", 'type': 'project', 'name': 'P'}"
#define ASSET_DOC                                                                    \
	"{'_id': " OID("0011") ", 'type': 'asset', 'name': 'chair', 'parent': " OID( \
		"0010") "}"
#define VERSION_DOC(id, n)                                   \
	"{'_id': " OID(id) ", 'type': 'version', 'name': " n \
			   ", 'parent': " OID("0012") "}"
#define REPRE_DOC(id)                                                                   \
	"{'_id': " OID(id) ", 'type': 'representation', 'name': 'exr', 'parent': " OID( \
		"0020") ", 'files': [{'_id': 'f', 'path': '{root}/a',"                  \
			" 'sites': [{'name': 'gdrive'}]}]}"

static const struct store_ops *ops(void)
{
	return stage.store->ops;
}

/* ---- insert, load, scan ---- */

static void test_insert_and_load(void **state)
{
	const char *project = stage_project();
	static const char json[] =
		"[{'_id': 'a text', 'name': 'n', 'int': 1, 'long': {'$numberLong': '1'},"
		" 'double': {'$numberDouble': '1.0'}, 'z': null, 'a': [[]], 'type': 5},"
		" {'_id': " OID("0001") ", 'x': {'$undefined': true}}, {'no': 'id'},"
					" {'_id': 5}, {'_id': " OID(
						"0001") ", 'other': 1}]";
	int results[6] = { -1, -1, -1, -1, -1, -1 };
	_cleanup_(buf_done) struct buf body = { 0 };
	size_t n;
	struct buf *list = json_list(json, &n);

	assert_int_equal(n, 5);
	assert_int_equal(ops()->insert(stage.store, project, list, n, results), 0);
	assert_int_equal(results[0], 0);
	assert_int_equal(results[1], 0);
	assert_int_equal(results[2], STORE_REFUSED);
	assert_int_equal(results[3], STORE_REFUSED);
	assert_int_equal(results[4], STORE_EXISTS);
	for (size_t i = 0; i < 2; i++) {
		buf_clear(&body);
		assert_int_equal(ops()->load(stage.store, project,
					     i ? ID("0001") : "=a text", &body),
				 0);
		assert_int_equal(body.len, list[i].len);
		assert_memory_equal(body.data, list[i].data, body.len);
	}
	json_list_done(list, n);
	assert_int_equal(ops()->load(stage.store, project, ID("0002"), &body),
			 STORE_GONE);
	assert_int_equal(ops()->load(stage.store, "no such", ID("0001"), &body),
			 STORE_GONE);
}

static void test_insert_refuses_damage(void **state)
{
	struct buf doc = { 0 };
	int result = -1;

	assert_int_equal(buf_add(&doc, "\x10\0\0\0\x10_id\0\1\0\0\0\0", 15), 0);
	assert_int_equal(ops()->insert(stage.store, stage_project(), &doc, 1, &result),
			 0);
	assert_int_equal(result, STORE_REFUSED);
	buf_done(&doc);
	assert_int_equal(ops()->insert(stage.store, "", &doc, 1, &result), -EINVAL);
}

struct seen {
	const char *project; /* NULL: any */
	struct buf text;
	int stop_after;
};

static int see(void *context, const char *project, const void *bson, size_t len)
{
	struct seen *seen = context;
	bson_t doc;
	bson_iter_t it;
	char hex[25];

	if (seen->project && strcmp(project, seen->project) != 0)
		return 0;
	assert_true(bson_init_static(&doc, bson, len));
	assert_true(bson_iter_init_find(&it, &doc, "_id"));
	bson_oid_to_string(bson_iter_oid(&it), hex);
	assert_int_equal(buf_addf(&seen->text, "%s;", hex + 20), 0);
	return seen->stop_after && --seen->stop_after == 0 ? 77 : 0;
}

static void test_scan(void **state)
{
	_cleanup_(freep) char *project = strdup(stage_project());
	_cleanup_(freep) char *other = strdup(stage_project());
	struct seen seen = { 0 };

	stage_insert(project,
		     "[" PROJECT_DOC ", " REPRE_DOC("0001") ", " REPRE_DOC("0002") "]");
	stage_insert(other, "[" REPRE_DOC("0003") ", " VERSION_DOC("0004", "1") "]");

	assert_int_equal(ops()->scan(stage.store, project, true, see, &seen), 0);
	assert_string_equal(buf_str(&seen.text), "0010;0001;0002;");
	buf_clear(&seen.text);
	assert_int_equal(ops()->scan(stage.store, project, false, see, &seen), 0);
	assert_string_equal(buf_str(&seen.text), "0001;0002;");
	buf_clear(&seen.text);
	seen.project = other;
	assert_int_equal(ops()->scan(stage.store, NULL, false, see, &seen), 0);
	assert_string_equal(buf_str(&seen.text), "0003;");
	buf_clear(&seen.text);
	assert_int_equal(ops()->scan(stage.store, "no such", true, see, &seen), 0);
	assert_string_equal(buf_str(&seen.text), "");
	seen.project = NULL;
	seen.stop_after = 2;
	assert_int_equal(ops()->scan(stage.store, project, true, see, &seen), 77);
	assert_string_equal(buf_str(&seen.text), "0010;0001;");
	buf_done(&seen.text);
}

static int see_name(void *context, const char *name)
{
	*(int *)context += strncmp(name, stage_project(), 9) == 0;
	return 0;
}

static void test_projects(void **state)
{
	int before = 0, after = 0;

	assert_int_equal(ops()->projects(stage.store, see_name, &before), 0);
	stage_insert(stage_project(), "[" PROJECT_DOC "]");
	assert_int_equal(ops()->projects(stage.store, see_name, &after), 0);
	assert_int_equal(after, before + 1);
}

static void test_many_records_in_one_call(void **state)
{
	const char *project = stage_project();
	struct record records[3] = { 0 };
	int results[3] = { -1, -1, -1 };

	stage_insert(project, "[" REPRE_DOC("0001") ", " REPRE_DOC("0002") "]");
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		records[i] = (struct record){
			.op = RECORD_DONE,
			.project = strdup(project),
			.repre = strdup(i == 0   ? ID("0001")
					: i == 1 ? ID("0009")
						 : ID("0002")),
			.file = strdup("=f"),
			.path = strdup("{root}/a"),
			.site = strdup("gdrive"),
			.had_presence = 1,
			.created_ms = 5,
			.id = strdup("x"),
		};
	}
	assert_int_equal(ops()->record(stage.store, records, 3, results), 0);
	assert_int_equal(results[0], 0);
	assert_int_equal(results[1], STORE_GONE);
	assert_int_equal(results[2], 0);
	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		record_done(&records[i]);
	assert_document(
		project, ID("0002"),
		"{'_id': " OID(
			"0002") ", 'type': 'representation', 'name': 'exr',"
				" 'parent': " OID(
					"0020") ", 'files': [{'_id': 'f', 'path':"
						" '{root}/a', 'sites': [{'name': 'gdrive', 'created_dt':"
						" {'$date': {'$numberLong': '5'}}, 'id': 'x'}]}]}");
}

/* ---- find, publish ---- */

static void assert_found(const char *project, const char *type, const char *parent,
			 const char *name, const char *want)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	int r = ops()->find(stage.store, project, type, parent, name, &body);

	assert_int_equal(r, want ? 0 : STORE_GONE);
	if (want)
		assert_bson(body.data, body.len, want);
}

static void test_find(void **state)
{
	const char *project = stage_project();

	stage_insert(project,
		     "[" PROJECT_DOC ", " ASSET_DOC
		     ", " VERSION_DOC("0001", "9") ", " VERSION_DOC(
			     "0002", "10") ", " VERSION_DOC("0003", "'master'") "]");
	assert_found(project, "project", NULL, "P", PROJECT_DOC);
	assert_found(project, "asset", NULL, "chair", ASSET_DOC);
	assert_found(project, "asset", ID("0010"), "chair", ASSET_DOC);
	assert_found(project, "asset", ID("0011"), "chair", NULL);
	assert_found(project, "asset", ID("0010"), "table", NULL);
	assert_found(project, "subset", NULL, "chair", NULL);
	assert_found(project, "version", ID("0012"), NULL, VERSION_DOC("0002", "10"));
	assert_found(project, "version", ID("0012"), "9", VERSION_DOC("0001", "9"));
	assert_found(project, "version", ID("0010"), NULL, NULL);
	assert_found("no such", "project", NULL, "P", NULL);
}

static int publish(const char *project, const char *json)
{
	size_t n;
	struct buf *list = json_list(json, &n);
	int r = ops()->publish(stage.store, project, list, n);

	json_list_done(list, n);
	return r;
}

static void test_publish_is_all_or_nothing(void **state)
{
	const char *project = stage_project();
	_cleanup_(freep) char *token = stage_now();
	_cleanup_(freep) char *events = NULL, *none = NULL;

	assert_int_equal(
		publish(project, "[" PROJECT_DOC ", " ASSET_DOC ", " VERSION_DOC(
					 "0001", "1") ", " REPRE_DOC("0002") "]"),
		0);
	events = stage_events(&token, project);
	assert_string_equal(events, "doc " ID("0010") ";doc " ID("0011") ";doc " ID(
					    "0001") ";doc " ID("0002") ";");
	/* The version is there: nothing of the rest may come. */
	assert_int_equal(
		publish(project, "[" REPRE_DOC("0003") ", " VERSION_DOC("0004", "1") "]"),
		STORE_EXISTS);
	/* So is an _id. */
	assert_int_equal(
		publish(project, "[" VERSION_DOC("0005", "2") ", " REPRE_DOC("0001") "]"),
		STORE_EXISTS);
	assert_found(project, "version", ID("0012"), NULL, VERSION_DOC("0001", "1"));
	none = stage_events(&token, project);
	assert_string_equal(none, "");
	assert_int_equal(publish(project, "[" VERSION_DOC("0004", "2") "]"), 0);
}

/* ---- the feed ---- */

static void test_feed_is_one_event_per_document(void **state)
{
	const char *project = stage_project();
	struct site_edit edit = { SITE_ADD, project, ID("0001"), .site = "nas" };
	_cleanup_(freep) char *token = NULL;
	_cleanup_(freep) char *events = NULL, *gone = NULL;
	struct site_edited edited;

	stage_need_hand();
	stage_need(stage_has_feed(), "what others change is seen later");
	token = stage_now();
	stage_insert(project, "[" REPRE_DOC("0001") ", " REPRE_DOC("0002") "]");
	assert_int_equal(ops()->edit(stage.store, &edit, 1, &edited), 0);
	events = stage_events(&token, project);
	assert_string_equal(events, "doc " ID("0002") ";doc " ID("0001") ";");
	assert_int_equal(stage.hand->touch(stage.uri, project, ID("0001")), 0);
	assert_int_equal(stage.hand->remove(stage.uri, project, ID("0001")), 0);
	gone = stage_events(&token, project);
	assert_string_equal(gone, "gone " ID("0001") ";");
}

static int refuse(void *context, const struct store_event *event)
{
	return 77;
}

static void test_feed_gives_again_what_was_not_taken(void **state)
{
	const char *project = stage_project();
	_cleanup_(freep) char *token = stage_now();
	_cleanup_(freep) char *events = NULL;

	stage_insert(project, "[" REPRE_DOC("0001") "]");
	assert_int_equal(ops()->watch(stage.store, &token, WAIT_MS, refuse, NULL), 77);
	events = stage_events(&token, project);
	assert_string_equal(events, "doc " ID("0001") ";");
}

static void assert_token_lost(const char *text)
{
	_cleanup_(freep) char *token = strdup(text);

	assert_int_equal(ops()->watch(stage.store, &token, 0, refuse, NULL),
			 STORE_TOKEN_LOST);
}

static void test_feed_tokens_are_lost(void **state)
{
	const char *project = stage_project();
	_cleanup_(freep) char *token = NULL, *changed = NULL;

	stage_need_hand();
	assert_token_lost("");
	assert_token_lost("0123456789abcdef0123456789abcdef:0:0");
	token = stage_now();
	changed = strf("x%s", token + 1);
	assert_token_lost(changed);
	stage_insert(project, "[" REPRE_DOC("0001") ", " REPRE_DOC("0002") "]");
	if (stage.hand->prune) {
		assert_int_equal(stage.hand->prune(stage.uri), 0);
		assert_token_lost(token);
	}
	free(token);
	token = stage_now();
	assert_int_equal(ops()->watch(stage.store, &token, 0, refuse, NULL), STORE_QUIET);
}

static void *wake(void *context)
{
	ops()->wake(stage.store);
	return NULL;
}

static void test_feed_is_woken(void **state)
{
	_cleanup_(freep) char *token = stage_now();
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, wake, NULL), 0);
	assert_int_equal(ops()->watch(stage.store, &token, -1, refuse, NULL),
			 STORE_QUIET);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Both ways round: the other process writes while we wait, by the port or past it. */
static void test_feed_hears_other_processes(void **state)
{
	static const char json[] =
		"{\"_id\": {\"$oid\": \"" ID("0001") "\"}, \"type\": \"representation\"}";
	static const char *const verbs[] = { "insert", "touch" };
	const char *project = stage_project();

	stage_need_hand();
	stage_need(stage_has_feed(), "what others change is seen later");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		_cleanup_(freep) char *token = NULL, *none = NULL, *events = NULL;
		struct child child;
		int64_t start;

		child_start(&child, verbs[i], project, i ? ID("0001") : json);
		child_wait_ready(&child);
		token = stage_now();
		none = stage_events(&token, project);
		assert_string_equal(none, "");
		/* Long after anything happened: whoever looks by the clock looks seldom now. */
		clock_advance(3600 * 1000);
		start = clock_mono_ms();
		child_go(&child);
		events = stage_wait(&token, project, WAIT_MS);
		/* Not only found when the wait was over. */
		assert_true(clock_mono_ms() - start < WAIT_MS);
		assert_string_equal(events, "doc " ID("0001") ";");
		assert_int_equal(child_end(&child), 0);
	}
}

/* ---- leases ---- */

/* Takes the lease with IDS; 0 where those that are kept are WANT_IDS. */
static int lease(struct store *store, const char *key, const char *ids,
		 const char *want_ids)
{
	_cleanup_(freep) char *kept = NULL;
	int r = ops()->lease(store, key, ids, &kept);

	if (r == 0 && want_ids)
		assert_string_equal(kept, want_ids);
	else
		assert_null(kept);
	return r;
}

static void test_lease_is_the_process_s(void **state)
{
	_cleanup_(store_freep) struct store *second = NULL;
	const char *key = stage_project();
	struct child child;

	assert_int_equal(lease(stage.store, key, "a b", "a b"), 0);
	assert_int_equal(lease(stage.store, key, "c d", "a b"), 0);
	assert_int_equal(store_open(stage.uri, "avalon", true, &second, NULL), 0);
	assert_int_equal(lease(second, key, NULL, "a b"), 0);
	child_start(&child, "lease", key, NULL);
	assert_int_equal(child_end(&child), STORE_CONFLICT);
	assert_int_equal(ops()->release(second, key), 0);
	assert_int_equal(ops()->release(stage.store, key), STORE_GONE);
	child_start(&child, "lease", key, NULL);
	child_wait_ready(&child);
	assert_int_equal(lease(stage.store, key, "e", NULL), STORE_CONFLICT);
	assert_int_equal(ops()->release(stage.store, key), STORE_GONE);
	assert_int_equal(child_end(&child), 0);
}

static void test_lease_dies_with_its_process(void **state)
{
	const char *key = stage_project();
	struct child child;

	child_start(&child, "lease", key, NULL);
	child_wait_ready(&child);
	assert_int_equal(lease(stage.store, key, "a", NULL), STORE_CONFLICT);
	child_kill(&child);
	/* Dead, although nobody has buried it yet. What it began with its ids is gone on with. */
	assert_int_equal(lease(stage.store, key, "a", "of the child"), 0);
	assert_int_equal(child_end(&child), -SIGKILL);
	assert_int_equal(lease(stage.store, key, "b", "of the child"), 0);
	assert_int_equal(ops()->release(stage.store, key), 0);
	/* given back: nothing of it is left */
	assert_int_equal(lease(stage.store, key, NULL, NULL), 0);
	assert_int_equal(ops()->release(stage.store, key), 0);
}

static void test_first_reservation_counts(void **state)
{
	_cleanup_(freep) char *a = strf("folder:%s/a", stage_project());
	_cleanup_(freep) char *b = strf("folder:%s/b", stage_project());
	const char *first[] = { a }, *ids_1[] = { "1" };
	const char *both[] = { b, a }, *ids_2[] = { "2", "3" };
	const char *none[] = { NULL, NULL };
	char *got[2] = { 0 };

	assert_int_equal(ops()->reserve(stage.store, first, ids_1, 1, got), 0);
	assert_string_equal(got[0], "1");
	free(got[0]);
	assert_int_equal(ops()->reserve(stage.store, both, ids_2, 2, got), 0);
	assert_string_equal(got[0], "2");
	assert_string_equal(got[1], "1");
	free(got[0]);
	free(got[1]);
	assert_int_equal(ops()->forget(stage.store, a), 0);
	assert_int_equal(ops()->forget(stage.store, a), STORE_GONE);
	assert_int_equal(ops()->reserve(stage.store, both, none, 2, got), 0);
	assert_string_equal(got[0], "2");
	assert_null(got[1]);
	free(got[0]);
}

struct heard {
	int n;
	char host[64];
	int64_t seen_ms;
};

static int hear(void *context, const char *host, int64_t seen_ms)
{
	struct heard *heard = context;

	heard->n++;
	str_cut(heard->host, sizeof(heard->host), host);
	if (seen_ms > heard->seen_ms)
		heard->seen_ms = seen_ms;
	return 0;
}

static void test_hosts_that_greet(void **state)
{
	_cleanup_(freep) char *site = strf("site of %s", stage_project());
	struct heard heard = { 0 };
	int64_t first_ms;

	assert_int_equal(ops()->hosts(stage.store, site, hear, &heard), 0);
	assert_int_equal(heard.n, 0);
	assert_int_equal(ops()->greet(stage.store, site, "ws12"), 0);
	assert_int_equal(ops()->greet(stage.store, "another", "ws13"), 0);
	assert_int_equal(ops()->hosts(stage.store, site, hear, &heard), 0);
	assert_int_equal(heard.n, 1);
	assert_string_equal(heard.host, "ws12");
	/* of this century: a time at all */
	assert_true(heard.seen_ms > (int64_t)1000000000 * 1000);
	first_ms = heard.seen_ms;
	assert_int_equal(ops()->greet(stage.store, site, "ws12"), 0);
	assert_int_equal(ops()->greet(stage.store, site, "ws14"), 0);
	heard = (struct heard){ 0 };
	assert_int_equal(ops()->hosts(stage.store, site, hear, &heard), 0);
	assert_int_equal(heard.n, 2);
	assert_true(heard.seen_ms >= first_ms);
}

/* ---- a database that is held ---- */

static void test_held_is_busy(void **state)
{
	const char *project = stage_project();
	struct site_edit edit = { SITE_ADD, project, ID("0001"), .site = "nas" };
	_cleanup_(store_freep) struct store *second = NULL;
	_cleanup_(buf_done) struct buf body = { 0 };
	struct child child;
	struct site_edited edited;

	stage_need_hand();
	stage_need(stage.hand->hold != NULL, "nobody is held by another");
	stage_insert(project, "[" REPRE_DOC("0001") "]");
	child_start(&child, "hold", NULL, NULL);
	child_wait_ready(&child);
	assert_int_equal(ops()->edit(stage.store, &edit, 1, &edited), -EBUSY);
	/* Reading and opening go on. */
	assert_int_equal(ops()->load(stage.store, project, ID("0001"), &body), 0);
	assert_int_equal(store_open(stage.uri, "avalon", true, &second, NULL), 0);
	assert_int_equal(child_end(&child), 0);
	assert_int_equal(ops()->edit(stage.store, &edit, 1, &edited), 0);
	assert_int_equal(edited.n_changed, 1);
}

static void test_facts(void **state)
{
	_cleanup_(store_facts_done) struct store_facts facts = { 0 };

	assert_int_equal(ops()->facts(stage.store, &facts), 0);
	assert_true(facts.kind && facts.kind[0]);
	assert_int_equal(facts.has_feed, stage_has_feed());
	/* of the same machine here, if it tells one at all */
	if (facts.clock_ms)
		assert_true(llabs(facts.clock_ms - clock_wall_ms() + clock_shift_ms()) <
			    60 * 1000);
}

static void test_identity(void **state)
{
	_cleanup_(store_freep) struct store *second = NULL;
	_cleanup_(freep) char *a = NULL, *b = NULL;

	assert_int_equal(store_open(stage.uri, "avalon", true, &second, NULL), 0);
	assert_int_equal(ops()->identity(stage.store, &a), 0);
	assert_int_equal(ops()->identity(second, &b), 0);
	assert_string_equal(a, b);
}

const struct CMUnitTest store_stories[] = {
	cmocka_unit_test(test_insert_and_load),
	cmocka_unit_test(test_insert_refuses_damage),
	cmocka_unit_test(test_scan),
	cmocka_unit_test(test_projects),
	cmocka_unit_test(test_many_records_in_one_call),
	cmocka_unit_test(test_find),
	cmocka_unit_test(test_publish_is_all_or_nothing),
	cmocka_unit_test(test_feed_is_one_event_per_document),
	cmocka_unit_test(test_feed_gives_again_what_was_not_taken),
	cmocka_unit_test(test_feed_tokens_are_lost),
	cmocka_unit_test(test_feed_is_woken),
	cmocka_unit_test(test_feed_hears_other_processes),
	cmocka_unit_test(test_lease_is_the_process_s),
	cmocka_unit_test(test_lease_dies_with_its_process),
	cmocka_unit_test(test_first_reservation_counts),
	cmocka_unit_test(test_hosts_that_greet),
	cmocka_unit_test(test_held_is_busy),
	cmocka_unit_test(test_facts),
	cmocka_unit_test(test_identity),
};

const size_t n_store_stories = ARRAY_SIZE(store_stories);
