/* sync/hydrate: reads, completion, and what may come between. The remote is in memory (tests/unit/hydrate_bed.h). */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/place.h"
#include "tests/unit/hydrate_bed.h"

#define BIG (5 * BED_MIB + 12345)
#define REL "shot/v001/a.exr"

/* Each byte was fetched once, and all of them. */
static void assert_fetched_once(struct bed *bed, int64_t size)
{
	_cleanup_(freep) char *seen = calloc(1, (size_t)size);

	for (size_t i = 0; i < bed->remote.n_fetches; i++)
		for (int64_t k = 0; k < bed->remote.fetches[i].length; k++)
			if (seen[bed->remote.fetches[i].offset + k]++)
				fail_msg("byte %lld was fetched twice",
					 (long long)(bed->remote.fetches[i].offset + k));
	assert_null(memchr(seen, 0, (size_t)size));
}

static struct hydrate_state state_of(struct bed *bed, const char *rel)
{
	struct hydrate_state state = { 0 };

	assert_in_range(hydrate_get_state(bed->hydrator, 0, rel, &state), 0,
			JOURNAL_NONE);
	return state;
}

/* ---- people read ---- */

static void test_wanted_range_first(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	assert_int_equal(bed->remote.n_fetches, 0);
	assert_int_equal(bed->remote.n_stats, 0); /* an open asks nobody */
	assert_int_equal(bed_read(bed, handle, 3 * BED_MIB + 1000, 5000), 5000);
	assert_int_equal(bed->remote.n_fetches, 1);
	assert_int_equal(bed->remote.fetches[0].offset, 3 * BED_MIB);
	assert_int_equal(bed->remote.fetches[0].length, 256 * BED_KIB);
	assert_int_equal(bed_read(bed, handle, 3 * BED_MIB, 256 * BED_KIB),
			 256 * BED_KIB);
	assert_int_equal(bed->remote.n_fetches, 1);
	assert_int_equal(bed->remote.n_stats, 1);
	/* what is missing of a range that reaches out, at the end of the file */
	assert_int_equal(bed_read(bed, handle, BIG - 100, 4096), 100);
	assert_int_equal(bed_read(bed, handle, BIG, 4096), 0);
	assert_int_equal(bed_read(bed, handle, BIG + 100, 4096), 0);
	hydrate_close(handle);
	assert_int_equal(bed->n_completed, 0);
	assert_false(stage_exists(bed->stage, "shot"));
}

/* Whoever reads the whole of it in order has it, fetched once, in place. */
static void test_read_in_order_completes(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;
	struct stat st;
	struct stamp stamp = { 0 };

	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	for (int64_t at = 0; at < BIG; at += 128 * BED_KIB)
		assert_true(bed_read(bed, handle, at, 128 * BED_KIB) > 0);
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	assert_fetched_once(bed, BIG);
	bed_assert_placed(bed, REL, BIG, 1);
	assert_false(bed->is_new_truth);
	assert_string_equal(bed->document_id, "doc:" REL);
	/* read-ahead and the rest come in larger pieces than what was asked for */
	assert_true(bed->remote.n_fetches < 15);

	assert_int_equal(journal_stamp_get(bed->stage->journal, 0, REL, &stamp), 0);
	{
		_cleanup_(freep) char *path = strf("%s/" REL, bed->stage->root);

		assert_int_equal(stat(path, &st), 0);
	}
	assert_int_equal(stamp.kind, STAMP_COPY);
	assert_int_equal(stamp_compare(&stamp, &st), STAMP_SAME);
	assert_string_equal(stamp.files[0], "demo/repre/f");
	assert_string_equal(stamp.revision, "r1");
	stamp_done(&stamp);
	assert_int_equal(st.st_mtim.tv_sec, 1500000000);
	assert_int_equal(st.st_mode & 07777, 0644);
	/* the handle reads on, also what was never asked through it */
	assert_int_equal(bed_read(bed, handle, 1000, 1 * BED_MIB), 1 * BED_MIB);
	hydrate_close(handle);
	assert_int_equal(stage_count(bed->stage, ".sitefs/staged"), 0);
}

