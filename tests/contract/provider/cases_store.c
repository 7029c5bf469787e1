/* store: new objects, repeated ones, replaced ones, and what it must leave alone. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <errno.h>
#include <string.h>

#define PATH "shot/v001/beauty.1001.exr"

static void test_new_object(void **state)
{
	struct stage *stage = *state;
	static const uint64_t sizes[] = { 0,   1,       4096,        MIB - 1,
					  MIB, MIB + 1, 5 * MIB / 2, 9 * MIB };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct source source = SOURCE(1 + i, sizes[i]);
		_cleanup_(freep) char *path = strf("shot/v%zu/a/b.exr", i);

		free(store_ok(stage, path, &source, NULL));
		assert_holds(stage, path, &source);
	}
	/* an object and two folders each, and the folder above: nothing else lies about */
	assert_int_equal(stage->hand->count(stage->remote), 3 * ARRAY_SIZE(sizes) + 1);
	assert_no_parts(stage);
}

static void test_at_the_top(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(1, 100);

	free(store_ok(stage, "top.txt", &source, NULL));
	assert_holds(stage, "top.txt", &source);
	assert_int_equal(stage->hand->count(stage->remote), 1);
}

/* Whoever knows the digest before says so; who does not, learns it. */
static void test_digest_known_before(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(2, 3 * MIB);
	struct provider_put put = put_of(PATH, &source);
	struct provider_object object = { 0 };
	struct provider_call call = { 0 };

	source_digest(&source, &put.digest);
	put.digest.has_md5 = false;
	assert_int_equal(
		stage->provider->ops->store(stage->provider, &put, &call, &object), 0);
	assert_true(object.digest.has_sha256);
	assert_true(digest_equal(&object.digest, &put.digest));
	provider_object_done(&object);
	assert_holds(stage, PATH, &source);
}

static void test_zeros(void **state)
{
	struct stage *stage = *state;
	struct source rows[] = {
		{ .seed = 0, .size = 5 * MIB },
		{ .seed = 1, .size = 5 * MIB, .zero_to = 2 * MIB },
		{ .seed = 2, .size = 5 * MIB, .zero_from = MIB, .zero_to = 3 * MIB },
		{ .seed = 3, .size = 5 * MIB, .zero_from = MIB / 2, .zero_to = 5 * MIB },
		{ .seed = 0, .size = 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) char *path = strf("zeros/%zu", i);

		rows[i].mtime_ns = 1000000000;
		free(store_ok(stage, path, &rows[i], NULL));
		assert_holds(stage, path, &rows[i]);
	}
}

/* ---- something is there ---- */

