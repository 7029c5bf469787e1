/* merge: several things of one name. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <string.h>

static void need_twins(const struct stage *stage)
{
	stage_need(stage, stage->hand->put_twin && stage->provider->ops->merge,
		   "two objects of one name");
}

static void assert_merged(const struct stage *stage, const char *path, const char *id,
			  int wanted)
{
	int n = -1;

	assert_outcome(do_merge(stage->provider, path, id, &n), 0);
	assert_int_equal(n, wanted);
}

struct listed {
	int n, n_twins;
};

static int count(void *context, const char *name, bool is_folder,
		 const struct provider_object *object)
{
	struct listed *listed = context;

	listed->n++;
	listed->n_twins += object ? object->n_twins : 0;
	return 0;
}

static void assert_listed(const struct stage *stage, const char *folder, int n,
			  int n_twins)
{
	struct provider_ref ref = { .root = "", .path = folder };
	struct provider_call call = { 0 };
	struct listed listed = { 0 };

	assert_int_equal(
		stage->provider->ops->list(stage->provider, &ref, count, &listed, &call),
		0);
	assert_int_equal(listed.n, n);
	assert_int_equal(listed.n_twins, n_twins);
}

static void test_none(void **state)
{
	struct stage *stage = *state;
	int n;

	need_twins(stage);
	stage->hand->put(stage->remote, "a/x", "x", 1);
	assert_listed(stage, "a", 1, 0);
	assert_merged(stage, "a/x", NULL, 0);
	assert_outcome(do_merge(stage->provider, "a/y", NULL, &n), PROVIDER_GONE);
	assert_outcome(do_merge(stage->provider, "b/y", NULL, &n), PROVIDER_GONE);
	assert_text(stage, "a/x", "x");
}

/* The same bytes twice: one goes into the trash. */
static void test_copies(void **state)
{
	struct stage *stage = *state;

	need_twins(stage);
	stage->hand->put(stage->remote, "a/x", "same", 4);
	stage->hand->put_twin(stage->remote, "a/x", "same", 4);
	stage->hand->put_twin(stage->remote, "a/x", "same", 4);
	assert_listed(stage, "a", 1, 2);
	assert_merged(stage, "a/x", NULL, 2);
	assert_listed(stage, "a", 1, 0);
	assert_text(stage, "a/x", "same");
	assert_int_equal(stage->hand->count(stage->remote), 2); /* with the folder */
	assert_true(stage->hand->has_trashed(stage->remote, "a/x", "same", 4));
	assert_merged(stage, "a/x", NULL, 0);
}

/* Other bytes are nobody's to throw away. */
static void test_others(void **state)
{
	struct stage *stage = *state;

	need_twins(stage);
	stage->hand->put(stage->remote, "a/x.exr", "one", 3);
	stage->hand->put_twin(stage->remote, "a/x.exr", "two", 3);
	assert_merged(stage, "a/x.exr", NULL, 1);
	assert_listed(stage, "a", 2, 0);
	assert_text(stage, "a/x.exr", "one");
	assert_false(stage->hand->has_trashed(stage->remote, "a/x.exr", "two", 3));
}

/* The one that documents name stays, though it is younger. */
static void test_known_one_stays(void **state)
{
	struct stage *stage = *state;
	struct provider_object object = { 0 };

	need_twins(stage);
	stage->hand->put(stage->remote, "a/x", "old", 3);
	stage->hand->rename(stage->remote, "a/x", "y");
	stage->hand->put(stage->remote, "a/x", "new", 3);
	assert_outcome(do_stat(stage->provider, "a/x", &object), 0);
	stage->hand->rename(stage->remote, "a/y", "x");
	assert_text(stage, "a/x", "old");
	assert_merged(stage, "a/x", object.id, 1);
	assert_text(stage, "a/x", "new");
	provider_object_done(&object);
}

static void test_folders(void **state)
{
	struct stage *stage = *state;

	need_twins(stage);
	stage->hand->put(stage->remote, "a/f/x", "one", 3);
	stage->hand->put_twin_folder(stage->remote, "a/f", "y", "two", 3);
	assert_listed(stage, "a", 1, 1);
	assert_merged(stage, "a/f", NULL, 1);
	assert_listed(stage, "a", 1, 0);
	assert_listed(stage, "a/f", 2, 0);
	assert_text(stage, "a/f/x", "one");
	assert_text(stage, "a/f/y", "two");
}

static void test_read_only(void **state)
{
	struct stage *stage = *state;
	int n;

	need_twins(stage);
	stage->hand->put(stage->remote, "a/x", "same", 4);
	stage->hand->put_twin(stage->remote, "a/x", "same", 4);
	stage_set(stage, stage->hand->set_readonly, "a remote that cannot be written");
	assert_outcome(do_merge(stage->provider, "a/x", NULL, &n), PROVIDER_DENIED);
	stage_unset(stage, stage->hand->set_readonly);
	assert_merged(stage, "a/x", NULL, 1);
}

static const struct CMUnitTest tests[] = {
	CASE(test_none),    CASE(test_copies),
	CASE(test_others),  CASE(test_known_one_stays),
	CASE(test_folders), CASE(test_read_only),
};
const struct cases cases_twins = { "twins", tests, ARRAY_SIZE(tests) };
