/* Stories of the embedded store alone: its file, and what else may lie under its name. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "sync/base/beneath.h"
#include "sync/base/netfs.h"
#include "sync/bson_write.h"
#include "tests/contract/store/stage.h"
#include "tests/contract/store/stories.h"

/* A folder of the story's own. */
struct place {
	char folder[64];
	char path[96], uri[128], text[8192];
};

static int place_setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	snprintf(place->folder, sizeof(place->folder), "/tmp/sitefs-contract-XXXXXX");
	if (!mkdtemp(place->folder))
		return -1;
	snprintf(place->path, sizeof(place->path), "%s/s.db", place->folder);
	snprintf(place->uri, sizeof(place->uri), "sqlite:%s", place->path);
	*state = place;
	return 0;
}

static int place_teardown(void **state)
{
	static const char *const ends[] = { "",     "-wal",     "-shm",
					    ".old", ".old-wal", ".old-shm" };
	struct place *place = *state;
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(path, sizeof(path), "%s%s", place->path, ends[i]);
		unlink(path);
	}
	rmdir(place->folder);
	free(place);
	return 0;
}

static void write_file(const struct place *place, off_t at, const char *data, size_t len)
{
	_cleanup_(closep) int fd = open(place->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_pwrite_all(fd, data, len, at), 0);
}

static void assert_open_fails(const struct place *place, bool must_exist, int want,
			      const char *says)
{
	struct store *store = NULL;
	struct error error = { 0 };

	assert_int_equal(store_open(place->uri, "avalon", must_exist, &store, &error),
			 want);
	if (!strstr(error.text, says) || !strstr(error.text, place->path))
		fail_msg("says: %s", error.text);
}

static void make_store(const struct place *place)
{
	_cleanup_(store_freep) struct store *store = NULL;

	assert_int_equal(store_open(place->uri, "avalon", false, &store, NULL), 0);
}

static void test_uris(void **state)
{
	static const char *const uris[] = { "mongodb://u:secret@127.0.0.1:1/db",
					    "mongodb://u:secret@/?x=secret", "postgres:x",
					    "/a/path" };
	struct store *store = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(uris); i++) {
		struct error error = { 0 };

		assert_int_equal(store_open(uris[i], "avalon", false, &store, &error),
				 i < 1 ? -EHOSTUNREACH : -EINVAL);
		assert_non_null(strstr(error.text,
				       i < 1 ? "mongodb://127.0.0.1:1" : "sqlite:PATH"));
		assert_null(strstr(error.text, "secret"));
	}
}

static void test_missing(void **state)
{
	struct place *place = *state;
	struct error error = { 0 };
	struct store *store;

	assert_open_fails(place, true, -ENOENT, "no store");
	assert_int_equal(access(place->path, F_OK), -1);
	snprintf(place->uri, sizeof(place->uri), "sqlite:%s/no/s.db", place->folder);
	assert_int_equal(store_open(place->uri, "avalon", false, &store, &error),
			 -ENOENT);
	assert_non_null(strstr(error.text, "folder"));
	assert_int_equal(store_open("sqlite:", "avalon", false, &store, &error), -EINVAL);
}

static void test_file_of_another_kind(void **state)
{
	struct place *place = *state;

	memset(place->text, 'x', sizeof(place->text));
	write_file(place, 0, place->text, sizeof(place->text));
	assert_open_fails(place, false, -EMEDIUMTYPE, "no SQLite database");
	assert_open_fails(place, true, -EMEDIUMTYPE, "no SQLite database");
}

static void test_folder(void **state)
{
	struct place *place = *state;

	assert_int_equal(mkdir(place->path, 0700), 0);
	assert_open_fails(place, false, -EMEDIUMTYPE, "is no file");
	rmdir(place->path);
}

static void test_database_of_another_program(void **state)
{
	struct place *place = *state;
	struct stat before, after;
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE theirs (x)", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(stat(place->path, &before), 0);
	assert_open_fails(place, false, -EMEDIUMTYPE, "another program");
	assert_int_equal(stat(place->path, &after), 0);
	/* Not turned to WAL, not touched. */
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
}

static void test_newer_format(void **state)
{
	struct place *place = *state;
	sqlite3 *db = NULL;

	make_store(place);
	assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_open_fails(place, true, -EMEDIUMTYPE, "format 99");
}

