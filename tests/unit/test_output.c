/* tools/output and tools/sequence: what people read. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/output.h"
#include "tools/sequence.h"

static void test_sizes(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, "0 B" },
		{ 1, "1 B" },
		{ 999, "999 B" },
		{ 1000, "1.0 KiB" },
		{ 1024, "1.0 KiB" },
		{ 1023 * 1024, "1.0 MiB" },
		{ 100 * 1024, "100 KiB" },
		{ 3435973837, "3.2 GiB" },
		{ INT64_MAX, "8.0 EiB" },
		{ -1, "?" },
	};
	char size[OUTPUT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(output_size(rows[i].bytes, false, size),
				    rows[i].text);
	assert_string_equal(output_size(3435973837, true, size), "3435973837");
}

static void test_durations(void **state)
{
	char text[OUTPUT_SIZE];

	assert_string_equal(output_duration(0, text), "0 s");
	assert_string_equal(output_duration(59499, text), "59 s");
	assert_string_equal(output_duration(200000, text), "3 min 20 s");
	assert_string_equal(output_duration(7500000, text), "2 h 5 min");
	assert_string_equal(output_duration(-1, text), "?");
	assert_string_equal(output_count(1, "file", text), "1 file");
	assert_string_equal(output_count(0, "file", text), "0 files");
}

static void test_names_cannot_drive_a_terminal(void **state)
{
	static const char *const rows[][2] = {
		{ "plain.exr", "plain.exr" },
		{ "a\033[31mb", "a?[31mb" },
		{ "a\nb\tc\x7f", "a?b?c?" },
		{ "\xc3\xa4\xe2\x82\xac", "\xc3\xa4\xe2\x82\xac" },
		{ "\xff\xc3", "??" },
		{ "\xc2\x9b"
		  "31m",
		  "?31m" }, /* C1: CSI */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(buf_done) struct buf buf = { 0 };

		output_name(&buf, rows[i][0]);
		assert_string_equal(buf_str(&buf), rows[i][1]);
	}
	assert_int_equal(output_width("\xc3\xa4"
				      "b"),
			 2);
}

static void test_table(void **state)
{
	static const char *const head[] = { "STATE", "SIZE", "NAME" };
	_cleanup_(table_freep) struct table *table = NULL;
	_cleanup_(freep) char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	assert_int_equal(table_new("lrl", head, &table), 0);
	table_add(table, "remote");
	table_add(table, "3.2 GiB");
	table_add(table, "a.exr");
	table_add(table, "local");
	table_add(table, "1 B");
	table_add(table, "\xc3\xa4.exr");
	assert_int_equal(table_print(table, file), 0);
	fclose(file);
	assert_string_equal(text, "STATE      SIZE  NAME\n"
				  "remote  3.2 GiB  a.exr\n"
				  "local       1 B  \xc3\xa4.exr\n");
}

static void test_progress_line_fits(void **state)
{
	_cleanup_(buf_done) struct buf some = { 0 };
	_cleanup_(buf_done) struct buf huge = { 0 };
	_cleanup_(buf_done) struct buf open = { 0 };

	progress_line(&(struct progress_counts){ "uploading", 50, 100, 1 << 20, 2 << 20 },
		      1000, 1 << 20, false, &some);
	assert_string_equal(buf_str(&some),
			    "uploading [##########..........] 50/100 files 1.0 MiB "
			    "1.0 MiB/s 1 s left");
	progress_line(&(struct progress_counts){ "downloading", INT64_MAX, INT64_MAX,
						 INT64_MAX - 1, INT64_MAX },
		      INT64_MAX / 2, INT64_MAX / 2, true, &huge);
	assert_true(huge.len <= 79);
	progress_line(&(struct progress_counts){ "reading", 7, -1, 0, -1 }, 0, 0, false,
		      &open);
	assert_string_equal(buf_str(&open), "reading 7 files");
}

static void test_frame_numbers(void **state)
{
	static const struct {
		const char *name;
		int64_t number; /* -1: none */
	} rows[] = {
		{ "beauty.1001.exr", 1001 },
		{ "sh010_v003.1001.exr", 1001 },
		{ "clip_v003.mp4", -1 },
		{ "1001.exr", 1001 },
		{ "tex_1001.tx", 1001 },
		{ "sim-0040.bgeo.sc", 40 },
		{ "a/b.0001", 1 },
		{ "a.0001/b.exr", -1 },
		{ "a.1001b.exr", -1 },
		{ "x.1234567890123456.exr", -1 },
		{ "", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sequence_frame frame = { .number = -1 };
		bool has = sequence_find_frame(rows[i].name, &frame);

		if (has != (rows[i].number >= 0) || frame.number != rows[i].number)
			fail_msg("%s: %d %lld", rows[i].name, has,
				 (long long)frame.number);
	}
}

static int add_line(void *context, const struct fold_line *line)
{
	return buf_addf(context, "%d %lld %lld%s %s\n", line->tag, (long long)line->files,
			(long long)line->bytes, line->is_size_unknown ? "+" : "",
			line->name);
}

static void test_folding(void **state)
{
	_cleanup_(fold_freep) struct fold *fold = NULL;
	_cleanup_(buf_done) struct buf out = { 0 };
	static const struct {
		const char *path;
		int tag;
		int64_t size;
	} files[] = {
		{ "a/beauty.1001.exr", 1, 10 }, { "a/beauty.1001.jpg", 1, 1 },
		{ "a/beauty.1002.exr", 1, 10 }, { "a/beauty.1002.jpg", 1, 1 },
		{ "a/beauty.1003.exr", 2, 10 }, { "a/beauty.1004.exr", 1, -1 },
		{ "a/scene.ma", 1, 5 },         { "b/beauty.1001.exr", 1, 10 },
		{ "b/x.009.exr", 1, 1 },        { "b/x.010.exr", 1, 1 },
		{ "b/x.008.exr", 1, 1 },
	};

	assert_int_equal(fold_new(false, &fold), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_int_equal(
			fold_add(fold, files[i].path, files[i].tag, files[i].size), 0);
	assert_int_equal(fold_each(fold, add_line, &out), 0);
	assert_string_equal(buf_str(&out), "1 3 20+ a/beauty.[1001-1002,1004].exr\n"
					   "1 2 2 a/beauty.[1001-1002].jpg\n"
					   "2 1 10 a/beauty.1003.exr\n"
					   "1 1 5 a/scene.ma\n"
					   "1 1 10 b/beauty.1001.exr\n"
					   "1 3 3 b/x.[008-010].exr\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_names_cannot_drive_a_terminal),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_progress_line_fits),
		cmocka_unit_test(test_frame_numbers),
		cmocka_unit_test(test_folding),
	};

	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
