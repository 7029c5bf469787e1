/* sync/departed: when it is believed that documents are gone. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/departed.h"

static int list(void *context, const char *project, const char *id)
{
	return buf_addf(context, "%s:%s ", project, id);
}

static int refuse(void *context, const char *project, const char *id)
{
	return -EIO;
}

static void test_after_a_quiet_time(void **state)
{
	_cleanup_(departed_done) struct departed departed = { 0 };

	assert_int_equal(departed_due_ms(&departed, 10), INT64_MAX);
	assert_int_equal(departed_add(&departed, "demo", "a", 1000), 0);
	assert_int_equal(departed_due_ms(&departed, 10), 1010);
	assert_int_equal(departed_add(&departed, "demo", "b", 1008), 0);
	assert_int_equal(departed_due_ms(&departed, 10), 1018);
	/* where it never ends, not for ever */
	for (int64_t now = 1010; now < 2000; now += 5)
		assert_int_equal(departed_add(&departed, "demo", "c", now), 0);
	assert_int_equal(departed_due_ms(&departed, 10), 1100);
}

static void test_what_comes_again_has_not_gone(void **state)
{
	_cleanup_(departed_done) struct departed departed = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };

	departed_remove(&departed, "demo", "a");
	assert_int_equal(departed_add(&departed, "demo", "a", 1), 0);
	assert_int_equal(departed_add(&departed, "de/mo", "b", 1), 0);
	departed_remove(&departed, "demo", "a");
	assert_int_equal(departed_each(&departed, refuse, NULL), -EIO);
	assert_int_equal(departed_each(&departed, list, &text), 0);
	assert_string_equal(buf_str(&text), "de/mo:b ");
	assert_int_equal(departed_due_ms(&departed, 10), INT64_MAX);
	assert_int_equal(departed_each(&departed, refuse, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_a_quiet_time),
		cmocka_unit_test(test_what_comes_again_has_not_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
