/* An object beyond 4 GiB, nearly all of it zeros, cut beyond 4 GiB and gone on with. Hashes 4 GiB three times. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <errno.h>
#include <string.h>

#define PATH "shot/cache.vdb"

static void cancel(void *context)
{
	struct provider_call *call = context;

	__atomic_store_n(&call->cancel, true, __ATOMIC_RELAXED);
}

static int ignore(void *context, const char *token, uint64_t bytes)
{
	return 0;
}

static void test_beyond_4_gib(void **state)
{
	struct stage *stage = *state;
	struct source source = SOURCE(1, 4 * GIB + 24 * MIB + 5);
	struct provider_resume resume = { .save = ignore };
	struct provider_put put = put_of(PATH, &source);
	struct provider_object object = { 0 };
	struct provider_call call = { 0 };
	struct source again;
	static const uint64_t offsets[] = { 0, 4 * GIB - MIB, 4 * GIB,
					    4 * GIB + 23 * MIB };

	stage_need(stage, stage->hand->put_marks, "an object beyond 4 GiB");
	source.zero_from = MIB;
	source.zero_to = 4 * GIB - MIB / 2;
	again = source;
	source.hook = cancel;
	source.hook_context = &call;
	source.hook_at = 4 * GIB + 18 * MIB;
	put.resume = &resume;
	assert_int_equal(
		stage->provider->ops->store(stage->provider, &put, &call, &object),
		-ECANCELED);
	assert_non_null(resume.token);
	call.cancel = false;
	put.source_context = &again;
	assert_int_equal(
		stage->provider->ops->store(stage->provider, &put, &call, &object), 0);
	assert_true(again.n_given < 24 * MIB);
	assert_int_equal(object.size, source.size);
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct sink sink = { .wanted = &again };

		assert_outcome(do_fetch(stage->provider, PATH, object.revision,
					offsets[i], MIB + 5, &sink),
			       0);
		assert_false(sink.is_wrong);
	}
	provider_object_done(&object);
}

static const struct CMUnitTest tests[] = {
	CASE(test_beyond_4_gib),
};
const struct cases cases_large = { "large", tests, ARRAY_SIZE(tests) };