/* users.md 4.1: head and tail are probes, three jumps into the body are a reader. */
static void test_probes_and_readers(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;
	struct hydrate_totals totals;
	int n_on = 0;

	bed_publish(bed, REL, 20 * BED_MIB);
	handle = bed_open(bed, REL);
	for (int i = 0; i < 10; i++) {
		bed_read(bed, handle, 0, 64 * BED_KIB);
		bed_read(bed, handle, 20 * BED_MIB - 64 * BED_KIB, 64 * BED_KIB);
	}
	hydrate_get_totals(bed->hydrator, &totals);
	assert_int_equal(totals.files, 0);
	assert_int_equal(bed->remote.n_fetches, 2);
	for (int i = 1; i <= 2; i++)
		bed_read(bed, handle, 4 * i * BED_MIB, 1000);
	hydrate_get_totals(bed->hydrator, &totals);
	assert_int_equal(totals.files, 0);
	bed_read(bed, handle, 14 * BED_MIB, 1000);
	hydrate_close(handle); /* it goes on */
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	assert_fetched_once(bed, 20 * BED_MIB);
	/* on from where it was read last, two requests to the end, whichever thread came first */
	for (int i = 4; i <= 6; i++)
		n_on += bed->remote.fetches[i].offset >= 14 * BED_MIB;
	assert_true(n_on >= 2);
}

/* A reader that waits is served before the background goes on. */
static void test_reads_overtake_the_background(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;
	struct bed_read read;

	bed_publish(bed, REL, 20 * BED_MIB);
	bed_hold(bed, true);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	bed_wait_held(bed, 3);
	handle = bed_open(bed, REL);
	bed_begin_read(bed, handle, &read, 15 * BED_MIB, 1000);
	bed_wait_held(bed, 4);
	assert_int_equal(bed->remote.fetches[3].offset, 15 * BED_MIB);
	bed_hold(bed, false);
	assert_int_equal(bed_end_read(&read), 1000);
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	assert_fetched_once(bed, 20 * BED_MIB);
	hydrate_close(handle);
}

/* Also where a long request of the background would come by later: that one ends there, and another goes on behind. */
static void test_reads_overtake_a_long_request(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;
	struct bed_read read;

	bed_publish(bed, REL, 20 * BED_MIB);
	bed_hold(bed, true);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	bed_wait_held(bed, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(bed->remote.fetches[i].length, 5 * BED_MIB);
	handle = bed_open(bed, REL);
	bed_begin_read(bed, handle, &read, 2 * BED_MIB + 512 * BED_KIB, 1000);
	bed_wait_held(bed, 4);
	assert_int_equal(bed->remote.fetches[3].offset, 2 * BED_MIB + 512 * BED_KIB);
	bed_hold(bed, false);
	assert_int_equal(bed_end_read(&read), 1000);
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	assert_int_equal(bed_read(bed, handle, 0, 20 * BED_MIB), 20 * BED_MIB);
	hydrate_close(handle);
}

static void test_opens_ask_once(void **state)
{
	struct bed *bed = *state;

	bed_publish(bed, REL, BIG);
	for (int i = 0; i < 6; i++) {
		struct hydration *handle = bed_open(bed, REL);

		assert_int_equal(bed_read(bed, handle, 0, 16 * BED_KIB), 16 * BED_KIB);
		hydrate_close(handle);
	}
	assert_int_equal(bed->remote.n_stats, 1);
	assert_int_equal(bed->remote.n_fetches, 1);
	assert_int_equal(state_of(bed, REL).present, 256 * BED_KIB);
}

struct reader {
	struct bed *bed;
	int64_t size;
	unsigned seed;
};

static void *read_about(void *context)
{
	const struct reader *reader = context;
	struct hydration *handle = bed_open(reader->bed, REL);
	uint32_t seed = reader->seed * 2654435761u;

	for (int i = 0; i < 100; i++) {
		int64_t offset, length;

		seed = seed * 1664525 + 1013904223;
		offset = (int64_t)(seed >> 3) % reader->size;
		length = (int64_t)(seed >> 12) % (128 * BED_KIB) + 1;
		if (length > reader->size - offset)
			length = reader->size - offset;
		assert_int_equal(bed_read(reader->bed, handle, offset, length), length);
	}
	hydrate_close(handle);
	return NULL;
}

static void test_sixteen_readers(void **state)
{
	struct bed *bed = *state;
	struct reader readers[16];
	pthread_t threads[16];

	bed_publish(bed, REL, BIG);
	for (unsigned i = 0; i < 16; i++) {
		readers[i] = (struct reader){ bed, BIG, i + 1 };
		assert_int_equal(
			pthread_create(&threads[i], NULL, read_about, &readers[i]), 0);
	}
	for (int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	assert_fetched_once(bed, BIG);
	bed_assert_placed(bed, REL, BIG, 1);
}

/* ---- small files are verified first ---- */

static void test_small_file(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, 100000);
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 50000, 100), 100);
	assert_int_equal(bed->remote.n_fetches, 1);
	assert_int_equal(bed->remote.fetches[0].length, 100000);
	hydrate_close(handle);
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	bed_assert_placed(bed, REL, 100000, 1);
}

