/* The command's side of the control socket. */
#include "tools/client.h"

#include <errno.h>
#include <string.h>

#include "sync/base/path.h"
#include "sync/config.h"
#include "tools/pathspec.h"

#define PATIENCE_MS 60000
#define SYSTEM_DIR "/run/sitefs"

/* ---- paths ---- */

static char *full_path(const char *path)
{
	_cleanup_(freep) char *here = NULL;
	char *full;

	if (path[0] != '/')
		here = realpath(".", NULL);
	full = strf("%s%s%s", here ? here : "", path[0] == '/' ? "" : "/", path);
	for (size_t n = full ? strlen(full) : 0; n > 1 && full[n - 1] == '/'; n--)
		full[n - 1] = '\0';
	return full;
}

/* BASE is real; REST may not exist, so "." and ".." in it have no meaning but the written one. */
static int append_missing(const char *base, const char *rest, char **ret)
{
	_cleanup_(freep) char *tail = NULL;
	int r;

	r = path_normalise(rest, &tail);
	if (r < 0)
		return r;
	if (tail[0] && path_refusal(tail))
		return -ENOENT;
	*ret = strf("%s/%s", base[1] ? base : "", tail);
	return *ret ? 0 : -ENOMEM;
}

int client_absolute(const char *path, bool is_whole, char **ret)
{
	_cleanup_(freep) char *full = full_path(path);
	const char *name;

	if (!full)
		return -ENOMEM;
	name = path_name(full);
	if (is_whole || !name[0] || !strcmp(name, ".") || !strcmp(name, "..")) {
		*ret = realpath(full, NULL);
		return *ret ? 0 : -errno;
	}
	for (char *cut = strrchr(full, '/'); cut;
	     cut = memrchr(full, '/', (size_t)(cut - full))) {
		_cleanup_(freep) char *folder = strndup(full, (size_t)(cut - full));
		_cleanup_(freep) char *real = NULL;

		if (!folder)
			return -ENOMEM;
		real = realpath(folder[0] ? folder : "/", NULL);
		if (real)
			return append_missing(real, cut + 1, ret);
	}
	return -ENOENT;
}

/* BELOW is ABOVE or lies below it; both absolute. */
static bool is_within(const char *below, const char *above)
{
	return path_is_below(below, above[1] ? above : "");
}

bool client_holds(const struct daemon_facts *facts, const char *path)
{
	if (facts->mountpoint && is_within(path, facts->mountpoint))
		return true;
	for (size_t i = 0; i < facts->n_roots; i++)
		if (is_within(path, facts->roots[i].path))
			return true;
	return false;
}

/* ---- which daemon ---- */

/* Those of DIR behind those that are in the list. */
static int add_daemons(const char *dir, struct daemon_facts **list, size_t *n)
{
	struct daemon_facts *more = NULL, *grown;
	size_t n_more = 0;
	int r;

	r = runtime_list(dir, &more, &n_more);
	if (r < 0 || !n_more)
		return r;
	grown = reallocarray(*list, *n + n_more, sizeof(**list));
	if (!grown) {
		daemon_list_free(more, n_more);
		return -ENOMEM;
	}
	memcpy(grown + *n, more, n_more * sizeof(*more));
	free(more);
	*list = grown;
	*n += n_more;
	return 0;
}

int client_list(struct daemon_facts **list, size_t *n)
{
	_cleanup_(freep) char *dir = config_runtime_dir();
	int r = 0;

	*list = NULL;
	*n = 0;
	if (!dir)
		return -ENOMEM;
	if (strcmp(dir, SYSTEM_DIR) != 0)
		r = add_daemons(dir, list, n);
	return r < 0 ? r : add_daemons(SYSTEM_DIR, list, n);
}

struct found {
	struct daemon_facts *list;
	size_t n;
	const struct daemon_facts *chosen;
};

static void found_done(struct found *found)
{
	daemon_list_free(found->list, found->n);
}

static void choose_by_state(struct found *found, const char *state_dir)
{
	_cleanup_(freep) char *real = realpath(state_dir, NULL);

	for (size_t i = 0; i < found->n; i++)
		if (!strcmp(found->list[i].state_dir, real ? real : state_dir))
			found->chosen = &found->list[i];
}

/* The one whose mount holds the path, else the only one that has it in a root. */
static void choose_by_path(struct found *found, const char *path)
{
	const struct daemon_facts *holder = NULL;
	size_t n_holders = 0;

	for (size_t i = 0; i < found->n; i++) {
		const struct daemon_facts *facts = &found->list[i];

		if (facts->mountpoint && is_within(path, facts->mountpoint)) {
			found->chosen = facts;
			return;
		}
		if (client_holds(facts, path)) {
			holder = facts;
			n_holders++;
		}
	}
	if (n_holders == 1)
		found->chosen = holder;
}

static int say_which(struct cli *cli, const struct found *found)
{
	_cleanup_(buf_done) struct buf list = { 0 };

	for (size_t i = 0; i < found->n; i++)
		buf_addf(&list, "%s --state %s", i ? "," : "", found->list[i].state_dir);
	return cli_fail(cli, EXIT_USAGE, "several daemons run, say which one is meant:%s",
			buf_str(&list));
}

