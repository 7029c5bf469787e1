/* sync/lost_projects: what is lost stays so over a restart, until it is back and quiet, or adopted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/lost_projects.h"
#include "tests/unit/journal_bed.h"

static void restart(struct lost_projects *lost, struct journal *journal, bool adopt)
{
	lost_projects_done(lost);
	*lost = (struct lost_projects){ 0 };
	lost_projects_init(lost);
	assert_int_equal(lost_projects_load(lost, journal, adopt), 0);
}

static void test_remembered_until_adopted(void **state)
{
	struct lost_projects lost = { 0 };
	char name[32];
	BED(bed);

	lost_projects_init(&lost);
	lost_projects_name(&lost, name, sizeof(name));
	assert_string_equal(name, "");
	lost_projects_add(&lost, bed.journal, "demo");
	lost_projects_add(&lost, bed.journal, "other one");
	restart(&lost, bed.journal, false);
	assert_true(lost_projects_has(&lost, "demo"));
	assert_true(lost_projects_has(&lost, "other one"));
	assert_false(lost_projects_has(&lost, "dem"));
	restart(&lost, bed.journal, true);
	assert_false(lost_projects_has(&lost, "demo"));
	restart(&lost, bed.journal, false);
	assert_false(lost_projects_has(&lost, "demo"));
	lost_projects_done(&lost);
}

static void test_back_when_no_more_comes(void **state)
{
	struct lost_projects lost = { 0 };
	BED(bed);

	lost_projects_init(&lost);
	assert_false(lost_projects_note(&lost, "demo", 5));
	lost_projects_add(&lost, bed.journal, "demo");
	lost_projects_add(&lost, bed.journal, "other");
	assert_int_equal(lost_projects_due_ms(&lost, 10), INT64_MAX);
	assert_null(lost_projects_take_back(&lost, bed.journal, INT64_MAX, 10));
	assert_true(lost_projects_note(&lost, "demo", 100));
	assert_true(lost_projects_note(&lost, "demo", 107));
	assert_int_equal(lost_projects_due_ms(&lost, 10), 117);
	assert_null(lost_projects_take_back(&lost, bed.journal, 116, 10));
	_cleanup_(freep) char *name =
		lost_projects_take_back(&lost, bed.journal, 117, 10);
	assert_string_equal(name, "demo");
	assert_null(lost_projects_take_back(&lost, bed.journal, INT64_MAX, 10));
	restart(&lost, bed.journal, false);
	assert_false(lost_projects_has(&lost, "demo"));
	assert_true(lost_projects_has(&lost, "other"));
	lost_projects_done(&lost);
}

static void test_files_of_a_lost_project(void **state)
{
	static const char *const files[] = { "demo2/a/b", "x/demo/c", "de/mo/a/b" };
	struct lost_projects lost = { 0 };
	BED(bed);

	lost_projects_init(&lost);
	lost_projects_add(&lost, bed.journal, "demo");
	assert_false(lost_projects_hold(&lost, files, ARRAY_SIZE(files)));
	assert_false(lost_projects_hold(&lost, NULL, 0));
	lost_projects_add(&lost, bed.journal, "de/mo");
	assert_true(lost_projects_hold(&lost, files, ARRAY_SIZE(files)));
	lost_projects_done(&lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remembered_until_adopted),
		cmocka_unit_test(test_back_when_no_more_comes),
		cmocka_unit_test(test_files_of_a_lost_project),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