static void test_small_file_with_wrong_bytes(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, 100000);
	bed->remote.flip_at = 99999;
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 100), -EIO);
	assert_int_equal(bed_wait_completed(bed, 1), PROVIDER_TORN);
	assert_false(stage_exists(bed->stage, "shot"));
	assert_int_equal(stage_count(bed->stage, ".sitefs/staged"), 0);
	assert_int_equal(bed_read(bed, handle, 0, 100), -EIO);
	hydrate_close(handle);

	/* the next open begins anew */
	bed->remote.flip_at = -1;
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 100), 100);
	hydrate_close(handle);
	assert_int_equal(bed_wait_completed(bed, 2), 0);
}

static void test_empty_file(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, 0);
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 4096), 0);
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	bed_assert_placed(bed, REL, 0, 1);
	hydrate_close(handle);
}

/* ---- the name ---- */

/* Looks for the file without a pause, and for its stamp as soon as it is there. */
static void *watch_name(void *context)
{
	struct bed *bed = context;
	static struct stamp stamp;
	struct stat st;

	while (beneath_stat(roots_fd(bed->stage->roots, 0), REL, &st) != 0)
		;
	stamp = (struct stamp){ 0 };
	if (journal_stamp_get(bed->stage->journal, 0, REL, &stamp) != 0)
		return NULL;
	return &stamp;
}

static void test_stamped_when_it_has_its_name(void **state)
{
	struct bed *bed = *state;
	struct stamp *stamp;
	pthread_t watcher;
	void *result;

	bed_publish(bed, REL, BIG);
	assert_int_equal(pthread_create(&watcher, NULL, watch_name, bed), 0);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), 0);
	pthread_join(watcher, &result);
	assert_non_null(result);
	stamp = result;
	assert_int_equal(stamp->kind, STAMP_COPY);
	stamp_done(stamp);
}

static void test_name_taken_meanwhile(void **state)
{
	struct bed *bed = *state;
	struct hydration *handle;

	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	stage_mkdir(bed->stage, "shot", 0755);
	stage_mkdir(bed->stage, "shot/v001", 0755);
	stage_write(bed->stage, REL, "published here");
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), -EEXIST);
	{
		_cleanup_(freep) char *text = stage_read(bed->stage, REL, NULL);

		assert_string_equal(text, "published here");
	}
	/* the handle keeps what it was opened on */
	assert_int_equal(bed_read(bed, handle, 4 * BED_MIB, 1000), 1000);
	hydrate_close(handle);
	assert_int_equal(stage_count(bed->stage, ".sitefs/staged"), 0);
}

/* The file's id changes while its bytes come. */
static void change_meanwhile(struct bed *bed, const char *further_id)
{
	struct bed_file *file = bed_publish(bed, REL, BIG);

	file->further_id = further_id;
	bed_hold(bed, true);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	bed_wait_held(bed, 1);
	mutex_lock(&bed->remote.lock);
	file->file_id = "g";
	mutex_unlock(&bed->remote.lock);
	bed_hold(bed, false);
	assert_int_equal(bed_wait_completed(bed, 1), -ECANCELED);
	assert_false(stage_exists(bed->stage, REL));
}

static void test_record_changed_meanwhile(void **state)
{
	change_meanwhile(*state, NULL);
}

/* A further representation goes on to name the path: the bytes are those of a publish before all the same. */
static void test_published_anew_meanwhile(void **state)
{
	change_meanwhile(*state, "h");
}

/* The bytes are verified as those of the publish before; then the newer one is there. */
static void come_meanwhile(struct bed *bed, bool has_truth)
{
	struct bed_file *file = bed_publish(bed, REL, BIG);

	file->further_id = "h";
	bed_hold(bed, true);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	bed_wait_held(bed, 1);
	mutex_lock(&bed->remote.lock);
	file->is_there = has_truth;
	file->has_truth = has_truth;
	mutex_unlock(&bed->remote.lock);
	bed_hold(bed, false);
	assert_int_equal(bed_wait_completed(bed, 1), -ECANCELED);
	assert_false(stage_exists(bed->stage, REL));
}

static void test_newer_publish_came_meanwhile(void **state)
{
	come_meanwhile(*state, true);
}

