/* sync/hydrate: all bytes are of one revision and right by the truth record, or the read is an error. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "tests/unit/hydrate_bed.h"

#define BIG (5 * BED_MIB + 12345)
#define REL "shot/v001/a.exr"

static void test_changed_before_the_first_range(void **state)
{
	struct bed *bed = *state;
	struct bed_file *file = bed_publish(bed, REL, BIG);
	struct hydration *handle;

	file->revision = "r2";
	file->seed = 2;
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 100), -EIO);
	assert_int_equal(bed_wait_completed(bed, 1), PROVIDER_CHANGED);
	assert_int_equal(bed->remote.n_fetches, 0);
	hydrate_close(handle);
}

/* Another revision with the published bytes (copied back, or its mode changed): they are right. */
static void test_other_revision_of_the_same_bytes(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, BIG)->revision = "r2";
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 100), 100);
	assert_int_equal(bed->remote.n_digests, 1);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	assert_true(bed->is_new_truth);
	assert_string_equal(bed->remote_revision, "r2");
	hydrate_close(handle);
}

static void test_size_at_the_remote_differs(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, BIG)->cut = 1;
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 100), -EIO);
	assert_int_equal(bed_wait_completed(bed, 1), PROVIDER_CHANGED);
	assert_int_equal(bed->remote.n_fetches, 0);
	hydrate_close(handle);
}

static void test_size_in_the_record_differs(void **state)
{
	struct bed *bed = *state;
	struct bed_file *file = bed_publish(bed, REL, BIG);
	struct hydration *handle = bed_open(bed, REL);

	file->size = BIG + 1; /* the fake index as well: what was opened is no more */
	assert_int_equal(bed_read(bed, handle, 0, 100), -EIO);
	assert_int_equal(bed_wait_completed(bed, 1), -ECANCELED);
	hydrate_close(handle);
}

static void test_changed_midway(void **state)
{
	struct bed *bed = *state;
	struct bed_file *file = bed_publish(bed, REL, BIG);
	struct hydration *handles[2] = { bed_open(bed, REL), bed_open(bed, REL) };
	struct bed_read reads[2];

	assert_int_equal(bed_read(bed, handles[0], 0, 1000), 1000);
	bed_hold(bed, true);
	for (int i = 0; i < 2; i++)
		bed_begin_read(bed, handles[i], &reads[i], (i + 2) * BED_MIB, 1000);
	bed_wait_held(bed, 2);
	mutex_lock(&bed->remote.lock);
	file->revision = "r2";
	file->seed = 2;
	mutex_unlock(&bed->remote.lock);
	bed_hold(bed, false);
	for (int i = 0; i < 2; i++)
		assert_int_equal(bed_end_read(&reads[i]), -EIO);
	assert_int_equal(bed_wait_completed(bed, 1), PROVIDER_CHANGED);
	/* also what was here before */
	assert_int_equal(bed_read(bed, handles[0], 0, 1000), -EIO);
	assert_int_equal(stage_count(bed->stage, ".sitefs/staged"), 0);
	hydrate_close(handles[0]);
	hydrate_close(handles[1]);
	assert_int_equal(bed->n_completed, 1);
}

static void test_changed_at_the_end(void **state)
{
	struct bed *bed = *state;
	struct bed_file *file = bed_publish(bed, REL, BIG);

	mutex_lock(&bed->remote.lock);
	bed->remote.is_stat_held = true;
	mutex_unlock(&bed->remote.lock);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	bed_wait_held(bed, 1);
	mutex_lock(&bed->remote.lock);
	bed->remote.is_stat_held = false;
	bed->remote.is_held = true;
	mutex_unlock(&bed->remote.lock);
	bed_wait_held(bed, 2);
	mutex_lock(&bed->remote.lock);
	bed->remote.is_held = false;
	bed->remote.is_stat_held = true;
	mutex_unlock(&bed->remote.lock);
	/* all bytes come; then the stat of the end is held */
	bed_wait_held(bed, bed->remote.n_waiting + 1);
	mutex_lock(&bed->remote.lock);
	file->revision = "r2";
	bed->remote.is_stat_held = false;
	mutex_unlock(&bed->remote.lock);
	assert_int_equal(bed_wait_completed(bed, 1), PROVIDER_CHANGED);
	assert_false(stage_exists(bed->stage, REL));
	assert_int_equal(stage_count(bed->stage, ".sitefs/staged"), 0);
}

static void test_gone(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	bed_fail(bed, PROVIDER_GONE, 1);
	assert_int_equal(bed_read(bed, handle, 0, 100), -EIO);
	assert_int_equal(bed_wait_completed(bed, 1), PROVIDER_GONE);
	hydrate_close(handle);
}

static void test_torn_at_the_end(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, BIG);
	bed->remote.flip_at = 2 * BED_MIB;
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 100), 100);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), PROVIDER_TORN);
	assert_int_equal(bed_read(bed, handle, 0, 100), -EIO);
	assert_int_equal(stage_count(bed->stage, ".sitefs/staged"), 0);
	assert_false(stage_exists(bed->stage, "shot"));
	hydrate_close(handle);
}

/* The revision is the published one, and so are the bytes that the remote holds, says it: the truth record decides. */
static void test_truth_of_other_bytes(void **state)
{
	struct bed *bed = *state;

	bed_publish(bed, REL, 100000)->truth_seed = 9;
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), PROVIDER_TORN);
	assert_false(stage_exists(bed->stage, "shot"));
}

/* Uploaded by other means: nobody knows its checksum but the remote. */
static void test_truth_without_digest(void **state)
{
	struct bed *bed = *state;
	struct bed_file *file = bed_publish(bed, REL, 100000);

	file->has_truth = false;
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	assert_int_equal(bed->remote.n_digests, 1);
	assert_true(bed->is_new_truth);
	assert_true(bed->has_digest);
	assert_string_equal(bed->remote_revision, "r1");

	file = bed_publish(bed, "shot/b.exr", 100000);
	file->has_digest = false;
	bed->remote.tells_digest = true;
	bed->remote.flip_at = 7;
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, "shot/b.exr", POOL_DOWNLOAD, 50),
			 0);
	assert_int_equal(bed_wait_completed(bed, 2), PROVIDER_TORN);
	assert_int_equal(bed->remote.n_digests, 1);
	assert_false(stage_exists(bed->stage, "shot/b.exr"));
}

/* The checksum that the remote tells beforehand differs: not one byte is fetched. */
static void test_told_digest_differs(void **state)
{
	struct bed *bed = *state;

	bed_publish(bed, REL, 100000)->truth_seed = 9;
	bed->remote.tells_digest = true;
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), PROVIDER_CHANGED);
	assert_int_equal(bed->remote.n_fetches, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, bed_set_up, bed_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_changed_before_the_first_range),
		TEST(test_other_revision_of_the_same_bytes),
		TEST(test_size_at_the_remote_differs),
		TEST(test_size_in_the_record_differs),
		TEST(test_changed_midway),
		TEST(test_changed_at_the_end),
		TEST(test_gone),
		TEST(test_torn_at_the_end),
		TEST(test_truth_of_other_bytes),
		TEST(test_truth_without_digest),
		TEST(test_told_digest_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
