/*
 * Trouble at every moment: the nth allocation, and the nth step of the remote, fails, for each n. Whatever the answer
 * then is, the name stands for something whole, nothing that was there is lost, and once more succeeds.
 */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/failing_alloc.h"

#define PATH "shot/v001/beauty.exr"
#define OLD_SIZE 700
#define ENOUGH 100000 /* steps that no call has */

/* What fails: arms, and tells whether it has come to that. */
struct trouble {
	void (*arm)(const struct stage *stage, unsigned n, int error);
	bool (*has_failed)(const struct stage *stage);
	int error;
};

static void arm_alloc(const struct stage *stage, unsigned n, int error)
{
	failing_alloc_at(n);
}

static bool alloc_has_failed(const struct stage *stage)
{
	return failing_alloc_has_failed();
}

static void arm_step(const struct stage *stage, unsigned n, int error)
{
	stage->hand->fail_step(stage->remote, n, error);
}

static bool step_has_failed(const struct stage *stage)
{
	return stage->hand->has_failed_step(stage->remote);
}

static const struct trouble no_memory = { arm_alloc, alloc_has_failed, ENOMEM };

/* A store without the helpers: those allocate too. */
static int store_raw(const struct stage *stage, struct source *source,
		     const char *previous)
{
	struct provider_put put = put_of(PATH, source);
	struct provider_call call = { 0 };
	struct provider_object object = { 0 };
	int r;

	put.previous = previous;
	r = stage->provider->ops->store(stage->provider, &put, &call, &object);
	provider_object_done(&object);
	return r;
}

/* Holds one of two, whole; true: the second. */
static bool holds_second(const struct stage *stage, const struct source *first,
			 const struct source *second)
{
	_cleanup_(freep) char *wanted = malloc(second->size);
	_cleanup_(freep) char *data = NULL;
	size_t len;

	assert_non_null(wanted);
	data = stage->hand->read(stage->remote, PATH, &len);
	source_bytes(second, wanted, second->size, 0);
	if (data && len == second->size && memcmp(data, wanted, len) == 0)
		return true;
	if (!first) {
		assert_null(data);
		return false;
	}
	assert_holds(stage, PATH, first);
	return false;
}

/* Once more, as the engine does: with the revision that is there now, since taking things back may have made it
 * another one. */
static int store_again(const struct stage *stage, struct source *source,
		       const char *previous)
{
	struct provider_object object = { 0 };
	int r = store_raw(stage, source, previous);

	if (r != PROVIDER_CHANGED)
		return r;
	assert_outcome(do_stat(stage->provider, PATH, &object), 0);
	r = store_raw(stage, source, object.revision);
	provider_object_done(&object);
	return r;
}

static void try_store(const struct stage *stage, const struct trouble *trouble,
		      bool is_replacing)
{
	stage_need(stage, trouble != &no_memory || !stage->hand->needs_memory,
		   "no memory");
	for (unsigned n = 1; n < ENOUGH; n++) {
		struct source old = SOURCE(n, OLD_SIZE), new = SOURCE(n + ENOUGH, 3000);
		_cleanup_(freep) char *previous =
			is_replacing ? store_ok(stage, PATH, &old, NULL) : NULL;
		char data[OLD_SIZE];
		bool has_failed, is_new;
		int r;

		trouble->arm(stage, n, trouble->error);
		r = store_raw(stage, &new, previous);
		has_failed = trouble->has_failed(stage);
		trouble->arm(stage, 0, 0);
		is_new = holds_second(stage, is_replacing ? &old : NULL, &new);
		/* what is said to be there is there */
		assert_true(is_new || r != 0);
		source_bytes(&old, data, OLD_SIZE, 0);
		if (is_new && is_replacing)
			assert_true(stage->hand->has_old(stage->remote, PATH, data,
							 OLD_SIZE));
		if (trouble == &no_memory && r < 0)
			assert_int_equal(r, -ENOMEM);
		assert_int_equal(store_again(stage, &new, previous), 0);
		assert_holds(stage, PATH, &new);
		stage->hand->remove(stage->remote, PATH);
		if (!has_failed) {
			assert_int_equal(r, 0);
			return;
		}
	}
	fail();
}

static int list_nothing(void *context, const char *name, bool is_folder,
			const struct provider_object *object)
{
	return 0;
}

/* The calls that only look: 0 or the trouble, and nothing allocated is left behind. */
static int look_at_all(const struct stage *stage, struct provider *provider)
{
	struct provider_ref ref = { .root = "", .path = PATH },
			    folder = { .root = "", .path = "shot/v001" };
	struct provider_call call = { 0 };
	struct provider_object object = { 0 };
	struct sink sink = { 0 };
	struct digest digest;
	int r = provider->ops->probe(provider, false, &call);

	if (r == 0)
		r = provider->ops->stat(provider, &ref, &call, &object);
	provider_object_done(&object);
	if (r == 0)
		r = provider->ops->list(provider, &folder, list_nothing, NULL, &call);
	if (r == 0)
		r = provider->ops->fetch(provider, &ref, NULL, 0, OLD_SIZE, sink_take,
					 &sink, &call);
	if (r == 0)
		r = provider->ops->digest(provider, &ref, NULL, &call, &digest);
	return r;
}