static void test_truth_was_of_the_publish_before(void **state)
{
	come_meanwhile(*state, false);
}

/* The truth record is of the publish before, as long as the newer one is not at the remote: served, and not kept. */
static void test_newer_publish_is_on_its_way(void **state)
{
	struct bed *bed = *state;
	struct bed_file *file = bed_publish(bed, REL, BIG);
	struct hydration *handle;

	file->further_id = "h";
	file->file_id = "g";
	file->truth_file_id = "f";
	handle = bed_open(bed, REL);
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), -ECANCELED);
	assert_false(stage_exists(bed->stage, REL));
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	hydrate_close(handle);
}

/* What was fetched of the publish before is not shown for the newer one of the same size. */
static void test_opened_after_a_newer_publish(void **state)
{
	struct bed *bed = *state;
	struct bed_file *file = bed_publish(bed, REL, BIG);
	struct hydration *old = bed_open(bed, REL), *handle;
	struct bed_read read;

	assert_int_equal(bed_read(bed, old, 0, 1000), 1000);
	mutex_lock(&bed->remote.lock);
	file->file_id = "g";
	file->revision = file->truth_revision = "r2";
	file->seed = file->truth_seed = 2;
	mutex_unlock(&bed->remote.lock);
	handle = bed_open(bed, REL);
	bed_hold(bed, true);
	bed_begin_read(bed, handle, &read, 0, 1000);
	read.seed = 2;
	bed_hold(bed, false);
	assert_int_equal(bed_end_read(&read), 1000);
	assert_int_equal(bed_read(bed, old, 0, 1000), -EIO);
	hydrate_close(old);
	hydrate_close(handle);
}

static void test_hidden_meanwhile(void **state)
{
	struct bed *bed = *state;
	uint64_t hash = 'f';
	const struct whiteout whiteout = {
		.kind = WHITEOUT_NAME,
		.rel = (char[]){ REL },
		.created_ms = 1,
		.hashes = &hash,
		.n_hashes = 1,
	};
	struct hydration *handle;

	bed_publish(bed, REL, BIG);
	handle = bed_open(bed, REL);
	assert_int_equal(journal_whiteout_put(bed->stage->journal, &whiteout), 0);
	assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50), 0);
	assert_int_equal(bed_wait_completed(bed, 1), -ECANCELED);
	assert_false(stage_exists(bed->stage, "shot"));
	assert_int_equal(bed_read(bed, handle, 0, 1000), 1000);
	hydrate_close(handle);
}

/* ---- opens that cannot be ---- */

static void test_opens_that_cannot_be(void **state)
{
	static const struct {
		int64_t size;
		enum index_object_state state;
		bool is_unknown;
		int result;
	} rows[] = {
		{ 100, OBJECT_MISSING, false, -EIO },
		{ 100, OBJECT_DIFFERENT, false, -EIO },
		{ -1, OBJECT_UNKNOWN, false, -ENODATA },
		{ 100, OBJECT_PRESENT, true, -ENOENT },
	};
	struct bed *bed = *state;
	struct bed_file *file = bed_publish(bed, REL, 0);
	struct hydration *handle;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		file->size = rows[i].size;
		file->has_truth = rows[i].size >= 0;
		file->state = rows[i].state;
		file->is_hidden_from_index = rows[i].is_unknown;
		assert_int_equal(hydrate_open(bed->hydrator, 0, REL, &handle),
				 rows[i].result);
		assert_int_equal(hydrate_fetch(bed->hydrator, 0, REL, POOL_DOWNLOAD, 50),
				 rows[i].result);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, bed_set_up, bed_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wanted_range_first),
		TEST(test_read_in_order_completes),
		TEST(test_probes_and_readers),
		TEST(test_reads_overtake_the_background),
		TEST(test_reads_overtake_a_long_request),
		TEST(test_opens_ask_once),
		TEST(test_sixteen_readers),
		TEST(test_small_file),
		TEST(test_small_file_with_wrong_bytes),
		TEST(test_empty_file),
		TEST(test_stamped_when_it_has_its_name),
		TEST(test_name_taken_meanwhile),
		TEST(test_record_changed_meanwhile),
		TEST(test_published_anew_meanwhile),
		TEST(test_newer_publish_came_meanwhile),
		TEST(test_truth_was_of_the_publish_before),
		TEST(test_newer_publish_is_on_its_way),
		TEST(test_opened_after_a_newer_publish),
		TEST(test_hidden_meanwhile),
		TEST(test_opens_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
