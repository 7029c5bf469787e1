/* Faults of the whole site: every call says so, nothing is harmed, and all goes on when it is over. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <errno.h>
#include <string.h>

#define PATH "shot/beauty.exr"

static int list_nothing(void *context, const char *name, bool is_folder,
			const struct provider_object *object)
{
	return -EEXIST;
}

static int do_list(struct provider *provider, const char *path)
{
	struct provider_ref ref = { .root = "", .path = path };
	struct provider_call call = { 0 };

	return provider->ops->list(provider, &ref, list_nothing, NULL, &call);
}

static void assert_all_fail(struct provider *provider, int wanted)
{
	struct source source = SOURCE(1, 1000);
	struct provider_object object = { 0 };
	struct sink sink = { 0 };
	struct digest digest;

	for (int i = 0; i < 2; i++) {
		assert_outcome(do_stat(provider, PATH, &object), wanted);
		assert_outcome(do_list(provider, ""), wanted);
		assert_outcome(do_list(provider, "shot"), wanted);
		assert_outcome(do_fetch(provider, PATH, NULL, 0, 10, &sink), wanted);
		assert_outcome(do_digest(provider, PATH, NULL, &digest), wanted);
		assert_outcome(do_store(provider, "new", &source, NULL, &object), wanted);
		assert_outcome(do_trash(provider, PATH, NULL), wanted);
		assert_outcome(do_probe(provider, false), wanted);
		assert_int_equal(sink.n_taken, 0);
	}
}

static void assert_all_well(const struct stage *stage, const struct source *held)
{
	struct source source = SOURCE(2, 1000);
	struct digest digest;

	assert_outcome(do_probe(stage->provider, false), 0);
	assert_holds(stage, PATH, held);
	assert_outcome(do_digest(stage->provider, PATH, NULL, &digest), 0);
	free(store_ok(stage, "after", &source, NULL));
	assert_no_parts(stage);
}

static void test_root_is_away(void **state)
{
	struct stage *stage = *state;
	struct source held = SOURCE(3, 1000);

	free(store_ok(stage, PATH, &held, NULL));
	stage_set(stage, stage->hand->set_away, "a root that is missing");
	assert_all_fail(stage->provider, PROVIDER_NO_ROOT);
	stage_unset(stage, stage->hand->set_away);
	assert_all_well(stage, &held);
}

/* An unmounted disk leaves an empty folder: not an empty remote. */
static void test_another_folder_is_there(void **state)
{
	_cleanup_(provider_freep) struct provider *other = NULL;
	struct stage *stage = *state;
	struct source held = SOURCE(3, 1000);

	free(store_ok(stage, PATH, &held, NULL));
	stage_set(stage, stage->hand->set_swapped, "an empty folder in the root's place");
	assert_all_fail(stage->provider, PROVIDER_NO_ROOT);
	assert_outcome(do_probe(stage->provider, true), PROVIDER_NO_ROOT);
	assert_int_equal(stage->hand->count(stage->remote), 0);
	/* nor when somebody takes that one for a root */
	other = stage_provider(stage, true);
	assert_all_fail(stage->provider, PROVIDER_NO_ROOT);
	stage_unset(stage, stage->hand->set_swapped);
	assert_all_well(stage, &held);
	assert_outcome(do_probe(other, false), PROVIDER_NO_ROOT);
}

/* The same over a restart, for an engine that kept the identity. */
static void test_another_folder_after_a_restart(void **state)
{
	struct stage *stage = *state;
	struct source held = SOURCE(3, 1000);
	_cleanup_(provider_freep) struct provider *next = NULL;
	_cleanup_(freep) char *identity = NULL, *again = NULL;

	free(store_ok(stage, PATH, &held, NULL));
	stage_need(stage, stage->provider->ops->identity && stage->hand->set_swapped,
		   "a root that is known again");
	assert_int_equal(
		stage->provider->ops->identity(stage->provider, "work", &identity), 0);
	next = stage_provider(stage, false);
	assert_int_equal(next->ops->identity(next, "work", &again), -ENOENT);
	assert_int_equal(next->ops->expect(next, "work", identity), 0);
	stage_set(stage, stage->hand->set_swapped, "an empty folder in the root's place");
	assert_all_fail(next, PROVIDER_NO_ROOT);
	assert_outcome(do_probe(next, true), PROVIDER_NO_ROOT);
	stage_unset(stage, stage->hand->set_swapped);
	assert_outcome(do_probe(next, false), 0);
	assert_int_equal(next->ops->identity(next, "work", &again), 0);
	assert_string_equal(identity, again);
}

static void test_root_is_made_when_asked(void **state)
{
	struct stage *stage = *state;
	_cleanup_(provider_freep) struct provider *provider =
		stage_provider(stage, false);
	struct source source = SOURCE(4, 1000);
	struct provider_object object = { 0 };

	stage_set(stage, stage->hand->set_away, "a root that is missing");
	assert_all_fail(provider, PROVIDER_NO_ROOT);
	assert_outcome(do_probe(provider, true), 0);
	assert_outcome(do_store(provider, PATH, &source, NULL, &object), 0);
	provider_object_done(&object);
	assert_outcome(do_stat(provider, PATH, &object), 0);
	provider_object_done(&object);
}

/* ---- in the middle of a store ---- */

struct loss {
	struct stage *stage;
	bool (*set)(void *remote, bool is_on);
	bool has_failed;
};

