/* trace, untrash: what became of an object, and taking it out of the trash. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <string.h>

#include "sync/base/clock.h"

#define A_DAY ((int64_t)86400000)

static void need_trace(const struct stage *stage)
{
	stage_need(stage, stage->provider->ops->trace, "what became of it");
	stage_need(stage, stage->provider->ops->untrash, "a trash");
}

/* FATE, and a time of today where DATED. */
static void assert_fate(const struct stage *stage, const char *path, const char *id,
			const char *revision, enum provider_fate fate, bool is_dated)
/* parameters: the question, and what is wanted of the answer */
{
	struct provider_trace trace = { .fate = FATE_NONE };
	int64_t now = clock_wall_ms();

	assert_outcome(do_trace(stage->provider, path, id, revision, &trace), 0);
	if (trace.fate != fate)
		fail_msg("%s: fate %d, wanted %d", path, trace.fate, fate);
	if (is_dated)
		assert_in_range(trace.when_ms, now - A_DAY, now + A_DAY);
	provider_trace_done(&trace);
}

static struct digest digest_of(const char *text)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct digest digest;

	assert_int_equal(hasher_new(&hasher), 0);
	hasher_add(hasher, text, strlen(text));
	hasher_take(hasher, &digest);
	return digest;
}

/* What is there now; the caller's. */
static struct provider_object object_at(const struct stage *stage, const char *path)
{
	struct provider_object object = { 0 };

	assert_outcome(do_stat(stage->provider, path, &object), 0);
	return object;
}

static void untrash_ok(const struct stage *stage, const char *path, const char *id,
		       const struct provider_object *wanted)
{
	struct provider_object object = { 0 };

	assert_outcome(do_untrash(stage->provider, path, id, wanted, &object), 0);
	assert_true(object.id && object.revision && object.document_id);
	provider_object_done(&object);
}

static int untrash_fails(const struct stage *stage, const char *path,
			 const struct provider_object *wanted)
{
	struct provider_object object = { 0 };

	return do_untrash(stage->provider, path, NULL, wanted, &object);
}

static void test_nothing_happened(void **state)
{
	struct stage *stage = *state;
	struct provider_object object;

	need_trace(stage);
	stage->hand->put(stage->remote, "a/x", "bytes", 5);
	object = object_at(stage, "a/x");
	assert_fate(stage, "a/x", NULL, NULL, FATE_NONE, false);
	assert_fate(stage, "a/x", object.id, object.revision, FATE_NONE, false);
	provider_object_done(&object);
}

static void test_edited(void **state)
{
	struct stage *stage = *state;
	struct provider_object object;

	need_trace(stage);
	stage->hand->put(stage->remote, "a/x", "bytes", 5);
	object = object_at(stage, "a/x");
	stage->hand->edit(stage->remote, "a/x");
	assert_fate(stage, "a/x", object.id, object.revision, FATE_EDITED, true);
	/* that it is there is asked, not what it holds */
	assert_fate(stage, "a/x", object.id, NULL, FATE_NONE, false);
	provider_object_done(&object);
}

static void test_removed(void **state)
{
	struct stage *stage = *state;
	struct provider_object object, any = { .size = -1 };

	need_trace(stage);
	stage->hand->put(stage->remote, "a/x", "bytes", 5);
	object = object_at(stage, "a/x");
	stage->hand->remove(stage->remote, "a/x");
	assert_fate(stage, "a/x", object.id, object.revision, FATE_REMOVED, false);
	assert_fate(stage, "a/x", NULL, NULL, FATE_REMOVED, false);
	assert_fate(stage, "never/there", NULL, NULL, FATE_REMOVED, false);
	assert_outcome(untrash_fails(stage, "a/x", &any), PROVIDER_GONE);
	assert_outcome(untrash_fails(stage, "never/there", &any), PROVIDER_GONE);
	provider_object_done(&object);
}

/* What went into the trash comes back as it was, by id or by path. */
static void test_trashed(void **state)
{
	struct stage *stage = *state;
	struct provider_object object;

	need_trace(stage);
	stage->hand->put(stage->remote, "a/x", "bytes", 5);
	object = object_at(stage, "a/x");
	for (int i = 0; i < 2; i++) {
		const char *id = i ? NULL : object.id;

		assert_outcome(do_trash(stage->provider, "a/x", NULL), 0);
		assert_fate(stage, "a/x", id, object.revision, FATE_TRASHED, true);
		untrash_ok(stage, "a/x", id, &object);
		assert_text(stage, "a/x", "bytes");
		assert_fate(stage, "a/x", id, NULL, FATE_NONE, false);
	}
	provider_object_done(&object);
}

