/* sync/rangemap: rows by hand, and a long run against a plain array of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/rangemap.h"

#define SIZE 96

static char *show(const struct rangemap *map)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	for (size_t i = 0; i < map->n; i++)
		buf_addf(&buf, "%d-%d ", (int)map->ranges[i].start,
			 (int)map->ranges[i].end);
	buf_adds(&buf, "");
	return buf_take(&buf);
}

static void test_rows(void **state)
{
	static const struct {
		char op;
		int start, end;
		const char *result;
	} rows[] = {
		{ '+', 10, 20, "10-20 " },       { '+', 30, 40, "10-20 30-40 " },
		{ '+', 5, 5, "10-20 30-40 " },   { '+', 20, 25, "10-25 30-40 " },
		{ '+', 28, 30, "10-25 28-40 " }, { '+', 25, 28, "10-40 " },
		{ '-', 20, 30, "10-20 30-40 " }, { '-', 20, 30, "10-20 30-40 " },
		{ '-', 0, 12, "12-20 30-40 " },  { '-', 35, 99, "12-20 30-35 " },
		{ '+', 0, 99, "0-99 " },         { '-', 0, 99, "" },
		{ '+', 1, 2, "1-2 " },           { '-', 2, 3, "1-2 " },
		{ '-', 0, 1, "1-2 " },
	};
	struct rangemap map = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) char *text = NULL;

		if (rows[i].op == '+')
			assert_int_equal(rangemap_add(&map, rows[i].start, rows[i].end),
					 0);
		else
			assert_int_equal(
				rangemap_remove(&map, rows[i].start, rows[i].end), 0);
		text = show(&map);
		assert_string_equal(text ? text : "", rows[i].result);
	}
	rangemap_done(&map);
}

static void compare(const struct rangemap *map, const bool *bytes)
{
	int64_t total = 0;
	struct range gap, hole;

	for (int i = 0; i < SIZE; i++) {
		int end = i, start = i;

		total += bytes[i];
		assert_int_equal(rangemap_has(map, i, i + 1), bytes[i]);
		while (end < SIZE && bytes[end])
			end++;
		if (end == SIZE) {
			assert_false(rangemap_gap(map, i, SIZE, &gap));
			continue;
		}
		assert_true(rangemap_gap(map, i, SIZE, &gap));
		assert_int_equal(gap.start, end);
		while (end < SIZE && !bytes[end])
			end++;
		assert_int_equal(gap.end, end);
		if (bytes[i]) {
			assert_false(
				rangemap_hole(map, i, (struct range){ 0, SIZE }, &hole));
			continue;
		}
		while (start > 3 && !bytes[start - 1])
			start--;
		assert_int_equal(
			rangemap_hole(map, i, (struct range){ 3, SIZE - 3 }, &hole),
			i >= 3 && i < SIZE - 3);
		if (i < 3 || i >= SIZE - 3)
			continue;
		assert_int_equal(hole.start, start);
		assert_int_equal(hole.end, end < SIZE - 3 ? end : SIZE - 3);
	}
	assert_int_equal(rangemap_total(map), total);
	for (size_t i = 1; i < map->n; i++)
		assert_true(map->ranges[i - 1].end < map->ranges[i].start);
}

static void test_against_bytes(void **state)
{
	struct rangemap map = { 0 }, copy = { 0 };
	bool bytes[SIZE] = { 0 };
	uint32_t seed = 12345;

	for (int n = 0; n < 4000; n++) {
		int start, end;
		bool is_add;

		seed = seed * 1664525 + 1013904223;
		start = (int)(seed >> 8) % SIZE;
		end = start + (int)(seed >> 16) % 12;
		is_add = seed >> 31;
		if (end > SIZE)
			end = SIZE;
		for (int i = start; i < end; i++)
			bytes[i] = is_add;
		if (is_add)
			assert_int_equal(rangemap_add(&map, start, end), 0);
		else
			assert_int_equal(rangemap_remove(&map, start, end), 0);
		compare(&map, bytes);
	}
	assert_int_equal(rangemap_add_all(&copy, &map), 0);
	compare(&copy, bytes);
	rangemap_done(&copy);
	rangemap_done(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_against_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
