/* Constructors survive it when memory ends: the nth allocation fails, for every n until none does.
 * Leaks show in the run under AddressSanitizer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bson/bson.h>
#include <cmocka.h>

#include "sync/base/log.h"
#include "sync/doc.h"
#include "sync/journal.h"
#include "tests/unit/config_stage.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/scratch.h"

static const char doc_json[] =
	"{\"_id\": {\"$oid\": \"60e578d0c987036c6a7b741d\"}, \"type\": \"representation\","
	" \"name\": \"ma\", \"parent\": \"p\", \"context\": {\"asset\": \"a\", \"version\": 1},"
	" \"files\": [{\"_id\": \"1\", \"path\": \"{root[a][b]}{root[a][b]}/x\", \"hash\": \"x|1|2\","
	" \"sites\": [{\"name\": \"a\", \"id\": \"i\", \"error\": \"e\"}, {\"name\": \"b\"}]},"
	" {\"_id\": \"2\", \"path\": \"/srv/x\", \"sites\": [\"a\", \"a\"]},"
	" {\"_id\": \"2\", \"path\": \"{root}/../x\", \"sites\": {\"a\": {}, \"b\": null}}, 5]}";

static void test_doc(void **state)
{
	bson_t *bson = bson_new_from_json((const uint8_t *)doc_json, -1, NULL);
	unsigned n = 1;

	assert_non_null(bson);
	for (;; n++) {
		struct doc *doc = NULL;
		int r;

		failing_alloc_at(n);
		r = doc_parse(bson_get_data(bson), bson->len, "P", &doc, NULL);
		if (!failing_alloc_has_failed()) {
			failing_alloc_at(0);
			assert_int_equal(r, 0);
			assert_non_null(doc->files[2].refused);
			doc_free(doc);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_null(doc);
	}
	assert_true(n > 40);
	bson_destroy(bson);
}

static struct journal *journal_with_rows(const char *path)
{
	uint64_t hashes[] = { 1, 2 };
	char rel[] = "a/b", text[] = "x";
	struct whiteout w = { .rel = rel, .hashes = hashes, .n_hashes = 2 };
	struct outbox_row row = { .has_record = true,
				  .record = { .op = RECORD_PULL,
					      .project = text,
					      .repre = text,
					      .file = text,
					      .path = text,
					      .site = text } };
	struct stamp stamp = { .kind = STAMP_COPY };
	struct journal *journal;

	assert_int_equal(journal_open(path, &journal, NULL), 0);
	w.kind = WHITEOUT_NAME;
	assert_int_equal(journal_whiteout_put(journal, &w), 0);
	w.kind = WHITEOUT_TREE;
	assert_int_equal(journal_rename(journal, 0, "a", "c", &w), 0);
	assert_int_equal(journal_outbox_add(journal, &row, 1), 0);
	assert_int_equal(journal_stamp_put(journal, 0, "a", &stamp), 0);
	return journal;
}

static void test_journal_open(void **state)
{
	SCRATCH scratch = scratch_new();
	char path[128];
	unsigned n = 1;

	snprintf(path, sizeof(path), "%s/journal", scratch.dir);
	journal_free(journal_with_rows(path));
	for (;; n++) {
		struct journal *journal = NULL;
		int r;

		failing_alloc_at(n);
		r = journal_open(path, &journal, NULL);
		if (!failing_alloc_has_failed()) {
			failing_alloc_at(0);
			assert_int_equal(r, 0);
			assert_true(journal_has_whiteouts_below(journal, 0, "c/b"));
			journal_free(journal);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_null(journal);
	}
	assert_true(n > 20);
}

/* A rename that fails changes nothing, in memory as on the disk. */
static void test_journal_rename(void **state)
{
	SCRATCH scratch = scratch_new();
	struct journal *journal;
	char path[128], *source;
	int r = -ENOMEM;

	snprintf(path, sizeof(path), "%s/journal", scratch.dir);
	journal = journal_with_rows(path);
	for (unsigned n = 1; r != 0; n++) {
		failing_alloc_at(n);
		r = journal_rename(journal, 0, "c", "d", NULL);
		failing_alloc_at(0);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_true(journal_alias_has(journal, 0, "c"));
		assert_true(journal_has_whiteouts_below(journal, 0, "c/b"));
	}
	assert_int_equal(journal_alias_resolve(journal, 0, "d/b", &source), 0);
	assert_string_equal(source, "a/b");
	free(source);
	assert_false(journal_has_whiteouts_below(journal, 0, "c"));
	assert_true(journal_has_whiteouts_below(journal, 0, "d/b"));
	journal_free(journal);
}

