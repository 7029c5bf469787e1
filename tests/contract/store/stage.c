/* What the contract of the store port is played on. */
#include "tests/contract/store/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

struct stage stage;

static const struct hand *const hands[] = { &hand_sqlite, &hand_mongo };

const struct hand *hand_of(const char *uri)
{
	for (size_t i = 0; i < ARRAY_SIZE(hands); i++)
		if (strncmp(uri, hands[i]->scheme, strlen(hands[i]->scheme)) == 0)
			return hands[i];
	return NULL;
}

/* ---- the store ---- */

int stage_open(const char *uri)
{
	struct error error = { 0 };
	int r;

	if (uri) {
		stage.uri = strf("%s", uri);
	} else {
		stage.folder = strf("/tmp/sitefs-contract-XXXXXX");
		if (!stage.folder || !mkdtemp(stage.folder))
			return -errno;
		stage.uri = strf("sqlite:%s/store.db", stage.folder);
	}
	stage.hand = hand_of(stage.uri);
	r = store_open(stage.uri, "avalon", false, &stage.store, &error);
	if (r < 0)
		print_error("%s\n", error_text(&error, r));
	else
		stage.store->poll_ms = 0;
	return r;
}

void stage_close(void)
{
	store_free(stage.store);
	if (stage.folder) {
		DIR *dir = opendir(stage.folder);
		struct dirent *entry;

		while (dir && (entry = readdir(dir)))
			unlinkat(dirfd(dir), entry->d_name, 0);
		if (dir)
			closedir(dir);
		rmdir(stage.folder);
	}
	free(stage.folder);
	free(stage.uri);
	stage = (struct stage){ 0 };
}

void stage_need(bool has_it, const char *what)
{
	if (has_it)
		return;
	print_message("left out: %s\n", what);
	skip();
}

void stage_need_hand(void)
{
	stage_need(stage.hand != NULL, "no other hand for this kind of store");
}

bool stage_has_feed(void)
{
	_cleanup_(freep) char *token = stage_now();

	return !strstr(token, "\npoll\n");
}

const char *stage_project(void)
{
	static char name[64];
	static int n;

	/* The URI may be of a database that saw this program before. */
	snprintf(name, sizeof(name), "contract_%d_%d", (int)getpid(), n++);
	return name;
}

/* ---- documents ---- */

bson_t *json_document(const char *json)
{
	_cleanup_(freep) char *text = strdup(json);
	bson_error_t error;
	bson_t *bson;

	assert_non_null(text);
	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	bson = bson_new_from_json((const uint8_t *)text, -1, &error);
	if (!bson)
		fail_msg("%s: %s", error.message, text);
	return bson;
}

struct buf *json_list(const char *json, size_t *ret_n)
{
	bson_t *bson = json_document(json);
	struct buf *list = calloc(bson_count_keys(bson) + 1, sizeof(*list));
	bson_iter_t it;
	size_t n = 0;

	assert_non_null(list);
	assert_true(bson_iter_init(&it, bson));
	while (bson_iter_next(&it)) {
		const uint8_t *data;
		uint32_t len;

		assert_true(BSON_ITER_HOLDS_DOCUMENT(&it));
		bson_iter_document(&it, &len, &data);
		assert_int_equal(buf_add(&list[n++], data, len), 0);
	}
	bson_destroy(bson);
	*ret_n = n;
	return list;
}

void json_list_done(struct buf *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_done(&list[i]);
	free(list);
}

