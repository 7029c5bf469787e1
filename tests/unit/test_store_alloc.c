/* The store, dumps and publishes survive it when memory ends: the nth allocation fails, for every n until
 * none does, and nothing is half done then. Leaks show in the run under AddressSanitizer. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bson/bson.h>
#include <cmocka.h>

#include "sync/dump.h"
#include "sync/publish.h"
#include "sync/store_sites.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/scratch.h"

static const char repre_json[] =
	"{\"_id\": \"r\", \"type\": \"representation\", \"name\": \"exr\", \"files\":"
	" [{\"_id\": \"1\", \"path\": \"{root}/a\", \"sites\": {\"a\": {\"x\": 1}, \"b\": null}},"
	" {\"_id\": \"2\", \"path\": \"{root}/b\", \"sites\": [\"a\", {\"name\": \"b\"}, 5]}]}";

/* The steps of one story, from nothing: 0 or a negative errno, with all that it made ended. */
typedef int attempt_fn(void *context);

/* Fails the nth allocation of FN for every n; the number of allocations is the result. */
static unsigned fail_each(attempt_fn *fn, void *context)
{
	for (unsigned n = 1;; n++) {
		bool has_failed;
		int r;

		failing_alloc_at(n);
		r = fn(context);
		has_failed = failing_alloc_has_failed();
		failing_alloc_at(0);
		if (!has_failed) {
			assert_int_equal(r, 0);
			return n - 1;
		}
		assert_int_equal(r, -ENOMEM);
	}
}

/* ---- changes of sites ---- */

struct sites_call {
	const bson_t *doc;
	struct record record;
};

static int change_record(void *context)
{
	struct sites_call *call = context;
	struct buf doc = { 0 };
	bool is_changed;
	int r;

	r = buf_add(&doc, bson_get_data(call->doc), call->doc->len);
	if (r == 0)
		r = store_sites_record(&doc, &call->record, &is_changed);
	if (r == 0)
		assert_true(is_changed);
	else if (doc.len)
		assert_memory_equal(doc.data, bson_get_data(call->doc), doc.len);
	buf_done(&doc);
	return r;
}

static int change_edit(void *context)
{
	const struct site_edit edit = { .op = SITE_ADD, .repre = "=r", .site = "new" };
	struct sites_call *call = context;
	struct buf doc = { 0 };
	size_t changed;
	int r;

	r = buf_add(&doc, bson_get_data(call->doc), call->doc->len);
	if (r == 0)
		r = store_sites_edit(&doc, &edit, &changed);
	if (r == 0)
		assert_int_equal(changed, 2);
	else if (doc.len)
		assert_memory_equal(doc.data, bson_get_data(call->doc), doc.len);
	buf_done(&doc);
	return r;
}

static void test_sites(void **state)
{
	char file[] = "=2", path[] = "{root}/b", site[] = "b", id[] = "x",
	     error[] = "\xff";
	bson_t *doc = bson_new_from_json((const uint8_t *)repre_json, -1, NULL);
	struct sites_call call = { doc,
				   { .op = RECORD_DONE,
				     .file = file,
				     .path = path,
				     .site = site,
				     .id = id,
				     .error = error,
				     .had_presence = 1 } };

	assert_true(fail_each(change_record, &call) > 5);
	assert_true(fail_each(change_edit, &call) > 10);
	bson_destroy(doc);
}

/* ---- dumps ---- */

static int take(void *context, const void *bson, size_t len)
{
	return 0;
}

static int read_dump(void *context)
{
	FILE *file = context;

	rewind(file);
	return dump_read(file, "f", take, NULL, NULL);
}

static void test_dump(void **state)
{
	_cleanup_(fclosep) FILE *json = tmpfile();
	_cleanup_(fclosep) FILE *bson = tmpfile();

	assert_true(json && bson);
	fputs(repre_json, json);
	fwrite("\x05\0\0\0\0", 1, 5, bson);
	assert_true(fail_each(read_dump, json) > 0);
	assert_true(fail_each(read_dump, bson) > 0);
}

/* ---- the embedded store ---- */

struct store_call {
	struct scratch scratch;
	char *uri, *path;
	const char *paths[1];
};

static int take_holding(void *context, const struct holding *holding)
{
	return holdings_put(context, holding);
}

static int store_story(struct store *store)
{
	static const char *const held[] = { "1", "2" };
	const struct holding holding = { "P", "r", held, 2 };
	_cleanup_(holdings_done) struct holdings holdings = { 0 };
	const struct store_ops *ops = store->ops;
	struct truth truth = { .size = 1 };
	char project[] = "P", key[] = "{root}/a", site[] = "nas";
	struct truth_remote remote = { site, site, NULL };
	_cleanup_(truth_done) struct truth got = { 0 };
	_cleanup_(freep) char *token = NULL, *id = NULL, *ids = NULL;
	int r;

	truth.project = project;
	truth.key = key;
	truth.remotes = &remote;
	truth.n_remotes = 1;
	r = ops->identity(store, &id);
	if (r == 0)
		r = ops->now(store, &token);
	if (r == 0)
		r = ops->put_truth(store, &truth, true);
	if (r == 0)
		r = ops->load_truth(store, project, key, &got);
	if (r == 0)
		r = ops->put_holdings(store, site, &holding, 1);
	if (r == 0)
		r = ops->holdings(store, site, NULL, NULL, take_holding, &holdings);
	if (r == 0)
		r = ops->lease(store, "k", "ids", &ids);
	return r;
}

static int open_and_play(void *context)
{
	struct store_call *call = context;
	_cleanup_(store_freep) struct store *store = NULL;
	int r;

	r = store_open(call->uri, "avalon", false, &store, NULL);
	return r < 0 ? r : store_story(store);
}

static int publish_file(void *context)
{
	struct store_call *call = context;
	char name[] = "studio", empty[] = "";
	struct config_root root = { empty, call->scratch.dir };
	struct config_site site = { .name = name, .roots = &root, .n_roots = 1 };
	struct config config = {
		.active_site = name, .remote_site = empty, .sites = &site, .n_sites = 1
	};
	const struct publish_request request = {
		.config = &config, .project = "P", .paths = call->paths, .n_paths = 1
	};
	_cleanup_(publish_done) struct publish publish = { 0 };
	_cleanup_(store_freep) struct store *store = NULL;
	int r;

	r = store_open(call->uri, "avalon", false, &store, NULL);
	if (r == 0)
		r = publish_run(store, &request, &publish, NULL);
	if (r == 0)
		assert_int_equal(publish.version, 1);
	return r;
}

static void test_store(void **state)
{
	struct store_call call = { .scratch = scratch_new() };
	int fd;

	call.uri = strf("sqlite:%s/store.db", call.scratch.dir);
	call.path = strf("%s/a.exr", call.scratch.dir);
	call.paths[0] = call.path;
	fd = open(call.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_true(fail_each(open_and_play, &call) > 20);
	/* No attempt that failed has left a version. */
	assert_true(fail_each(publish_file, &call) > 40);
	free(call.uri);
	free(call.path);
	scratch_done(&call.scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sites),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_store),
	};

	return cmocka_run_group_tests_name("store_alloc", tests, NULL, NULL);
}
