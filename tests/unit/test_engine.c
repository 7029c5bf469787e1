/*
 * The engine without a mount: two sites on one embedded store and one folder as the remote. What mount stories
 * cannot see is here: rows in the store, what is sent and what is not.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <bson/bson.h>
#include <cmocka.h>

#include "providers/registry.h"
#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/engine.h"

struct world {
	char dir[64];
	struct store *store;
};

static void write_file(const struct world *world, const char *path, const char *text)
{
	_cleanup_(freep) char *full = strf("%s/%s", world->dir, path);
	_cleanup_(freep) char *folder = strdup(full);
	FILE *file;

	for (char *p = folder + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(folder, 0755);
	}
	file = fopen(full, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static char *read_file(const struct world *world, const char *path)
{
	_cleanup_(freep) char *full = strf("%s/%s", world->dir, path);
	char *text = NULL;
	size_t len;

	return fd_read_file(AT_FDCWD, full, 1 << 20, &text, &len) == 0 ? text : NULL;
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	_cleanup_(freep) char *drives = NULL;
	_cleanup_(freep) char *uri = NULL;

	str_cut(world->dir, sizeof(world->dir), "/tmp/sitefs-engine-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	write_file(world, "config/config.json",
		   "{\"local_id\": \"local_0\", \"active_site\": \"studio\", "
		   "\"remote_site\": \"nas\", \"retry_cnt\": 3}");
	drives = strf("{\"studio\": {\"root\": {\"work\": \"%s/studio\"}}, "
		      "\"local_0\": {\"root\": {\"work\": \"%s/local\"}}, "
		      "\"nas\": {\"root\": {\"work\": \"%s/nas\"}}}",
		      world->dir, world->dir, world->dir);
	write_file(world, "config/local_drive.json", drives);
	write_file(world, "config/sitefs.json",
		   "{\"timing\": {\"young\": \"1s\", \"settled\": \"100ms\"}}");
	write_file(world, "studio/.keep", "");
	write_file(world, "local/.keep", "");
	write_file(world, "nas/.keep", "");
	uri = strf("sqlite:%s/store.db", world->dir);
	assert_int_equal(store_open(uri, "avalon", false, &world->store, NULL), 0);
	*state = world;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct world *world = *state;

	unsetenv("SITEFS_ALWAYS_ACCESSIBLE_ON");
	store_free(world->store);
	nftw(world->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(world);
	return 0;
}

static void put_doc(struct world *world, const char *json)
{
	bson_error_t error;
	bson_t *bson = bson_new_from_json((const uint8_t *)json, -1, &error);
	struct buf doc = { 0 };
	int result;

	assert_non_null(bson);
	buf_add(&doc, bson_get_data(bson), bson->len);
	assert_int_equal(
		world->store->ops->insert(world->store, "demo", &doc, 1, &result), 0);
	assert_int_equal(result, 0);
	buf_done(&doc);
	bson_destroy(bson);
}

/* One representation of one file at STUDIO, asked for at the remote and (LOCAL) at local_0. */
static void publish(struct world *world, const char *name, const char *sites)
{
	static int last;
	int n = ++last;
	_cleanup_(freep) char *json =
		strf("{\"_id\": {\"$oid\": \"5eeb25e4a1b2c3d4e5f6%04x\"}, \"type\": "
		     "\"representation\", \"name\": \"txt\", \"context\": {}, \"files\": "
		     "[{\"_id\": {\"$oid\": \"5eeb25e4a1b2c3d4e5f7%04x\"}, \"path\": "
		     "\"{root[work]}/demo/%s\", \"size\": 5, \"sites\": [%s]}]}",
		     n, n, name, sites);

	put_doc(world, json);
}

#define AT_STUDIO \
	"{\"name\": \"studio\", \"created_dt\": {\"$date\": \"2020-01-01T00:00:00Z\"}}"
#define AT_NAS \
	"{\"name\": \"nas\", \"created_dt\": {\"$date\": \"2020-01-01T00:00:00Z\"}}"

struct site {
	struct config *config;
	struct engine *engine;
};

