/* sync/hydrate: what a restart goes on with, kill -9 included; roots that cannot be written, disks that are full. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "tests/unit/hydrate_bed.h"

#define SIZE (16 * BED_MIB + 4321)
#define REL "shot/v001/a.exr"
#define STAGED ".sitefs/staged"

/* The hydrator (with its journal and roots) as a new process would have it. */
static void restart(struct bed *bed)
{
	bed_stop(bed);
	stage_reopen(bed->stage);
	bed_start(bed);
	bed->remote.n_fetches = bed->remote.n_stats = 0;
	bed->remote.bytes = 0;
}

static char *staged_path(const struct bed *bed)
{
	_cleanup_(staged_done) struct staged row = { 0 };
	_cleanup_(freep) struct staged_block *blocks = NULL;
	size_t n;

	assert_int_equal(
		journal_staged_get(bed->stage->journal, 0, REL, &row, &blocks, &n), 0);
	return strf("%s/" STAGED "/%s", bed->stage->root, row.name);
}

static void fetch_rest(struct bed *bed)
{
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	bed_assert_placed(bed, REL, SIZE, 1);
	assert_int_equal(stage_count(bed->stage, STAGED), 0);
}

static void test_clean_restart_asks_for_what_is_missing(void **state)
{
	struct bed *bed = *state;
	struct hydrate_state before = { 0 };
	struct hydration *handle;
	int64_t *ranges;
	size_t n;

	bed_publish(bed, REL, SIZE);
	handle = bed_open(bed, REL);
	bed_read(bed, handle, 3 * BED_MIB, 300 * BED_KIB);
	bed_read(bed, handle, 9 * BED_MIB, 1000);
	hydrate_close(handle);
	restart(bed);
	assert_int_equal(hydrate_get_state(bed->hydrator, 0, REL, &before), 0);
	assert_int_equal(before.present, (384 + 256) * BED_KIB);
	assert_int_equal(before.size, SIZE);
	assert_false(before.is_active);
	assert_int_equal(hydrate_get_ranges(bed->hydrator, 0, REL, &ranges, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(ranges[0], 3 * BED_MIB);
	assert_int_equal(ranges[1], 384 * BED_KIB);
	assert_int_equal(ranges[2], 9 * BED_MIB);
	free(ranges);

	/* what is here is read without a request */
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 3 * BED_MIB + 5, 1000), 1000);
	assert_int_equal(bed->remote.n_fetches, 0);
	fetch_rest(bed);
	assert_int_equal(bed->remote.bytes, SIZE - before.present);
	hydrate_close(handle);
}

/* In a child: fetches until the remote kills it. */
static void run_until_killed(struct bed *bed, int64_t die_after)
{
	pid_t pid;
	int status;

	bed_stop(bed);
	pool_free(bed->readers);
	pool_free(bed->workers);
	roots_free(bed->stage->roots);
	journal_free(bed->stage->journal);
	bed->stage->roots = NULL;
	bed->stage->journal = NULL;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		stage_reopen(bed->stage);
		if (pool_new("readers", 2, &bed->readers) < 0 ||
		    pool_new("workers", 3, &bed->workers) < 0)
			_exit(1);
		bed_start(bed);
		bed->remote.die_after = die_after;
		hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50);
		bed_wait_completed(bed, 1);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(pool_new("readers", 2, &bed->readers), 0);
	assert_int_equal(pool_new("workers", 3, &bed->workers), 0);
	stage_reopen(bed->stage);
	bed_start(bed);
}

static void test_kill_repeats_a_chunk_at_most(void **state)
{
	struct bed *bed = *state;

	bed_publish(bed, REL, SIZE);
	run_until_killed(bed, 9 * BED_MIB);
	assert_false(stage_exists(bed->stage, "shot"));
	fetch_rest(bed);
	/* three workers: what each had in hand, and the one whose rows were being written */
	assert_true(bed->remote.bytes <= SIZE - (9 - 4) * BED_MIB);
}

static void test_flipped_byte_is_fetched_again(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;
	char byte = (char)~bed_byte(1, 4 * BED_MIB + 7);

	bed_publish(bed, REL, SIZE);
	handle = bed_open(bed, REL);
	for (int i = 2; i < 6; i += 2)
		bed_read(bed, handle, i * BED_MIB, 1000);
	hydrate_close(handle);
	bed_stop(bed);
	{
		_cleanup_(freep) char *path = staged_path(bed);
		_cleanup_(closep) int fd = open(path, O_WRONLY);

		assert_int_equal(pwrite(fd, &byte, 1, 4 * BED_MIB + 7), 1);
	}
	restart(bed);
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 4 * BED_MIB, 1000), 1000);
	assert_int_equal(bed->remote.n_fetches, 1);
	assert_int_equal(bed_read(bed, handle, 2 * BED_MIB, 1000), 1000);
	assert_int_equal(bed->remote.n_fetches, 1);
	hydrate_close(handle);
	fetch_rest(bed);
}

