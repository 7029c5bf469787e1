/*
 * Another hand at a gdrive remote: a shared drive of the stand-in server (tests/gdrive), which this program starts and
 * which ends with it. What the hand does goes through the server's control endpoint.
 */
#include <stddef.h>

#include "tests/contract/provider/hand.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "providers/http.h"
#include "providers/registry.h"
#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/json_file.h"

#define BODY_MAX ((size_t)64 << 20)

struct remote {
	char name[32]; /* of the drive */
	char *top;     /* "DRIVE/work" */
	struct config_root roots[1];
	struct config_site site;
	char *credentials[1];
	int rule; /* of the fault that is on */
};

/* The server of this process. */
static struct {
	char *url, *key, *account;
	struct http *http;
	pid_t pid, owner;
	int input, output;
	unsigned n_drives;
} server;

/* ---- the server ---- */

static char *text_at(const struct json_file *file, const char *key)
{
	const char *text = NULL;

	if (json_at_text(json_at_find(json_file_top(file), key), &text, NULL) < 0)
		return NULL;
	return strdup(text);
}

static void stop_server(void)
{
	/* a child that was forked for a case is none of its owners */
	if (getpid() != server.owner)
		return;
	close(server.input);
	waitpid(server.pid, NULL, 0);
	close(server.output);
	http_free(server.http);
	free(server.url);
	free(server.key);
	free(server.account);
}

