/* sync/config: where presets lie, forms of config.json, fields, options, the search for the folder. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "tests/unit/config_stage.h"

static const struct config_row places[] = {
	{ "directly in the folder", .files = { USUAL },
	  .expected = { "active_site=\"studio\" @DIR/config.json:1",
			"retry_cnt=3 @default", "loop_delay=60 @default",
			"site.studio.root.work=\"/srv/work\"",
			"site.nas.root=\"/mnt/nas\" @DIR/local_drive.json:1",
			"site.nas.provider=\"local_drive\"", "no.such.key=" } },
	{ "under sync_server",
	  .files = { { "sync_server/config.json", CONFIG },
		     { "sync_server/local_drive.json", LOCAL },
		     { "sync_server/sitefs.json", "{\"pools\": {\"readers\": 2}}" } },
	  .expected = { "active_site=\"studio\" @DIR/sync_server/config.json:1",
			"pools.readers=2" } },
	{ "as in a tree of Pype",
	  .files = { { "presets/sync_server/config.json", CONFIG },
		     { "presets/sync_server/local_drive.json", LOCAL } },
	  .expected = { "active_site=\"studio\"" } },
	{ "nothing there", .files = { { "config.txt", "" } },
	  .error =
		  "no config.json in DIR (nor in sync_server/ below): run \"sitefs init\"" },
	{ "one that cannot be a file", .files = { { "config.json/x", "" } },
	  .error = "DIR/config.json: is no file" },
	{ "project: files of its own", .project = "P",
	  .files = { USUAL,
		     { "P/config.json", "{\"retry_cnt\": 5}" },
		     { "P/local_drive.json", "{\"nas\": {\"root\": \"/mnt/other\"}}" } },
	  .expected = { "retry_cnt=5 @DIR/P/config.json:1", "active_site=\"studio\"",
			"site.studio.root.work=\"/srv/work\"",
			"site.nas.root=\"/mnt/other\"" } },
	{ "project: the old layout", .project = "P",
	  .files = { USUAL,
		     { "P/presets/sync_server/config.json", "{\"retry_cnt\": 5}" } },
	  .expected = { "retry_cnt=5" } },
	{ "project: another one's files", .project = "Q",
	  .files = { USUAL, { "P/config.json", "{\"retry_cnt\": 5}" } },
	  .expected = { "retry_cnt=3" } },
	{ "project: a name that is a path", .project = "../P",
	  .files = { USUAL, { "P/config.json", "{\"retry_cnt\": 5}" } },
	  .expected = { "retry_cnt=3" } },
	{ "project: maps of roots are laid over each other", .project = "P",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": {\"work\": \"/srv/work\", \"pub\": \"/srv/pub\"}}}" },
		     { "P/local_drive.json",
		       "{\"studio\": {\"root\": {\"work\": \"/p/work\"}}}" } },
	  .expected = { "site.studio.root.work=\"/p/work\"",
			"site.studio.root.pub=\"/srv/pub\"" } },
	{ "project: one folder replaces a map", .project = "P",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json", "{" STUDIO "}" },
		     { "P/local_drive.json", "{\"studio\": {\"root\": \"/p\"}}" } },
	  .expected = { "site.studio.root=\"/p\"", "site.studio.root.work=" } },
	{ "project: a map replaces one folder", .project = "P",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json", "{\"studio\": {\"root\": \"/srv\"}}" },
		     { "P/local_drive.json", "{" STUDIO "}" } },
	  .expected = { "site.studio.root=", "site.studio.root.work=\"/srv/work\"" } },
};

static const struct config_row presets[] = {
	{ "numbers as texts",
	  .files = { PRESETS("{\"retry_cnt\": \"7\", \"loop_delay\": \"0.5\"}") },
	  .expected = { "retry_cnt=7", "loop_delay=0.5" } },
	{ "numbers", .files = { PRESETS("{\"retry_cnt\": 7, \"loop_delay\": 90}") },
	  .expected = { "retry_cnt=7", "loop_delay=90" } },
	{ "no number", .files = { PRESETS("{\n\"retry_cnt\": \"many\"}") },
	  .error =
		  "DIR/config.json:2: retry_cnt: \"many\" is no whole number from 1 to 1000" },
	{ "a wrong type", .files = { PRESETS("{\"active_site\": [\"studio\"]}") },
	  .error =
		  "DIR/config.json:1: active_site: a text in double quotes is expected" },
	{ "a list at the top", .files = { { "config.json", "[]" } },
	  .error = "DIR/config.json:1: an object in curly brackets is expected" },
	{ "null is as nothing",
	  .files = { PRESETS("{\"active_site\": null, \"retry_cnt\": null}") },
	  .expected = { "active_site=\"studio\" @default", "retry_cnt=3" } },
	{ "an empty file", .files = { PRESETS("") },
	  .expected = { "local_id=\"local_0\" @default", "active_site=\"studio\"",
			"remote_site=\"\"" } },
	{ "blanks around names",
	  .files = { PRESETS("{\"active_site\": \" studio \\n\","
			     " \"remote_site\": \" \"}") },
	  .expected = { "active_site=\"studio\"",
			"remote_site=\"\" @DIR/config.json:1" } },
	{ "commas too many", .files = { PRESETS("{\"remote_site\": \"nas\",}") },
	  .expected = { "remote_site=\"nas\"" } },
	{ "remarks", .files = { PRESETS("{\n\"retry_cnt\": 3 -- three strikes\n}") },
	  .error =
		  "DIR/config.json:2: remarks (\"--\") are not allowed in JSON: remove it" },
	{ "an unknown key", .files = { PRESETS("{\n\"retries\": 3}") },
	  .expected = { "retry_cnt=3" },
	  .warning = "DIR/config.json:2: unknown key \"retries\": it changes nothing" },
	{ "publish_site", .files = { PRESETS("{\"publish_site\": \"nas\"}") },
	  .expected = { "active_site=\"nas\"" },
	  .warning = "\"publish_site\" is called \"active_site\" now: taken for it" },
	{ "publish_site beside active_site",
	  .files = { PRESETS(
		  "{\"publish_site\": \"nas\", \"active_site\": \"studio\"}") },
	  .expected = { "active_site=\"studio\"" } },
	{ "a key that stands twice",
	  .files = { PRESETS("{\"retry_cnt\": 1,\n\"retry_cnt\": 2}") },
	  .expected = { "retry_cnt=2" },
	  .warning = "key \"retry_cnt\" stands in line 1 already" },
	{ "local is local_id",
	  .files = { { "config.json",
		       "{\"local_id\": \"me\", \"active_site\": \"local\"}" },
		     { "local_drive.json", "{\"local\": {\"root\": \"/home/me\"}}" } },
	  .expected = { "active_site=\"me\"", "site.me.root=\"/home/me\"",
			"site.local.root=" } },
	{ "local and the real id",
	  .files = { { "config.json", "{\"local_id\": \"me\", \"active_site\": \"me\"}" },
		     { "local_drive.json",
		       "{\"local\": {\"root\": \"/a\"}, \"me\": {\"root\": \"/b\"}}" } },
	  .expected = { "site.me.root=\"/b\"" },
	  .warning =
		  "site \"local\" is \"me\" on this machine, which has settings of its own" },
};

static void test_places(void **state)
{
	stage_run_rows(places, ARRAY_SIZE(places));
}

static void test_presets(void **state)
{
	stage_run_rows(presets, ARRAY_SIZE(presets));
}

/* What the table does not reach: fields, credentials, options, the search for the folder. */

