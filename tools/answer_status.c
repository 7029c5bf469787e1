/* status, and waiting until everything has arrived elsewhere (drain). */
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>

#include "tools/answers_private.h"

static struct json *flow_json(const struct engine_flow *flow)
{
	struct json *json = json_object();

	json_set_int(json, "files", flow->files);
	json_set_int(json, "bytes", flow->bytes);
	json_set_int(json, "bytes_per_s", flow->bytes_per_s);
	return json;
}

static struct json *counts_json(const int64_t *n_state)
{
	struct json *json = json_object();

	for (int i = FILE_LOCAL; i <= FILE_HIDDEN; i++)
		json_set_int(json, file_state_name((enum file_state)i), n_state[i]);
	return json;
}

/* "" is null. */
static void set_reason(struct json *json, const char *key, const char *text)
{
	json_set_text(json, key, text[0] ? text : NULL);
}

/* What was sent in the last day, and when more may be, where that is not now. */
static struct json *quota_json(const struct provider_quota *quota)
{
	struct json *json = json_object();

	json_set_int(json, "sent", quota->sent);
	json_set_int(json, "limit", quota->limit);
	if (quota->opens_ms)
		json_set_time(json, "opens", quota->opens_ms);
	else
		json_set_text(json, "opens", NULL);
	return json;
}

/* How local files are read and written through the mount. */
static void set_passthrough(struct json *json, const struct answers *answers)
{
	struct json *part = json_object();
	char reason[256] = "";
	bool is_on = answers->is_passthrough &&
		     answers->is_passthrough(answers->context, reason, sizeof(reason));

	json_set_bool(part, "active", is_on);
	set_reason(part, "reason", reason);
	json_set(json, "passthrough", part);
}

/* The active site's folders: below a mount that lies over one nobody else can look at it. */
static struct json *roots_json(struct roots *roots)
{
	struct json *array = json_array();

	for (int i = 0; i < (int)roots_count(roots); i++) {
		_cleanup_(freep) char *identity = roots_identity(roots, i);
		struct json *part = json_object();

		json_set_text(part, "name", roots_name(roots, i));
		json_set_text(part, "path", roots_path(roots, i));
		json_set_text(part, "identity", identity);
		json_set_bool(part, "writable", roots_is_writable(roots, i));
		json_append(array, part);
	}
	return array;
}

static struct json *status_json(const struct answer *answer,
				const struct engine_status *status)
{
	struct json *json = json_document(), *part;

	json_set_text(json, "active_site", status->active_site);
	json_set_text(json, "remote_site", status->remote_site);
	part = json_object();
	json_set_text(part, "uri", status->store_uri);
	json_set_bool(part, "reachable", status->is_store_reachable);
	set_reason(part, "last_error", status->store_error);
	json_set(json, "store", part);
	part = json_array();
	if (answer->answers->where.mountpoint)
		json_append(part, json_text_value(answer->answers->where.mountpoint));
	json_set(json, "mounts", part);
	json_set_bool(json, "ready", status->is_ready);
	json_set_bool(json, "read_only", answer->answers->is_read_only);
	if (answer->answers->where.mountpoint)
		set_passthrough(json, answer->answers);
	json_set(json, "files", counts_json(status->n_state));
	part = json_object();
	json_set(part, "upload", flow_json(&status->upload));
	json_set(part, "download", flow_json(&status->download));
	json_set(json, "queue", part);
	part = json_object();
	json_set_int(part, "bytes", status->cache_bytes);
	json_set_int(part, "limit", status->cache_limit);
	json_set_int(part, "pinned", 0);
	json_set_int(part, "unsynced", status->cache_unsynced);
	json_set(json, "cache", part);
	json_set_int(json, "outbox", status->outbox_waiting);
	json_set_int(json, "outbox_parked", status->outbox_parked);
	part = json_object();
	json_set_bool(part, "reachable", status->is_remote_reachable);
	set_reason(part, "last_error", status->remote_error);
	if (status->has_quota)
		json_set(part, "quota", quota_json(&status->quota));
	json_set(json, "remote", part);
	json_set(json, "roots", roots_json(engine_roots(answer->engine)));
	set_reason(json, "lost_root", status->lost_root);
	json_set_int(json, "refused", status->n_refused);
	json_set(json, "pauses", answer_pauses(answer));
	json_set_int(json, "pid", getpid());
	return json;
}

