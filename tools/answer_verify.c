/* verify: what a person wants to be sure of. */
#include <errno.h>
#include <string.h>

#include "sync/verify.h"
#include "tools/answers_private.h"

struct verifying {
	struct answer *answer;
	struct verify_setup setup;
	struct verify_result result;
	struct error error;
};

static int send_finding(void *context, const struct verify_finding *finding)
{
	_cleanup_(json_freep) struct json *json = json_object();
	struct verifying *verifying = context;
	const struct answer *answer = verifying->answer;
	bool is_changed =
		finding->kind == VERIFY_MISSING || finding->kind == VERIFY_DIFFERENT;

	answer_set_path(answer, json, finding->root, finding->rel);
	json_set_text(json, "finding", verify_kind_name(finding->kind));
	json_set_int(json, "size", finding->size);
	if (is_changed) {
		json_set_text(json, "change", provider_fate_name(finding->fate));
		json_set_text(json, "by", finding->who);
		json_set_time(json, "at", finding->at_ms);
	}
	if (finding->id)
		json_set_text(json, "remote_id", finding->id);
	json_set_bool(json, "fixed", finding->is_fixed);
	json_set_text(json, "fix", finding->fix);
	return server_send(answer->call, json);
}

static bool is_over(void *context)
{
	const struct verifying *verifying = context;

	return server_is_over(verifying->answer->call);
}

static int verify_one(void *context, int root, const char *rel)
{
	struct verifying *verifying = context;
	struct answer *answer = verifying->answer;
	int r = engine_verify(answer->engine, root, rel, &verifying->setup,
			      &verifying->result, &verifying->error);

	/* the top of a site in which nothing is published yet is fine */
	if (r == INDEX_NONE && (!rel[0] || answer_is_known(answer, root, rel)))
		return 0;
	return r == INDEX_NONE ? -ENOENT : r;
}

static struct json *counts_json(const struct verify_result *result)
{
	struct json *json = json_document();

	json_set_int(json, "checked", result->n_checked);
	json_set_int(json, "bytes", result->n_bytes);
	json_set_int(json, "bad", result->n_bad);
	json_set_int(json, "fixed", result->n_fixed);
	json_set_int(json, "unknown", result->n_unknown);
	json_set_int(json, "orphans", result->n_orphans);
	return json;
}

/* What stopped it: the remote, or ours. */
static enum cli_exit code_of(int r)
{
	if (r == PROVIDER_UNAUTHORIZED || r == PROVIDER_DENIED)
		return EXIT_CREDENTIALS;
	if (r == PROVIDER_FULL)
		return EXIT_QUOTA;
	return EXIT_FAILED;
}

void answer_verify(struct answer *answer)
{
	const struct control_request *request = answer->request;
	struct verifying verifying = {
		.answer = answer,
		.setup = { .is_remote = request->is_remote,
			   .wants_orphans = request->is_orphans,
			   .wants_fix = request->is_fix || request->is_dry,
			   .is_dry = request->is_dry,
			   .fn = send_finding,
			   .is_over = is_over },
	};
	const struct verify_result *result = &verifying.result;
	enum cli_exit code = EXIT_DONE;
	int r;

	verifying.setup.context = &verifying;
	r = answer_each(answer, verify_one, &verifying, &verifying.error);
	if (r == -EINVAL || r == -ENOENT) {
		answer_end(answer, counts_json(result), r, &verifying.error);
		return;
	}
	if (r != 0) {
		server_finish(answer->call, counts_json(result), code_of(r),
			      error_text(&verifying.error, r));
		return;
	}
	if (result->n_bad > result->n_fixed)
		code = result->n_fixed ? EXIT_PARTLY : EXIT_FAILED;
	server_finish(answer->call, counts_json(result), code, NULL);
}
