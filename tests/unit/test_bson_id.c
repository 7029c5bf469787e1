/* sync/bson_id: ids survive the way to text and back; odd types of numbers and texts. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/bson_id.h"

static void test_ids_there_and_back(void **state)
{
	static const char *const ids[] = {
		"60e578d0c987036c6a7b741d",
		"=",
		"=simple",
		"=60e578d0c987036c6a7b741d",
		"==a b\xc3\xa4",
	};
	static const char *const wrong[] = {
		"",
		"60e578d0c987036c6a7b741",
		"60e578d0c987036c6a7b741d0",
		"60E578D0C987036C6A7B741D",
		"simple",
	};
	bson_t b = BSON_INITIALIZER;
	bson_iter_t iter;

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(bson_id_append(&b, "_id", ids[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(bson_id_append(&b, "_id", wrong[i]), -EINVAL);
	assert_true(bson_iter_init(&iter, &b));
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		_cleanup_(freep) char *text = NULL;

		assert_true(bson_iter_next(&iter));
		text = bson_id_text(&iter);
		assert_non_null(text);
		assert_string_equal(text, ids[i]);
	}
	assert_false(bson_iter_next(&iter));
	bson_destroy(&b);
}

static void test_ids_of_other_types(void **state)
{
	bson_t b = BSON_INITIALIZER;
	bson_iter_t iter;

	bson_append_int32(&b, "a", -1, 1);
	bson_append_null(&b, "b", -1);
	bson_append_utf8(&b, "c", -1, "x\0y", 3);
	bson_append_utf8(&b, "d", -1, "\xff", 1);
	assert_true(bson_iter_init(&iter, &b));
	while (bson_iter_next(&iter))
		assert_null(bson_id_text(&iter));
	bson_destroy(&b);
}

static void test_seconds(void **state)
{
	assert_int_equal(bson_id_seconds("60e578d0c987036c6a7b741d"), 0x60e578d0);
	assert_int_equal(bson_id_seconds("ffffffffc987036c6a7b741d"), 0xffffffff);
	assert_int_equal(bson_id_seconds("=60e578d0c987036c6a7b741d"), -1);
}

struct number {
	const char *text; /* NULL: the double */
	double real;
	bool is_whole, is_real;
	int64_t whole;
};

static void test_numbers(void **state)
{
	static const struct number rows[] = {
		{ NULL, 3.9, true, true, 3 },
		{ NULL, -0x1p62, true, true, -(INT64_C(1) << 62) },
		{ NULL, 0x1p63, false, true, 0 },
		{ NULL, NAN, false, false, 0 },
		{ NULL, INFINITY, false, false, 0 },
		{ "9223372036854775807", 0, true, false, INT64_MAX },
		{ "9223372036854775808", 0, false, false, 0 },
		{ "-5", 0, true, false, -5 },
		{ "", 0, false, false, 0 },
		{ "-", 0, false, false, 0 },
		{ "--5", 0, false, false, 0 },
		{ " 5", 0, false, false, 0 },
		{ "5 ", 0, false, false, 0 },
		{ "0x5", 0, false, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bson_t b = BSON_INITIALIZER;
		bson_iter_t iter;
		int64_t whole = 0;
		double real;

		if (rows[i].text)
			bson_append_utf8(&b, "n", -1, rows[i].text, -1);
		else
			bson_append_double(&b, "n", -1, rows[i].real);
		assert_true(bson_iter_init_find(&iter, &b, "n"));
		assert_int_equal(bson_get_int64(&iter, &whole), rows[i].is_whole);
		assert_int_equal(whole, rows[i].whole);
		assert_int_equal(bson_get_double(&iter, &real), rows[i].is_real);
		bson_destroy(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_there_and_back),
		cmocka_unit_test(test_ids_of_other_types),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests_name("bson_id", tests, NULL, NULL);
}
