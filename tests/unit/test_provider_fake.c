/* tests/fake/provider_fake: its script does what it says; the calls themselves are the contract suite's to test. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fake/provider_fake.h"

#define SIZE 200000

struct stage {
	struct remote_fake *remote;
	struct provider *provider;
	char data[SIZE];
};

static int set_up(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	assert_non_null(stage);
	stage->remote = remote_fake_new();
	stage->provider = provider_fake_new(stage->remote);
	memset(stage->data, 'x', SIZE);
	remote_fake_put(stage->remote, "a/b", stage->data, SIZE);
	*state = stage;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *stage = *state;

	provider_free(stage->provider);
	remote_fake_free(stage->remote);
	free(stage);
	return 0;
}

static int stat_once(struct stage *stage)
{
	struct provider_ref ref = { .root = "work", .path = "a/b" };
	struct provider_call call = { 0 };
	struct provider_object object = { 0 };
	int r = stage->provider->ops->stat(stage->provider, &ref, &call, &object);

	provider_object_done(&object);
	return r;
}

static void test_fails_the_nth(void **state)
{
	struct stage *stage = *state;

	remote_fake_fail(stage->remote, FAKE_STAT, 2, PROVIDER_BUSY);
	remote_fake_fail(stage->remote, FAKE_N_OPS, 4, -EIO);
	remote_fake_fail(stage->remote, FAKE_FETCH, 1, PROVIDER_FULL);
	assert_int_equal(stat_once(stage), 0);
	assert_int_equal(stat_once(stage), PROVIDER_BUSY);
	assert_int_equal(stat_once(stage), 0);
	assert_int_equal(stat_once(stage), -EIO);
	assert_int_equal(stat_once(stage), 0);
	assert_int_equal(remote_fake_calls(stage->remote, FAKE_STAT), 5);
	assert_int_equal(remote_fake_calls(stage->remote, FAKE_N_OPS), 5);
	remote_fake_forget_counts(stage->remote);
	assert_int_equal(remote_fake_calls(stage->remote, FAKE_N_OPS), 0);
}

static ssize_t give(void *context, void *data, size_t len, uint64_t offset)
{
	struct stage *stage = context;
	size_t left = offset < SIZE ? SIZE - (size_t)offset : 0;

	len = len < left ? len : left;
	memcpy(data, stage->data + offset, len);
	return (ssize_t)len;
}

/* The object is there although the answer says otherwise; once more says so. */
static void test_loses_an_answer(void **state)
{
	struct stage *stage = *state;
	struct provider_put put = { .ref = { .root = "", .path = "new" },
				    .source = give,
				    .source_context = stage,
				    .size = SIZE };
	struct provider_call call = { 0 };
	struct provider_object object = { 0 };
	_cleanup_(freep) char *data = NULL;
	size_t len;

	remote_fake_lose(stage->remote, FAKE_STORE, 1, PROVIDER_UNREACHABLE);
	assert_int_equal(
		stage->provider->ops->store(stage->provider, &put, &call, &object),
		PROVIDER_UNREACHABLE);
	data = remote_fake_read(stage->remote, "new", &len);
	assert_non_null(data);
	assert_int_equal(len, SIZE);
	assert_int_equal(
		stage->provider->ops->store(stage->provider, &put, &call, &object), 0);
	provider_object_done(&object);
	assert_int_equal(remote_fake_count(stage->remote), 3);
}

struct fetch {
	struct stage *stage;
	struct provider_call call;
	pthread_t thread;
	uint64_t n;
	bool is_torn;
	int r;
};

static int take(void *context, const void *data, size_t len, uint64_t offset)
{
	struct fetch *fetch = context;

	fetch->is_torn |= memcmp(data, fetch->stage->data + offset, len) != 0;
	fetch->n += len;
	return 0;
}

static void *fetch_all(void *context)
{
	struct fetch *fetch = context;
	struct provider *provider = fetch->stage->provider;
	struct provider_ref ref = { .root = "", .path = "a/b" };

	fetch->r = provider->ops->fetch(provider, &ref, NULL, 0, SIZE, take, fetch,
					&fetch->call);
	return NULL;
}

static void test_tears_a_fetch(void **state)
{
	struct fetch fetch = { .stage = *state }, again = fetch;

	remote_fake_tear(fetch.stage->remote, FAKE_FETCH, 1);
	fetch_all(&fetch);
	assert_int_equal(fetch.r, 0);
	assert_true(fetch.is_torn);
	assert_int_equal(remote_fake_bytes(fetch.stage->remote, FAKE_FETCH), SIZE);
	fetch_all(&again);
	assert_false(again.is_torn);
}

static void test_holds_and_releases(void **state)
{
	struct stage *stage = *state;
	struct fetch fetches[2] = { { .stage = stage }, { .stage = stage } };

	remote_fake_hold(stage->remote, FAKE_FETCH, 100000);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&fetches[i].thread, NULL, fetch_all, &fetches[i]),
			0);
	assert_true(remote_fake_wait_held(stage->remote, FAKE_FETCH, 2));
	assert_int_equal(remote_fake_most_at_once(stage->remote, FAKE_FETCH), 2);
	assert_true(remote_fake_bytes(stage->remote, FAKE_FETCH) >= 200000);
	assert_true(remote_fake_bytes(stage->remote, FAKE_FETCH) < 2 * SIZE);
	/* one is cancelled while it waits, the other goes on */
	__atomic_store_n(&fetches[0].call.cancel, true, __ATOMIC_RELAXED);
	pthread_join(fetches[0].thread, NULL);
	assert_int_equal(fetches[0].r, -ECANCELED);
	remote_fake_release(stage->remote, FAKE_FETCH);
	pthread_join(fetches[1].thread, NULL);
	assert_int_equal(fetches[1].r, 0);
	assert_int_equal(fetches[1].n, SIZE);
}

static void test_tells_digests(void **state)
{
	struct stage *stage = *state;
	struct provider_ref ref = { .root = "", .path = "a/b" };
	struct provider_call call = { 0 };
	struct provider_object object = { 0 };
	struct digest digest;

	remote_fake_set_tells_digest(stage->remote, true);
	assert_int_equal(
		stage->provider->ops->stat(stage->provider, &ref, &call, &object), 0);
	assert_int_equal(
		stage->provider->ops->digest(stage->provider, &ref, NULL, &call, &digest),
		0);
	assert_true(digest_equal(&object.digest, &digest));
	provider_object_done(&object);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_fails_the_nth), CASE(test_loses_an_answer),
		CASE(test_tears_a_fetch), CASE(test_holds_and_releases),
		CASE(test_tells_digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