static const struct config_row config_row = {
	.files = { { "config.json",
		     "{\"remote_site\": \"g\", \"retry_cnt\": 1, \"retry_cnt\": 2}" },
		   { "P/config.json", "{\"local_id\": \"me\"}" },
		   { "local_drive.json",
		     "{\"studio\": {\"root\": {\"work\": \"/srv/w\", \"a\": {\"b\": \"{STUDIO}/ab\"}}},"
		     " \"local\": {\"root\": \"/x\"}, \"bad\": {\"root\": \"x\"}}" },
		   { "gdrive.json",
		     "{\"g\": {\"root\": {\"work\": \"/My Drive\"}, \"credentials_url\": [\"k\", \"/l\"],"
		     " \"subject\": \"s\"}}" },
		   { "P/gdrive.json", "{\"g\": {\"root\": {\"work\": \"/Other\"}}}" },
		   { "sitefs.json",
		     "{\"timing\": {\"x\": 1, \"probe\": \"1s\"}, \"store\": \"sqlite:s\"}" } },
	.env = { { "STUDIO", "/srv" } },
	.project = "P",
};

/* Each allocation of loading fails once; then KEY is what it should be. */
static void load_failing(const struct config_options *options, const char *key)
{
	unsigned n = 1;

	log_set_level(LOG_LEVEL_ERROR);
	for (;; n++) {
		struct config *config = NULL;
		int r;

		failing_alloc_at(n);
		r = config_load(options, &config, NULL);
		if (!failing_alloc_has_failed()) {
			failing_alloc_at(0);
			assert_int_equal(r, 0);
			stage_assert_key(config, key);
			config_free(config);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_null(config);
	}
	assert_true(n > 200);
}

static void test_config(void **state)
{
	char dir[] = STAGE_DIR;
	struct config_options options = { .config_dir = dir,
					  .project = config_row.project };

	stage_begin(&config_row, dir);
	load_failing(&options, "site.g.root.work=\"/Other\"");
	stage_end(dir);
}

static const struct config_row openpype_row = {
	.files = { { "config.json", "{\"local_id\": \"me\"}" } },
	.documents = { "{\"type\": \"system_settings_versioned\", \"version\": \"3.1\", \"data\": {\"modules\": "
		       "{\"sync_server\": {\"enabled\": true, \"sites\": {\"nas\": {\"provider\": \"local_drive\"}, "
		       "\"x\": {\"provider\": \"sftp\"}}}}}}",
		       "{\"type\": \"project_settings\", \"project_name\": \"P\", \"data\": {\"global\": "
		       "{\"sync_server\": {\"enabled\": true, \"config\": {\"remote_site\": \"nas\"}, "
		       "\"sites\": {\"nas\": {\"root\": {\"work\": \"/nas\"}}}}}}}",
		       "{\"type\": \"local_settings\", \"site_id\": \"me\", \"data\": {\"projects\": "
		       "{\"P\": {\"active_site\": \"local\", \"local\": {\"work\": \"/mine\"}}}}}",
		       "{\"type\": \"versions_order\", \"production_versions\": [\"3.1\"]}",
		       "{\"type\": \"project\", \"name\": \"P\", \"config\": {\"roots\": {\"work\": {\"linux\": "
		       "\"/w\"}}}}" },
};

static void test_config_openpype(void **state)
{
	char dir[] = STAGE_DIR;
	struct config_options options = { .config_dir = dir };

	stage_begin(&openpype_row, dir);
	stage_give_documents(&openpype_row, &options);
	load_failing(&options, "site.me.root.work=\"/mine\"");
	stage_end(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doc),
		cmocka_unit_test(test_journal_open),
		cmocka_unit_test(test_journal_rename),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_config_openpype),
	};

	return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
