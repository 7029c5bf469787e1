/* store: an upload that was cut is gone on with, by the token saved last, and whatever became of it meanwhile. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PATH "shot/cache.abc"
#define SIZE (24 * MIB)

/* The token saved last, as a journal keeps it. Shared with children. */
struct saved {
	char token[4096];
	uint64_t bytes;
	unsigned n;
	int error; /* what saving comes to */
};

static struct saved *saved_new(void)
{
	struct saved *saved = mmap(NULL, sizeof(*saved), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(saved, MAP_FAILED);
	return saved;
}

static void saved_free(struct saved *saved)
{
	munmap(saved, sizeof(*saved));
}
DEFINE_CLEANUP(struct saved *, saved_free);

static int save(void *context, const char *token, uint64_t bytes)
{
	struct saved *saved = context;

	if (strlen(token) >= sizeof(saved->token))
		return -E2BIG;
	memcpy(saved->token, token, strlen(token) + 1);
	saved->bytes = bytes;
	saved->n++;
	return saved->error;
}

static struct provider_resume resume_of(struct saved *saved)
{
	return (struct provider_resume){
		.token = saved->n ? strdup(saved->token) : NULL,
		.save = save,
		.context = saved,
	};
}

/* One store with the token of SAVED; what it came to. */
static int store_once(struct provider *provider, struct source *source,
		      struct saved *saved, const struct digest *known,
		      struct provider_call *call)
{
	struct provider_resume resume = resume_of(saved);
	struct provider_put put = put_of(PATH, source);
	struct provider_object object = { 0 };
	int r;

	put.resume = &resume;
	if (known)
		put.digest = *known;
	r = provider->ops->store(provider, &put, call, &object);
	if (r == 0)
		assert_null(resume.token);
	free(resume.token);
	provider_object_done(&object);
	return r;
}

/* Goes on with another provider, as after a restart. */
static void finish(const struct stage *stage, struct source *source, struct saved *saved)
{
	struct provider *provider = stage_provider(stage, true);
	struct provider_call call = { 0 };

	assert_int_equal(store_once(provider, source, saved, NULL, &call), 0);
	provider_free(provider);
	assert_no_parts(stage);
}

static void cancel(void *context)
{
	struct provider_call *call = context;

	__atomic_store_n(&call->cancel, true, __ATOMIC_RELAXED);
}

/* A store that is cut after more than half. */
static void cut(const struct stage *stage, struct saved *saved)
{
	struct source source = SOURCE(1, SIZE);
	struct provider_call call = { 0 };

	source.hook = cancel;
	source.hook_context = &call;
	source.hook_at = SIZE * 3 / 4;
	assert_int_equal(store_once(stage->provider, &source, saved, NULL, &call),
			 -ECANCELED);
	assert_true(saved->n > 0);
	assert_true(saved->bytes >= SIZE / 2);
	assert_nothing_at(stage, PATH);
}

static void test_cut(void **state)
{
	struct stage *stage = *state;
	_cleanup_(saved_freep) struct saved *saved = saved_new();
	struct source source = SOURCE(1, SIZE);
	uint64_t bytes;

	cut(stage, saved);
	bytes = saved->bytes;
	finish(stage, &source, saved);
	assert_holds(stage, PATH, &source);
	assert_true(source.n_given <= SIZE - bytes);
}

static void test_cut_again_and_again(void **state)
{
	struct stage *stage = *state;
	_cleanup_(saved_freep) struct saved *saved = saved_new();
	struct source source = SOURCE(1, SIZE);
	uint64_t given = 0;

	for (uint64_t at = 5 * MIB; at < SIZE; at += 5 * MIB) {
		struct source part = SOURCE(1, SIZE);
		struct provider_call call = { 0 };

		part.hook = cancel;
		part.hook_context = &call;
		part.hook_at = at;
		assert_int_equal(store_once(stage->provider, &part, saved, NULL, &call),
				 -ECANCELED);
		given += part.n_given;
	}
	finish(stage, &source, saved);
	assert_holds(stage, PATH, &source);
	/* each time, at most the stretch since the last token is sent twice */
	assert_true(given + source.n_given < SIZE + 4 * 8 * MIB);
}

static void die(void *context)
{
	raise(SIGKILL);
}

/* kill -9 in the middle. */
static void test_killed(void **state)
{
	struct stage *stage = *state;
	_cleanup_(saved_freep) struct saved *saved = saved_new();
	struct source source = SOURCE(1, SIZE);
	uint64_t bytes;
	int status;
	pid_t pid;

	stage_need(stage, stage->hand->is_shared, "another process");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct source doomed = SOURCE(1, SIZE);
		struct provider_call call = { 0 };

		doomed.hook = die;
		doomed.hook_at = SIZE * 3 / 4;
		store_once(stage->provider, &doomed, saved, NULL, &call);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_nothing_at(stage, PATH);
	assert_true(saved->bytes >= SIZE / 2);
	bytes = saved->bytes;
	finish(stage, &source, saved);
	assert_holds(stage, PATH, &source);
	assert_true(source.n_given <= SIZE - bytes);
}

/* ---- what was kept is of no use any more ---- */

static void test_another_source(void **state)
{
	struct stage *stage = *state;
	struct source rows[] = { SOURCE(2, SIZE), SOURCE(2, SIZE - 1),
				 SOURCE(2, SIZE + 1), SOURCE(2, 10) };

	rows[0].mtime_ns++;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(saved_freep) struct saved *saved = saved_new();
		struct provider_call call = { 0 };

		cut(stage, saved);
		assert_int_equal(
			store_once(stage->provider, &rows[i], saved, NULL, &call), 0);
		assert_int_equal(rows[i].n_given, rows[i].size);
		assert_holds(stage, PATH, &rows[i]);
		stage->hand->remove(stage->remote, PATH);
	}
}

