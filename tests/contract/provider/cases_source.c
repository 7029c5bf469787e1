/* store: a source that changes or fails, and a remote that does not hold what it was sent. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <errno.h>
#include <string.h>

#define PATH "shot/beauty.exr"

/* The store ends with WANTED and has left things as they were: nothing, or the old object. */
static void assert_leaves_all(const struct stage *stage, struct source *source,
			      int wanted)
{
	struct source old = SOURCE(99, 700);
	struct source again = *source;
	struct provider_object object = { 0 };
	_cleanup_(freep) char *previous = NULL;

	assert_outcome(do_store(stage->provider, PATH, source, NULL, &object), wanted);
	assert_nothing_at(stage, PATH);
	assert_no_parts(stage);
	previous = store_ok(stage, PATH, &old, NULL);
	assert_outcome(do_store(stage->provider, PATH, &again, previous, &object),
		       wanted);
	assert_holds(stage, PATH, &old);
	assert_no_parts(stage);
	stage->hand->remove(stage->remote, PATH);
}

static void test_shorter_or_longer(void **state)
{
	struct stage *stage = *state;
	struct source rows[] = { SOURCE(1, 3 * MIB), SOURCE(2, 3 * MIB),
				 SOURCE(3, 3 * MIB), SOURCE(4, 1) };

	rows[0].actual_size = 3 * MIB - 1;
	rows[1].actual_size = MIB;
	rows[2].actual_size = 3 * MIB + 1;
	rows[3].actual_size = 2;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_leaves_all(stage, &rows[i], PROVIDER_SOURCE_CHANGED);
}

/* The caller is asked before the last chunk, and once more before the object takes its place. */
static void test_no_longer_the_same(void **state)
{
	struct stage *stage = *state;

	for (unsigned same_for = 1; same_for <= 2; same_for++) {
		for (int i = 0; i < 2; i++) {
			struct source source = SOURCE(5, i ? 3 * MIB : 10);

			/* "the same" that many times less one */
			source.same_for = same_for;
			source.n_asked_same = 1;
			assert_leaves_all(stage, &source, PROVIDER_SOURCE_CHANGED);
		}
	}
}

/* Whoever asks again only at the end must have sent all but the last chunk. */
static void test_asked_before_the_last_chunk(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(6, 3 * MIB);
	struct provider_object object = { 0 };

	source.same_for = 1;
	source.n_asked_same = 1;
	assert_outcome(do_store(stage->provider, PATH, &source, NULL, &object),
		       PROVIDER_SOURCE_CHANGED);
	assert_true(source.n_given < source.size);
}

static void test_not_what_was_hashed(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(7, 2 * MIB), other = SOURCE(8, 2 * MIB);
	struct provider_put put = put_of(PATH, &source);
	struct provider_call call = { 0 };
	struct provider_object object = { 0 };

	source_digest(&other, &put.digest);
	assert_int_equal(
		stage->provider->ops->store(stage->provider, &put, &call, &object),
		PROVIDER_SOURCE_CHANGED);
	assert_nothing_at(stage, PATH);
	assert_no_parts(stage);
}

static void test_cannot_be_read(void **state)
{
	struct stage *stage = *state;
	struct source rows[] = { SOURCE(9, 3 * MIB), SOURCE(10, 3 * MIB) };

	rows[0].error = -EIO;
	rows[1].error = -ESTALE;
	rows[1].fail_at = 2 * MIB;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_leaves_all(stage, &rows[i], rows[i].error);
}

static void test_gives_little(void **state)
{
	struct stage *stage = *state;
	static const size_t rows[] = { 1, 1000, 65536, MIB - 1 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) char *path = strf("little/%zu", i);
		struct source source = SOURCE(11, i ? 3 * MIB : 3000);

		source.most = rows[i];
		free(store_ok(stage, path, &source, NULL));
		assert_holds(stage, path, &source);
	}
}

static void flip(void *context)
{
	struct stage *stage = context;

	assert_true(stage->hand->flip(stage->remote));
}

/* A bit went wrong on the way or on the disk: found before the name stands for it. */
static void test_torn(void **state)
{
	struct stage *stage = *state;

	stage_need(stage, stage->hand->flip, "a bit that flips");
	for (int i = 0; i < 2; i++) {
		struct source source = SOURCE(12, 3 * MIB);
		struct provider_object object = { 0 };
		struct source old = SOURCE(99, 700);
		_cleanup_(freep) char *previous =
			i ? store_ok(stage, PATH, &old, NULL) : NULL;

		source.hook_at = 2 * MIB;
		source.hook = flip;
		source.hook_context = stage;
		assert_outcome(
			do_store(stage->provider, PATH, &source, previous, &object),
			PROVIDER_TORN);
		assert_null(source.hook);
		if (i)
			assert_holds(stage, PATH, &old);
		else
			assert_nothing_at(stage, PATH);
		assert_no_parts(stage);
	}
}

static void cancel(void *context)
{
	struct provider_call *call = context;

	__atomic_store_n(&call->cancel, true, __ATOMIC_RELAXED);
}

static void test_cancelled_in_the_middle(void **state)
{
	struct stage *stage = *state;
	struct source old = SOURCE(99, 700);

	for (int i = 0; i < 2; i++) {
		_cleanup_(freep) char *previous =
			i ? store_ok(stage, PATH, &old, NULL) : NULL;
		struct source source = SOURCE(13, 24 * MIB);
		struct provider_put put = put_of(PATH, &source);
		struct provider_call call = { 0 };
		struct provider_object object = { 0 };

		put.previous = previous;
		source.hook = cancel;
		source.hook_context = &call;
		source.hook_at = 5 * MIB;
		assert_int_equal(stage->provider->ops->store(stage->provider, &put, &call,
							     &object),
				 -ECANCELED);
		assert_true(source.n_given < source.size);
		if (i)
			assert_holds(stage, PATH, &old);
		else
			assert_nothing_at(stage, PATH);
		/* without a token nobody could go on with it */
		assert_no_parts(stage);
	}
}

struct progress {
	uint64_t last;
	bool is_wrong;
};

static void note_progress(void *context, uint64_t bytes)
{
	struct progress *progress = context;

	progress->is_wrong |= bytes < progress->last;
	progress->last = bytes;
}

static void test_progress(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(14, 5 * MIB);
	struct provider_put put = put_of(PATH, &source);
	struct progress progress = { 0 };
	struct provider_call call = { .progress = note_progress,
				      .progress_context = &progress };
	struct provider_object object = { 0 };

	assert_int_equal(
		stage->provider->ops->store(stage->provider, &put, &call, &object), 0);
	provider_object_done(&object);
	assert_int_equal(progress.last, source.size);
	assert_false(progress.is_wrong);
}

static const struct CMUnitTest tests[] = {
	CASE(test_shorter_or_longer),
	CASE(test_no_longer_the_same),
	CASE(test_asked_before_the_last_chunk),
	CASE(test_not_what_was_hashed),
	CASE(test_cannot_be_read),
	CASE(test_gives_little),
	CASE(test_torn),
	CASE(test_cancelled_in_the_middle),
	CASE(test_progress),
};
const struct cases cases_source = { "source", tests, ARRAY_SIZE(tests) };
