/* sync/hydrate: waiting that ends, and faults of the moment, of the site and of this machine. */
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

/* ---- waiting ends ---- */

static void test_deadline(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed->stage->config.read_deadline_ms = 20;
	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	bed_hold(bed, true);
	assert_int_equal(bed_read(bed, handle, 0, 1000), -ETIMEDOUT);
	/* the request went on meanwhile */
	bed_hold(bed, false);
	bed->stage->config.read_deadline_ms = -1;
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	assert_int_equal(bed->remote.n_fetches, 1);
	hydrate_close(handle);
}

static void test_cancel(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;
	struct bed_read reads[2];

	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	bed_hold(bed, true);
	for (int i = 0; i < 2; i++)
		bed_begin_read(bed, handle, &reads[i], 0, 1000);
	bed_wait_held(bed, 1);
	hydrate_cancel(&reads[0].read);
	assert_int_equal(bed_end_read(&reads[0]), -EINTR);
	assert_false(reads[1].is_done);
	bed_hold(bed, false);
	assert_int_equal(bed_end_read(&reads[1]), 1000);
	hydrate_cancel(&reads[1].read); /* too late: nothing happens */
	assert_int_equal(reads[1].result, 1000);
	hydrate_close(handle);
}

static void test_close_during_a_fetch(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;
	struct bed_read read;

	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	bed_hold(bed, true);
	bed_begin_read(bed, handle, &read, 0, 1000);
	bed_wait_held(bed, 1);
	hydrate_close(handle);
	assert_int_equal(bed_end_read(&read), -EINTR);
	/* the request was cancelled: a new reader asks again */
	handle = bed_open(bed, REL);
	bed_hold(bed, false);
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	hydrate_close(handle);
}

static void test_stop_with_waiting_reads(void **state)
{
	struct bed *bed = *state;
	struct hydration *handles[3];
	struct bed_read reads[3];
	static const char *const rels[] = { "a/1", "a/2", "a/3" };

	bed_hold(bed, true);
	for (int i = 0; i < 3; i++) {
		bed_publish(bed, rels[i], BIG);
		handles[i] = bed_open(bed, rels[i]);
		bed_begin_read(bed, handles[i], &reads[i], 0, 1000);
		hydrate_fetch(bed->hydrator, 0, rels[i], POOL_DOWNLOAD, 50);
	}
	bed_wait_held(bed, 1);
	hydrator_stop(bed->hydrator);
	for (int i = 0; i < 3; i++)
		assert_int_equal(bed_end_read(&reads[i]), -EIO);
	assert_int_equal(bed_read(bed, handles[0], 0, 1000), -EIO);
	for (int i = 0; i < 3; i++)
		hydrate_close(handles[i]);
	assert_int_equal(bed->n_completed, 0);
	bed_hold(bed, false);
}

static void test_forget(void **state)
{
	struct bed *bed = *state;
	struct hydrate_totals totals;
	struct hydration *handle;

	bed_publish(bed, REL, BIG);
	bed_hold(bed, true);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	bed_wait_held(bed, 2);
	hydrate_get_totals(bed->hydrator, &totals);
	assert_int_equal(totals.files, 1);
	assert_int_equal(totals.bytes, BIG);
	hydrate_forget(bed->hydrator, 0, REL);
	hydrate_get_totals(bed->hydrator, &totals);
	assert_int_equal(totals.files, 0);
	/* its calls were cancelled, and a person is still served */
	handle = bed_open(bed, REL);
	bed_hold(bed, false);
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	hydrate_close(handle);
	assert_int_equal(bed->n_completed, 0);
}

static void test_invalidate(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;
	struct bed_read read;

	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	bed_hold(bed, true);
	bed_begin_read(bed, handle, &read, 2 * BED_MIB, 1000);
	bed_wait_held(bed, 1);
	hydrate_invalidate(bed->hydrator, 0, REL);
	assert_int_equal(bed_end_read(&read), -EIO);
	assert_int_equal(bed_read(bed, handle, 0, 1000), -EIO);
	assert_int_equal(stage_count(bed->stage, ".sitefs/staged"), 0);
	bed_hold(bed, false);
	hydrate_close(handle);
	assert_int_equal(bed->n_completed, 0);
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	hydrate_close(handle);
}

