/* sync/staging: rows come after bytes, a restart uses what is right and nothing else, sweeping, room. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/staging.h"
#include "tests/unit/stage.h"

#define SIZE 100000
#define STAGED ".sitefs/staged"

static char byte_at(int64_t offset)
{
	return (char)(offset * 31 + (offset >> 8));
}

static struct staging_setup setup_of(const struct stage *stage)
{
	return (struct staging_setup){
		.journal = stage->journal,
		.roots = stage->roots,
		.host = "host-1",
		.rel = "shot/a.exr",
		.remote_id = "id",
		.revision = "r1",
		.size = SIZE,
		.batch_bytes = INT64_MAX,
	};
}

static struct staging *open_staging(const struct stage *stage, int64_t batch_bytes)
{
	struct staging_setup setup = setup_of(stage);
	struct staging *staging = NULL;

	setup.batch_bytes = batch_bytes;
	assert_int_equal(staging_open(&setup, &staging), 0);
	return staging;
}

static void write_range(struct staging *staging, int64_t start, int64_t end)
{
	struct staging_writer *writer = NULL;
	char piece[777];

	assert_int_equal(staging_begin(staging, start, &writer), 0);
	while (start < end) {
		size_t n = end - start < (int64_t)sizeof(piece) ? (size_t)(end - start)
								: sizeof(piece);

		for (size_t i = 0; i < n; i++)
			piece[i] = byte_at(start + (int64_t)i);
		assert_int_equal(staging_write(writer, piece, n), 0);
		start += (int64_t)n;
	}
	assert_int_equal(staging_end(writer), 0);
	staging_writer_free(writer);
}

static void assert_ranges(const struct rangemap *map, int64_t start, int64_t end)
{
	if (start == end) {
		assert_int_equal(map->n, 0);
		return;
	}
	assert_int_equal(map->n, 1);
	assert_int_equal(map->ranges[0].start, start);
	assert_int_equal(map->ranges[0].end, end);
}

/* What a staging opened anew would use. */
static void assert_kept(const struct stage *stage, int64_t start, int64_t end)
{
	struct staging *staging = open_staging(stage, INT64_MAX);
	struct rangemap kept = { 0 };

	assert_int_equal(staging_add_kept(staging, &kept), 0);
	assert_ranges(&kept, start, end);
	rangemap_done(&kept);
	staging_free(staging);
}

static void test_no_rows_before_a_batch(void **state)
{
	struct stage *stage = *state;
	struct staging *staging = open_staging(stage, 1000);

	write_range(staging, 0, 999);
	assert_int_equal(stage_count(stage, STAGED), 1);
	staging_free(staging);
	/* nothing knew of it, so nothing is left of it */
	assert_int_equal(stage_count(stage, STAGED), 0);
	assert_kept(stage, 0, 0);
}

static void test_batch_by_bytes(void **state)
{
	struct stage *stage = *state;
	struct staging *staging = open_staging(stage, 1000);

	write_range(staging, 0, 999);
	write_range(staging, 999, 1000);
	write_range(staging, 1000, 1500);
	staging_free(staging);
	assert_kept(stage, 0, 1000);
}

static void test_batch_by_time(void **state)
{
	struct stage *stage = *state;
	struct staging *staging = open_staging(stage, INT64_MAX);

	write_range(staging, 0, 100);
	clock_advance(1000);
	write_range(staging, 100, 200);
	staging_free(staging);
	assert_kept(stage, 0, 200);
}

static void test_restart_checks_blocks(void **state)
{
	struct stage *stage = *state;
	struct staging *staging = open_staging(stage, INT64_MAX);
	struct rangemap good = { 0 }, kept = { 0 };
	char byte = 1;

	write_range(staging, 0, 10000);
	write_range(staging, 10000, 20000);
	write_range(staging, 50000, 60000);
	assert_int_equal(staging_commit(staging), 0);
	staging_free(staging);

	stage_reopen(stage);
	staging = open_staging(stage, INT64_MAX);
	assert_int_equal(
		pwrite(staging_fd(staging), (char[]){ (char)~byte_at(12345) }, 1, 12345),
		1);
	assert_int_equal(staging_add_kept(staging, &kept), 0);
	assert_int_equal(rangemap_total(&kept), 30000);

	/* only blocks that overlap are read; the flipped one is not good */
	assert_int_equal(staging_check(staging, (struct range){ 5000, 15000 }, &good), 0);
	assert_ranges(&good, 0, 10000);
	assert_int_equal(pread(staging_fd(staging), &byte, 1, 5000), 1);
	assert_int_equal(byte, byte_at(5000));
	rangemap_done(&kept);
	assert_int_equal(staging_add_kept(staging, &kept), 0);
	assert_ranges(&kept, 50000, 60000);
	assert_int_equal(staging_check(staging, (struct range){ 20000, 50000 }, &good),
			 0);
	assert_ranges(&good, 0, 10000);

	/* written anew it is good again */
	write_range(staging, 10000, 20000);
	assert_int_equal(staging_commit(staging), 0);
	staging_free(staging);
	staging = open_staging(stage, INT64_MAX);
	rangemap_done(&good);
	assert_int_equal(staging_check(staging, (struct range){ 0, SIZE }, &good), 0);
	assert_int_equal(rangemap_total(&good), 30000);
	staging_free(staging);
	rangemap_done(&good);
	rangemap_done(&kept);
}