struct count {
	struct answer *answer;
	int64_t n_state[FILE_HIDDEN + 1];
	int64_t bytes, unknown;
};

static int count_file(void *context, int root, const char *rel, enum file_state state,
		      int64_t size)
{
	struct count *count = context;

	count->n_state[state]++;
	if (size >= 0)
		count->bytes += size;
	else
		count->unknown++;
	return server_is_over(count->answer->call) ? -ECANCELED : 0;
}

static int count_below(void *context, int root, const char *rel)
{
	struct count *count = context;
	int r;

	r = engine_each_file(count->answer->engine, root, rel, false, count_file, count);
	if (r != 0)
		return r == INDEX_NONE ? -ENOENT : r;
	return engine_each_file(count->answer->engine, root, rel, true, count_file,
				count);
}

void answer_status(struct answer *answer)
{
	struct count count = { .answer = answer };
	struct engine_status status;
	struct error error = { 0 };
	struct json *json;
	int r = 0;

	if (answer->request->n_paths)
		r = answer_each(answer, count_below, &count, &error);
	engine_get_status(answer->engine, &status);
	if (answer->request->n_paths)
		memcpy(status.n_state, count.n_state, sizeof(count.n_state));
	json = status_json(answer, &status);
	answer_set_trouble(answer, json, status.n_trouble);
	json_set_int(json, "twins", status.n_twins);
	if (answer->request->n_paths)
		json_set_int(json, "bytes", count.bytes);
	answer_end(answer, json, r, &error);
}

/* ---- drain ---- */

/* So often it has to be quiet, ten times a second: a change feed tells within a second. */
#define DRAIN_LOOKS 10

/* Files that have not arrived yet: those under way, and those that wait for their turn or to be settled. */
static int64_t count_rest(const struct engine_status *status)
{
	int64_t n = status->n_state[FILE_QUEUED] + status->n_state[FILE_UPLOADING];

	return n > status->upload.files ? n : status->upload.files;
}

static int send_rest(struct answer *answer, const struct engine_status *status)
{
	_cleanup_(json_freep) struct json *json = json_object();

	json_set_int(json, "files", count_rest(status));
	json_set_int(json, "bytes", status->upload.bytes);
	json_set_int(json, "outbox", status->outbox_waiting);
	return server_send(answer->call, json);
}

/* Why nothing will move by itself; NULL where something may. */
static const char *standstill(const struct engine_status *status)
{
	if (status->lost_root[0])
		return status->lost_root;
	if (!status->is_remote_reachable && status->remote_error[0])
		return status->remote_error;
	if (!status->is_store_reachable && status->store_error[0])
		return status->store_error;
	return NULL;
}

void answer_drain(struct answer *answer)
{
	struct itimerspec often = { .it_interval.tv_nsec = 100000000,
				    .it_value.tv_nsec = 1 };
	_cleanup_(closep) int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t ticks;
	int n_quiet = 0;

	if (timer < 0 || timerfd_settime(timer, 0, &often, NULL) < 0) {
		server_finish(answer->call, NULL, EXIT_FAILED, strerror(errno));
		return;
	}
	engine_catch_up(answer->engine);
	while (server_wait(answer->call, timer)) {
		struct engine_status status;
		const char *why;

		if (read(timer, &ticks, sizeof(ticks)) < 0)
			continue;
		/* what was published just now may be on its way here */
		if (n_quiet == DRAIN_LOOKS)
			engine_catch_up(answer->engine);
		engine_get_status(answer->engine, &status);
		why = standstill(&status);
		if (count_rest(&status) || status.outbox_waiting) {
			n_quiet = 0;
		} else if (n_quiet++ < DRAIN_LOOKS) {
			continue;
		} else {
			server_finish(answer->call, NULL, EXIT_DONE, NULL);
			return;
		}
		if (why) {
			server_finish(answer->call, NULL, EXIT_FAILED, why);
			return;
		}
		if (send_rest(answer, &status) < 0)
			return;
	}
	server_finish(answer->call, NULL, EXIT_FAILED, "the daemon is being stopped");
}
