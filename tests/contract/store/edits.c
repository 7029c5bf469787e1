/*
 * Edits in bulk: many documents in one call, of many files each, in every form. What shall become of them is told by
 * sync/store_sites on the documents alone, whose own rows are in cases.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/store_sites.h"
#include "tests/contract/store/stage.h"
#include "tests/contract/store/stories.h"

#define N_DOCS 300 /* more than one round trip takes */
#define N_FILES 80 /* of a long sequence */

static const struct store_ops *ops(void)
{
	return stage.store->ops;
}

/* `sites` of file I of a document: by turns each state that an entry has, and no entry. */
static const char *sites_of(int i)
{
	static const char *const sites[] = {
		"[{'name': 'studio', 'created_dt': {'$date': 1000}}]",
		"[{'name': 'gdrive'}, {'name': 'studio', 'created_dt': {'$date': 1000}}]",
		"[{'name': 'gdrive', 'tries': 3, 'error': 'no', 'last_failed_dt': {'$date': "
		"5}}]",
		"[{'name': 'gdrive', 'created_dt': {'$date': 1000}, 'id': 'x', 'priority': "
		"{'$numberLong': '70'}, 'own': [1]}]",
		"[5, {'name': 'gdrive', 'paused': false, 'priority': 20}]",
		"[]",
	};

	return sites[(size_t)i % ARRAY_SIZE(sites)];
}

/* An old form among them. */
static const char *old_sites_of(int i)
{
	static const char *const sites[] = {
		"['studio', 'gdrive']",
		"{'studio': {'created_dt': {'$date': 1000}}, 'gdrive': {'tries': 1}}",
		"null",
	};

	return sites[(size_t)i % ARRAY_SIZE(sites)];
}

static char *document(const char *id, int n_files, bool is_old)
{
	_cleanup_(buf_done) struct buf json = { 0 };

	buf_addf(&json, "{'_id': '%s', 'type': 'representation', 'files': [", id);
	for (int i = 0; i < n_files; i++)
		buf_addf(&json,
			 "%s{'_id': 'f%d', 'path': '{root}/%s/%d', 'sites': %s, 'z': %d}",
			 i ? ", " : "", i, id, i,
			 is_old && i % 2 ? old_sites_of(i / 2) : sites_of(i), i);
	buf_adds(&json, "], 'after': 1}");
	return strdup(buf_str(&json));
}

/* Inserts it and keeps it in RET. */
static void add_document(const char *project, const char *id, int n_files, bool is_old,
			 struct buf *ret)
{
	_cleanup_(freep) char *json = document(id, n_files, is_old);
	_cleanup_(freep) char *list = strf("[%s]", json);
	bson_t *bson = json_document(json);

	stage_insert(project, list);
	assert_int_equal(buf_add(ret, bson_get_data(bson), bson->len), 0);
	bson_destroy(bson);
}

static void assert_same(const char *project, const char *id, const struct buf *want)
{
	_cleanup_(buf_done) struct buf got = { 0 };

	assert_int_equal(ops()->load(stage.store, project, id, &got), 0);
	assert_int_equal(got.len, want->len);
	assert_memory_equal(got.data, want->data, want->len);
}

/* ---- every operation on many files ---- */

static const struct many_case {
	const char *name;
	struct site_edit edit;
} many_cases[] = {
	{ "add", { SITE_ADD, .site = "gdrive" } },
	{ "add with a priority", { SITE_ADD, .site = "nas", .priority = 10 } },
	{ "remove", { SITE_REMOVE, .site = "gdrive" } },
	{ "reset", { SITE_RESET, .site = "gdrive" } },
	{ "pause", { SITE_PAUSE, .site = "gdrive" } },
	{ "unpause", { SITE_UNPAUSE, .site = "gdrive" } },
	{ "priority", { SITE_PRIORITY, .site = "gdrive", .priority = 20 } },
	{ "retry", { SITE_RETRY, .site = "gdrive" } },
};