/* Whoever asked for the whole file hears that it will not come: the record is another one now. */
static void test_record_of_another_size(void **state)
{
	struct bed *bed = *state;
	struct bed_file *file = bed_publish(bed, REL, BIG);
	struct hydration *handles[2];

	bed_hold(bed, true);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	bed_wait_held(bed, 1);
	handles[0] = bed_open(bed, REL);
	mutex_lock(&bed->remote.lock);
	file->size = BIG - 1;
	mutex_unlock(&bed->remote.lock);
	handles[1] = bed_open(bed, REL);
	assert_int_equal(bed_wait_completed(bed, 1), -ECANCELED);
	bed_hold(bed, false);
	assert_int_equal(bed_read(bed, handles[0], 0, 1000), -EIO);
	assert_int_equal(bed_read(bed, handles[1], BIG - 2, 1000), 1);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	hydrate_invalidate(bed->hydrator, 0, REL);
	assert_int_equal(bed_wait_completed(bed, 2), -ECANCELED);
	hydrate_close(handles[0]);
	hydrate_close(handles[1]);
}

/* ---- faults of the moment, of the site, of this machine ---- */

static void test_busy_is_waited_for(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	bed_fail(bed, PROVIDER_BUSY, 5);
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	bed_fail(bed, PROVIDER_BUSY, 5);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	assert_int_equal(bed->n_faults, 0);
	hydrate_close(handle);
}

static void test_busy_until_the_deadline(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed->stage->config.read_deadline_ms = 30;
	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	bed_fail(bed, PROVIDER_BUSY, INT32_MAX);
	assert_int_equal(bed_read(bed, handle, 0, 1000), -ETIMEDOUT);
	bed_fail(bed, 0, 0);
	hydrate_close(handle);
}

static void test_torn_thrice(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	bed_fail(bed, PROVIDER_TORN, 2);
	assert_int_equal(bed_read(bed, handle, 2 * BED_MIB, 1000), 1000);
	bed_fail(bed, PROVIDER_TORN, 3);
	assert_int_equal(bed_read(bed, handle, 3 * BED_MIB, 1000), -EIO);
	assert_int_equal(bed_wait_completed(bed, 1), PROVIDER_TORN);
	hydrate_close(handle);
}

static void test_site_fault(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	bed_fail(bed, PROVIDER_UNREACHABLE, 1);
	assert_int_equal(bed_read(bed, handle, 2 * BED_MIB, 1000), -EIO);
	assert_int_equal(bed_wait_fault(bed, 1), PROVIDER_UNREACHABLE);
	/* nobody is asked until it is over; what is here is served */
	assert_int_equal(bed_read(bed, handle, 2 * BED_MIB, 1000), -EIO);
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed->remote.n_fetches, 2);
	hydrator_set_fault(bed->hydrator, NULL);
	assert_int_equal(bed_read(bed, handle, 2 * BED_MIB, 1000), 1000);
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	assert_int_equal(bed->n_faults, 1);
	hydrate_close(handle);
}

static void test_lost_root(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	roots_set_lost(bed->stage->roots, 0, "for a test");
	assert_int_equal(bed_read(bed, handle, 0, 1000), -EIO);
	assert_int_equal(bed->remote.n_fetches, 0);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), -ESTALE);
	assert_int_equal(roots_accept(bed->stage->roots, 0), 0);
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	hydrate_close(handle);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, bed_set_up, bed_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_deadline),
		TEST(test_cancel),
		TEST(test_close_during_a_fetch),
		TEST(test_stop_with_waiting_reads),
		TEST(test_forget),
		TEST(test_invalidate),
		TEST(test_record_of_another_size),
		TEST(test_busy_is_waited_for),
		TEST(test_busy_until_the_deadline),
		TEST(test_torn_thrice),
		TEST(test_site_fault),
		TEST(test_lost_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