static int say_none(struct cli *cli, const char *state_dir)
{
	if (state_dir)
		return cli_fail(cli, EXIT_NO_DAEMON,
				"no daemon of state folder %s is running: start one with "
				"'sitefs mount' or 'sitefs sync'",
				state_dir);
	return cli_fail(cli, EXIT_NO_DAEMON,
			"no daemon is running: start one with 'sitefs mount' or "
			"'sitefs sync'");
}

static bool is_path(const char *text)
{
	return text && strncmp(text, "pub:", 4) != 0 && strncmp(text, "repre:", 6) != 0;
}

static int choose(struct client *client, struct found *found)
{
	const char *first = client->request.n_paths ? client->request.paths[0] : NULL;
	const char *state = getenv("SITEFS_STATE");
	struct cli *cli = client->cli;

	if (cli->state_dir) {
		choose_by_state(found, cli->state_dir);
		return found->chosen ? 0 : say_none(cli, cli->state_dir);
	}
	if (!found->n || !found->list)
		return say_none(cli, state && state[0] ? state : NULL);
	if (is_path(first))
		choose_by_path(found, first);
	if (!found->chosen && is_path(first) && cli->n_args) {
		_cleanup_(freep) char *real = NULL;

		if (client_absolute(cli->args[0], true, &real) == 0)
			choose_by_path(found, real);
	}
	if (!found->chosen && state && state[0]) {
		choose_by_state(found, state);
		/* who named a state folder means no other daemon */
		if (!found->chosen)
			return say_none(cli, state);
	}
	if (!found->chosen && found->n == 1)
		found->chosen = found->list;
	return found->chosen ? 0 : say_which(cli, found);
}

/* ---- opening ---- */

static int say_stopped(struct cli *cli, const struct daemon_facts *facts)
{
	return cli_fail(
		cli, EXIT_TIMED_OUT,
		"the daemon (pid %d) is stopped and answers nobody: kill -CONT %d lets "
		"it go on",
		(int)facts->pid, (int)facts->pid);
}

/* A path in the mount of one that is stopped is not even looked at: who does waits for ever. */
static int check_mounts(struct cli *cli, const struct found *found)
{
	_cleanup_(freep) char *here = get_current_dir_name();

	for (size_t i = 0; i < found->n; i++) {
		const struct daemon_facts *facts = &found->list[i];

		for (int j = 0; facts->mountpoint && j < cli->n_args; j++) {
			const char *path = cli->args[j];

			if (path[0] != '/')
				path = here;
			if (path && is_within(path, facts->mountpoint) &&
			    runtime_is_stopped(facts))
				return say_stopped(cli, facts);
		}
	}
	return 0;
}

static int add_paths(struct client *client, const char *frames)
{
	struct control_request *request = &client->request;
	struct cli *cli = client->cli;

	if (cli->n_args > CONTROL_PATHS_MAX)
		return cli_fail(cli, EXIT_USAGE, "more than %d paths", CONTROL_PATHS_MAX);
	request->paths = calloc((size_t)cli->n_args + 1, sizeof(*request->paths));
	if (!request->paths)
		return cli_fail(cli, EXIT_FAILED, "out of memory");
	for (int i = 0; i < cli->n_args; i++) {
		_cleanup_(pathspec_done) struct pathspec spec = { 0 };
		struct error error = { 0 };
		char **path = &request->paths[request->n_paths];
		int r;

		r = pathspec_parse(cli->args[i], frames, &spec, &error);
		if (r < 0)
			return cli_fail(cli, EXIT_USAGE, "%s", error_text(&error, r));
		if (is_path(cli->args[i]))
			r = client_absolute(cli->args[i], false, path);
		else
			*path = strdup(cli->args[i]);
		if (r < 0)
			return cli_fail(cli, EXIT_NOT_OURS, "%s: %s", cli->args[i],
					error_text(NULL, r));
		if (!*path)
			return cli_fail(cli, EXIT_FAILED, "out of memory");
		request->n_paths++;
	}
	if (frames)
		request->frames = strdup(frames);
	return 0;
}

/* A symlink from elsewhere into the mount means what it points at. */
static void follow_links(struct client *client)
{
	for (size_t i = 0; i < client->request.n_paths; i++) {
		char **path = &client->request.paths[i];
		char *real = NULL;

		if (!is_path(*path) || client_holds(&client->facts, *path) ||
		    client_absolute(client->cli->args[i], true, &real) < 0)
			continue;
		free(*path);
		*path = real;
	}
}

/* Takes the facts of the chosen one out of FOUND. */
static int connect_chosen(struct client *client, struct found *found)
{
	client->fd = runtime_connect(found->chosen);
	if (client->fd < 0)
		return client->fd;
	client->line.fd = client->fd;
	client->facts = *found->chosen;
	found->list[found->chosen - found->list] = (struct daemon_facts){ 0 };
	return 0;
}