/* The same size and time, other bytes, and the caller knows their digest. */
static void test_another_source_by_its_digest(void **state)
{
	struct stage *stage = *state;
	_cleanup_(saved_freep) struct saved *saved = saved_new();
	struct source source = SOURCE(2, SIZE);
	struct provider_call call = { 0 };
	struct digest digest;

	cut(stage, saved);
	source_digest(&source, &digest);
	assert_int_equal(store_once(stage->provider, &source, saved, &digest, &call), 0);
	assert_holds(stage, PATH, &source);
	assert_no_parts(stage);
}

static void test_no_token_of_ours(void **state)
{
	struct stage *stage = *state;
	static const char *const tokens[] = { "", "rubbish", "../../../etc/passwd",
					      "1 2 3 4 5 6 7", "\xff\xff" };

	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
		_cleanup_(saved_freep) struct saved *saved = saved_new();
		struct source source = SOURCE(3 + i, 2 * MIB);

		save(saved, tokens[i], MIB);
		finish(stage, &source, saved);
		assert_holds(stage, PATH, &source);
		stage->hand->remove(stage->remote, PATH);
	}
}

/* A token damaged anywhere leads to right bytes all the same. */
static void test_damaged_token(void **state)
{
	struct stage *stage = *state;
	_cleanup_(saved_freep) struct saved *saved = saved_new();
	size_t len;

	cut(stage, saved);
	len = strlen(saved->token);
	for (size_t i = 0; i < 8; i++) {
		_cleanup_(saved_freep) struct saved *damaged = saved_new();
		struct source source = SOURCE(1, SIZE);
		struct provider_call call = { 0 };

		*damaged = *saved;
		damaged->token[len * i / 8] ^= 1;
		assert_int_equal(
			store_once(stage->provider, &source, damaged, NULL, &call), 0);
		assert_holds(stage, PATH, &source);
		stage->hand->remove(stage->remote, PATH);
	}
}

static void test_part_is_gone(void **state)
{
	struct stage *stage = *state;
	_cleanup_(saved_freep) struct saved *saved = saved_new();
	struct source source = SOURCE(1, SIZE);

	cut(stage, saved);
	stage->hand->drop_parts(stage->remote);
	finish(stage, &source, saved);
	assert_holds(stage, PATH, &source);
	assert_int_equal(source.n_given, SIZE);
}

