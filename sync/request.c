/* What people ask for by path: retry, restore, scan. Counted over all files at and below the path. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"
#include "sync/engine_private.h"
#include "sync/place.h"
#include "sync/release.h"

static void note(struct engine_result *result, int r, const char *rel, const char *text)
{
	struct error error = { 0 };

	if (r == 0) {
		result->n_done++;
		return;
	}
	if (result->n_failed++)
		return;
	error_set(&error, r, "%s: %s", rel, text ? text : error_text(NULL, r));
	str_cut(result->first_error, sizeof(result->first_error), error.text);
}

/* ---- retry ---- */

static void clear_tries(struct engine *engine, const struct index_path *path)
{
	struct outbox_rows rows = { 0 };

	for (size_t i = 0; i < path->n_records; i++) {
		const struct index_record *record = &path->records[i];

		if (record->ours.tries || record->ours.error)
			outbox_rows_add(&rows, RECORD_RETRY, record,
					engine->config->active_site, &record->ours);
		if (record->remote.tries || record->remote.error)
			outbox_rows_add(&rows, RECORD_RETRY, record,
					engine->config->remote_site, &record->remote);
	}
	outbox_commit(engine, &rows);
	outbox_rows_done(&rows);
}

static void forget_object(struct engine *engine, const struct mail *mail)
{
	struct index_object object = { .size = -1, .mtime_ns = -1 };
	int r = index_begin(engine->index);

	if (r == 0)
		r = index_put_object(engine->index, mail->root, mail->rel, &object,
				     syncer_touched, engine);
	if (r == 0)
		index_commit(engine->index);
	else
		index_rollback(engine->index);
}

static void handle_retry(struct engine *engine, struct mail *mail)
{
	struct assess_setup setup = engine_assess_setup(engine);
	struct plan *plan = plans_get(&engine->plans, mail->root, mail->rel);
	struct assessment assessment;

	if (!plan || assess(&setup, mail->root, mail->rel, 0, &assessment) < 0)
		return;
	clear_tries(engine, &assessment.path);
	plan->n_faults = 0;
	plan->is_forced = !mail->flag && assessment.path.n_records &&
			  assessment.disk != DISK_NOTHING &&
			  assessment.disk != DISK_BLOCKED;
	plan_set_error(&engine->plans, plan, NULL, false);
	if (plan->phase == PLAN_IDLE && mail->flag && engine->provider &&
	    check_object_start(engine, &assessment, true) == 0)
		plan_set_phase(&engine->plans, plan, PLAN_CHECK);
	else
		forget_object(engine, mail);
	assessment_done(&assessment);
	if (plan->phase == PLAN_IDLE)
		syncer_decide(engine, mail->root, mail->rel);
}

struct request {
	struct engine *engine;
	struct engine_result *result;
	bool accept;
	bool only_failed;
};

static int retry_one(void *context, int root, const char *rel, enum file_state state,
		     int64_t size)
{
	struct request *request = context;
	struct engine_file file;
	struct mail *mail;

	if (engine_describe(request->engine, root, rel, &file) != 0)
		return 0;
	if (!file.path.n_records || (request->only_failed && file.state != FILE_FAILED)) {
		request->result->n_skipped += !request->only_failed;
		engine_file_done(&file);
		return 0;
	}
	engine_file_done(&file);
	mail = mail_new(handle_retry, root, rel);
	if (mail)
		mail->flag = request->accept;
	note(request->result, mail ? 0 : -ENOMEM, rel, NULL);
	engine_post(request->engine, mail);
	return 0;
}

int engine_retry(struct engine *engine, int root, const char *rel, bool accept,
		 struct engine_result *ret)
{
	struct request request = { .engine = engine, .result = ret, .accept = accept };
	int r = 0;

	*ret = (struct engine_result){ 0 };
	if (rel)
		return engine_each_file(engine, root, rel, false, retry_one, &request);
	request.only_failed = true;
	for (size_t i = 0; r == 0 && i < roots_count(engine->roots); i++) {
		r = engine_each_file(engine, (int)i, "", false, retry_one, &request);
		if (r == 0)
			r = engine_each_file(engine, (int)i, "", true, retry_one,
					     &request);
	}
	return r == INDEX_NONE ? 0 : r;
}

/* ---- release ---- */

int engine_release(struct engine *engine, int root, const char *rel,
		   struct engine_release *ret, struct error *error)
{
	struct fault fault;

	if (engine->setup.is_read_only)
		return error_set(error, -EROFS, "this daemon's mount is read-only");
	if (!engine->provider)
		return error_set(error, -ENODEV,
				 "there is no remote site that could have the files");
	if (roots_are_lost(engine->roots, error))
		return -ESTALE;
	if (engine_has_fault(engine, &fault) && !fault.is_of_writing)
		return error_set(error, -EHOSTUNREACH,
				 "remote site '%s' stands still: %s",
				 engine->config->remote_site, fault.text);
	return release_run(engine, root, rel, ret);
}

