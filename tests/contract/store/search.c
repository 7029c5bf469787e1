/* Searching: what is meant is among what a store gives, however a database spells it; what cannot be is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/doc_project.h"
#include "tests/contract/store/stage.h"
#include "tests/contract/store/stories.h"

#define ID(n) "5fa2cf00aabbccddeeff" n
#define DOC(n, asset, path)                                                              \
	"{'_id': {'$oid': '" ID(n) "'}, 'type': 'representation', "                      \
				   "'name': 'exr', "                                     \
				   "'context': {'asset': '" asset "'}, "                 \
				   "'files': [{'_id': {'$oid': '" ID(                    \
					   "9999") "'}, 'path': '" path "', 'size': 1, " \
						   "'sites': []}]}"

static const char documents[] =
	"[" DOC("0001", "a1", "{root[work]}/p/sh+1/x.exr") ", " DOC("0002", "a2", "{root}\\\\p\\\\sh+1\\\\y.exr") ", " DOC(
		"0003", "a3",
		"{root[work]}{root[work]}//p/./sh+1///x.exr") ", " DOC("0004", "a1",
								       "{root[work]}p/shh1/"
								       "z.exr") ", " DOC("0005",
											 "a2",
											 "{root[work]}/q/u.exr") "]";

static int gather(void *context, const char *project, const void *bson, size_t len)
{
	_cleanup_(freep) char *id = doc_id_of(bson, len);

	assert_non_null(id);
	return buf_addf(context, "%c", id[strlen(id) - 1]);
}

static int compare(const void *a, const void *b)
{
	return *(const char *)a - *(const char *)b;
}

/* Last digits of the ids, in their order. */
static void assert_search(const char *project, const struct store_where *where, size_t n,
			  const char *want)
{
	_cleanup_(buf_done) struct buf found = { 0 };

	assert_int_equal(
		stage.store->ops->search(stage.store, project, where, n, gather, &found),
		0);
	if (found.len)
		qsort(found.data, found.len, 1, compare);
	assert_string_equal(buf_str(&found), want);
}

static void test_search(void **state)
{
	static const struct store_equal a1[] = { { "context.asset", "a1" } };
	static const struct store_equal both[] = { { "context.asset", "a2" },
						   { "name", "exr" } };
	static const struct store_equal none[] = { { "context.asset", "a2" },
						   { "name", "ma" } };
	static const struct {
		struct store_where where[2];
		size_t n;
		const char *want;
	} rows[] = {
		{ { { 0 } }, 0, "12345" },
		{ { { .id = ID("0002") } }, 1, "2" },
		{ { { .id = ID("0002") }, { .id = ID("0005") } }, 2, "25" },
		{ { { .id = ID("0008") } }, 1, "" },
		{ { { .id = "no id" } }, 1, "" },
		/* every spelling, and no pattern of the path's own */
		{ { { .path = "p/sh+1/x.exr" } }, 1, "13" },
		{ { { .path = "p/sh+1" } }, 1, "123" },
		{ { { .path = "p/sh+1" }, { .path = "q/u.exr" } }, 2, "1235" },
		{ { { .path = "p/shh1/z.exr" } }, 1, "4" },
		{ { { .path = "p/sh.1/x.exr(" } }, 1, "" },
		{ { { .equals = a1, .n_equals = 1 } }, 1, "14" },
		{ { { .equals = both, .n_equals = 2 } }, 1, "25" },
		{ { { .equals = none, .n_equals = 2 } }, 1, "" },
	};
	const char *project = stage_project();

	stage_insert(project, documents);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_search(project, rows[i].where, rows[i].n, rows[i].want);
	/* of all projects, and of none */
	assert_search("no such", rows[1].where, 1, "");
	assert_search(NULL, &(struct store_where){ .path = "p/shh1/z.exr" }, 1, "4");
}

static int stop(void *context, const char *project, const void *bson, size_t len)
{
	(*(int *)context)++;
	return 7;
}

static void test_search_ends_with_its_caller(void **state)
{
	const char *project = stage_project();
	const struct store_where wheres[] = { { .path = "p" }, { .id = ID("0001") } };

	stage_insert(project, documents);
	for (size_t i = 0; i < ARRAY_SIZE(wheres); i++) {
		int n = 0;

		assert_int_equal(stage.store->ops->search(stage.store, project,
							  &wheres[i], 1, stop, &n),
				 7);
		assert_int_equal(n, 1);
	}
}

const struct CMUnitTest search_stories[] = {
	cmocka_unit_test(test_search),
	cmocka_unit_test(test_search_ends_with_its_caller),
};

const size_t n_search_stories = ARRAY_SIZE(search_stories);