/* Another revision, id or size of the object: nothing of the old one is used, or left. */
static void test_restart_of_another_object(void **state)
{
	static const struct {
		const char *id, *revision;
		int64_t size;
	} rows[] = {
		{ "id", "r2", SIZE },
		{ "id2", "r1", SIZE },
		{ "id", NULL, SIZE },
		{ "id", "r1", SIZE - 1 },
	};
	struct stage *stage = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct staging_setup setup = setup_of(stage);
		struct staging *staging = open_staging(stage, 1);
		struct rangemap kept = { 0 };

		write_range(staging, 0, 5000);
		staging_free(staging);
		setup.remote_id = rows[i].id;
		setup.revision = rows[i].revision;
		setup.size = rows[i].size;
		assert_int_equal(staging_open(&setup, &staging), 0);
		assert_int_equal(staging_add_kept(staging, &kept), 0);
		assert_ranges(&kept, 0, 0);
		assert_int_equal(stage_count(stage, STAGED), 1);
		staging_drop(staging);
		staging_free(staging);
		assert_int_equal(stage_count(stage, STAGED), 0);
	}
}

/* The staged file was cut, or replaced by a symlink. */
static void test_restart_of_a_bad_file(void **state)
{
	struct stage *stage = *state;
	struct staging *staging = open_staging(stage, 1);
	_cleanup_(freep) char *path =
		strf("%s/" STAGED "/%s", stage->root, staging_name(staging));

	write_range(staging, 0, 5000);
	staging_free(staging);
	assert_int_equal(truncate(path, 6000), 0);
	assert_kept(stage, 0, 0);
	assert_int_equal(access(path, F_OK), -1);

	staging = open_staging(stage, 1);
	free(path);
	path = strf("%s/" STAGED "/%s", stage->root, staging_name(staging));
	write_range(staging, 0, 5000);
	staging_free(staging);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_kept(stage, 0, 0);
}

static void test_writer_that_fails_counts_for_nothing(void **state)
{
	struct stage *stage = *state;
	struct staging *staging = open_staging(stage, 1);
	struct staging_writer *writer = NULL;

	assert_int_equal(staging_begin(staging, 0, &writer), 0);
	assert_int_equal(staging_write(writer, "abc", 3), 0);
	staging_writer_free(writer);
	write_range(staging, 100, 200);
	staging_free(staging);
	assert_kept(stage, 100, 200);
}

static void test_drop_and_forget(void **state)
{
	struct stage *stage = *state;
	struct staging *staging = open_staging(stage, 1);
	struct staged row = { 0 };
	struct staged_block *blocks = NULL;
	char byte;
	size_t n;

	write_range(staging, 0, 5000);
	staging_drop(staging);
	assert_int_equal(stage_count(stage, STAGED), 0);
	assert_int_equal(
		journal_staged_get(stage->journal, 0, "shot/a.exr", &row, &blocks, &n),
		JOURNAL_NONE);
	assert_int_equal(pread(staging_fd(staging), &byte, 1, 77), 1);
	assert_int_equal(byte, byte_at(77));
	/* late rows of a request that was under way do not come back */
	write_range(staging, 5000, 10000);
	assert_int_equal(staging_commit(staging), 0);
	assert_int_equal(
		journal_staged_get(stage->journal, 0, "shot/a.exr", &row, &blocks, &n),
		JOURNAL_NONE);
	staging_free(staging);

	staging = open_staging(stage, 1);
	write_range(staging, 0, 5000);
	staging_forget(staging);
	staging_free(staging);
	assert_int_equal(stage_count(stage, STAGED), 1); /* moved by now, usually */
	assert_int_equal(
		journal_staged_get(stage->journal, 0, "shot/a.exr", &row, &blocks, &n),
		JOURNAL_NONE);
}