static void lose(void *context)
{
	struct loss *loss = context;

	loss->has_failed = !loss->set(loss->stage->remote, true);
}

static int ignore(void *context, const char *token, uint64_t bytes)
{
	return 0;
}

/* Where it is lost after the first bytes or at the last question: not there, and the upload can go on. */
static void test_lost_while_storing(void **state)
{
	struct stage *stage = *state;
	bool (*const sets[])(void *, bool) = { stage->hand->set_away,
					       stage->hand->set_swapped };

	stage_need(stage, sets[0] && sets[1], "a root that is lost");
	for (size_t i = 0; i < ARRAY_SIZE(sets) * 2; i++) {
		struct loss loss = { stage, sets[i / 2], false };
		struct source source = SOURCE(5 + i, 20 * MIB), again = source;
		struct provider_resume resume = { .save = ignore };
		struct provider_put put = put_of(PATH, &source);
		struct provider_object object = { 0 };
		struct provider_call call = { 0 };
		int r;

		source.hook = lose;
		source.hook_context = &loss;
		source.hook_at = i % 2 ? 18 * MIB : UINT64_MAX;
		put.resume = &resume;
		r = stage->provider->ops->store(stage->provider, &put, &call, &object);
		assert_false(loss.has_failed);
		assert_outcome(r, PROVIDER_NO_ROOT);
		if (sets[i / 2] == stage->hand->set_swapped)
			assert_int_equal(stage->hand->count(stage->remote), 0);
		sets[i / 2](stage->remote, false);
		assert_nothing_at(stage, PATH);
		assert_non_null(resume.token);
		put.source_context = &again;
		assert_int_equal(stage->provider->ops->store(stage->provider, &put, &call,
							     &object),
				 0);
		provider_object_done(&object);
		assert_true(again.n_given < again.size);
		assert_holds(stage, PATH, &again);
		assert_no_parts(stage);
		stage->hand->remove(stage->remote, PATH);
	}
}

/* ---- read-only, full ---- */

static void test_read_only(void **state)
{
	struct stage *stage = *state;
	struct source held = SOURCE(10, 1000), new = SOURCE(11, 1000);
	_cleanup_(freep) char *revision = store_ok(stage, PATH, &held, NULL);
	_cleanup_(provider_freep) struct provider *next = NULL;
	struct provider_object object = { 0 };
	struct sink sink = { .wanted = &held };

	stage_set(stage, stage->hand->set_readonly, "a remote that can only be read");
	next = stage_provider(stage, true);
	assert_outcome(do_store(next, "new", &new, NULL, &object), PROVIDER_DENIED);
	assert_outcome(do_store(next, PATH, &new, revision, &object), PROVIDER_DENIED);
	assert_outcome(do_trash(next, PATH, revision), PROVIDER_DENIED);
	assert_outcome(do_fetch(next, PATH, revision, 0, 1000, &sink), 0);
	assert_false(sink.is_wrong);
	assert_holds(stage, PATH, &held);
	stage_unset(stage, stage->hand->set_readonly);
	assert_all_well(stage, &held);
}

static void test_full(void **state)
{
	struct stage *stage = *state;
	struct source held = SOURCE(12, 1000), new = SOURCE(13, 3 * MIB);
	_cleanup_(freep) char *revision = store_ok(stage, PATH, &held, NULL);
	struct provider_object object = { 0 };

	stage_set(stage, stage->hand->set_full, "a remote without room");
	assert_outcome(do_store(stage->provider, "new", &new, NULL, &object),
		       PROVIDER_FULL);
	assert_outcome(do_store(stage->provider, PATH, &new, revision, &object),
		       PROVIDER_FULL);
	assert_no_parts(stage);
	stage_unset(stage, stage->hand->set_full);
	assert_nothing_at(stage, "new");
	assert_all_well(stage, &held);
}

static void test_whatever_the_site_says(void **state)
{
	struct stage *stage = *state;
	struct source held = SOURCE(14, 1000);

	free(store_ok(stage, PATH, &held, NULL));
	stage_need(stage, stage->hand->set_outcome, "each outcome of a site");
	for (int outcome = PROVIDER_BUSY; outcome <= PROVIDER_NO_ROOT; outcome++) {
		assert_int_equal(provider_is_site_fault(outcome),
				 outcome != PROVIDER_BUSY);
		assert_true(stage->hand->set_outcome(stage->remote, outcome, true));
		assert_all_fail(stage->provider, outcome);
		assert_true(stage->hand->set_outcome(stage->remote, outcome, false));
		assert_holds(stage, PATH, &held);
	}
	assert_all_well(stage, &held);
}

static void test_no_such_root(void **state)
{
	struct stage *stage = *state;
	struct provider_ref ref = { .root = "nowhere", .path = PATH };
	struct provider_object object = { 0 };
	struct provider_call call = { 0 };

	assert_int_equal(
		stage->provider->ops->stat(stage->provider, &ref, &call, &object),
		PROVIDER_NO_ROOT);
	assert_true(call.error.text[0]);
}

static const struct CMUnitTest tests[] = {
	CASE(test_root_is_away),
	CASE(test_another_folder_is_there),
	CASE(test_another_folder_after_a_restart),
	CASE(test_root_is_made_when_asked),
	CASE(test_lost_while_storing),
	CASE(test_read_only),
	CASE(test_full),
	CASE(test_whatever_the_site_says),
	CASE(test_no_such_root),
};
const struct cases cases_site = { "site", tests, ARRAY_SIZE(tests) };
