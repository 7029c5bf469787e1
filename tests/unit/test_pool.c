/* sync/pool: the order of jobs, moving and removing them, the end of a pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/base/lock.h"
#include "sync/pool.h"

#define N 1000

struct task {
	struct job job;
	int number;
};

/* One pool thread is held in a gate job, so that a test queues before anything runs. */
static struct {
	struct mutex lock;
	struct cond changed;
	bool is_open, is_waiting;
	int ran[N], n_ran, n_dropped;
} world;

static void record(struct job *job)
{
	struct task *task = container_of(job, struct task, job);

	mutex_lock(&world.lock);
	world.ran[world.n_ran++] = task->number;
	cond_broadcast(&world.changed);
	mutex_unlock(&world.lock);
}

static void drop(struct job *job)
{
	mutex_lock(&world.lock);
	world.n_dropped++;
	mutex_unlock(&world.lock);
}

static void wait_at_gate(struct job *job)
{
	mutex_lock(&world.lock);
	world.is_waiting = true;
	cond_broadcast(&world.changed);
	while (!world.is_open)
		cond_wait(&world.changed, &world.lock);
	mutex_unlock(&world.lock);
}

static void shut_gate(struct pool *pool, struct job *gate)
{
	*gate = (struct job){ .run = wait_at_gate };
	pool_submit(pool, gate, POOL_READ, 1000);
	mutex_lock(&world.lock);
	while (!world.is_waiting)
		cond_wait(&world.changed, &world.lock);
	mutex_unlock(&world.lock);
}

static void open_gate(void)
{
	mutex_lock(&world.lock);
	world.is_open = true;
	cond_broadcast(&world.changed);
	mutex_unlock(&world.lock);
}

static void wait_ran(int n)
{
	mutex_lock(&world.lock);
	while (world.n_ran < n)
		cond_wait(&world.changed, &world.lock);
	mutex_unlock(&world.lock);
}

static int set_up(void **state)
{
	world.is_open = world.is_waiting = false;
	world.n_ran = world.n_dropped = 0;
	mutex_init(&world.lock);
	cond_init(&world.changed);
	return 0;
}

static int tear_down(void **state)
{
	mutex_done(&world.lock);
	cond_done(&world.changed);
	return 0;
}

static void test_order_is_rank_priority_age(void **state)
{
	static const struct {
		enum pool_rank rank;
		int priority;
		int place;
	} rows[] = {
		{ POOL_UPLOAD, 1000, 6 },  { POOL_DOWNLOAD, 50, 4 },
		{ POOL_DOWNLOAD, 50, 5 },  { POOL_READ, 50, 0 },
		{ POOL_DOWNLOAD, 900, 3 }, { POOL_PREFETCH, 1, 1 },
		{ POOL_CHECK, 50, 2 },
	};
	_cleanup_(pool_freep) struct pool *pool = NULL;
	struct task tasks[ARRAY_SIZE(rows)] = { 0 };
	struct job gate;

	assert_int_equal(pool_new("test", 1, &pool), 0);
	shut_gate(pool, &gate);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		tasks[i].job.run = record;
		tasks[i].number = rows[i].place;
		pool_submit(pool, &tasks[i].job, rows[i].rank, rows[i].priority);
	}
	assert_int_equal(pool_queued(pool, POOL_DOWNLOAD), 3);
	open_gate();
	wait_ran(ARRAY_SIZE(rows));
	for (int i = 0; i < (int)ARRAY_SIZE(rows); i++)
		assert_int_equal(world.ran[i], i);
	assert_int_equal(pool_queued(pool, POOL_DOWNLOAD), 0);
}

