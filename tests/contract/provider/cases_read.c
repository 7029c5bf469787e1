/* stat, fetch, digest, trash: what the remote holds, and what it does when that changes under the reader. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <errno.h>
#include <string.h>

#define PATH "shot/v001/beauty.1001.exr"

/* An object that another hand put there. The caller's. */
static char *put(const struct stage *stage, const char *path, const struct source *source)
{
	_cleanup_(freep) char *data = malloc(source->size + 1);
	struct provider_object object = { 0 };
	char *revision;

	assert_non_null(data);
	source_bytes(source, data, source->size, 0);
	stage->hand->put(stage->remote, path, data, source->size);
	assert_outcome(do_stat(stage->provider, path, &object), 0);
	assert_int_equal(object.size, source->size);
	revision = strdup(object.revision);
	provider_object_done(&object);
	return revision;
}

static void test_stat_of_nothing(void **state)
{
	struct stage *stage = *state;
	struct provider_object object = { 0 };
	static const char *const paths[] = { "nothing", "no/folder/nothing", "file/below",
					     "folder" };

	stage->hand->put(stage->remote, "file", "x", 1);
	stage->hand->put_folder(stage->remote, "folder");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		assert_outcome(do_stat(stage->provider, paths[i], &object),
			       PROVIDER_GONE);
}

static void test_revision_is_of_the_content(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(1, 1000);
	_cleanup_(freep) char *first = put(stage, PATH, &source);
	struct provider_object object = { 0 };

	assert_outcome(do_stat(stage->provider, PATH, &object), 0);
	assert_string_equal(object.revision, first);
	provider_object_done(&object);
	stage->hand->edit(stage->remote, PATH);
	assert_outcome(do_stat(stage->provider, PATH, &object), 0);
	assert_string_not_equal(object.revision, first);
	assert_int_equal(object.size, 1000);
	provider_object_done(&object);
}

/* ---- ranges ---- */

static void test_fetch_ranges(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(2, 5 * MIB / 2 + 7);
	_cleanup_(freep) char *revision = put(stage, PATH, &source);
	const struct {
		uint64_t offset, length;
	} rows[] = {
		{ 0, source.size },
		{ 0, 1 },
		{ source.size - 1, 1 },
		{ 0, 0 },
		{ 17, 0 },
		{ source.size, 0 },
		{ MIB - 1, 2 },
		{ MIB - 3, MIB + 6 },
		{ MIB, MIB },
		{ 12345, 99 },
		{ 2 * MIB, source.size - 2 * MIB },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sink sink = { .wanted = &source };

		assert_outcome(do_fetch(stage->provider, PATH, i % 2 ? revision : NULL,
					rows[i].offset, rows[i].length, &sink),
			       0);
		assert_false(sink.is_wrong);
		assert_int_equal(sink.n_taken, rows[i].length);
	}
}

static void test_fetch_empty(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(1, 0);
	_cleanup_(freep) char *revision = put(stage, PATH, &source);
	struct sink sink = { 0 };

	assert_outcome(do_fetch(stage->provider, PATH, revision, 0, 0, &sink), 0);
	assert_int_equal(sink.n_taken, 0);
}

static void test_fetch_past_the_end(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(1, 1000);
	_cleanup_(freep) char *revision = put(stage, PATH, &source);
	static const uint64_t rows[][2] = {
		{ 0, 1001 }, { 1000, 1 },       { 999, 2 },
		{ 5000, 1 }, { 1, UINT64_MAX }, { UINT64_MAX, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sink sink = { 0 };

		assert_outcome(do_fetch(stage->provider, PATH, revision, rows[i][0],
					rows[i][1], &sink),
			       PROVIDER_TORN);
	}
}

static void test_beyond_4_gib(void **state)
{
	struct stage *stage = *state;
	static const struct mark marks[] = { { 0, "first" },
					     { 4 * GIB - 3, "across" },
					     { 5 * GIB, "last" } };
	struct provider_object object = { 0 };

	stage_need(stage, stage->hand->put_marks, "an object beyond 4 GiB");
	stage->hand->put_marks(stage->remote, PATH, 5 * GIB + 4, marks,
			       ARRAY_SIZE(marks));
	assert_outcome(do_stat(stage->provider, PATH, &object), 0);
	assert_int_equal(object.size, 5 * GIB + 4);
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		struct source wanted = { .seed = 0 };
		struct sink sink = { .wanted = &wanted };
		uint64_t len = strlen(marks[i].text);

		/* it is not zeros that come, and beside it, it is */
		assert_outcome(do_fetch(stage->provider, PATH, object.revision,
					marks[i].offset, len, &sink),
			       0);
		assert_true(sink.is_wrong);
		assert_int_equal(sink.n_taken, len);
		sink.is_wrong = false;
		if (marks[i].offset + len + MIB < 5 * GIB) {
			assert_outcome(do_fetch(stage->provider, PATH, object.revision,
						marks[i].offset + len, MIB, &sink),
				       0);
			assert_false(sink.is_wrong);
		}
	}
	provider_object_done(&object);
}