static void test_other_revision_after_a_restart(void **state)
{
	struct bed *bed = *state;
	struct bed_file *file = bed_publish(bed, REL, SIZE);
	struct hydration *handle = bed_open(bed, REL);
	struct bed_read read;

	bed_read(bed, handle, 2 * BED_MIB, 1000);
	hydrate_close(handle);
	file->revision = file->truth_revision = "r2";
	file->seed = file->truth_seed = 2;
	restart(bed);
	handle = bed_open(bed, REL);
	bed_begin_read(bed, handle, &read, 2 * BED_MIB, 1000);
	mutex_lock(&bed->lock);
	while (!read.is_done)
		cond_wait(&bed->changed, &bed->lock);
	mutex_unlock(&bed->lock);
	assert_int_equal(read.result, 1000);
	assert_int_equal(read.n_wrong > 900, true); /* of seed 1: the new bytes came */
	assert_int_equal(stage_count(bed->stage, STAGED), 1);
	hydrate_close(handle);
}

/* A file of a crash that no row names is swept; one of another host is not ours. */
static void test_sweep_at_start(void **state)
{
	struct bed *bed = *state;
	_cleanup_(freep) char *host = NULL, *mine = NULL;

	assert_int_equal(journal_get(bed->stage->journal, "host", &host), 0);
	mine = strf(STAGED "/%s.00ff", host);
	bed_publish(bed, REL, SIZE);
	stage_write(bed->stage, mine, "left over");
	stage_write(bed->stage, STAGED "/elsewhere.00ff", "not ours");
	restart(bed);
	assert_false(stage_exists(bed->stage, mine));
	assert_true(stage_exists(bed->stage, STAGED "/elsewhere.00ff"));
}

/* ---- where nothing can be kept ---- */

static void test_root_that_cannot_be_written(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	if (mount(bed->stage->root, bed->stage->root, NULL, MS_BIND, NULL) < 0) {
		print_message("SKIPPED: mounting needs root: %s\n", strerror(errno));
		return;
	}
	assert_int_equal(mount(NULL, bed->stage->root, NULL,
			       MS_REMOUNT | MS_BIND | MS_RDONLY, NULL),
			 0);
	restart(bed);
	bed_publish(bed, REL, SIZE);
	bed_publish(bed, "shot/small.exr", 1000);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), -EROFS);
	handle = bed_open(bed, REL);
	for (int64_t at = 0; at < SIZE; at += BED_MIB)
		assert_true(bed_read(bed, handle, at, BED_MIB) > 0);
	assert_int_equal(bed_read(bed, handle, 0, BED_MIB), BED_MIB);
	hydrate_close(handle);
	handle = bed_open(bed, "shot/small.exr");
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	hydrate_close(handle);
	/* nothing is left of it, not even a name while it was read */
	bed_stop(bed);
	{
		_cleanup_(freep) char *path = strf("%s/staged", bed->stage->state);

		assert_int_equal(rmdir(path), 0);
	}
	assert_int_equal(bed->n_completed, 0);
	assert_int_equal(umount2(bed->stage->root, MNT_DETACH), 0);
}

static void test_no_room(void **state)
{
	struct bed *bed = *state;
	_cleanup_(freep) char *path = strf("%s/" STAGED, bed->stage->root);
	struct hydration *handle;

	if (mount("tmpfs", path, "tmpfs", 0, "size=4m") < 0) {
		print_message("SKIPPED: mounting a tmpfs needs root: %s\n",
			      strerror(errno));
		return;
	}
	bed->stage->config.reserve_bytes = BED_MIB;
	bed_publish(bed, REL, SIZE);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), -ENOSPC);
	assert_int_equal(bed->remote.n_fetches, 0);
	/* a person is served as long as there is any room */
	handle = bed_open(bed, REL);
	for (int i = 0; i < 16; i++)
		assert_int_equal(
			bed_read(bed, handle, i * 7 % 16 * BED_MIB, 256 * BED_KIB),
			256 * BED_KIB);
	assert_int_equal(bed_read(bed, handle, 2 * BED_MIB + 512 * BED_KIB, 1000),
			 -ENOSPC);
	assert_int_equal(bed_read(bed, handle, 0, 256 * BED_KIB), 256 * BED_KIB);
	hydrate_close(handle);
	bed_stop(bed);
	assert_int_equal(bed->n_completed, 1); /* said once */
	assert_int_equal(umount2(path, MNT_DETACH), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, bed_set_up, bed_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_clean_restart_asks_for_what_is_missing),
		TEST(test_kill_repeats_a_chunk_at_most),
		TEST(test_flipped_byte_is_fetched_again),
		TEST(test_other_revision_after_a_restart),
		TEST(test_sweep_at_start),
		TEST(test_root_that_cannot_be_written),
		TEST(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