static void test_exists(void **state)
{
	struct stage *stage = *state;
	struct source old = SOURCE(3, 2 * MIB);
	struct source rows[] = { SOURCE(4, 2 * MIB), SOURCE(3, 2 * MIB - 1),
				 SOURCE(3, 0) };
	struct provider_object object = { 0 };

	free(store_ok(stage, PATH, &old, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_outcome(do_store(stage->provider, PATH, &rows[i], NULL, &object),
			       PROVIDER_EXISTS);
		assert_holds(stage, PATH, &old);
	}
	assert_no_parts(stage);
}

/* The answer was lost, the same is stored again: one object, the same one. */
static void test_repeated(void **state)
{
	struct stage *stage = *state;
	static const uint64_t sizes[] = { 0, 1000, 3 * MIB };

	for (size_t i = 0; i < ARRAY_SIZE(sizes) * 2; i++) {
		_cleanup_(freep) char *path = strf("%zu", i);
		struct source source = SOURCE(5, sizes[i / 2]);
		_cleanup_(freep) char *first = store_ok(stage, path, &source, NULL);
		struct provider_put put = put_of(path, &source);
		struct provider_call call = { 0 };
		struct provider_object object = { 0 };
		struct digest digest;

		source_digest(&source, &digest);
		if (i % 2)
			put.digest = digest;
		assert_int_equal(stage->provider->ops->store(stage->provider, &put, &call,
							     &object),
				 0);
		assert_string_equal(object.revision, first);
		assert_true(digest_equal(&object.digest, &digest));
		provider_object_done(&object);
		assert_int_equal(stage->hand->count(stage->remote), i + 1);
	}
	assert_no_parts(stage);
}

static void test_something_in_the_way(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(6, 1000);
	struct provider_object object = { 0 };

	stage->hand->put_folder(stage->remote, "folder/below");
	stage->hand->put(stage->remote, "file", "content", 7);
	assert_outcome(do_store(stage->provider, "folder", &source, NULL, &object),
		       PROVIDER_REFUSED);
	assert_outcome(do_store(stage->provider, "file/below", &source, NULL, &object),
		       PROVIDER_REFUSED);
	assert_outcome(
		do_store(stage->provider, "file/far/below", &source, NULL, &object),
		PROVIDER_REFUSED);
	assert_int_equal(stage->hand->count(stage->remote), 3);
	assert_no_parts(stage);
}

/* ---- replacing ---- */

static void assert_old_kept(const struct stage *stage, const struct source *source)
{
	_cleanup_(freep) char *data = malloc(source->size + 1);

	assert_non_null(data);
	source_bytes(source, data, source->size, 0);
	assert_true(stage->hand->has_old(stage->remote, PATH, data, source->size));
}

static void test_replaced(void **state)
{
	struct stage *stage = *state;
	struct source rows[] = { SOURCE(7, 3 * MIB), SOURCE(8, 3 * MIB), SOURCE(9, 0),
				 SOURCE(10, 100) };
	_cleanup_(freep) char *revision = store_ok(stage, PATH, &rows[0], NULL);

	for (size_t i = 1; i < ARRAY_SIZE(rows); i++) {
		char *next = store_ok(stage, PATH, &rows[i], revision);

		assert_string_not_equal(next, revision);
		free(revision);
		revision = next;
		assert_holds(stage, PATH, &rows[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows) - 1; i++)
		assert_old_kept(stage, &rows[i]);
	assert_int_equal(stage->hand->count(stage->remote), 3);
	assert_no_parts(stage);
}

static void test_replaces_only_that_revision(void **state)
{
	struct stage *stage = *state;
	struct source old = SOURCE(11, 1000), new = SOURCE(12, 1000);
	struct source edited = SOURCE(13, 1000);
	struct provider_object object = { 0 };
	_cleanup_(freep) char *revision = store_ok(stage, PATH, &old, NULL);
	char data[1000];

	assert_outcome(do_store(stage->provider, PATH, &new, "another", &object),
		       PROVIDER_CHANGED);
	assert_holds(stage, PATH, &old);
	source_bytes(&edited, data, sizeof(data), 0);
	stage->hand->put(stage->remote, PATH, data, sizeof(data));
	assert_outcome(do_store(stage->provider, PATH, &new, revision, &object),
		       PROVIDER_CHANGED);
	assert_holds(stage, PATH, &edited);
	stage->hand->remove(stage->remote, PATH);
	assert_outcome(do_store(stage->provider, PATH, &new, revision, &object),
		       PROVIDER_CHANGED);
	assert_nothing_at(stage, PATH);
	assert_no_parts(stage);
}

/* The answer to a replacement was lost. */
static void test_replacement_repeated(void **state)
{
	struct stage *stage = *state;
	struct source old = SOURCE(14, 1000), new = SOURCE(15, 2 * MIB);
	_cleanup_(freep) char *first = store_ok(stage, PATH, &old, NULL);
	_cleanup_(freep) char *second = store_ok(stage, PATH, &new, first);
	_cleanup_(freep) char *third = store_ok(stage, PATH, &new, first);

	assert_string_equal(second, third);
	assert_old_kept(stage, &old);
	assert_no_parts(stage);
}

struct race {
	struct stage *stage;
	const struct source *other;
};

static void put_other(void *context)
{
	struct race *race = context;
	char data[1000];

	source_bytes(race->other, data, sizeof(data), 0);
	race->stage->hand->put(race->stage->remote, PATH, data, sizeof(data));
}

/* Somebody else puts his object there while ours is on its way: his stays. */
static void test_overtaken(void **state)
{
	struct stage *stage = *state;
	struct source other = SOURCE(17, 1000), old = SOURCE(18, 500);

	for (int i = 0; i < 2; i++) {
		_cleanup_(freep) char *previous =
			i ? store_ok(stage, PATH, &old, NULL) : NULL;
		struct race race = { stage, &other };
		struct source source = SOURCE(16, 2 * MIB);
		struct provider_object object = { 0 };

		source.hook = put_other;
		source.hook_context = &race;
		source.hook_at = MIB;
		assert_outcome(
			do_store(stage->provider, PATH, &source, previous, &object),
			i ? PROVIDER_CHANGED : PROVIDER_EXISTS);
		assert_holds(stage, PATH, &other);
		assert_no_parts(stage);
		stage->hand->remove(stage->remote, PATH);
	}
}

static const struct CMUnitTest tests[] = {
	CASE(test_new_object),
	CASE(test_at_the_top),
	CASE(test_digest_known_before),
	CASE(test_zeros),
	CASE(test_exists),
	CASE(test_repeated),
	CASE(test_something_in_the_way),
	CASE(test_replaced),
	CASE(test_replaces_only_that_revision),
	CASE(test_replacement_repeated),
	CASE(test_overtaken),
};
const struct cases cases_store = { "store", tests, ARRAY_SIZE(tests) };