/* A person did it, on a shared drive: Drive tells who. */
static void test_trashed_by_somebody(void **state)
{
	struct stage *stage = *state;
	struct provider_trace trace = { .fate = FATE_NONE };
	struct provider_object object;

	need_trace(stage);
	stage_need(stage, stage->hand->throw_away, "a person's trash");
	stage->hand->put(stage->remote, "a/b/x", "bytes", 5);
	object = object_at(stage, "a/b/x");
	/* with the folder */
	stage->hand->throw_away(stage->remote, "a/b");
	assert_outcome(do_trace(stage->provider, "a/b/x", object.id, NULL, &trace), 0);
	assert_int_equal(trace.fate, FATE_TRASHED);
	assert_true(trace.by && strstr(trace.by, "ann"));
	provider_trace_done(&trace);
	untrash_ok(stage, "a/b/x", object.id, &object);
	assert_text(stage, "a/b/x", "bytes");
	provider_object_done(&object);
}

static void test_moved(void **state)
{
	struct stage *stage = *state;
	struct provider_object object;

	need_trace(stage);
	stage_need(stage, stage->hand->rename, "another name by a person");
	stage->hand->put(stage->remote, "a/x", "bytes", 5);
	object = object_at(stage, "a/x");
	stage->hand->rename(stage->remote, "a/x", "y");
	assert_fate(stage, "a/x", object.id, NULL, FATE_MOVED, false);
	stage->hand->rename(stage->remote, "a/y", "x");
	stage->hand->rename(stage->remote, "a", "b");
	assert_fate(stage, "a/x", object.id, NULL, FATE_MOVED, false);
	provider_object_done(&object);
}

/* Several lie in the trash: the newest that is the wanted one. */
static void test_wanted(void **state)
{
	struct stage *stage = *state;
	struct provider_object first, short_one = { .size = 3 }, none = { .size = 77 };

	need_trace(stage);
	stage->hand->put(stage->remote, "a/x", "12345", 5);
	first = object_at(stage, "a/x");
	assert_outcome(do_trash(stage->provider, "a/x", NULL), 0);
	stage->hand->put(stage->remote, "a/x", "abc", 3);
	assert_outcome(do_trash(stage->provider, "a/x", NULL), 0);
	stage->hand->put(stage->remote, "a/x", "67890", 5);
	assert_outcome(do_trash(stage->provider, "a/x", NULL), 0);
	assert_outcome(untrash_fails(stage, "a/x", &none), PROVIDER_GONE);
	untrash_ok(stage, "a/x", NULL, &short_one);
	assert_text(stage, "a/x", "abc");
	assert_outcome(do_trash(stage->provider, "a/x", NULL), 0);
	/* of one size the digest decides */
	first.digest = digest_of("12345");
	untrash_ok(stage, "a/x", NULL, &first);
	assert_text(stage, "a/x", "12345");
	provider_object_done(&first);
}

static void test_name_is_taken(void **state)
{
	struct stage *stage = *state;
	struct provider_object object;

	need_trace(stage);
	stage->hand->put(stage->remote, "a/x", "12345", 5);
	object = object_at(stage, "a/x");
	assert_outcome(do_trash(stage->provider, "a/x", NULL), 0);
	stage->hand->put(stage->remote, "a/x", "another", 7);
	assert_outcome(untrash_fails(stage, "a/x", &object), PROVIDER_EXISTS);
	assert_text(stage, "a/x", "another");
	assert_true(stage->hand->has_trashed(stage->remote, "a/x", "12345", 5));
	provider_object_done(&object);
}

/* A root that is lost says nothing about what lay in it. */
static void test_lost_root(void **state)
{
	struct stage *stage = *state;
	struct provider_trace trace = { .fate = FATE_NONE };
	struct provider_object any = { .size = -1 };

	need_trace(stage);
	stage->hand->put(stage->remote, "a/x", "bytes", 5);
	stage_set(stage, stage->hand->set_away, "a root that is away");
	assert_outcome(do_trace(stage->provider, "a/y", NULL, NULL, &trace),
		       PROVIDER_NO_ROOT);
	assert_outcome(untrash_fails(stage, "a/y", &any), PROVIDER_NO_ROOT);
	stage_unset(stage, stage->hand->set_away);
}

static const struct CMUnitTest tests[] = {
	CASE(test_nothing_happened),
	CASE(test_edited),
	CASE(test_removed),
	CASE(test_trashed),
	CASE(test_trashed_by_somebody),
	CASE(test_moved),
	CASE(test_wanted),
	CASE(test_name_is_taken),
	CASE(test_lost_root),
};
const struct cases cases_fate = { "fate", tests, ARRAY_SIZE(tests) };
