/* list: what lies directly in a folder. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <errno.h>
#include <string.h>

static void assert_names(const struct stage *stage, const char *folder,
			 const char *wanted)
{
	_cleanup_(freep) char *names = list_names(stage->provider, folder);

	assert_string_equal(names, wanted);
}

static void test_folders(void **state)
{
	struct stage *stage = *state;
	const struct hand *hand = stage->hand;

	assert_names(stage, "", "");
	hand->put(stage->remote, "b.txt", "b", 1);
	hand->put(stage->remote, "a/x.exr", "xx", 2);
	hand->put(stage->remote, "a/below/y.exr", "yyy", 3);
	hand->put(stage->remote, "a/.hidden", "", 0);
	hand->put_folder(stage->remote, "a/empty");
	assert_names(stage, "", "a/\nb.txt");
	assert_names(stage, "a", ".hidden\nbelow/\nempty/\nx.exr");
	assert_names(stage, "a/below", "y.exr");
	assert_names(stage, "a/empty", "");
}

static void test_no_folder(void **state)
{
	struct stage *stage = *state;

	stage->hand->put(stage->remote, "a/file", "x", 1);
	assert_names(stage, "nothing", "gone");
	assert_names(stage, "a/nothing", "gone");
	assert_names(stage, "a/file", "gone");
	assert_names(stage, "a/file/below", "gone");
}

/* What the provider keeps for itself is not shown, whatever happened. */
static void test_nothing_of_ours(void **state)
{
	struct stage *stage = *state;
	struct source first = SOURCE(1, 1000), second = SOURCE(2, 1000);
	_cleanup_(freep) char *revision = store_ok(stage, "a/x", &first, NULL);

	free(store_ok(stage, "a/x", &second, revision));
	free(store_ok(stage, "y", &first, NULL));
	assert_outcome(do_trash(stage->provider, "y", NULL), 0);
	assert_names(stage, "", "a/");
	assert_names(stage, "a", "x");
}

static void test_oddities(void **state)
{
	struct stage *stage = *state;

	stage->hand->put(stage->remote, "a/x", "x", 1);
	stage_need(stage,
		   stage->hand->put_oddities &&
			   stage->hand->put_oddities(stage->remote, "a"),
		   "symlinks and devices");
	assert_names(stage, "a", "x");
}

static int compare(void *context, const char *name, bool is_folder,
		   const struct provider_object *object)
{
	struct stage *stage = context;
	_cleanup_(freep) char *path = strf("a/%s", name);
	struct provider_object found = { 0 };

	assert_outcome(do_stat(stage->provider, path, &found), 0);
	assert_string_equal(found.id, object->id);
	assert_string_equal(found.revision, object->revision);
	assert_string_equal(found.document_id, object->document_id);
	assert_int_equal(found.size, object->size);
	assert_int_equal(found.mtime_ns, object->mtime_ns);
	provider_object_done(&found);
	return 0;
}

static void test_as_stat_says(void **state)
{
	struct stage *stage = *state;
	struct provider_ref ref = { .root = "", .path = "a" };
	struct provider_call call = { 0 };

	stage->hand->put(stage->remote, "a/x", "x", 1);
	stage->hand->put(stage->remote, "a/empty", "", 0);
	assert_int_equal(
		stage->provider->ops->list(stage->provider, &ref, compare, stage, &call),
		0);
}

struct counter {
	struct provider_call call;
	int n, result;
	bool cancels;
};

static int count(void *context, const char *name, bool is_folder,
		 const struct provider_object *object)
{
	struct counter *counter = context;

	counter->n++;
	if (counter->cancels)
		__atomic_store_n(&counter->call.cancel, true, __ATOMIC_RELAXED);
	return counter->result;
}

/* Its answer ends the listing and is passed up. */
static void test_ended(void **state)
{
	struct stage *stage = *state;
	struct provider_ref ref = { .root = "", .path = "a" };
	struct counter stops = { .result = -ENOSPC }, cancels = { .cancels = true };

	for (int i = 0; i < 20; i++) {
		_cleanup_(freep) char *path = strf("a/%d", i);

		stage->hand->put(stage->remote, path, "x", 1);
	}
	assert_int_equal(stage->provider->ops->list(stage->provider, &ref, count, &stops,
						    &stops.call),
			 -ENOSPC);
	assert_int_equal(stops.n, 1);
	assert_int_equal(stage->provider->ops->list(stage->provider, &ref, count,
						    &cancels, &cancels.call),
			 -ECANCELED);
	assert_true(cancels.n < 20);
}

static const struct CMUnitTest tests[] = {
	CASE(test_folders),  CASE(test_no_folder),    CASE(test_nothing_of_ours),
	CASE(test_oddities), CASE(test_as_stat_says), CASE(test_ended),
};
const struct cases cases_list = { "list", tests, ARRAY_SIZE(tests) };
