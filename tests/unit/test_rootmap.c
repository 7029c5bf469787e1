/* fs/rootmap: how roots lie in the mount, and numbers that two file systems do not share. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/rootmap.h"
#include "sync/roots.h"

/* The roots of this test: names only. */
static const char *const *names;

size_t roots_count(const struct roots *roots)
{
	size_t n = 0;

	while (names[n])
		n++;
	return n;
}

const char *roots_name(const struct roots *roots, int root)
{
	return names[root];
}

int roots_fd(const struct roots *roots, int root)
{
	return -1;
}

static void assert_path(const struct rootmap *map, int root, const char *rel,
			const char *path)
{
	_cleanup_(freep) char *found = NULL;

	assert_int_equal(rootmap_path(map, root, rel, &found), path ? 0 : ROOTMAP_NONE);
	if (path)
		assert_string_equal(found, path);
}

static void test_layouts(void **state)
{
	static const char *const one[] = { "work", NULL };
	static const char *const two[] = { "work", "render", NULL };
	static const struct {
		const char *const *names;
		const char *only;
		int single, found; /* found: "render" as a top folder */
		const char *work_a, *render_a;
	} rows[] = {
		{ one, NULL, 0, -1, "a", NULL },
		{ one, "work", 0, -1, "a", NULL },
		{ two, NULL, -1, 1, "work/a", "render/a" },
		{ two, "render", 1, -1, NULL, "a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(rootmap_freep) struct rootmap *map = NULL;

		names = rows[i].names;
		assert_int_equal(rootmap_new(NULL, rows[i].only, &map, NULL), 0);
		assert_int_equal(rootmap_single(map), rows[i].single);
		assert_int_equal(rootmap_find(map, "render"), rows[i].found);
		assert_path(map, 0, "a", rows[i].work_a);
		if (names[1])
			assert_path(map, 1, "a", rows[i].render_a);
	}
}

static void test_an_unknown_root_is_said(void **state)
{
	static const char *const two[] = { "work", "render", NULL };
	struct error error = { 0 };
	struct rootmap *map;

	names = two;
	assert_int_equal(rootmap_new(NULL, "wrok", &map, &error), -ENOENT);
	assert_non_null(strstr(error.text, "\"wrok\""));
	assert_non_null(strstr(error.text, "\"work\", \"render\""));
}

static void test_numbers(void **state)
{
	static const char *const one[] = { "work", NULL };
	_cleanup_(rootmap_freep) struct rootmap *map = NULL;

	names = one;
	assert_int_equal(rootmap_new(NULL, NULL, &map, NULL), 0);
	/* the first file system's are as on the disk */
	assert_int_equal(rootmap_ino(map, 100, 42), 42);
	assert_int_equal(rootmap_ino(map, 200, 42), UINT64_C(1) << 56 | 42);
	assert_int_equal(rootmap_ino(map, 100, 43), 43);
	assert_int_equal(rootmap_ino(map, 200, 43), UINT64_C(1) << 56 | 43);
	/* the top bit is the view's; high bits still tell one file from another */
	assert_int_equal(rootmap_ino(map, 100, UINT64_MAX) >> 56, 0);
	assert_int_not_equal(rootmap_ino(map, 100, UINT64_C(1) << 60 | 42),
			     rootmap_ino(map, 100, UINT64_C(2) << 60 | 42));
	for (uint64_t dev = 1000; dev < 1300; dev++)
		assert_int_equal(rootmap_ino(map, dev, 42) >> 63, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_an_unknown_root_is_said),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