static void start(struct world *world, const char *name, struct site *site)
{
	_cleanup_(freep) char *dir = strf("%s/config", world->dir);
	_cleanup_(freep) char *state = strf("%s/state-%s", world->dir, name);
	_cleanup_(freep) char *uri = strf("sqlite:%s/store.db", world->dir);
	struct config_options options = {
		.config_dir = dir,
		.state_dir = state,
		.store_uri = uri,
	};
	struct engine_setup setup = { .has_sync = true };
	struct error error = { 0 };
	int r;

	setenv("SITEFS_ACTIVE_SITE", name, 1);
	r = config_load(&options, &site->config, &error);
	if (r < 0)
		fail_msg("config: %s", error_text(&error, r));
	setup.config = site->config;
	r = provider_open(config_find_site(site->config, "nas"), &setup.provider, &error);
	assert_int_equal(r, 0);
	r = engine_new(&setup, &site->engine, &error);
	if (r < 0)
		fail_msg("engine_new: %s", error_text(&error, r));
	r = engine_start(site->engine, &error);
	assert_int_equal(r, 0);
}

static void stop(struct site *site)
{
	engine_free(site->engine);
	config_free(site->config);
}

static int64_t run_once(struct world *world, const char *name)
{
	struct site site = { 0 };
	struct error error = { 0 };
	int64_t n_failed = -1;
	int r;

	start(world, name, &site);
	r = engine_wait_idle(site.engine, &n_failed, &error);
	if (r != 0)
		fail_msg("%s: %s", name, error_text(&error, r));
	stop(&site);
	return n_failed;
}

static int add_json(void *context, const char *project, const void *bson, size_t len)
{
	bson_t doc;
	char *json;

	assert_true(bson_init_static(&doc, bson, len));
	json = bson_as_relaxed_extended_json(&doc, NULL);
	buf_adds(context, json);
	bson_free(json);
	return 0;
}

static char *dump(struct world *world)
{
	struct buf out = { 0 };

	assert_int_equal(
		world->store->ops->scan(world->store, "demo", false, add_json, &out), 0);
	return buf_take(&out);
}

static size_t count(const char *text, const char *needle)
{
	size_t n = 0;

	for (; (text = strstr(text, needle)); text += strlen(needle))
		n++;
	return n;
}

static void test_publish_reaches_the_remote(void **state)
{
	struct world *world = *state;
	_cleanup_(freep) char *sent = NULL;
	_cleanup_(freep) char *docs = NULL;

	write_file(world, "studio/demo/a.txt", "hello");
	publish(world, "a.txt", AT_STUDIO ", {\"name\": \"nas\"}");
	assert_int_equal(run_once(world, "studio"), 0);
	sent = read_file(world, "nas/demo/a.txt");
	assert_non_null(sent);
	assert_string_equal(sent, "hello");
	docs = dump(world);
	assert_int_equal(count(docs, "created_dt"), 2);
	assert_non_null(strstr(docs, "\"id\" : \"a.txt\""));
}

static void test_what_is_there_is_not_sent(void **state)
{
	struct world *world = *state;
	_cleanup_(freep) char *docs = NULL;
	_cleanup_(freep) char *path = strf("%s/nas/demo/a.txt", world->dir);
	struct stat before, after;

	write_file(world, "studio/demo/a.txt", "hello");
	write_file(world, "nas/demo/a.txt", "hello");
	stat(path, &before);
	publish(world, "a.txt", AT_STUDIO ", {\"name\": \"nas\"}");
	assert_int_equal(run_once(world, "studio"), 0);
	stat(path, &after);
	assert_int_equal(before.st_ino, after.st_ino);
	docs = dump(world);
	assert_int_equal(count(docs, "created_dt"), 2);
}

static void test_download_is_recorded(void **state)
{
	struct world *world = *state;
	_cleanup_(freep) char *got = NULL;
	_cleanup_(freep) char *docs = NULL;

	write_file(world, "studio/demo/a.txt", "hello");
	publish(world, "a.txt",
		AT_STUDIO ", {\"name\": \"nas\"}, {\"name\": \"local_0\"}");
	assert_int_equal(run_once(world, "studio"), 0);
	assert_int_equal(run_once(world, "local_0"), 0);
	got = read_file(world, "local/demo/a.txt");
	assert_non_null(got);
	assert_string_equal(got, "hello");
	docs = dump(world);
	assert_int_equal(count(docs, "created_dt"), 3);
}

