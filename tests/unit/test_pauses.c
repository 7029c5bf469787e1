/* sync/pauses: what is held, what an end ends, and what is left after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/pauses.h"
#include "tests/unit/journal_bed.h"

#define UP PAUSE_UPLOADS
#define DOWN PAUSE_DOWNLOADS
#define BOTH (PAUSE_UPLOADS | PAUSE_DOWNLOADS)

static struct pause pause_of(unsigned directions, const char *project, const char *rel,
			     int64_t until_ms)
{
	return (struct pause){ .directions = directions,
			       .project = (char *)(uintptr_t)project,
			       .root = 1,
			       .rel = (char *)(uintptr_t)rel,
			       .until_ms = until_ms };
}

static void put(struct pauses *pauses, struct pause pause)
{
	assert_int_equal(pauses_put(pauses, &pause), 0);
}

static int end(struct pauses *pauses, struct pause pause)
{
	return pauses_end(pauses, &pause);
}

static bool holds(struct pauses *pauses, const char *project, const char *rel,
		  enum pause_direction direction)
{
	return pauses_hold(pauses, project, 1, rel, direction);
}

/* Another process, after this one. */
static void restart(struct pauses *pauses)
{
	struct journal *journal = pauses->journal;

	pauses_done(pauses);
	*pauses = (struct pauses){ 0 };
	pauses_init(pauses);
	assert_int_equal(pauses_load(pauses, journal), 0);
}

static void test_extents(void **state)
{
	BED(bed);
	struct pauses held = { 0 }, *pauses = &held;

	pauses_init(pauses);
	assert_int_equal(pauses_load(pauses, bed.journal), 0);
	assert_false(holds(pauses, "P", "a/b", UP));
	put(pauses, pause_of(UP, "P", NULL, 0));
	put(pauses, pause_of(BOTH, NULL, "a/b\\\nc", 0));
	for (int i = 0; i < 2; i++) {
		assert_true(holds(pauses, "P", "x", UP));
		assert_false(holds(pauses, "P", "x", DOWN));
		assert_false(holds(pauses, "Q", "x", UP));
		assert_true(holds(pauses, "Q", "a/b\\\nc/d", DOWN));
		assert_false(holds(pauses, "Q", "a/b\\\ncd", DOWN));
		assert_false(pauses_hold(pauses, "Q", 0, "a/b\\\nc", DOWN));
		restart(pauses);
	}
	/* all of them, one direction */
	assert_int_equal(end(pauses, pause_of(DOWN, NULL, NULL, 0)), 1);
	assert_true(holds(pauses, "P", "x", UP));
	assert_false(holds(pauses, "Q", "a/b\\\nc", DOWN));
	assert_true(holds(pauses, "Q", "a/b\\\nc", UP));
	/* of a project, of what lies at and below a path */
	assert_int_equal(end(pauses, pause_of(BOTH, "Q", NULL, 0)), 0);
	assert_int_equal(end(pauses, pause_of(BOTH, "P", NULL, 0)), 1);
	assert_int_equal(end(pauses, pause_of(BOTH, NULL, "b", 0)), 0);
	assert_int_equal(end(pauses, pause_of(BOTH, NULL, "a", 0)), 1);
	restart(pauses);
	assert_false(holds(pauses, "P", "a/b\\\nc", UP));
	pauses_done(pauses);
}

static void count(void *context, const struct pause *pause)
{
	++*(int *)context;
}

static void test_ends(void **state)
{
	BED(bed);
	struct pauses held = { 0 }, *pauses = &held;
	int64_t next;
	int n = 0;

	pauses_init(pauses);
	assert_int_equal(pauses_load(pauses, bed.journal), 0);
	put(pauses, pause_of(BOTH, NULL, NULL, 2000));
	put(pauses, pause_of(UP, NULL, NULL, 1000));
	put(pauses, pause_of(UP, "P", NULL, 0));
	pauses_each(pauses, count, &n);
	assert_int_equal(n, 3);
	assert_false(pauses_expire(pauses, 999, &next));
	assert_int_equal(next, 1000);
	assert_true(holds(pauses, "Q", "a", UP));
	assert_true(pauses_expire(pauses, 1000, &next));
	assert_int_equal(next, 2000);
	restart(pauses);
	assert_false(holds(pauses, "Q", "a", UP));
	assert_true(holds(pauses, "Q", "a", DOWN));
	assert_true(pauses_expire(pauses, 3000, &next));
	assert_int_equal(next, INT64_MAX);
	assert_true(holds(pauses, "P", "a", UP));
	assert_false(holds(pauses, "P", "a", DOWN));
	pauses_done(pauses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extents),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests_name("pauses", tests, NULL, NULL);
}
