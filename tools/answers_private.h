/* What the files tools/answer_*.c share. */
#pragma once

#include "tools/answers.h"
#include "tools/cli.h"

/* One request on its way. */
struct answer {
	const struct answers *answers;
	struct engine *engine;
	const struct control_request *request;
	struct server_call *call;
};

/* Each ends the request. */
void answer_status(struct answer *answer);
void answer_ls(struct answer *answer);
void answer_info(struct answer *answer);
void answer_explain(struct answer *answer);
void answer_pause(struct answer *answer);
void answer_release(struct answer *answer);
void answer_resume(struct answer *answer);
/* What is held back, for status. */
struct json *answer_pauses(const struct answer *answer);
void answer_retry(struct answer *answer);
void answer_restore(struct answer *answer);
void answer_scan(struct answer *answer);
void answer_verify(struct answer *answer);
void answer_watch(struct answer *answer);
void answer_drain(struct answer *answer);

/* Calls FN for each name that the request's paths stand for; without paths for the top of each root. 0, FN's result, or
 * negative with ERROR, for answer_end(). */
int answer_each(struct answer *answer, where_fn *fn, void *context, struct error *error);
/* Ends the request by the result of answer_each(): 0 done, -EINVAL usage, -ENOENT not ours (said here where ERROR is
 * empty), else failed. JSON is taken. */
void answer_end(struct answer *answer, struct json *json, int r,
		const struct error *error);
/* Sets "changed_at_remote": how many files are missing or different there (N), and what became of the first of them. */
void answer_set_trouble(struct answer *answer, struct json *json, int64_t n);
/* Adds a line to an explanation: which sites hold a file that is missing or different at the remote. */
void answer_add_holders(struct answer *answer, int root, const char *rel,
			struct json *lines);
/* Some file lies or is published at or below that. */
bool answer_is_known(const struct answer *answer, int root, const char *rel);
/* Sets "path", as a person would open it. */
void answer_set_path(const struct answer *answer, struct json *json, int root,
		     const char *rel);