/* always_accessible_on: a remote of it gets what nobody has asked for there. */
static void test_remote_that_holds_everything(void **state)
{
	struct world *world = *state;
	_cleanup_(freep) char *sent = NULL, *docs = NULL;

	write_file(world, "studio/demo/a.txt", "hello");
	write_file(world, "studio/demo/b.txt", "other");
	publish(world, "a.txt", AT_STUDIO);
	publish(world, "b.txt", "{\"name\": \"else\"}");
	publish(world, "gone.txt", AT_STUDIO);
	setenv("SITEFS_ALWAYS_ACCESSIBLE_ON", "backup, nas", 1);
	assert_int_equal(run_once(world, "studio"), 0);
	sent = read_file(world, "nas/demo/a.txt");
	assert_non_null(sent);
	assert_string_equal(sent, "hello");
	/* not recorded here: nothing moves */
	assert_null(read_file(world, "nas/demo/b.txt"));
	docs = dump(world);
	assert_int_equal(count(docs, "\"nas\""), 1);
	assert_int_equal(count(docs, "created_dt"), 3);
	assert_int_equal(count(docs, "tries"), 0);
}

/* ... and a site of it fetches what nobody has asked for here. */
static void test_site_that_holds_everything(void **state)
{
	struct world *world = *state;
	_cleanup_(freep) char *got = NULL, *docs = NULL;

	write_file(world, "nas/demo/a.txt", "hello");
	publish(world, "a.txt", AT_STUDIO ", " AT_NAS);
	assert_int_equal(run_once(world, "local_0"), 0);
	assert_null(read_file(world, "local/demo/a.txt"));
	setenv("SITEFS_ALWAYS_ACCESSIBLE_ON", "local_0", 1);
	assert_int_equal(run_once(world, "local_0"), 0);
	got = read_file(world, "local/demo/a.txt");
	assert_non_null(got);
	assert_string_equal(got, "hello");
	docs = dump(world);
	assert_int_equal(count(docs, "\"local_0\""), 1);
	assert_int_equal(count(docs, "created_dt"), 3);
}

/* alternative_sites: what is recorded under another name of the remote is there. Only our own entry is written. */
static void test_remote_of_two_names(void **state)
{
	struct world *world = *state;
	_cleanup_(freep) char *got = NULL, *docs = NULL;
	_cleanup_(freep) char *drives =
		strf("{\"local_0\": {\"root\": {\"work\": \"%s/local\"}}, "
		     "\"nas\": {\"root\": {\"work\": \"%s/nas\"}, "
		     "\"alternative_sites\": [\"sftp\"]}}",
		     world->dir, world->dir);

	write_file(world, "config/local_drive.json", drives);
	write_file(world, "nas/demo/a.txt", "hello");
	publish(world, "a.txt",
		"{\"name\": \"sftp\", \"created_dt\": {\"$date\": "
		"\"2020-01-01T00:00:00Z\"}}, {\"name\": \"local_0\"}");
	assert_int_equal(run_once(world, "local_0"), 0);
	got = read_file(world, "local/demo/a.txt");
	assert_non_null(got);
	assert_string_equal(got, "hello");
	docs = dump(world);
	assert_int_equal(count(docs, "created_dt"), 2);
	assert_int_equal(count(docs, "\"nas\""), 0);
}

static void test_missing_source_is_a_try(void **state)
{
	struct world *world = *state;
	_cleanup_(freep) char *docs = NULL;

	write_file(world, "studio/demo/a.txt", "hello");
	publish(world, "a.txt", AT_STUDIO ", {\"name\": \"nas\"}");
	publish(world, "missing.txt", AT_STUDIO ", {\"name\": \"nas\"}");
	assert_int_equal(run_once(world, "studio"), 1);
	docs = dump(world);
	assert_int_equal(count(docs, "created_dt"), 3);
	assert_int_equal(count(docs, "\"tries\" : 1"), 1);
	assert_non_null(strstr(docs, "doesn't exist"));
}

static void test_lost_root_writes_nothing(void **state)
{
	struct world *world = *state;
	_cleanup_(freep) char *before = NULL;
	_cleanup_(freep) char *after = NULL;
	struct site site = { 0 };
	struct error error = { 0 };
	int64_t n_failed = 0;

	publish(world, "a.txt", AT_STUDIO ", {\"name\": \"nas\"}");
	before = dump(world);
	start(world, "studio", &site);
	assert_int_equal(engine_wait_idle(site.engine, &n_failed, &error), -ESTALE);
	assert_non_null(strstr(error.text, "--adopt"));
	stop(&site);
	after = dump(world);
	assert_string_equal(before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_publish_reaches_the_remote, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_is_there_is_not_sent, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_download_is_recorded, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_remote_that_holds_everything, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_site_that_holds_everything, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_remote_of_two_names, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_missing_source_is_a_try, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_lost_root_writes_nothing, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
