/* sync/claims: one holder per name, others wait, other names do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>

#include <cmocka.h>

#include "sync/base/lock.h"
#include "sync/claims.h"

#define THREADS 8
#define ROUNDS 500

static struct claims *claims;
static int inside[2]; /* plain on purpose: TSan tells if two are ever inside */

static void *take_and_leave(void *context)
{
	int which = *(const int *)context;
	const char *name = which ? "a/b" : "a/c";

	for (int i = 0; i < ROUNDS; i++) {
		claims_take(claims, 0, name);
		inside[which]++;
		claims_release(claims, 0, name);
	}
	return NULL;
}

static void test_one_holder(void **state)
{
	static int which[2] = { 0, 1 };
	pthread_t threads[THREADS];

	assert_int_equal(claims_new(&claims), 0);
	inside[0] = inside[1] = 0;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, take_and_leave, &which[i % 2]),
			0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(inside[0], THREADS / 2 * ROUNDS);
	assert_int_equal(inside[1], THREADS / 2 * ROUNDS);
	claims_free(claims);
}

static struct {
	struct mutex lock;
	struct cond changed;
	bool has_claim;
} other;

static void *take_one(void *context)
{
	claims_take(claims, 0, "name");
	mutex_lock(&other.lock);
	other.has_claim = true;
	cond_broadcast(&other.changed);
	mutex_unlock(&other.lock);
	claims_release(claims, 0, "name");
	return NULL;
}

static void test_names_are_apart(void **state)
{
	pthread_t thread;

	mutex_init(&other.lock);
	cond_init(&other.changed);
	assert_int_equal(claims_new(&claims), 0);
	claims_take(claims, 0, "name");
	claims_take(claims, 1, "name");
	claims_take(claims, 0, "name2");
	assert_int_equal(pthread_create(&thread, NULL, take_one, NULL), 0);
	claims_release(claims, 1, "name");
	claims_release(claims, 0, "name2");
	mutex_lock(&other.lock);
	assert_false(other.has_claim);
	mutex_unlock(&other.lock);
	claims_release(claims, 0, "name");
	pthread_join(thread, NULL);
	assert_true(other.has_claim);
	claims_free(claims);
	cond_done(&other.changed);
	mutex_done(&other.lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_holder),
		cmocka_unit_test(test_names_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