#define KEYS                                                                                    \
	"{\"a\": {\"root\": \"/My Drive\", \"credentials_url\": \"/k/a.json\"},"                \
	" \"b\": {\"root\": \"/My Drive\", \"credentials_url\": {\"linux\": \"b.json\"}},"      \
	" \"c\": {\"root\": \"/My Drive\", \"credentials_url\": [\"/k/1\", \"\", \"/k/2\"]},"   \
	" \"d\": {\"root\": \"/My Drive\", \"credentials_url\": {\"linux\": [\"{STUDIO}/k\"]}," \
	" \"endpoint\": \"http://localhost:1\", \"subject\": \"me@x\"}}"

static const struct config_row keys_row = {
	.files = { USUAL,
		   { "gdrive.json", KEYS },
		   { "sitefs.json",
		     "{\"modes.file\": \"0600\", \"timing.gone\": \"5s\"}" } },
	.env = { { "STUDIO", "/srv" }, { "XDG_RUNTIME_DIR", "/run/user/7" } },
};

static void test_fields(void **state)
{
	char dir[] = STAGE_DIR;
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(freep) char *log = NULL, *beside = NULL;
	const struct config_site *site;

	stage_begin(&keys_row, dir);
	beside = strf("%s/b.json", dir);
	log = stage_load(&keys_row, dir, &config, NULL);
	stage_end(dir);
	assert_string_equal(config->dir, dir);
	assert_string_equal(config_find_site(config, "a")->credentials[0], "/k/a.json");
	assert_string_equal(config_find_site(config, "b")->credentials[0], beside);
	site = config_find_site(config, "c");
	assert_int_equal(site->n_credentials, 2);
	assert_string_equal(site->credentials[1], "/k/2");
	site = config_find_site(config, "d");
	assert_string_equal(site->credentials[0], "/srv/k");
	assert_string_equal(site->endpoint, "http://localhost:1");
	assert_string_equal(site->subject, "me@x");
	assert_null(config_find_site(config, "e"));
	assert_int_equal(config->retry_cnt, 3);
	assert_int_equal(config->loop_delay_ms, 60000);
	assert_int_equal(config->n_readers, 8);
	assert_int_equal(config->n_workers, 4);
	assert_int_equal(config->read_deadline_ms, 30000);
	assert_int_equal(config->verify_first_bytes, 1 << 20);
	assert_int_equal(config->chunk_bytes, 8 << 20);
	assert_int_equal(config->reserve_bytes, 1 << 30);
	assert_int_equal(config->file_mode, 0600);
	assert_int_equal(config->dir_mode, 0755);
	assert_int_equal(config->timing.settled_ms, 2000);
	assert_int_equal(config->timing.young_ms, 600000);
	assert_int_equal(config->timing.pull_ms, 600000);
	assert_int_equal(config->timing.gone_ms, 5000);
	assert_int_equal(config->timing.retry_min_ms, 1000);
	assert_int_equal(config->timing.retry_max_ms, 300000);
	assert_int_equal(config->timing.probe_ms, 10000);
	assert_int_equal(config->timing.takeover_ms, 60000);
	assert_string_equal(config->runtime_dir, "/run/user/7/sitefs");
	assert_null(config->store_uri);
}