void stage_insert(const char *project, const char *json)
{
	size_t n;
	struct buf *list = json_list(json, &n);
	int *results = calloc(n + 1, sizeof(*results));

	assert_non_null(results);
	assert_int_equal(stage.store->ops->insert(stage.store, project, list, n, results),
			 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(results[i], 0);
	free(results);
	json_list_done(list, n);
}

void assert_bson(const void *got, size_t len, const char *json)
{
	bson_t *want = json_document(json), *have = bson_new_from_data(got, len);
	char *want_text, *have_text;

	assert_non_null(have);
	if (want->len != len || memcmp(bson_get_data(want), got, len) != 0) {
		want_text = bson_as_canonical_extended_json(want, NULL);
		have_text = bson_as_canonical_extended_json(have, NULL);
		print_error("wanted: %s\ngot:    %s\n", want_text, have_text);
		bson_free(want_text);
		bson_free(have_text);
		fail_msg("the document differs (%zu bytes, wanted %zu)", len,
			 (size_t)want->len);
	}
	bson_destroy(want);
	bson_destroy(have);
}

void assert_document(const char *project, const char *id, const char *json)
{
	_cleanup_(buf_done) struct buf body = { 0 };

	assert_int_equal(stage.store->ops->load(stage.store, project, id, &body), 0);
	assert_bson(body.data, body.len, json);
}

/* ---- events ---- */

char *stage_now(void)
{
	char *token = NULL;

	assert_int_equal(stage.store->ops->now(stage.store, &token), 0);
	return token;
}

struct collected {
	const char *project;
	struct buf text;
};

static int collect(void *context, const struct store_event *event)
{
	static const char *const names[] = {
		[STORE_EVENT_DOC] = "doc",
		[STORE_EVENT_GONE] = "gone",
		[STORE_EVENT_TRUTH] = "truth",
	};
	struct collected *collected = context;

	if (strcmp(event->project, collected->project) != 0)
		return 0;
	return buf_addf(&collected->text, "%s %s;", names[event->kind], event->id);
}

/* The end of what is to be read: a document and a truth record of a project of its own. */
#define MARK_PROJECT "contract_mark"

struct marked {
	struct collected collected;
	char id[25];
	bool has_doc, has_truth;
};

static int collect_until_mark(void *context, const struct store_event *event)
{
	struct marked *marked = context;
	bool is_mark = strcmp(event->project, MARK_PROJECT) == 0;

	if (!is_mark)
		return collect(&marked->collected, event);
	if (strcmp(event->id, marked->id) != 0)
		return 0;
	marked->has_doc |= event->kind == STORE_EVENT_DOC;
	marked->has_truth |= event->kind == STORE_EVENT_TRUTH;
	return 0;
}

static void put_mark(const char *id)
{
	struct truth truth = { .project = strdup(MARK_PROJECT), .key = strdup(id) };
	_cleanup_(freep) char *json = strf("[{'_id': {'$oid': '%s'}}]", id);

	assert_int_equal(stage.store->ops->put_truth(stage.store, &truth, false), 0);
	truth_done(&truth);
	stage_insert(MARK_PROJECT, json);
}

char *stage_events(char **token, const char *project)
{
	struct marked marked = { .collected = { .project = project } };
	bson_oid_t oid;
	int r = 0;

	bson_oid_init(&oid, NULL);
	bson_oid_to_string(&oid, marked.id);
	put_mark(marked.id);
	while (r == 0 && (!marked.has_doc || !marked.has_truth))
		r = stage.store->ops->watch(stage.store, token, WAIT_MS,
					    collect_until_mark, &marked);
	assert_int_equal(r, 0);
	return buf_take(&marked.collected.text);
}

char *stage_wait(char **token, const char *project, int64_t timeout_ms)
{
	struct collected collected = { .project = project };
	int r;

	do
		r = stage.store->ops->watch(stage.store, token, timeout_ms, collect,
					    &collected);
	while (r == 0 && !collected.text.len);
	assert_int_equal(r, 0);
	return buf_take(&collected.text);
}

/* ---- children ---- */

void child_start(struct child *child, const char *verb, const char *a, const char *b)
{
	char *const argv[] = { strdup("contract-store"),
			       strdup("--child"),
			       strdup(stage.uri),
			       strdup(verb),
			       strdup(a ? a : ""),
			       strdup(b ? b : ""),
			       NULL };
	posix_spawn_file_actions_t actions;
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	assert_int_equal(
		posix_spawn(&child->pid, "/proc/self/exe", &actions, NULL, argv, environ),
		0);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	child->in = in[1];
	child->out = out[0];
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
}

void child_wait_ready(struct child *child)
{
	char c = 0;

	assert_int_equal(read(child->out, &c, 1), 1);
	assert_int_equal(c, '.');
}

void child_go(struct child *child)
{
	close(child->in);
	child->in = -1;
}

int child_end(struct child *child)
{
	int status;

	if (child->in >= 0)
		child_go(child);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	close(child->out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void child_kill(struct child *child)
{
	siginfo_t info;

	assert_int_equal(kill(child->pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT), 0);
}
