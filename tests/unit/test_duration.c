/* tools/duration: spans of time as people type them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/base/cleanup.h"
#include "tools/duration.h"

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: none */
	} rows[] = {
		{ "30", 30000 },       { "30s", 30000 },   { "500ms", 500 },
		{ "2m", 120000 },      { "2min", 120000 }, { "1h", 3600000 },
		{ "14d", 1209600000 }, { "0", 0 },         { "", -1 },
		{ "s", -1 },           { "-1", -1 },       { "1 s", -1 },
		{ "1w", -1 },          { "1.5h", -1 },     { "9999999999999999999", -1 },
		{ "40000d", -1 },      { "none", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t ms = -1;
		bool is_one = duration_parse(rows[i].text, &ms);

		if (is_one != (rows[i].ms >= 0) || ms != rows[i].ms)
			fail_msg("%s: %lld", rows[i].text, (long long)ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