int client_open(struct cli *cli, const char *frames, struct client *ret)
{
	_cleanup_(found_done) struct found found = { 0 };
	struct client *client = ret;
	int r;

	*client = (struct client){ .cli = cli, .fd = -1, .patience_ms = PATIENCE_MS };
	r = client_list(&found.list, &found.n);
	if (r < 0)
		return cli_fail(cli, EXIT_NO_DAEMON, "cannot look for daemons: %s",
				error_text(NULL, r));
	r = check_mounts(cli, &found);
	if (r)
		return r;
	r = add_paths(client, frames);
	if (r)
		return r;
	r = choose(client, &found);
	if (r)
		return r;
	r = connect_chosen(client, &found);
	if (r < 0)
		return cli_fail(cli, EXIT_NO_DAEMON,
				"cannot reach the daemon of state folder %s: %s",
				found.chosen->state_dir, error_text(NULL, r));
	follow_links(client);
	return 0;
}

/* Quietly, the one that serves MOUNTPOINT or has STATE_DIR; the other is NULL. */
static int open_known(struct cli *cli, const char *mountpoint, const char *state_dir,
		      struct client *ret)
{
	_cleanup_(found_done) struct found found = { 0 };
	const char *wanted = mountpoint ? mountpoint : state_dir;

	*ret = (struct client){ .cli = cli, .fd = -1, .patience_ms = PATIENCE_MS };
	if (client_list(&found.list, &found.n) < 0)
		return 1;
	for (size_t i = 0; i < found.n; i++) {
		const struct daemon_facts *facts = &found.list[i];
		const char *has = mountpoint ? facts->mountpoint : facts->state_dir;

		if (has && !strcmp(has, wanted))
			found.chosen = &found.list[i];
	}
	if (!found.chosen || runtime_is_stopped(found.chosen))
		return 1;
	return connect_chosen(ret, &found) == 0 ? 0 : 1;
}

int client_open_mount(struct cli *cli, const char *mountpoint, struct client *ret)
{
	return open_known(cli, mountpoint, NULL, ret);
}

int client_open_state(struct cli *cli, const char *state_dir, struct client *ret)
{
	return open_known(cli, NULL, state_dir, ret);
}

void client_done(struct client *client)
{
	closep(&client->fd);
	control_line_done(&client->line);
	control_request_done(&client->request);
	daemon_facts_done(&client->facts);
}

/* ---- asking ---- */

static int say_lost(struct client *client, int r)
{
	if (r == -ETIMEDOUT)
		return cli_fail(client->cli, EXIT_TIMED_OUT,
				"the daemon (pid %d) did not answer in time: it may be "
				"busy, see its log",
				(int)client->facts.pid);
	return cli_fail(client->cli, EXIT_NO_DAEMON,
			"the daemon (pid %d) went away while it was asked: %s",
			(int)client->facts.pid,
			r < 0 ? error_text(NULL, r) : "connection closed");
}

static int send_request(struct client *client, const char *verb)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	int r;

	free(client->request.verb);
	client->request.verb = strdup(verb);
	if (!client->request.verb)
		return -ENOMEM;
	r = control_request_format(&client->request, &line);
	if (r < 0)
		return r;
	if (line.len > CONTROL_LINE_MAX)
		return -E2BIG;
	return control_write(client->fd, line.data, line.len, PATIENCE_MS, -1);
}

static int receive_line(struct client *client, struct json **ret)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	int r;

	r = control_read(&client->line, SIZE_MAX / 4, client->patience_ms, -1, &line);
	if (r != 0)
		return say_lost(client, r);
	r = json_parse(buf_str(&line), line.len, ret, NULL);
	return r < 0 ? say_lost(client, r) : 0;
}

int client_ask(struct client *client, const char *verb, client_item_fn *fn, void *context,
	       struct json **ret)
{
	int r;

	if (runtime_is_stopped(&client->facts))
		return say_stopped(client->cli, &client->facts);
	r = send_request(client, verb);
	if (r == -E2BIG)
		return cli_fail(client->cli, EXIT_USAGE,
				"the paths are too long for one request");
	if (r < 0)
		return say_lost(client, r);
	for (;;) {
		_cleanup_(json_freep) struct json *json = NULL;
		const char *error;
		int code;

		r = receive_line(client, &json);
		if (r)
			return r;
		code = (int)json_get_int(json, "exit", -1);
		if (code < 0) {
			r = fn ? fn(context, json) : 0;
			if (r)
				return r;
			continue;
		}
		error = json_get_text(json, "error");
		if (error)
			cli_fail(client->cli, EXIT_FAILED, "%s", error);
		if (ret)
			*ret = steal(json);
		return code;
	}
}

int client_print(struct cli *cli, struct json *json)
{
	json_free(json_detach(json, "exit"));
	json_free(json_detach(json, "error"));
	if (json_print(json) < 0)
		return cli_fail(cli, EXIT_FAILED, "out of memory");
	return EXIT_DONE;
}