/* Many jobs queued in a scattered order, every third moved, every seventh removed. */
static void test_order_of_many(void **state)
{
	static struct task tasks[N];
	_cleanup_(pool_freep) struct pool *pool = NULL;
	struct job gate;
	int n = 0, last = INT32_MAX;

	assert_int_equal(pool_new("test", 1, &pool), 0);
	shut_gate(pool, &gate);
	for (int i = 0; i < N; i++) {
		int number = i * 619 % N;

		tasks[i] = (struct task){ .job.run = record, .number = number };
		pool_submit(pool, &tasks[i].job, POOL_DOWNLOAD, number);
	}
	for (int i = 0; i < N; i += 3) {
		tasks[i].number = i * 7 % N;
		assert_true(
			pool_move(pool, &tasks[i].job, POOL_DOWNLOAD, tasks[i].number));
	}
	for (int i = 0; i < N; i++) {
		if (i % 7 == 0)
			assert_true(pool_remove(pool, &tasks[i].job));
		else
			n++;
	}
	assert_false(pool_remove(pool, &tasks[0].job));
	assert_false(pool_move(pool, &tasks[0].job, POOL_READ, 1));
	assert_int_equal(pool_queued(pool, POOL_DOWNLOAD), n);
	open_gate();
	wait_ran(n);
	for (int i = 0; i < n; i++) {
		assert_true(world.ran[i] <= last);
		last = world.ran[i];
	}
}

static void test_submit_again_raises(void **state)
{
	_cleanup_(pool_freep) struct pool *pool = NULL;
	struct task tasks[2] = { { .number = 0 }, { .number = 1 } };
	struct job gate;

	assert_int_equal(pool_new("test", 1, &pool), 0);
	shut_gate(pool, &gate);
	for (int i = 0; i < 2; i++) {
		tasks[i].job.run = record;
		pool_submit(pool, &tasks[i].job, POOL_DOWNLOAD, 50);
	}
	pool_submit(pool, &tasks[1].job, POOL_READ, 50);
	assert_int_equal(pool_queued(pool, POOL_DOWNLOAD), 1);
	assert_int_equal(pool_queued(pool, POOL_READ), 1);
	open_gate();
	wait_ran(2);
	assert_int_equal(world.ran[0], 1);
	assert_int_equal(world.ran[1], 0);
}

static void test_stop_drops_what_is_queued(void **state)
{
	_cleanup_(pool_freep) struct pool *pool = NULL;
	struct task tasks[8] = { 0 };
	struct job gate;

	assert_int_equal(pool_new("a name longer than the kernel's", 1, &pool), 0);
	shut_gate(pool, &gate);
	for (int i = 0; i < 7; i++) {
		tasks[i].job.run = record;
		pool_submit(pool, &tasks[i].job, POOL_UPLOAD, 50);
	}
	for (int i = 0; i < 7; i += 2)
		assert_true(pool_remove(pool, &tasks[i].job));
	open_gate();
	wait_ran(3);
	pool_stop(pool, drop);
	assert_int_equal(world.n_dropped, 0);
	tasks[7].job.run = record;
	pool_submit(pool, &tasks[7].job, POOL_READ, 50);
	assert_int_equal(world.n_dropped, 1);
	assert_int_equal(world.n_ran, 3);
}

/* A job that submits itself until it is told to end; the pool's end must not lose or repeat it. */
static void resubmit(struct job *job);

static struct pool *shared;

static void resubmit(struct job *job)
{
	mutex_lock(&world.lock);
	world.n_ran++;
	cond_broadcast(&world.changed);
	mutex_unlock(&world.lock);
	pool_submit(shared, job, POOL_DOWNLOAD, 50);
}

static void test_stop_while_jobs_resubmit(void **state)
{
	struct task tasks[16] = { 0 };

	assert_int_equal(pool_new("test", 4, &shared), 0);
	for (size_t i = 0; i < ARRAY_SIZE(tasks); i++) {
		tasks[i].job.run = resubmit;
		pool_submit(shared, &tasks[i].job, POOL_DOWNLOAD, 50);
	}
	wait_ran(500);
	pool_stop(shared, drop);
	assert_int_equal(world.n_dropped, ARRAY_SIZE(tasks));
	pool_free(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order_is_rank_priority_age, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_order_of_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_submit_again_raises, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_stop_drops_what_is_queued, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_stop_while_jobs_resubmit, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