static void test_part_is_damaged(void **state)
{
	struct stage *stage = *state;
	_cleanup_(saved_freep) struct saved *saved = saved_new();
	struct source source = SOURCE(1, SIZE);
	struct provider_call call = { 0 };

	stage_need(stage, stage->hand->flip, "a bit that flips");
	cut(stage, saved);
	assert_true(stage->hand->flip(stage->remote));
	assert_int_equal(store_once(stage->provider, &source, saved, NULL, &call), 0);
	assert_holds(stage, PATH, &source);
}

/* The zeros that follow are not written: they must not uncover what a power cut left. */
static void test_part_is_longer_than_it_was(void **state)
{
	struct stage *stage = *state;
	_cleanup_(saved_freep) struct saved *saved = saved_new();
	struct source source = SOURCE(1, SIZE), again;
	struct provider_call call = { 0 };

	stage_need(stage, stage->hand->smear, "rubbish in a part");
	source.zero_from = 9 * MIB;
	source.zero_to = SIZE - MIB;
	again = source;
	source.hook = cancel;
	source.hook_context = &call;
	source.hook_at = 10 * MIB;
	assert_int_equal(store_once(stage->provider, &source, saved, NULL, &call),
			 -ECANCELED);
	assert_int_equal(saved->n, 1);
	stage->hand->smear(stage->remote);
	finish(stage, &again, saved);
	assert_true(again.n_given < SIZE);
	assert_holds(stage, PATH, &again);
}

/* Somebody finished it meanwhile; the token is old. */
static void test_finished_by_another(void **state)
{
	struct stage *stage = *state;
	_cleanup_(saved_freep) struct saved *saved = saved_new();
	_cleanup_(saved_freep) struct saved *old = saved_new();
	struct source source = SOURCE(1, SIZE), again = SOURCE(1, SIZE);

	cut(stage, saved);
	*old = *saved;
	finish(stage, &source, saved);
	finish(stage, &again, old);
	assert_holds(stage, PATH, &source);
	assert_int_equal(stage->hand->count(stage->remote), 2);
}

/* ---- tokens ---- */

static void test_small_objects_save_nothing_needless(void **state)
{
	struct stage *stage = *state;
	_cleanup_(saved_freep) struct saved *saved = saved_new();
	struct source source = SOURCE(4, 1000);

	finish(stage, &source, saved);
	assert_true(saved->n <= 1);
}

static void test_token_cannot_be_saved(void **state)
{
	struct stage *stage = *state;
	_cleanup_(saved_freep) struct saved *saved = saved_new();
	struct source source = SOURCE(1, SIZE);
	struct provider_call call = { 0 };

	saved->error = -ENOSPC;
	assert_int_equal(store_once(stage->provider, &source, saved, NULL, &call),
			 -ENOSPC);
	assert_int_equal(saved->n, 1);
	assert_nothing_at(stage, PATH);
}

static void test_changed_source_leaves_no_token(void **state)
{
	struct stage *stage = *state;
	_cleanup_(saved_freep) struct saved *saved = saved_new();
	struct source source = SOURCE(1, SIZE);
	struct provider_resume resume = resume_of(saved);
	struct provider_put put = put_of(PATH, &source);
	struct provider_object object = { 0 };
	struct provider_call call = { 0 };

	put.resume = &resume;
	source.same_for = 1;
	source.n_asked_same = 1;
	assert_int_equal(
		stage->provider->ops->store(stage->provider, &put, &call, &object),
		PROVIDER_SOURCE_CHANGED);
	assert_true(saved->n > 0);
	assert_null(resume.token);
	assert_no_parts(stage);
}

static const struct CMUnitTest tests[] = {
	CASE(test_cut),
	CASE(test_cut_again_and_again),
	CASE(test_killed),
	CASE(test_another_source),
	CASE(test_another_source_by_its_digest),
	CASE(test_no_token_of_ours),
	CASE(test_damaged_token),
	CASE(test_part_is_gone),
	CASE(test_part_is_damaged),
	CASE(test_part_is_longer_than_it_was),
	CASE(test_finished_by_another),
	CASE(test_small_objects_save_nothing_needless),
	CASE(test_token_cannot_be_saved),
	CASE(test_changed_source_leaves_no_token),
};
const struct cases cases_resume = { "resume", tests, ARRAY_SIZE(tests) };
