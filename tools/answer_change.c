/* retry, restore, scan, release: what a person asks to be done with files. */
#include <errno.h>
#include <string.h>

#include "tools/answers_private.h"

typedef int change_fn(struct answer *answer, int root, const char *rel,
		      struct engine_result *ret);

struct change {
	struct answer *answer;
	change_fn *fn;
	struct engine_result total;
};

static int change_one(void *context, int root, const char *rel)
{
	struct change *change = context;
	struct engine_result result = { 0 };
	int r;

	if (server_is_over(change->answer->call))
		return -ECANCELED;
	r = change->fn(change->answer, root, rel, &result);
	change->total.n_done += result.n_done;
	change->total.n_skipped += result.n_skipped;
	change->total.n_failed += result.n_failed;
	if (!change->total.first_error[0])
		memcpy(change->total.first_error, result.first_error,
		       sizeof(result.first_error));
	if (r == 0 && rel && !result.n_done && !result.n_failed &&
	    !answer_is_known(change->answer, root, rel))
		return -ENOENT;
	return r == INDEX_NONE ? -ENOENT : r;
}

static void finish(struct change *change, int r, const struct error *error)
{
	const struct engine_result *total = &change->total;
	struct json *json = json_document();
	int code = EXIT_DONE;

	json_set_int(json, "done", total->n_done);
	json_set_int(json, "skipped", total->n_skipped);
	json_set_int(json, "failed", total->n_failed);
	if (r != 0) {
		answer_end(change->answer, json, r, error);
		return;
	}
	if (total->n_failed)
		code = total->n_done ? EXIT_PARTLY : EXIT_FAILED;
	server_finish(change->answer->call, json, code,
		      code && total->first_error[0] ? total->first_error : NULL);
}

static void run(struct answer *answer, change_fn *fn)
{
	struct change change = { .answer = answer, .fn = fn };
	struct error error = { 0 };
	int r;

	if (!answer->request->n_paths) {
		server_finish(answer->call, NULL, EXIT_USAGE, "a path is missing");
		return;
	}
	r = answer_each(answer, change_one, &change, &error);
	finish(&change, r, &error);
}

static int retry(struct answer *answer, int root, const char *rel,
		 struct engine_result *ret)
{
	return engine_retry(answer->engine, root, rel, answer->request->is_accepting,
			    ret);
}

void answer_retry(struct answer *answer)
{
	struct change change = { .answer = answer, .fn = retry };
	int r;

	if (!answer->request->is_failed) {
		run(answer, retry);
		return;
	}
	r = change_one(&change, 0, NULL);
	finish(&change, r, NULL);
}

static int restore(struct answer *answer, int root, const char *rel,
		   struct engine_result *ret)
{
	return engine_restore(answer->engine, root, rel, ret);
}

void answer_restore(struct answer *answer)
{
	run(answer, restore);
}

static int scan(struct answer *answer, int root, const char *rel,
		struct engine_result *ret)
{
	return engine_scan(answer->engine, root, rel, ret);
}

void answer_scan(struct answer *answer)
{
	run(answer, scan);
}

/* ---- release: copies go from this disk, for remove-site --files ---- */

struct releasing {
	struct answer *answer;
	struct engine_release total;
	struct error error;
};

static int release_one(void *context, int root, const char *rel)
{
	struct releasing *releasing = context;

	if (server_is_over(releasing->answer->call))
		return -ECANCELED;
	return engine_release(releasing->answer->engine, root, rel, &releasing->total,
			      &releasing->error);
}

void answer_release(struct answer *answer)
{
	struct releasing releasing = { .answer = answer };
	const struct engine_release *total = &releasing.total;
	struct error error = { 0 };
	struct json *json;
	int r;

	if (!answer->request->n_paths) {
		server_finish(answer->call, NULL, EXIT_USAGE, "a path is missing");
		return;
	}
	r = answer_each(answer, release_one, &releasing, &error);
	json = json_document();
	json_set_int(json, "released", total->n_released);
	json_set_int(json, "bytes", total->bytes);
	json_set_int(json, "kept", total->n_kept);
	json_set_int(json, "failed", total->n_failed);
	if (r < 0)
		answer_end(answer, json, r,
			   releasing.error.text[0] ? &releasing.error : &error);
	else
		server_finish(answer->call, json,
			      total->n_failed ? EXIT_PARTLY : EXIT_DONE,
			      total->n_failed ? total->first_error : NULL);
}