/* ---- revisions ---- */

static void test_wrong_revision(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(3, 1000);
	_cleanup_(freep) char *revision = put(stage, PATH, &source);
	struct sink sink = { 0 };
	struct digest digest;

	assert_outcome(do_fetch(stage->provider, PATH, "another", 0, 1000, &sink),
		       PROVIDER_CHANGED);
	stage->hand->edit(stage->remote, PATH);
	assert_outcome(do_fetch(stage->provider, PATH, revision, 0, 1000, &sink),
		       PROVIDER_CHANGED);
	assert_outcome(do_digest(stage->provider, PATH, revision, &digest),
		       PROVIDER_CHANGED);
	assert_outcome(do_trash(stage->provider, PATH, revision), PROVIDER_CHANGED);
	assert_int_equal(sink.n_taken, 0);
	assert_outcome(do_fetch(stage->provider, PATH, NULL, 0, 1000, &sink), 0);
}

static void test_everything_of_nothing(void **state)
{
	struct stage *stage = *state;
	struct sink sink = { 0 };
	struct digest digest;

	stage->hand->put_folder(stage->remote, "folder");
	assert_outcome(do_fetch(stage->provider, PATH, NULL, 0, 1, &sink), PROVIDER_GONE);
	assert_outcome(do_digest(stage->provider, PATH, NULL, &digest), PROVIDER_GONE);
	assert_outcome(do_trash(stage->provider, PATH, NULL), PROVIDER_GONE);
	assert_outcome(do_fetch(stage->provider, "folder", NULL, 0, 1, &sink),
		       PROVIDER_GONE);
	assert_outcome(do_digest(stage->provider, "folder", NULL, &digest),
		       PROVIDER_GONE);
	assert_outcome(do_trash(stage->provider, "folder", NULL), PROVIDER_GONE);
}

static void edit_now(void *context)
{
	struct stage *stage = context;

	stage->hand->edit(stage->remote, PATH);
}

static void swap_now(void *context)
{
	struct stage *stage = context;

	stage->hand->swap(stage->remote, PATH);
}

static void cut_now(void *context)
{
	struct stage *stage = context;

	stage->hand->cut(stage->remote, PATH, MIB);
}

static void remove_now(void *context)
{
	struct stage *stage = context;

	stage->hand->remove(stage->remote, PATH);
}

/* What was fetched so far belongs to nothing any more, whatever else came. */
static void test_changed_while_it_is_fetched(void **state)
{
	struct stage *stage = *state;
	void (*const hooks[])(void *) = { edit_now, swap_now, cut_now, remove_now };

	for (size_t i = 0; i < ARRAY_SIZE(hooks) * 2; i++) {
		struct source source = SOURCE(4 + i, 3 * MIB);
		_cleanup_(freep) char *revision = put(stage, PATH, &source);
		struct sink sink = { .hook = hooks[i / 2], .hook_context = stage };
		int r = do_fetch(stage->provider, PATH, i % 2 ? revision : NULL, 0,
				 source.size, &sink);

		assert_null(sink.hook);
		if (r != PROVIDER_GONE)
			assert_outcome(r, PROVIDER_CHANGED);
	}
}

/* ---- sinks, cancelling ---- */

static void test_sink_fails(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(5, 3 * MIB);
	_cleanup_(freep) char *revision = put(stage, PATH, &source);
	struct sink sink = { .error = -ENOSPC, .fail_after = MIB / 2 };

	assert_int_equal(do_fetch(stage->provider, PATH, revision, 0, source.size, &sink),
			 -ENOSPC);
	assert_true(sink.n_taken < source.size);
}

static void cancel(void *context)
{
	struct provider_call *call = context;

	__atomic_store_n(&call->cancel, true, __ATOMIC_RELAXED);
}

static void test_cancelled_in_the_middle(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(6, 24 * MIB);
	_cleanup_(freep) char *revision = put(stage, PATH, &source);
	struct provider_ref ref = { .root = "", .path = PATH };
	struct provider_call call = { 0 };
	struct sink sink = { .hook = cancel, .hook_context = &call };

	assert_int_equal(stage->provider->ops->fetch(stage->provider, &ref, revision, 0,
						     source.size, sink_take, &sink,
						     &call),
			 -ECANCELED);
	assert_true(sink.n_taken < source.size);
}

struct progress {
	uint64_t last;
	bool is_wrong;
	struct provider_call *cancels; /* at the first progress */
};

static void note_progress(void *context, uint64_t bytes)
{
	struct progress *progress = context;

	progress->is_wrong |= bytes < progress->last;
	progress->last = bytes;
	if (progress->cancels)
		cancel(progress->cancels);
}