static const struct many_document {
	const char *id;
	int n_files;
	bool is_old;
} many_documents[] = {
	{ "long", N_FILES, false }, { "long-old", N_FILES, true }, { "short", 5, false },
	{ "short-old", 6, true },   { "empty", 0, false },
};

#define N_MANY ARRAY_SIZE(many_documents)

static void want_edit(struct buf *doc, const struct site_edit *edit, size_t *ret_changed)
{
	*ret_changed = 0;
	assert_int_equal(store_sites_edit(doc, edit, ret_changed), 0);
}

static void test_many_files(void **state)
{
	const struct many_case *c = *state;
	const char *project = stage_project();
	struct site_edit edits[N_MANY];
	struct site_edited results[N_MANY];
	struct buf docs[N_MANY] = { 0 };
	char ids[N_MANY][16];

	for (size_t i = 0; i < N_MANY; i++) {
		const struct many_document *doc = &many_documents[i];

		add_document(project, doc->id, doc->n_files, doc->is_old, &docs[i]);
		snprintf(ids[i], sizeof(ids[i]), "=%s", doc->id);
		edits[i] = c->edit;
		edits[i].project = project;
		edits[i].repre = ids[i];
	}
	for (int pass = 0; pass < 2; pass++) {
		assert_int_equal(ops()->edit(stage.store, edits, N_MANY, results), 0);
		for (size_t i = 0; i < N_MANY; i++) {
			size_t changed;

			want_edit(&docs[i], &c->edit, &changed);
			assert_true(pass == 0 || changed == 0);
			assert_int_equal(results[i].result, 0);
			assert_int_equal(results[i].n_changed, changed);
			assert_same(project, ids[i], &docs[i]);
		}
	}
	for (size_t i = 0; i < N_MANY; i++)
		buf_done(&docs[i]);
}

/* Half of a long sequence, and a file that is not there. */
static void test_some_files(void **state)
{
	const char *project = stage_project();
	char names[N_FILES / 2 + 1][16];
	const char *files[N_FILES / 2 + 1];
	struct site_edit edit = { SITE_RESET, project,           "=long",
				  files,      ARRAY_SIZE(files), "gdrive" };
	struct site_edited edited;
	struct buf doc = { 0 };
	size_t changed;

	for (int i = 0; i <= N_FILES / 2; i++) {
		snprintf(names[i], sizeof(names[i]), "=f%d",
			 i < N_FILES / 2 ? 2 * i + 1 : 7777);
		files[i] = names[i];
	}
	add_document(project, "long", N_FILES, false, &doc);
	assert_int_equal(ops()->edit(stage.store, &edit, 1, &edited), 0);
	want_edit(&doc, &edit, &changed);
	assert_true(changed > 0);
	assert_int_equal(edited.n_changed, changed);
	assert_same(project, "=long", &doc);
	buf_done(&doc);
}

/* ---- many documents ---- */

static void test_one_bad_thing(void **state)
{
	_cleanup_(freep) char *project = strdup(stage_project());
	const char *other = stage_project();
	const char *const no_file[] = { "=f9" };
	struct site_edit edits[] = {
		{ SITE_ADD, project, "=a", .site = "nas" },
		{ SITE_ADD, project, "=gone", .site = "nas" },
		{ SITE_ADD, project, "no id at all", .site = "nas" },
		{ SITE_ADD, project, "=version", .site = "nas" },
		{ SITE_ADD, project, "=b", no_file, 1, "nas" },
		{ SITE_ADD, other, "=c", .site = "nas" },
		{ SITE_PAUSE, project, "=a", .site = "nas" },
		{ SITE_PRIORITY, project, "=a", .site = "nas", .priority = 7 },
	};
	static const int want[] = { 0,          STORE_GONE, STORE_GONE, STORE_GONE,
				    STORE_GONE, 0,          0,          0 };
	struct site_edited results[ARRAY_SIZE(edits)];
	_cleanup_(freep) char *token = NULL, *events = NULL;
	struct buf a = { 0 }, b = { 0 }, c = { 0 };
	size_t changed;

	stage_insert(project, "[{'_id': 'version', 'type': 'version'}]");
	add_document(project, "a", 2, false, &a);
	add_document(project, "b", 2, false, &b);
	add_document(other, "c", 2, true, &c);
	token = stage_now();
	assert_int_equal(ops()->edit(stage.store, edits, ARRAY_SIZE(edits), results), 0);
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		assert_int_equal(results[i].result, want[i]);
		assert_int_equal(results[i].n_changed, want[i] ? 0 : 2);
	}
	want_edit(&a, &edits[0], &changed);
	want_edit(&a, &edits[6], &changed);
	want_edit(&a, &edits[7], &changed);
	want_edit(&c, &edits[5], &changed);
	assert_same(project, "=a", &a);
	assert_same(project, "=b", &b);
	assert_same(other, "=c", &c);
	events = stage_events(&token, project);
	assert_string_equal(events, "doc =a;");
	buf_done(&a);
	buf_done(&b);
	buf_done(&c);
}