static void test_damaged(void **state)
{
	struct place *place = *state;

	make_store(place);
	memset(place->text, 'x', sizeof(place->text));
	/* Behind the first page's header: the schema itself. */
	write_file(place, 100, place->text, 4000);
	assert_open_fails(place, true, -EMEDIUMTYPE, "damaged");
}

/* Somebody puts a backup, or another store, under the name of the one that is open. */
static void test_replaced_while_open(void **state)
{
	struct place *place = *state;
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_(freep) char *first = NULL, *second = NULL, *token = NULL, *ids = NULL;
	char old[128];

	assert_int_equal(store_open(place->uri, "avalon", false, &store, NULL), 0);
	assert_int_equal(store->ops->identity(store, &first), 0);
	assert_int_equal(store->ops->now(store, &token), 0);
	snprintf(old, sizeof(old), "%s.old", place->path);
	assert_int_equal(rename(place->path, old), 0);
	/* Writing into what has lost its name would be lost. */
	assert_int_equal(store->ops->lease(store, "k", NULL, &ids), -ENOENT);
	assert_int_equal(access(place->path, F_OK), -1);
	make_store(place);
	assert_int_equal(store->ops->watch(store, &token, 0, NULL, NULL),
			 STORE_TOKEN_LOST);
	assert_int_equal(store->ops->identity(store, &second), 0);
	assert_string_not_equal(first, second);
	assert_int_equal(store->ops->lease(store, "k", NULL, &ids), 0);
}

static void copy_file(const char *from, const char *to)
{
	_cleanup_(closep) int fd =
		open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	_cleanup_(freep) char *data = NULL;
	size_t len;

	assert_true(fd >= 0);
	assert_int_equal(fd_read_file(AT_FDCWD, from, 1 << 20, &data, &len), 0);
	assert_int_equal(fd_write_all(fd, data, len), 0);
}

/* A copy of an earlier day is put back and goes another way: the same numbers mean other changes. */
static void test_restored_backup(void **state)
{
	static const char *const ways[] = { "[{'_id': 'a'}]", "[{'_id': 'b'}]" };
	struct place *place = *state;
	_cleanup_(freep) char *token = NULL;
	char old[128];

	make_store(place);
	snprintf(old, sizeof(old), "%s.old", place->path);
	copy_file(place->path, old);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		_cleanup_(store_freep) struct store *store = NULL;
		size_t n;
		struct buf *list = json_list(ways[i], &n);
		int result;

		assert_int_equal(store_open(place->uri, "avalon", true, &store, NULL), 0);
		assert_int_equal(store->ops->insert(store, "P", list, n, &result), 0);
		json_list_done(list, n);
		if (i == 0) {
			assert_int_equal(store->ops->now(store, &token), 0);
			store_free(steal(store));
			assert_int_equal(rename(old, place->path), 0);
		} else {
			assert_int_equal(store->ops->watch(store, &token, 0, NULL, NULL),
					 STORE_TOKEN_LOST);
		}
	}
}

/* Made by a sitefs that did not know of which files a truth record is. */
static void test_truth_of_an_older_sitefs(void **state)
{
	struct place *place = *state;
	struct truth truth = { .size = 10 };
	_cleanup_(truth_done) struct truth got = { 0 };
	_cleanup_(store_freep) struct store *store = NULL;
	sqlite3 *db;

	truth.project = strdup("P");
	truth.key = strdup("{root}/a");
	assert_int_equal(store_open(place->uri, "avalon", false, &store, NULL), 0);
	assert_int_equal(store->ops->put_truth(store, &truth, false), 0);
	store_free(steal(store));
	assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "DROP TRIGGER truth_file_deleted;"
				      "DROP TABLE truth_file",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(place->uri, "avalon", false, &store, NULL), 0);
	assert_int_equal(truth_files_add(&truth.files, "r1", "f1"), 0);
	assert_int_equal(store->ops->put_truth(store, &truth, false), 0);
	assert_int_equal(store->ops->load_truth(store, "P", truth.key, &got), 0);
	assert_int_equal(got.files.n, 1);
	truth_done(&truth);
}

/* ---- many documents ---- */

#define MANY_FILES 3
#define MANY_BATCH 1000

/* So many fit beside the other suites; SITEFS_TEST_DOCUMENTS asks for another number. */
static int64_t many(void)
{
	const char *asked = getenv("SITEFS_TEST_DOCUMENTS");

	return asked ? strtoll(asked, NULL, 10) : 100000;
}