static void test_progress(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(7, 5 * MIB);
	_cleanup_(freep) char *revision = put(stage, PATH, &source);
	struct provider_ref ref = { .root = "", .path = PATH };
	struct progress progress = { 0 };
	struct provider_call call = { .progress = note_progress,
				      .progress_context = &progress };
	struct sink sink = { 0 };

	assert_int_equal(stage->provider->ops->fetch(stage->provider, &ref, revision, 0,
						     source.size, sink_take, &sink,
						     &call),
			 0);
	assert_int_equal(progress.last, source.size);
	assert_false(progress.is_wrong);
}

static int stop_listing(void *context, const char *name, bool is_folder,
			const struct provider_object *object)
{
	(*(int *)context)++;
	return 0;
}

static void test_cancelled_before(void **state)
{
	struct stage *stage = *state;
	const struct provider_ops *ops = stage->provider->ops;
	struct source source = SOURCE(8, 1000);
	_cleanup_(freep) char *revision = put(stage, PATH, &source);
	struct provider_ref ref = { .root = "", .path = PATH },
			    folder = { .root = "", .path = "shot" };
	struct provider_put p = put_of("new", &source);
	struct provider_call call = { .cancel = true };
	struct provider_object object = { 0 };
	struct sink sink = { 0 };
	struct digest digest;
	int n = 0;

	assert_int_equal(ops->stat(stage->provider, &ref, &call, &object), -ECANCELED);
	assert_int_equal(ops->list(stage->provider, &folder, stop_listing, &n, &call),
			 -ECANCELED);
	assert_int_equal(ops->fetch(stage->provider, &ref, revision, 0, 1000, sink_take,
				    &sink, &call),
			 -ECANCELED);
	assert_int_equal(ops->digest(stage->provider, &ref, revision, &call, &digest),
			 -ECANCELED);
	assert_int_equal(ops->store(stage->provider, &p, &call, &object), -ECANCELED);
	assert_int_equal(ops->trash(stage->provider, &ref, revision, &call), -ECANCELED);
	assert_int_equal(n + sink.n_taken + source.n_given, 0);
	assert_nothing_at(stage, "new");
	assert_holds(stage, PATH, &source);
}

/* ---- digest, trash ---- */

static void test_digest(void **state)
{
	struct stage *stage = *state;
	static const uint64_t sizes[] = { 0, 1, MIB, 5 * MIB / 2 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct source source = SOURCE(9, sizes[i]);
		_cleanup_(freep) char *revision = put(stage, PATH, &source);
		struct digest got = { 0 }, wanted;

		source_digest(&source, &wanted);
		assert_outcome(do_digest(stage->provider, PATH, revision, &got), 0);
		assert_true(digest_equal(&got, &wanted));
		assert_outcome(do_digest(stage->provider, PATH, NULL, &got), 0);
		if (!sizes[i])
			continue;
		stage->hand->edit(stage->remote, PATH);
		assert_outcome(do_digest(stage->provider, PATH, NULL, &got), 0);
		assert_true(digest_differs(&got, &wanted));
	}
}

static void test_trash(void **state)
{
	struct stage *stage = *state;
	struct source first = SOURCE(10, 1000), second = SOURCE(11, 2000);
	_cleanup_(freep) char *revision = put(stage, PATH, &first);
	_cleanup_(freep) char *again = NULL;
	char data[2000];

	assert_outcome(do_trash(stage->provider, PATH, revision), 0);
	assert_nothing_at(stage, PATH);
	again = put(stage, PATH, &second);
	assert_outcome(do_trash(stage->provider, PATH, NULL), 0);
	assert_nothing_at(stage, PATH);
	assert_outcome(do_trash(stage->provider, PATH, again), PROVIDER_GONE);
	source_bytes(&first, data, 1000, 0);
	assert_true(stage->hand->has_trashed(stage->remote, PATH, data, 1000));
	source_bytes(&second, data, 2000, 0);
	assert_true(stage->hand->has_trashed(stage->remote, PATH, data, 2000));
	/* and the name is free again, for a file or a folder */
	free(store_ok(stage, PATH, &first, NULL));
}

static const struct CMUnitTest tests[] = {
	CASE(test_stat_of_nothing),
	CASE(test_revision_is_of_the_content),
	CASE(test_fetch_ranges),
	CASE(test_fetch_empty),
	CASE(test_fetch_past_the_end),
	CASE(test_beyond_4_gib),
	CASE(test_wrong_revision),
	CASE(test_everything_of_nothing),
	CASE(test_changed_while_it_is_fetched),
	CASE(test_sink_fails),
	CASE(test_cancelled_in_the_middle),
	CASE(test_progress),
	CASE(test_cancelled_before),
	CASE(test_digest),
	CASE(test_trash),
};
const struct cases cases_read = { "read", tests, ARRAY_SIZE(tests) };