/* ---- pause, resume ---- */

static void decide_busy(void *context, int root, const char *rel)
{
	syncer_decide(context, root, rel);
}

static void handle_pauses(struct engine *engine, struct mail *mail)
{
	engine->needs_resuming = true;
	/* what runs is stopped before all else is looked at */
	plans_each_busy(&engine->plans, decide_busy, engine);
}

int engine_pause(struct engine *engine, const struct pause *pause)
{
	int r = pauses_put(&engine->pauses, pause);

	if (r == 0)
		engine_post(engine, mail_new(handle_pauses, 0, NULL));
	return r;
}

int engine_resume(struct engine *engine, const struct pause *pause)
{
	int n = pauses_end(&engine->pauses, pause);

	if (n > 0)
		engine_post(engine, mail_new(handle_pauses, 0, NULL));
	return n;
}

void engine_each_pause(struct engine *engine,
		       void (*fn)(void *context, const struct pause *pause),
		       void *context)
{
	pauses_each(&engine->pauses, fn, context);
}

/* ---- restore ---- */

int engine_restore(struct engine *engine, int root, const char *rel,
		   struct engine_result *ret)
{
	int r;

	*ret = (struct engine_result){ 0 };
	r = view_restore(engine->view, root, rel);
	if (r != VIEW_NONE) {
		note(ret, r, rel, NULL);
		engine_tell(engine, root, rel, ENGINE_CHANGE_NAME);
		return 0;
	}
	r = place_back(engine->roots, root, rel, engine->config->dir_mode);
	if (r == PLACE_NONE) {
		ret->n_skipped++;
		return 0;
	}
	note(ret, r, rel,
	     r == -EEXIST ? "the name is taken: move that file away first" : NULL);
	if (r < 0)
		return 0;
	engine_tell(engine, root, rel, ENGINE_CHANGE_NAME);
	engine_touch(engine, root, rel);
	return 0;
}

/* ---- scan ---- */

static int record_scanned(struct engine *engine, const struct assessment *a)
{
	struct outbox_rows rows = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->path.n_records; i++) {
		const struct index_record *record = &a->path.records[i];
		struct record *row;

		if (record->ours.presence == DOC_PRESENT)
			continue;
		row = outbox_rows_add(&rows, RECORD_DONE, record,
				      engine->config->active_site, &record->ours);
		r = row ? 0 : -ENOMEM;
		if (!row)
			break;
		row->id = strdup(path_name(a->rel));
		row->created_ms = clock_wall_ms();
	}
	if (r == 0)
		r = outbox_commit(engine, &rows);
	outbox_rows_done(&rows);
	return r;
}

/* 0: recorded; 1: nothing to do; or an error, with TEXT where it is about the bytes. */
static int scan_path(struct engine *engine, const struct assessment *a, const char **text)
{
	const struct truth *truth = &a->path.truth;
	struct digest digest;
	bool is_known = a->disk == DISK_COPY || a->disk == DISK_UPLOADED;
	bool is_recorded = true;
	int r = 0;

	for (size_t i = 0; i < a->path.n_records; i++)
		is_recorded =
			is_recorded && a->path.records[i].ours.presence == DOC_PRESENT;
	if (!a->path.n_records || is_recorded || a->disk == DISK_NOTHING ||
	    a->disk == DISK_BLOCKED)
		return 1;
	if (truth->size >= 0 && !is_known) {
		*text = "differs from the truth record: not recorded";
		if (a->st.st_size != truth->size)
			return -EBADMSG;
		r = assess_hash(engine->roots, a, NULL, &digest, NULL);
		if (r == 0 && !digest_equal(&digest, &truth->digest))
			return -EBADMSG;
		*text = NULL;
		if (r == 0)
			check_stamp(engine, a, STAMP_UPLOADED, &digest);
	}
	return r < 0 ? r : record_scanned(engine, a);
}

static int scan_one(void *context, int root, const char *rel, enum file_state state,
		    int64_t size)
{
	struct request *request = context;
	struct assess_setup setup = engine_assess_setup(request->engine);
	struct assessment assessment;
	const char *text = NULL;
	int r = assess(&setup, root, rel, 0, &assessment);

	if (r == 0) {
		r = scan_path(request->engine, &assessment, &text);
		assessment_done(&assessment);
	}
	if (r == 1)
		request->result->n_skipped++;
	else
		note(request->result, r, rel, text);
	return engine_is_stopping(request->engine) ? -ECANCELED : 0;
}

int engine_scan(struct engine *engine, int root, const char *rel,
		struct engine_result *ret)
{
	struct request request = { .engine = engine, .result = ret };
	struct error error = { 0 };

	*ret = (struct engine_result){ 0 };
	if (roots_are_lost(engine->roots, &error)) {
		note(ret, -ESTALE, rel, error.text);
		return 0;
	}
	return engine_each_file(engine, root, rel, false, scan_one, &request);
}
