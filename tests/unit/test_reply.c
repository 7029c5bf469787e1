/* fs/reply: how long the kernel may believe what it was told of a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/reply.h"

static void test_trust_grows_with_age(void **state)
{
	static const struct {
		int64_t age_s;
		double by_kernel, by_daemon;
	} rows[] = {
		{ -5, 1, 1 }, /* from tomorrow */
		{ 0, 1, 1 },        { 4, 1, 1 },           { 20, 5, 5 },
		{ 40, 10, 10 },     { 120, 30, 10 },       { 240, 60, 10 },
		{ 100000, 60, 10 }, { INT64_MAX, 60, 10 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(reply_trust(rows[i].age_s, true) == rows[i].by_kernel);
		assert_true(reply_trust(rows[i].age_s, false) == rows[i].by_daemon);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trust_grows_with_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
