/* sync/holdings: sets of files by representation. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/holdings.h"

#define HOLDING(project, repre, ...)                                                  \
	(struct holding)                                                              \
	{                                                                             \
		(project), (repre), (const char *const[]){ __VA_ARGS__ },             \
			sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *) \
	}

static const struct holding none = { "demo", "a", NULL, 0 };

static void put(struct holdings *holdings, const struct holding holding)
{
	assert_int_equal(holdings_put(holdings, &holding), 0);
}

static void test_put_and_have(void **state)
{
	_cleanup_(holdings_done) struct holdings holdings = { 0 };

	assert_false(holdings_have(&holdings, "demo", "a", NULL));
	put(&holdings, none);
	put(&holdings, HOLDING("demo", "a", "2", "1"));
	put(&holdings, HOLDING("demo", "b", "3"));
	assert_true(holdings_have(&holdings, "demo", "a", NULL));
	assert_true(holdings_have(&holdings, "demo", "a", "1"));
	assert_true(holdings_have(&holdings, "demo", "a", "2"));
	assert_false(holdings_have(&holdings, "demo", "a", "3"));
	assert_false(holdings_have(&holdings, "demoa", "", "1"));
	assert_false(holdings_have(&holdings, "", "demoa", "1"));
	/* in place of what was there */
	put(&holdings, HOLDING("demo", "a", "3"));
	assert_false(holdings_have(&holdings, "demo", "a", "1"));
	assert_true(holdings_have(&holdings, "demo", "a", "3"));
	put(&holdings, none);
	assert_false(holdings_have(&holdings, "demo", "a", NULL));
	assert_true(holdings_have(&holdings, "demo", "b", "3"));
}

static void test_exactly_these(void **state)
{
	_cleanup_(holdings_done) struct holdings holdings = { 0 };
	static const struct {
		const char *files[3];
		size_t n;
		bool want;
	} rows[] = {
		{ { "1", "2" }, 2, true },  { { "2", "1" }, 2, true },
		{ { "1" }, 1, false },      { { "1", "2", "3" }, 3, false },
		{ { "1", "3" }, 2, false }, { { NULL }, 0, false },
	};

	assert_true(holdings_are(&holdings, &none));
	put(&holdings, HOLDING("demo", "a", "1", "2"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct holding holding = { "demo", "a", rows[i].files, rows[i].n };
		const struct holding other = { "demo", "b", rows[i].files, rows[i].n };

		assert_int_equal(holdings_are(&holdings, &holding), rows[i].want);
		assert_int_equal(holdings_are(&holdings, &other), rows[i].n == 0);
	}
}

static int list(void *context, const char *project, const char *repre)
{
	return buf_addf(context, "%s:%s ", project, repre);
}

static int refuse(void *context, const char *project, const char *repre)
{
	return -EIO;
}

static void test_compare(void **state)
{
	_cleanup_(holdings_done) struct holdings a = { 0 }, b = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };

	assert_int_equal(holdings_compare(&a, &b, refuse, NULL), 0);
	put(&a, HOLDING("demo", "same", "1", "2"));
	put(&b, HOLDING("demo", "same", "2", "1"));
	assert_int_equal(holdings_compare(&a, &b, refuse, NULL), 0);
	put(&a, HOLDING("demo", "gone", "1"));
	assert_int_equal(holdings_compare(&a, &b, list, &text), 0);
	assert_string_equal(buf_str(&text), "demo:gone ");
	put(&b, HOLDING("demo", "gone", "2"));
	put(&b, HOLDING("de/mo", "new", "1"));
	buf_clear(&text);
	assert_int_equal(holdings_compare(&a, &b, list, &text), 0);
	assert_string_equal(buf_str(&text), "demo:gone de/mo:new ");
	assert_int_equal(holdings_compare(&a, &b, refuse, NULL), -EIO);
}

static void test_key(void **state)
{
	_cleanup_(buf_done) struct buf key = { 0 };

	assert_int_equal(holdings_key(&key, "demo", "=a\nb"), 0);
	assert_string_equal(key.data, "demo");
	assert_string_equal(holdings_key_repre(key.data), "=a\nb");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_have),
		cmocka_unit_test(test_exactly_these),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
