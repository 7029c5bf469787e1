/* sync/hydrate: sizes learnt by listing a folder. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/base/clock.h"
#include "tests/unit/hydrate_bed.h"

struct learner {
	struct hydrate_learn learn;
	struct bed *bed;
	bool is_done;
	int result;
	int n_listed; /* when it was done */
};

static void done(struct hydrate_learn *learn, int result)
{
	struct learner *learner = container_of(learn, struct learner, learn);

	mutex_lock(&learner->bed->lock);
	assert_false(learner->is_done);
	learner->is_done = true;
	learner->result = result;
	learner->n_listed = learner->bed->n_listed;
	cond_broadcast(&learner->bed->changed);
	mutex_unlock(&learner->bed->lock);
}

static void begin(struct bed *bed, struct learner *learner, const char *rel)
{
	*learner = (struct learner){ .learn.done = done, .bed = bed };
	hydrate_learn(bed->hydrator, 0, rel, &learner->learn);
}

static int end(struct learner *learner)
{
	mutex_lock(&learner->bed->lock);
	while (!learner->is_done)
		cond_wait(&learner->bed->changed, &learner->bed->lock);
	mutex_unlock(&learner->bed->lock);
	return learner->result;
}

static void hold(struct bed *bed, bool is_held)
{
	mutex_lock(&bed->remote.lock);
	bed->remote.is_stat_held = is_held;
	cond_broadcast(&bed->remote.changed);
	mutex_unlock(&bed->remote.lock);
}

static void wait_listed(struct bed *bed, int n)
{
	mutex_lock(&bed->lock);
	while (bed->n_listed < n)
		cond_wait(&bed->changed, &bed->lock);
	mutex_unlock(&bed->lock);
}

static void test_one_listing_for_all_who_wait(void **state)
{
	struct bed *bed = *state;
	struct learner learners[5];

	bed_publish(bed, "a/1", 10);
	bed_publish(bed, "a/2", 20);
	hold(bed, true);
	for (size_t i = 0; i < ARRAY_SIZE(learners); i++)
		begin(bed, &learners[i], i % 2 ? "a/1" : "a/2");
	bed_wait_held(bed, 1);
	hold(bed, false);
	for (size_t i = 0; i < ARRAY_SIZE(learners); i++) {
		assert_int_equal(end(&learners[i]), 0);
		assert_int_equal(learners[i].n_listed, 1); /* LISTED came before */
	}
	assert_int_equal(bed->remote.n_lists, 1);
	assert_int_equal(bed->n_objects, 2);
}

static void test_deadline(void **state)
{
	struct bed *bed = *state;
	struct learner learner;

	bed->stage->config.read_deadline_ms = 20;
	hold(bed, true);
	begin(bed, &learner, "a/1");
	assert_int_equal(end(&learner), -ETIMEDOUT);
	hold(bed, false);
	wait_listed(bed, 1); /* it went on, for the next */
}

static void test_cancel(void **state)
{
	struct bed *bed = *state;
	struct learner learners[2];

	hold(bed, true);
	begin(bed, &learners[0], "a/1");
	begin(bed, &learners[1], "a/1");
	hydrate_learn_cancel(&learners[0].learn);
	assert_int_equal(end(&learners[0]), -EINTR);
	hold(bed, false);
	assert_int_equal(end(&learners[1]), 0);
}

static void test_failures(void **state)
{
	struct bed *bed = *state;
	struct learner learner;

	bed_fail(bed, PROVIDER_GONE, 1);
	begin(bed, &learner, "a/1");
	assert_int_equal(end(&learner), -EIO);
	assert_int_equal(bed->n_listed, 1);
	assert_int_equal(bed->list_error, PROVIDER_GONE);

	bed_fail(bed, PROVIDER_BUSY, 3);
	begin(bed, &learner, "a/1");
	assert_int_equal(end(&learner), 0);
	assert_int_equal(bed->n_listed, 2);

	bed_fail(bed, PROVIDER_UNREACHABLE, 1);
	begin(bed, &learner, "a/1");
	assert_int_equal(end(&learner), -EIO);
	assert_int_equal(bed_wait_fault(bed, 1), PROVIDER_UNREACHABLE);
	begin(bed, &learner, "a/1");
	assert_int_equal(end(&learner), -EIO);
	hydrator_set_fault(bed->hydrator, NULL);
	begin(bed, &learner, "a/1");
	assert_int_equal(end(&learner), 0);
	assert_int_equal(bed->n_listed, 3);
}

static int count_lists(struct bed *bed)
{
	int n;

	mutex_lock(&bed->remote.lock);
	n = (int)bed->remote.n_lists;
	mutex_unlock(&bed->remote.lock);
	return n;
}

static void test_later(void **state)
{
	struct bed *bed = *state;
	struct learner learner;
	int n;

	hold(bed, true);
	for (int i = 0; i < 3; i++)
		assert_true(hydrate_learn_later(bed->hydrator, 0, "a"));
	hydrate_learn_later(bed->hydrator, 0, "b");
	hydrate_learn_later(bed->hydrator, 0, "c");
	hydrate_learn_later(bed->hydrator, 0, "d");
	bed_wait_held(bed, 2); /* two at a time for nobody */
	begin(bed, &learner, "e/1");
	bed_wait_held(bed, 3); /* a person does not stand in line behind them */
	hold(bed, false);
	assert_int_equal(end(&learner), 0);
	wait_listed(bed, 5);
	/* whoever waits is answered when the listing is over: then it is the last one, or a sixth */
	begin(bed, &learner, "a/1");
	assert_int_equal(end(&learner), 0);
	n = count_lists(bed);
	/* looking again asks nobody again, for a while */
	assert_false(hydrate_learn_later(bed->hydrator, 0, "a"));
	clock_advance(60001);
	assert_true(hydrate_learn_later(bed->hydrator, 0, "a"));
	wait_listed(bed, n + 1);
	assert_int_equal(count_lists(bed), n + 1);
	clock_advance(-60001);
}

static void test_stop(void **state)
{
	struct bed *bed = *state;
	struct learner learner;

	hold(bed, true);
	begin(bed, &learner, "a/1");
	hydrate_learn_later(bed->hydrator, 0, "b");
	hydrate_learn_later(bed->hydrator, 0, "c");
	hydrate_learn_later(bed->hydrator, 0, "d");
	bed_wait_held(bed, 1);
	hydrator_stop(bed->hydrator);
	assert_int_equal(end(&learner), -EIO);
	begin(bed, &learner, "a/1");
	assert_int_equal(end(&learner), -EIO);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, bed_set_up, bed_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_listing_for_all_who_wait),
		TEST(test_deadline),
		TEST(test_cancel),
		TEST(test_failures),
		TEST(test_later),
		TEST(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
