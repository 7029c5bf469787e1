/* What the daemon answers: the table, and what the answers share. */
#include "tools/answers.h"

#include <errno.h>
#include <string.h>

#include "tools/answers_private.h"

int answer_each(struct answer *answer, where_fn *fn, void *context, struct error *error)
{
	const struct control_request *request = answer->request;
	int r = 0;

	for (size_t i = 0; i < request->n_paths && r == 0; i++)
		r = where_each(&answer->answers->where, request->paths[i],
			       request->frames, fn, context, error);
	if (request->n_paths)
		return r;
	for (size_t i = 0; i < answer->answers->where.n_roots && r == 0; i++)
		r = fn(context, (int)i, "");
	return r;
}

void answer_end(struct answer *answer, struct json *json, int r,
		const struct error *error)
{
	int code = r == -EINVAL ? EXIT_USAGE : r == -ENOENT ? EXIT_NOT_OURS : EXIT_FAILED;
	struct error unknown = { 0 };

	if (r == 0) {
		server_finish(answer->call, json, EXIT_DONE, NULL);
		return;
	}
	if (r == -ENOENT && !error->text[0])
		error = (error_set(&unknown, r,
				   "%.300s is neither on the disk nor published",
				   answer->request->n_paths ? answer->request->paths[0]
							    : "that"),
			 &unknown);
	server_finish(answer->call, json, code, error_text(error, r));
}

static int stop_at_first(void *context, int root, const char *rel, enum file_state state,
			 int64_t size)
{
	return -EEXIST;
}

bool answer_is_known(const struct answer *answer, int root, const char *rel)
{
	return engine_each_file(answer->engine, root, rel, false, stop_at_first, NULL) ==
		       -EEXIST ||
	       engine_each_file(answer->engine, root, rel, true, stop_at_first, NULL) ==
		       -EEXIST;
}

void answer_set_path(const struct answer *answer, struct json *json, int root,
		     const char *rel)
{
	_cleanup_(freep) char *path = where_path(&answer->answers->where, root, rel);

	json_set_text(json, "path", path);
}

static void answer_version(struct answer *answer)
{
	struct json *json = json_document();

	json_set_text(json, "version", SITEFS_VERSION);
	server_finish(answer->call, json, EXIT_DONE, NULL);
}

void answers_answer(void *context, const struct control_request *request,
		    struct server_call *call)
{
	static const struct {
		const char *verb;
		void (*run)(struct answer *answer);
	} table[] = {
		{ "drain", answer_drain },     { "explain", answer_explain },
		{ "info", answer_info },       { "ls", answer_ls },
		{ "pause", answer_pause },     { "release", answer_release },
		{ "resume", answer_resume },   { "restore", answer_restore },
		{ "retry", answer_retry },     { "scan", answer_scan },
		{ "status", answer_status },   { "verify", answer_verify },
		{ "version", answer_version }, { "watch", answer_watch },
	};
	struct answers *answers = context;
	struct answer answer = { .answers = answers,
				 .engine = answers->engine,
				 .request = request,
				 .call = call };

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(table[i].verb, request->verb) != 0)
			continue;
		table[i].run(&answer);
		return;
	}
	server_finish(call, NULL, EXIT_USAGE, "this daemon knows no such verb");
}
