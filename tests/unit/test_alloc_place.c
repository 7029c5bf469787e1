/* Roots, staged files and moves survive it when memory ends: the nth allocation fails, for every n until none does. Leaks
 * show in the run under AddressSanitizer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/place.h"
#include "sync/staging.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/stage.h"

/* Calls FN until no allocation fails; each time before, it may only say -ENOMEM. */
static void run(int (*fn)(struct stage *stage), struct stage *stage)
{
	unsigned n = 1;

	for (;; n++) {
		int r;

		failing_alloc_at(n);
		r = fn(stage);
		if (!failing_alloc_has_failed()) {
			failing_alloc_at(0);
			assert_int_equal(r, 0);
			break;
		}
		failing_alloc_at(0);
		/* SQLite may do without */
		if (r != 0)
			assert_int_equal(r, -ENOMEM);
	}
	assert_true(n > 1);
}

static int add_and_remove(struct stage *stage)
{
	struct rangemap map = { 0 };
	int r = 0;

	for (int i = 0; i < 20 && r == 0; i++)
		r = rangemap_add(&map, 10 * i, 10 * i + 5);
	for (int i = 0; i < 20 && r == 0; i++)
		r = rangemap_remove(&map, 10 * i + 1, 10 * i + 2);
	rangemap_done(&map);
	return r;
}

static int open_roots(struct stage *stage)
{
	struct roots *roots = NULL;
	int r = roots_open(&stage->config, stage->journal, false, &roots, NULL);

	if (r == 0)
		roots_check(roots);
	roots_free(roots);
	return r;
}

static int stage_range(struct stage *stage, const char *rel)
{
	_cleanup_(staging_freep) struct staging *staging = NULL;
	_cleanup_(staging_writer_freep) struct staging_writer *writer = NULL;
	_cleanup_(rangemap_done) struct rangemap good = { 0 };
	const struct staging_setup setup = {
		.journal = stage->journal,
		.roots = stage->roots,
		.host = "host",
		.rel = rel,
		.size = 10,
		.remote_id = "id",
		.revision = "r",
		.batch_bytes = 1,
	};
	int r = staging_open(&setup, &staging);

	if (r == 0)
		r = staging_add_kept(staging, &good);
	if (r == 0)
		r = staging_check(staging, (struct range){ 0, 10 }, &good);
	if (r == 0)
		r = staging_begin(staging, 0, &writer);
	if (r == 0)
		r = staging_write(writer, "0123456789", 10);
	if (r == 0)
		r = staging_end(writer);
	return r;
}

static int stage_new(struct stage *stage)
{
	staging_drop_row(stage->journal, stage->roots, 0, "new");
	return stage_range(stage, "new");
}

static int stage_again(struct stage *stage)
{
	return stage_range(stage, "old");
}

static int sweep(struct stage *stage)
{
	return staging_sweep(stage->journal, stage->roots, "host");
}

static int is_fine(void *context)
{
	return 0;
}

static int is_it(void *context, const struct stat *st)
{
	return 0;
}

static int place_and_aside(struct stage *stage)
{
	_cleanup_(staging_freep) struct staging *staging = NULL;
	const struct staging_setup setup = {
		.journal = stage->journal,
		.roots = stage->roots,
		.host = "host",
		.rel = "a/b/c",
	};
	struct stat st;
	int r = staging_open(&setup, &staging);

	if (r == 0) {
		const struct place place = {
			.roots = stage->roots,
			.rel = "a/b/c",
			.fd = staging_fd(staging),
			.name = staging_name(staging),
			.file_mode = 0644,
			.dir_mode = 0755,
			.check = is_fine,
		};

		r = place_file(&place, &st);
	}
	if (r == 0)
		staging_forget(staging);
	if (r == 0 || r == -EEXIST)
		r = place_aside(stage->roots, 0, "a/b/c", is_it, NULL);
	if (r == 0)
		r = place_back(stage->roots, 0, "a/b/c", 0755);
	if (r == 0)
		r = place_aside(stage->roots, 0, "a/b/c", is_it, NULL);
	return r;
}

static void test_all(void **state)
{
	struct stage *stage = *state;

	run(add_and_remove, stage);
	run(open_roots, stage);
	run(stage_new, stage);
	assert_int_equal(stage_range(stage, "old"), 0);
	run(stage_again, stage);
	run(sweep, stage);
	run(place_and_aside, stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all, stage_set_up, stage_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
