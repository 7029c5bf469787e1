/* tools/pathspec: what a person can type as PATH, and what it stands for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/pathspec.h"

static void test_kinds(void **state)
{
	static const struct {
		const char *text;
		enum pathspec_kind kind;
	} rows[] = {
		{ "/mnt/a/b.exr", PATHSPEC_PATH },
		{ "/mnt/a", PATHSPEC_PATH },
		{ "/", PATHSPEC_PATH },
		{ "/mnt/a.%04d.exr", PATHSPEC_SEQUENCE },
		{ "/mnt/a.%d.exr", PATHSPEC_SEQUENCE },
		{ "/mnt/100%done.exr", PATHSPEC_SEQUENCE }, /* a file of that name wins */
		{ "/mnt/100%.exr", PATHSPEC_PATH },
		{ "/mnt/a.####.exr", PATHSPEC_SEQUENCE },
		{ "/mnt/a.$F4.exr", PATHSPEC_SEQUENCE },
		{ "/mnt/a.<UDIM>.tx", PATHSPEC_SEQUENCE },
		{ "/mnt/a.1001-1100#.exr", PATHSPEC_SEQUENCE },
		{ "/mnt/a.[1001-1100].exr", PATHSPEC_SEQUENCE },
		{ "/mnt/a.[x].exr", PATHSPEC_PATH },
		{ "/mnt/a#1/b.exr", PATHSPEC_PATH }, /* in a folder's name it is none */
		{ "pub:show", PATHSPEC_PUB },
		{ "pub:show/sh010/beauty/v003", PATHSPEC_PUB },
		{ "repre:5eeb25e411e06a16209ab78e", PATHSPEC_REPRE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(pathspec_done) struct pathspec spec = { 0 };

		assert_int_equal(pathspec_parse(rows[i].text, NULL, &spec, NULL), 0);
		if (spec.kind != rows[i].kind)
			fail_msg("%s: kind %d", rows[i].text, (int)spec.kind);
		assert_string_equal(spec.text, rows[i].text);
	}
}

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "", NULL },
		{ "repre:", NULL },
		{ "pub:", NULL },
		{ "pub:/sh010", NULL },
		{ "pub:show//beauty", NULL },
		{ "pub:a/b/c/d/e/f", NULL },
		{ "/mnt/a.exr", "1001-1100" },
		{ "/mnt/a.####.exr", "1100-1001" },
		{ "/mnt/a.####.exr", "" },
		{ "/mnt/a.####.exr", "1-10x0" },
		{ "/mnt/a.####.exr", "1-10,," },
		{ "/mnt/a.####.exr", "one" },
		{ "/mnt/a.####.exr", "1-99999999999999999999" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pathspec spec;
		struct error error = { 0 };

		if (pathspec_parse(rows[i][0], rows[i][1], &spec, &error) != -EINVAL)
			fail_msg("%s was taken", rows[i][0]);
		assert_true(error.text[0]);
	}
}

static void test_sequences_match(void **state)
{
	static const struct {
		const char *text, *frames, *name;
		bool is_match;
	} rows[] = {
		{ "/a/b.####.exr", NULL, "b.1001.exr", true },
		{ "/a/b.####.exr", NULL, "b.12345.exr", true },
		{ "/a/b.####.exr", NULL, "b.01001.exr", false },
		{ "/a/b.####.exr", NULL, "b.101.exr", false },
		{ "/a/b.####.exr", NULL, "b.0101.exr", true },
		{ "/a/b.####.exr", NULL, "c.1001.exr", false },
		{ "/a/b.####.exr", NULL, "b.1001.jpg", false },
		{ "/a/b.####.exr", NULL, "b.1x01.exr", false },
		{ "/a/b.####.exr", NULL, "b..exr", false },
		{ "/a/b.#.exr", NULL, "b.1001.exr", true },
		{ "/a/b.%d.exr", NULL, "b.7.exr", true },
		{ "/a/b.@.exr", NULL, "b.12.exr", true },
		{ "/a/b.%03d.exr", NULL, "b.007.exr", true },
		{ "/a/b.####.exr", "1001-1100x2", "b.1003.exr", true },
		{ "/a/b.####.exr", "1001-1100x2", "b.1004.exr", false },
		{ "/a/b.####.exr", "1001-1100x2,1004", "b.1004.exr", true },
		{ "/a/b.####.exr", "1001-1100", "b.1101.exr", false },
		{ "/a/b.1001-1100#.exr", NULL, "b.1100.exr", true },
		{ "/a/b.1001-1100#.exr", NULL, "b.1101.exr", false },
		{ "/a/b-1001-1100#.exr", NULL, "b-1050.exr", true },
		{ "/a/b.[0001-0010,0020].exr", NULL, "b.0020.exr", true },
		{ "/a/b.[0001-0010,0020].exr", NULL, "b.0011.exr", false },
		{ "/a/b.<UDIM>.tx", NULL, "b.1001.tx", true },
		{ "/a/b.####0.exr", NULL, "b.10010.exr", true },
		{ "/a/b.####.exr", NULL, "b.12345678901234567.exr", false },
		{ "/a/b.$F4.bgeo.sc", NULL, "b.0099.bgeo.sc", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(pathspec_done) struct pathspec spec = { 0 };

		assert_int_equal(
			pathspec_parse(rows[i].text, rows[i].frames, &spec, NULL), 0);
		assert_string_equal(spec.folder, "/a");
		if (pathspec_matches(&spec, rows[i].name) != rows[i].is_match)
			fail_msg("%s %s", rows[i].text, rows[i].name);
	}
}

static void test_folder_of_a_sequence(void **state)
{
	_cleanup_(pathspec_done) struct pathspec top = { 0 };
	_cleanup_(pathspec_done) struct pathspec bare = { 0 };

	assert_int_equal(pathspec_parse("/b.####.exr", NULL, &top, NULL), 0);
	assert_string_equal(top.folder, "/");
	assert_int_equal(pathspec_parse("b.####.exr", NULL, &bare, NULL), 0);
	assert_string_equal(bare.folder, "");
}

static void test_pub(void **state)
{
	_cleanup_(pathspec_done) struct pathspec spec = { 0 };
	_cleanup_(pathspec_done) struct pathspec part = { 0 };

	assert_int_equal(
		pathspec_parse("pub:show/sh010/beauty/v003/exr", NULL, &spec, NULL), 0);
	assert_string_equal(spec.project, "show");
	assert_string_equal(spec.asset, "sh010");
	assert_string_equal(spec.subset, "beauty");
	assert_string_equal(spec.version, "v003");
	assert_string_equal(spec.name, "exr");
	assert_int_equal(pathspec_parse("pub:show/sh010/", NULL, &part, NULL), 0);
	assert_string_equal(part.asset, "sh010");
	assert_null(part.subset);
}

static void test_frames(void **state)
{
	_cleanup_(frames_done) struct frames frames = { 0 };

	assert_int_equal(frames_parse("-5--1,3-9x3", &frames, NULL), 0);
	assert_true(frames_contain(&frames, -5));
	assert_true(frames_contain(&frames, -1));
	assert_false(frames_contain(&frames, 0));
	assert_true(frames_contain(&frames, 6));
	assert_false(frames_contain(&frames, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sequences_match),
		cmocka_unit_test(test_folder_of_a_sequence),
		cmocka_unit_test(test_pub),
		cmocka_unit_test(test_frames),
	};

	return cmocka_run_group_tests_name("pathspec", tests, NULL, NULL);
}