static void test_root_of_a_name(void **state)
{
	struct config_root named[] = { { (char[]){ "work" }, NULL },
				       { (char[]){ "pub" }, NULL } };
	struct config_root unnamed[] = { { (char[]){ "" }, NULL } };
	struct config_site two = { .roots = named, .n_roots = 2 };
	struct config_site one = { .roots = named, .n_roots = 1 };
	struct config_site plain = { .roots = unnamed, .n_roots = 1 };

	assert_int_equal(config_site_root(&two, "pub"), 1);
	assert_int_equal(config_site_root(&two, ""), -1);
	assert_int_equal(config_site_root(&two, "x"), -1);
	assert_int_equal(config_site_root(&one, "work"), 0);
	assert_int_equal(config_site_root(&one, ""), 0);
	assert_int_equal(config_site_root(&one, "x"), -1);
	assert_int_equal(config_site_root(&plain, ""), 0);
	assert_int_equal(config_site_root(&plain, "work"), 0);
}

static const struct config_row found_row = { .files = { { "sitefs/config.json", CONFIG },
							{ "sitefs/local_drive.json",
							  LOCAL } } };

static void test_search_for_the_folder(void **state)
{
	char dir[] = STAGE_DIR;
	_cleanup_(config_freep) struct config *by_xdg = NULL, *by_env = NULL,
					      *by_option = NULL;
	_cleanup_(freep) char *folder = NULL, *shown = NULL;
	struct config_options options = { 0 };
	struct error error = { 0 };

	stage_begin(&found_row, dir);
	folder = strf("%s/sitefs", dir);
	setenv("XDG_CONFIG_HOME", dir, 1);
	assert_int_equal(config_load(&options, &by_xdg, &error), 0);
	assert_string_equal(by_xdg->dir, folder);

	/* a folder that is named, and not the right one, is not replaced by another */
	setenv("SITEFS_CONFIG", dir, 1);
	assert_int_equal(config_load(&options, &by_env, &error), -ENOENT);
	setenv("SITEFS_CONFIG", folder, 1);
	setenv("XDG_CONFIG_HOME", "/nowhere", 1);
	assert_int_equal(config_load(&options, &by_env, &error), 0);

	setenv("SITEFS_CONFIG", "/nowhere", 1);
	options = (struct config_options){ .config_dir = folder,
					   .state_dir = "/s/t",
					   .store_uri = "sqlite:/s/db" };
	setenv("SITEFS_STORE", "mongodb://a", 1);
	setenv("SITEFS_STATE", "/other", 1);
	assert_int_equal(config_load(&options, &by_option, &error), 0);
	assert_string_equal(by_option->store_uri, "sqlite:/s/db");
	assert_string_equal(by_option->state_dir, "/s/t");
	stage_assert_key(by_option, "store=\"sqlite:/s/db\" @--store");
	stage_assert_key(by_option, "state=\"/s/t\" @--state");

	stage_end(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_presets),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_root_of_a_name),
		cmocka_unit_test(test_search_for_the_folder),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