static void write_many(struct buf *doc, int64_t n)
{
	size_t begin = bson_write_begin(doc), files;
	char id[25], path[64];

	snprintf(id, sizeof(id), "%024llx", (unsigned long long)n);
	bson_write_id(doc, "_id", id);
	bson_write_text(doc, "type", "representation");
	files = bson_write_open(doc, BSON_WRITE_ARRAY, "files");
	for (int i = 0; i < MANY_FILES; i++) {
		size_t file, sites, site;
		char key[2] = { (char)('0' + i), 0 };

		file = bson_write_open(doc, BSON_WRITE_DOCUMENT, key);
		snprintf(id, sizeof(id), "%023llx%x", (unsigned long long)n, i);
		snprintf(path, sizeof(path), "{root[work]}/p/%lld.%d.exr", (long long)n,
			 i);
		bson_write_id(doc, "_id", id);
		bson_write_text(doc, "path", path);
		sites = bson_write_open(doc, BSON_WRITE_ARRAY, "sites");
		site = bson_write_open(doc, BSON_WRITE_DOCUMENT, "0");
		bson_write_text(doc, "name", "studio");
		bson_write_date(doc, "created_dt", n);
		bson_write_end(doc, site);
		bson_write_end(doc, sites);
		bson_write_end(doc, file);
	}
	bson_write_end(doc, files);
	bson_write_end(doc, begin);
	assert_false(doc->has_failed);
}

static int count(void *context, const char *project, const void *bson, size_t len)
{
	*(int64_t *)context += 1;
	return 0;
}

static int count_event(void *context, const struct store_event *event)
{
	*(int64_t *)context += 1;
	return 0;
}

static void test_many_documents(void **state)
{
	struct place *place = *state;
	struct site_edit edit = { SITE_ADD, "P", .site = "gdrive" };
	struct site_edited edited;
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_(freep) char *old = NULL, *token = NULL;
	int64_t n = many(), seen = 0, events = 0;
	char id[25];

	assert_int_equal(store_open(place->uri, "avalon", false, &store, NULL), 0);
	assert_int_equal(store->ops->now(store, &old), 0);
	for (int64_t at = 0; at < n; at += MANY_BATCH) {
		static struct buf docs[MANY_BATCH];
		static int results[MANY_BATCH];

		for (int64_t i = 0; i < MANY_BATCH; i++) {
			buf_clear(&docs[i]);
			write_many(&docs[i], at + i);
		}
		assert_int_equal(
			store->ops->insert(store, "P", docs, MANY_BATCH, results), 0);
	}
	assert_int_equal(store->ops->scan(store, NULL, false, count, &seen), 0);
	assert_int_equal(seen, n);
	assert_int_equal(store->ops->now(store, &token), 0);
	for (int64_t i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "%024llx", (unsigned long long)(i * n / 100));
		edit.repre = id;
		assert_int_equal(store->ops->edit(store, &edit, 1, &edited), 0);
		assert_int_equal(edited.n_changed, MANY_FILES);
	}
	assert_int_equal(store->ops->watch(store, &token, 0, count_event, &events), 0);
	assert_int_equal(events, 100);
	/* The feed keeps the last 100,000 changes. */
	events = 0;
	assert_int_equal(store->ops->watch(store, &old, 0, count_event, &events),
			 n + 100 > 100000 ? STORE_TOKEN_LOST : 0);
}

static void test_network_file_systems(void **state)
{
	assert_string_equal(netfs_kind(0x6969), "NFS");
	assert_string_equal(netfs_kind((int)0xff534d42), "CIFS");
	assert_null(netfs_kind(0xef53));
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)

const struct CMUnitTest sqlite_stories[] = {
	cmocka_unit_test(test_uris),
	STORY(test_missing),
	STORY(test_file_of_another_kind),
	STORY(test_folder),
	STORY(test_database_of_another_program),
	STORY(test_newer_format),
	STORY(test_damaged),
	STORY(test_replaced_while_open),
	STORY(test_restored_backup),
	STORY(test_truth_of_an_older_sitefs),
	STORY(test_many_documents),
	cmocka_unit_test(test_network_file_systems),
};

const size_t n_sqlite_stories = ARRAY_SIZE(sqlite_stories);