static void try_looking(const struct stage *stage, const struct trouble *trouble)
{
	struct source old = SOURCE(1, OLD_SIZE);

	stage_need(stage, !stage->hand->needs_memory, "no memory");
	free(store_ok(stage, PATH, &old, NULL));
	for (unsigned n = 1; n < ENOUGH; n++) {
		struct provider *provider = NULL;
		bool has_failed;
		int r;

		trouble->arm(stage, n, trouble->error);
		r = stage->hand->provider(stage->remote, &provider);
		if (r == 0)
			r = look_at_all(stage, provider);
		has_failed = trouble->has_failed(stage);
		trouble->arm(stage, 0, 0);
		provider_free(provider);
		if (trouble == &no_memory && has_failed)
			assert_true(r == -ENOMEM || r == 0);
		assert_holds(stage, PATH, &old);
		if (!has_failed) {
			assert_int_equal(r, 0);
			return;
		}
	}
	fail();
}

static void test_no_memory_for_a_new_object(void **state)
{
	try_store(*state, &no_memory, false);
}

static void test_no_memory_for_a_replacement(void **state)
{
	try_store(*state, &no_memory, true);
}

static void test_no_memory_to_look(void **state)
{
	try_looking(*state, &no_memory);
}

static void try_steps(const struct stage *stage, bool is_replacing)
{
	static const int errors[] = { EIO, ENOSPC, EACCES, ENOENT };

	stage_need(stage, stage->hand->fail_step, "a remote that fails at any step");
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct trouble trouble = { arm_step, step_has_failed, errors[i] };

		try_store(stage, &trouble, is_replacing);
	}
}

static void test_new_object_fails_at_a_step(void **state)
{
	try_steps(*state, false);
}

static void test_replacement_fails_at_a_step(void **state)
{
	try_steps(*state, true);
}

static void test_first_probe_fails_at_a_step(void **state)
{
	const struct stage *stage = *state;
	const struct hand *hand = stage->hand;
	bool has_failed = true;

	stage_need(stage, hand->fail_step, "a remote that fails at any step");
	for (unsigned n = 1; has_failed; n++) {
		void *remote = hand->open();
		struct provider *provider = NULL;
		struct provider_call call = { 0 };

		assert_int_equal(hand->provider(remote, &provider), 0);
		hand->fail_step(remote, n, EIO);
		provider->ops->probe(provider, false, &call);
		has_failed = hand->has_failed_step(remote);
		hand->fail_step(remote, 0, 0);
		assert_outcome(do_probe(provider, false), 0);
		assert_int_equal(hand->count(remote), 0);
		provider_free(provider);
		hand->close(remote);
	}
}

/* ---- another hand meanwhile ---- */

struct meddling {
	const struct stage *stage;
	char data[OLD_SIZE];
	bool is_done;
};

static void meddle(void *context)
{
	struct meddling *meddling = context;
	const struct hand *hand = meddling->stage->hand;

	meddling->is_done = true;
	hand->put(meddling->stage->remote, PATH, meddling->data, OLD_SIZE);
}

static bool holds(const struct stage *stage, const void *data, size_t len)
{
	_cleanup_(freep) char *held = NULL;
	size_t n;

	held = stage->hand->read(stage->remote, PATH, &n);
	return held && n == len && memcmp(held, data, len) == 0;
}

/* At any moment of a store somebody puts his own there. It stays: we say that he was faster, or he came after us. */
static void meddle_at_each_step(const struct stage *stage, bool is_replacing)
{
	struct meddling meddling = { .stage = stage, .is_done = true };
	struct source other = SOURCE(999, OLD_SIZE);

	stage_need(stage, stage->hand->at_step, "another hand at any moment");
	source_bytes(&other, meddling.data, OLD_SIZE, 0);
	for (unsigned n = 1; meddling.is_done; n++) {
		struct source old = SOURCE(n, OLD_SIZE), new = SOURCE(n + ENOUGH, 3000);
		_cleanup_(freep) char *previous =
			is_replacing ? store_ok(stage, PATH, &old, NULL) : NULL;
		int r;

		meddling.is_done = false;
		stage->hand->at_step(stage->remote, n, meddle, &meddling);
		r = store_raw(stage, &new, previous);
		stage->hand->at_step(stage->remote, 0, NULL, NULL);
		assert_true(meddling.is_done ? holds(stage, meddling.data, OLD_SIZE)
					     : r == 0);
		if (r != 0)
			assert_outcome(r,
				       is_replacing ? PROVIDER_CHANGED : PROVIDER_EXISTS);
		stage->hand->remove(stage->remote, PATH);
		assert_no_parts(stage);
	}
}

static void test_another_hand_at_a_new_object(void **state)
{
	meddle_at_each_step(*state, false);
}

static void test_another_hand_at_a_replacement(void **state)
{
	meddle_at_each_step(*state, true);
}

static const struct CMUnitTest tests[] = {
	CASE(test_no_memory_for_a_new_object),
	CASE(test_no_memory_for_a_replacement),
	CASE(test_no_memory_to_look),
	CASE(test_new_object_fails_at_a_step),
	CASE(test_replacement_fails_at_a_step),
	CASE(test_first_probe_fails_at_a_step),
	CASE(test_another_hand_at_a_new_object),
	CASE(test_another_hand_at_a_replacement),
};
const struct cases cases_trouble = { "trouble", tests, ARRAY_SIZE(tests) };