static void insert_many(const char *project)
{
	_cleanup_(buf_done) struct buf list = { 0 };

	for (int i = 0; i < N_DOCS; i++) {
		char id[16];
		_cleanup_(freep) char *json = NULL;

		snprintf(id, sizeof(id), "%d", i);
		json = document(id, 3, false);
		buf_addf(&list, "%s%s", i ? ", " : "[", json);
	}
	buf_adds(&list, "]");
	stage_insert(project, buf_str(&list));
}

/* Another process changes the same entries all the time: both hands' changes are there in the end. */
static void test_two_hands(void **state)
{
	const char *project = stage_project();
	struct site_edit edits[N_DOCS];
	struct site_edited results[N_DOCS];
	char ids[N_DOCS][16], n[16];
	struct child child;
	int r, status = -1;

	insert_many(project);
	for (int i = 0; i < N_DOCS; i++)
		snprintf(ids[i], sizeof(ids[i]), "=%d", i);
	snprintf(n, sizeof(n), "%d", N_DOCS);
	child_start(&child, "pause", project, n);
	child_wait_ready(&child);
	child_go(&child);
	for (int priority = 1; priority <= 5; priority++) {
		for (int i = 0; i < N_DOCS; i++)
			edits[i] = (struct site_edit){ SITE_PRIORITY, project, ids[i],
						       .site = "gdrive",
						       .priority = priority };
		/* one that never lets go of a busy disk is no fault */
		while ((r = ops()->edit(stage.store, edits, N_DOCS, results)) == -EBUSY)
			;
		assert_int_equal(r, 0);
		for (int i = 0; i < N_DOCS; i++) {
			assert_int_equal(results[i].result, 0);
			assert_int_equal(results[i].n_changed, 2);
		}
	}
	status = child_end(&child);
	assert_int_equal(status, 0);
	for (int i = 0; i < N_DOCS; i++) {
		const struct site_edit unpause = { SITE_UNPAUSE, .site = "gdrive" };
		_cleanup_(freep) char *json = document(ids[i] + 1, 3, false);
		bson_t *bson = json_document(json);
		struct buf want = { 0 };
		size_t changed;

		assert_int_equal(buf_add(&want, bson_get_data(bson), bson->len), 0);
		want_edit(&want, &edits[i], &changed);
		want_edit(&want, &unpause, &changed);
		assert_same(project, ids[i], &want);
		buf_done(&want);
		bson_destroy(bson);
	}
}

#define MANY(i)                                                     \
	{                                                           \
		.name = "many files " #i,                           \
		.test_func = test_many_files,                       \
		.initial_state = (void *)(uintptr_t)&many_cases[i], \
	}

const struct CMUnitTest edit_stories[] = {
	MANY(0),
	MANY(1),
	MANY(2),
	MANY(3),
	MANY(4),
	MANY(5),
	MANY(6),
	MANY(7),
	cmocka_unit_test(test_some_files),
	cmocka_unit_test(test_one_bad_thing),
	cmocka_unit_test(test_two_hands),
};

const size_t n_edit_stories = ARRAY_SIZE(edit_stories);