static void test_sweep(void **state)
{
	struct stage *stage = *state;
	struct staging *staging = open_staging(stage, 1);
	struct staged gone = { .rel = (char[]){ "gone" },
			       .name = (char[]){ "host-1.gone" },
			       .size = 1 };
	struct staged row = { 0 };
	struct staged_block *blocks = NULL;
	size_t n;

	write_range(staging, 0, 5000);
	staging_free(staging);
	assert_int_equal(journal_staged_put(stage->journal, &gone), 0);
	stage_write(stage, STAGED "/host-1.0123456789abcdef", "of a crash");
	stage_write(stage, STAGED "/host-2.0123456789abcdef", "of another host");
	assert_int_equal(staging_sweep(stage->journal, stage->roots, "host-1"), 0);
	assert_false(stage_exists(stage, STAGED "/host-1.0123456789abcdef"));
	assert_true(stage_exists(stage, STAGED "/host-2.0123456789abcdef"));
	assert_int_equal(journal_staged_get(stage->journal, 0, "gone", &row, &blocks, &n),
			 JOURNAL_NONE);
	assert_kept(stage, 0, 5000);
}

static void test_sweep_leaves_a_lost_root_alone(void **state)
{
	struct stage *stage = *state;
	struct staging *staging = open_staging(stage, 1);

	write_range(staging, 0, 5000);
	staging_free(staging);
	roots_set_lost(stage->roots, 0, "for a test");
	assert_int_equal(staging_sweep(stage->journal, stage->roots, "host-1"), 0);
	assert_int_equal(roots_accept(stage->roots, 0), 0);
	assert_kept(stage, 0, 5000);
}

static void test_drop_row(void **state)
{
	struct stage *stage = *state;
	struct staging *staging = open_staging(stage, 1);

	write_range(staging, 0, 5000);
	staging_free(staging);
	assert_int_equal(staging_drop_row(stage->journal, stage->roots, 0, "shot/a.exr"),
			 0);
	assert_int_equal(stage_count(stage, STAGED), 0);
	assert_int_equal(staging_drop_row(stage->journal, stage->roots, 0, "shot/a.exr"),
			 JOURNAL_NONE);
}

static void test_host_is_kept(void **state)
{
	struct stage *stage = *state;
	_cleanup_(freep) char *first = NULL, *second = NULL;

	assert_int_equal(staging_load_host(stage->journal, &first), 0);
	stage_reopen(stage);
	assert_int_equal(staging_load_host(stage->journal, &second), 0);
	assert_string_equal(first, second);
	assert_null(strchr(first, '.'));
	assert_null(strchr(first, '/'));
}

static void test_lost_root(void **state)
{
	struct stage *stage = *state;
	struct staging_setup setup = setup_of(stage);
	struct staging *staging = NULL;

	roots_set_lost(stage->roots, 0, "for a test");
	assert_int_equal(staging_open(&setup, &staging), -ESTALE);
	assert_int_equal(stage_count(stage, STAGED), 0);
}

static void test_room(void **state)
{
	struct stage *stage = *state;
	_cleanup_(freep) char *path = strf("%s/" STAGED, stage->root);
	_cleanup_(closep) int dir = roots_private(stage->roots, 0, "staged");
	struct staging *staging;

	assert_true(dir >= 0);
	if (mount("tmpfs", path, "tmpfs", 0, "size=1m") < 0) {
		print_message("SKIPPED: mounting a tmpfs needs root: %s\n",
			      strerror(errno));
		return;
	}
	staging = open_staging(stage, INT64_MAX);
	assert_int_equal(staging_check_room(staging, 500000, 0), 0);
	assert_int_equal(staging_check_room(staging, 500000, 600000), -ENOSPC);
	assert_int_equal(staging_check_room(staging, 2000000, 0), -ENOSPC);
	assert_int_equal(staging_allocate(staging), 0);
	staging_free(staging);
	assert_int_equal(umount2(path, MNT_DETACH), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, stage_set_up, stage_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_rows_before_a_batch),
		TEST(test_batch_by_bytes),
		TEST(test_batch_by_time),
		TEST(test_restart_checks_blocks),
		TEST(test_restart_of_another_object),
		TEST(test_restart_of_a_bad_file),
		TEST(test_writer_that_fails_counts_for_nothing),
		TEST(test_drop_and_forget),
		TEST(test_sweep),
		TEST(test_sweep_leaves_a_lost_root_alone),
		TEST(test_drop_row),
		TEST(test_host_is_kept),
		TEST(test_lost_root),
		TEST(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