/* It ends when the other end of its standard input closes, whatever becomes of us. */
static bool spawn_server(void)
{
	char *const argv[] = { (char[]){ "python3" },
			       (char[]){ SITEFS_SOURCE_ROOT "/tests/gdrive/serve.py" },
			       (char[]){ "--follow-stdin" }, NULL };
	posix_spawn_file_actions_t actions;
	int input[2], output[2], r;

	if (pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0)
		return false;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
	r = posix_spawnp(&server.pid, "python3", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(input[0]);
	close(output[1]);
	server.input = input[1];
	server.output = output[0];
	return r == 0;
}

/* When all is ready it prints one object, whose end is a line of its own. */
static bool read_state(void)
{
	_cleanup_(json_file_freep) struct json_file *file = NULL;
	_cleanup_(buf_done) struct buf text = { 0 };

	while (!strstr(buf_str(&text), "\n}\n")) {
		char piece[4096];
		ssize_t n = read(server.output, piece, sizeof(piece));

		if (n <= 0 || buf_add(&text, piece, (size_t)n) < 0)
			return false;
	}
	if (json_file_parse("the server's state", text.data, text.len, &file, NULL) < 0)
		return false;
	server.url = text_at(file, "url");
	server.key = text_at(file, "key");
	server.account = text_at(file, "account");
	return server.url && server.key && server.account;
}

static bool start_server(void)
{
	if (server.url)
		return true;
	if (!spawn_server() || http_new(NULL, &server.http) < 0)
		return false;
	server.owner = getpid();
	atexit(stop_server);
	return read_state();
}

/* ---- the control endpoint ---- */

static int ask(const char *method, const char *target, const void *body, size_t len,
	       struct http_answer *ret)
{
	_cleanup_(freep) char *url = strf("%s/control/%s", server.url, target);
	struct http_request request = { .method = method,
					.url = url,
					.body = body,
					.body_len = (int64_t)len,
					.max_body = BODY_MAX };
	struct error error = { 0 };
	int r = http_run(server.http, &request, ret, &error);

	if (r != 0 || (ret->status != 200 && ret->status != 404)) {
		fprintf(stderr, "the stand-in server: %s: %d %d %s %s\n", target, r,
			ret->status, error.text, buf_str(&ret->body));
		abort();
	}
	return ret->status;
}

static void tell(const char *method, const char *target, const char *json)
{
	struct http_answer answer;

	ask(method, target, json, strlen(json), &answer);
	http_answer_done(&answer);
}

/* One thing done by hand. MORE begins with '&', or is "". */
static int do_hand(const struct remote *remote, const char *what, const char *path,
		   const char *more, const void *body, size_t len,
		   struct http_answer *ret)
/* parameters: one request */
{
	_cleanup_(buf_done) struct buf target = { 0 };

	buf_addf(&target, "hand?do=%s&top=", what);
	http_escape(&target, remote->top);
	buf_adds(&target, "&path=");
	http_escape(&target, path);
	buf_adds(&target, more);
	return ask("POST", buf_str(&target), body, len, ret);
}

static void hand(const struct remote *remote, const char *what, const char *path,
		 const char *more)
{
	struct http_answer answer;

	do_hand(remote, what, path, more, "", 0, &answer);
	http_answer_done(&answer);
}

static size_t hand_number(const struct remote *remote, const char *what, const char *path,
			  const void *body, size_t len)
{
	struct http_answer answer;
	size_t n;

	do_hand(remote, what, path, "", body, len, &answer);
	n = strtoul(buf_str(&answer.body), NULL, 10);
	http_answer_done(&answer);
	return n;
}

static bool has(const struct remote *remote, const char *what, const char *path,
		const void *body, size_t len)
{
	return hand_number(remote, what, path, body, len) > 0;
}

/* ---- remotes ---- */

static void set_role(const struct remote *remote, const char *role)
{
	_cleanup_(freep) char *json = strf(
		"{\"name\": \"%s\", \"members\": {\"ann@studio.test\": \"organizer\", "
		"\"%s\": \"%s\"}}",
		remote->name, server.account, role);

	tell("POST", "drives", json);
}

static void *gdrive_open(void)
{
	struct remote *remote = calloc(1, sizeof(*remote));
	_cleanup_(freep) char *folder = NULL;

	assert(remote);
	if (!start_server()) {
		fprintf(stderr, "the stand-in server does not start\n");
		free(remote);
		return NULL;
	}
	snprintf(remote->name, sizeof(remote->name), "Show %u", ++server.n_drives);
	remote->top = strf("%s/work", remote->name);
	set_role(remote, "fileOrganizer");
	folder = strf("{\"folders\": [\"%s\"]}", remote->top);
	tell("POST", "seed", folder);
	tell("POST", "sessions", "{}");
	remote->roots[0] = (struct config_root){ .name = strf("work"),
						 .path = strf("/%s", remote->top) };
	remote->credentials[0] = strdup(server.key);
	remote->site = (struct config_site){ .name = strf("gdrive"),
					     .provider = strf("gdrive"),
					     .roots = remote->roots,
					     .n_roots = 1,
					     .credentials = remote->credentials,
					     .n_credentials = 1,
					     .endpoint = strdup(server.url) };
	return remote;
}

static void gdrive_close(void *context)
{
	struct remote *remote = context;

	tell("DELETE", "faults", "");
	free(remote->top);
	free(remote->roots[0].name);
	free(remote->roots[0].path);
	free(remote->credentials[0]);
	free(remote->site.name);
	free(remote->site.provider);
	free(remote->site.endpoint);
	free(remote);
}

static int gdrive_provider(void *context, struct provider **ret)
{
	struct remote *remote = context;

	return provider_open(&remote->site, ret, NULL);
}

/* ---- objects ---- */

static void gdrive_put(void *remote, const char *path, const void *data, size_t len)
{
	struct http_answer answer;

	do_hand(remote, "put", path, "", len ? data : "", len, &answer);
	http_answer_done(&answer);
}

static void gdrive_put_marks(void *remote, const char *path, uint64_t size,
			     const struct mark *marks, size_t n)
{
	_cleanup_(freep) char *more = strf("&size=%llu", (unsigned long long)size);
	_cleanup_(buf_done) struct buf lines = { 0 };
	struct http_answer answer;

	for (size_t i = 0; i < n; i++)
		buf_addf(&lines, "%llu %s\n", (unsigned long long)marks[i].offset,
			 marks[i].text);
	do_hand(remote, "put_marks", path, more, lines.data, lines.len, &answer);
	http_answer_done(&answer);
}

static void gdrive_put_folder(void *remote, const char *path)
{
	hand(remote, "put_folder", path, "");
}

static void gdrive_edit(void *remote, const char *path)
{
	hand(remote, "edit", path, "");
}

static void gdrive_cut(void *remote, const char *path, uint64_t size)
{
	_cleanup_(freep) char *more = strf("&size=%llu", (unsigned long long)size);

	hand(remote, "cut", path, more);
}

static void gdrive_remove(void *remote, const char *path)
{
	hand(remote, "remove", path, "");
}

static void gdrive_swap(void *remote, const char *path)
{
	hand(remote, "swap", path, "");
}

static char *gdrive_read(void *remote, const char *path, size_t *ret_len)
{
	struct http_answer answer;
	char *data = NULL;

	if (do_hand(remote, "read", path, "", "", 0, &answer) == 200) {
		*ret_len = answer.body.len;
		data = answer.body.len ? buf_take(&answer.body) : strdup("");
	}
	http_answer_done(&answer);
	return data;
}

static size_t gdrive_count(void *remote)
{
	return hand_number(remote, "count", "", "", 0);
}

static bool gdrive_has_old(void *remote, const char *path, const void *data, size_t len)
{
	return has(remote, "has_old", path, data, len);
}

static bool gdrive_has_trashed(void *remote, const char *path, const void *data,
			       size_t len)
{
	return has(remote, "has_trashed", path, data, len);
}

static void gdrive_put_twin(void *remote, const char *path, const void *data, size_t len)
{
	struct http_answer answer;

	do_hand(remote, "put_twin", path, "", len ? data : "", len, &answer);
	http_answer_done(&answer);
}

static void gdrive_put_twin_folder(void *remote, const char *path, const char *name,
				   const void *data, size_t len)
{
	_cleanup_(freep) char *more = strf("&name=%s", name);
	struct http_answer answer;

	do_hand(remote, "put_twin_folder", path, more, len ? data : "", len, &answer);
	http_answer_done(&answer);
}

static void gdrive_throw_away(void *remote, const char *path)
{
	hand(remote, "throw_away", path, "");
}

static void gdrive_rename(void *remote, const char *path, const char *name)
{
	_cleanup_(freep) char *more = strf("&name=%s", name);

	hand(remote, "rename", path, more);
}

static void gdrive_put_many(void *context, const char *folder, size_t n, size_t size)
{
	const struct remote *remote = context;
	_cleanup_(freep) char *json = strf("{\"many\": [{\"path\": \"%s/%s\", \"files\": "
					   "%zu, \"size\": %zu}]}",
					   remote->top, folder, n, size);

	tell("POST", "seed", json);
}

static size_t gdrive_count_requests(void *remote)
{
	return hand_number(remote, "count_requests", "", "", 0);
}

static bool gdrive_put_oddities(void *remote, const char *folder)
{
	hand(remote, "put_oddities", folder, "");
	return true;
}

/* ---- uploads that are not complete: sessions ---- */

static size_t gdrive_count_parts(void *remote)
{
	return hand_number(remote, "count_parts", "", "", 0);
}

static void gdrive_drop_parts(void *remote)
{
	tell("POST", "sessions", "{\"lose\": 404}");
}

/* Of what comes next: what has come is checked by nobody before the end. */
static bool gdrive_flip(void *remote)
{
	tell("POST", "faults",
	     "{\"match\": {\"kind\": [\"files.create.multipart\", "
	     "\"files.update.multipart\", \"session.chunk\"]}, \"do\": {\"corrupt\": "
	     "100000}}");
	return true;
}

/* ---- the site ---- */

static bool gdrive_set_away(void *remote, bool is_on)
{
	hand(remote, "set_away", "", is_on ? "&on=1" : "&on=0");
	return true;
}

static bool gdrive_set_swapped(void *remote, bool is_on)
{
	hand(remote, "set_away", "", is_on ? "&swap=1&on=1" : "&swap=1&on=0");
	return true;
}

static bool gdrive_set_readonly(void *remote, bool is_on)
{
	set_role(remote, is_on ? "reader" : "fileOrganizer");
	return true;
}

static bool gdrive_set_full(void *remote, bool is_on)
{
	if (is_on)
		tell("POST", "faults",
		     "{\"match\": {\"kind\": [\"files.create*\", \"files.update.*\", "
		     "\"session.chunk\"]}, \"times\": 0, \"do\": {\"reason\": "
		     "\"storageQuotaExceeded\"}}");
	else
		tell("DELETE", "faults", "");
	return true;
}

const struct hand hand_gdrive = {
	.name = "gdrive",
	.open = gdrive_open,
	.close = gdrive_close,
	.provider = gdrive_provider,
	.is_shared = true,
	.depth = 98, /* Drive's 100, less the drive and the root */
	.put = gdrive_put,
	.put_marks = gdrive_put_marks,
	.put_folder = gdrive_put_folder,
	.edit = gdrive_edit,
	.cut = gdrive_cut,
	.remove = gdrive_remove,
	.swap = gdrive_swap,
	.read = gdrive_read,
	.count = gdrive_count,
	.has_old = gdrive_has_old,
	.has_trashed = gdrive_has_trashed,
	.put_twin = gdrive_put_twin,
	.put_twin_folder = gdrive_put_twin_folder,
	.throw_away = gdrive_throw_away,
	.rename = gdrive_rename,
	.put_many = gdrive_put_many,
	.count_requests = gdrive_count_requests,
	.put_oddities = gdrive_put_oddities,
	.count_parts = gdrive_count_parts,
	.drop_parts = gdrive_drop_parts,
	.flip = gdrive_flip,
	.set_away = gdrive_set_away,
	.set_swapped = gdrive_set_swapped,
	.set_readonly = gdrive_set_readonly,
	.set_full = gdrive_set_full,
};
