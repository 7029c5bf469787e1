/* changes: what others do there is told once. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"

/* "PATH\n" of each change, in the order they came; "?" where the path is not known, '/' after a folder's. */
static int note(void *context, const struct provider_change *change)
{
	struct buf *said = context;

	assert_true(change->id && change->id[0]);
	assert_true(!change->path == !change->root);
	return buf_addf(said, "%s%s\n", change->path ? change->path : "?",
			change->is_folder ? "/" : "");
}

/* What is told since *token, which moves on. */
static int follow(const struct stage *stage, char **token, struct buf *said)
{
	struct provider_call call = { 0 };
	char *next = NULL;
	int r = stage->provider->ops->changes(stage->provider, *token, note, said, &call,
					      &next);

	if (r != 0) {
		if (r > 0)
			assert_true(call.error.text[0]);
		return r;
	}
	assert_true(next && next[0]);
	free(*token);
	*token = next;
	return 0;
}

static void assert_told(const struct stage *stage, char **token, const char *wanted)
{
	_cleanup_(buf_done) struct buf said = { 0 };

	assert_outcome(follow(stage, token, &said), 0);
	for (const char *p = wanted; *p; p += strcspn(p, "\n") + 1) {
		_cleanup_(freep) char *line = strndup(p, strcspn(p, "\n") + 1);

		if (!strstr(buf_str(&said), line))
			fail_msg("told: %s, wanted: %s", buf_str(&said), line);
	}
	if (!wanted[0])
		assert_string_equal(buf_str(&said), "");
}

static void need_changes(const struct stage *stage)
{
	stage_need(stage, stage->provider->ops->changes, "a feed of changes");
}

static void test_told_once(void **state)
{
	_cleanup_(freep) char *token = NULL;
	struct stage *stage = *state;
	const struct hand *hand = stage->hand;

	need_changes(stage);
	hand->put(stage->remote, "a/before", "x", 1);
	assert_told(stage, &token, ""); /* from now on */
	assert_told(stage, &token, "");
	hand->put(stage->remote, "a/new", "x", 1);
	hand->edit(stage->remote, "a/before");
	assert_told(stage, &token, "a/before\na/new\n");
	assert_told(stage, &token, "");
	hand->throw_away(stage->remote, "a/new");
	assert_told(stage, &token, "a/new\n");
	hand->remove(stage->remote, "a/before");
	assert_told(stage, &token, "?\n");
	assert_told(stage, &token, "");
}

static void test_many(void **state)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	_cleanup_(freep) char *token = NULL;
	struct stage *stage = *state;
	size_t n = 0;

	need_changes(stage);
	assert_told(stage, &token, "");
	for (int i = 0; i < 1100; i++) {
		_cleanup_(freep) char *path = strf("many/%04d", i);

		stage->hand->put(stage->remote, path, "x", 1);
	}
	assert_outcome(follow(stage, &token, &said), 0);
	for (const char *p = buf_str(&said); (p = strstr(p, "many/")); p++)
		n++;
	assert_in_range(n, 1100, 1101);
	assert_told(stage, &token, "");
}

/* Whoever follows goes on where another process stopped. */
static void test_another_process(void **state)
{
	_cleanup_(freep) char *token = NULL;
	struct stage *stage = *state;

	need_changes(stage);
	assert_told(stage, &token, "");
	stage->hand->put(stage->remote, "a/x", "x", 1);
	provider_free(stage->provider);
	stage->provider = stage_provider(stage, true);
	assert_told(stage, &token, "a/x\n");
}

static void test_folders(void **state)
{
	_cleanup_(freep) char *token = NULL;
	struct stage *stage = *state;
	const struct hand *hand = stage->hand;

	need_changes(stage);
	hand->put(stage->remote, "a/b/x", "x", 1);
	assert_told(stage, &token, "");
	/* a file in it makes it known */
	hand->edit(stage->remote, "a/b/x");
	assert_told(stage, &token, "a/b/x\n");
	hand->rename(stage->remote, "a/b", "c");
	assert_told(stage, &token, "a/b/\na/c/\n");
	hand->throw_away(stage->remote, "a/c");
	assert_told(stage, &token, "a/c/\n");
}

static void test_unknown_token(void **state)
{
	static const char *const tokens[] = { "", "nonsense", "own:1\n", "x:y\n",
					      "\xff\n:\n" };
	struct stage *stage = *state;

	need_changes(stage);
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
		_cleanup_(buf_done) struct buf said = { 0 };
		_cleanup_(freep) char *token = strdup(tokens[i]);

		assert_outcome(follow(stage, &token, &said), PROVIDER_GONE);
		assert_string_equal(token, tokens[i]);
	}
}

/* A token of the same form that the remote has never given. */
static void test_damaged_token(void **state)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	_cleanup_(freep) char *token = NULL, *damaged = NULL;
	struct stage *stage = *state;

	need_changes(stage);
	assert_told(stage, &token, "");
	damaged = strf("%.*sx\n", (int)strlen(token) - 1, token);
	assert_outcome(follow(stage, &damaged, &said), PROVIDER_GONE);
}

static int stop(void *context, const struct provider_change *change)
{
	return -ENOSPC;
}

static void test_ended(void **state)
{
	_cleanup_(freep) char *token = NULL, *next = NULL;
	struct stage *stage = *state;
	struct provider_call call = { 0 };

	need_changes(stage);
	assert_told(stage, &token, "");
	stage->hand->put(stage->remote, "a/x", "x", 1);
	assert_int_equal(stage->provider->ops->changes(stage->provider, token, stop, NULL,
						       &call, &next),
			 -ENOSPC);
	assert_null(next);
	assert_told(stage, &token, "a/x\n");
	call.cancel = true;
	assert_int_equal(stage->provider->ops->changes(stage->provider, token, stop, NULL,
						       &call, &next),
			 -ECANCELED);
}

static void test_lost_root(void **state)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	_cleanup_(freep) char *token = NULL;
	struct stage *stage = *state;

	need_changes(stage);
	stage_set(stage, stage->hand->set_away, "a root that is away");
	provider_free(stage->provider);
	stage->provider = stage_provider(stage, false);
	assert_outcome(follow(stage, &token, &said), PROVIDER_NO_ROOT);
	stage_unset(stage, stage->hand->set_away);
}

static const struct CMUnitTest tests[] = {
	CASE(test_told_once), CASE(test_many),          CASE(test_another_process),
	CASE(test_folders),   CASE(test_unknown_token), CASE(test_damaged_token),
	CASE(test_ended),     CASE(test_lost_root),
};
const struct cases cases_changes = { "changes", tests, ARRAY_SIZE(tests) };
