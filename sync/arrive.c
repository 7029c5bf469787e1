/*
 * A file has come (hydration ended): what is recorded, and who is told. The first part runs on the pool thread
 * that completed it, so that the success is durable before anything else happens.
 *
 * A pull on open writes our entries when all files of the representation are here, all at once; a file that
 * already has our entry is marked by itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/base/path.h"
#include "sync/engine_private.h"
#include "sync/survey.h"

/* The path of a representation that was found missing last: asked first the next time, so that the next frame
 * of a long sequence costs one look and not one per file. */
struct missing {
	int root;
	char *rel;
};

void missing_free(void *data)
{
	struct missing *missing = data;

	if (!missing)
		return;
	free(missing->rel);
	free(missing);
}

static bool is_here(struct engine *engine, int root, const char *rel)
{
	struct stat st;

	return beneath_stat(roots_fd(engine->roots, root), rel, &st) == 0 &&
	       S_ISREG(st.st_mode);
}

struct search {
	struct engine *engine;
	struct missing *found;
};

static int find_missing(void *context, int root, const char *rel)
{
	struct search *search = context;

	if (is_here(search->engine, root, rel))
		return 0;
	search->found = calloc(1, sizeof(*search->found));
	if (!search->found)
		return -ENOMEM;
	search->found->root = root;
	search->found->rel = strdup(rel);
	return 1;
}

static bool is_still_missing(struct engine *engine, const char *key)
{
	_cleanup_(freep) char *rel = NULL;
	const struct missing *known;
	int root = 0;

	mutex_lock(&engine->lock);
	known = map_get(&engine->missing, key);
	if (known) {
		root = known->root;
		rel = strdup(known->rel);
	}
	mutex_unlock(&engine->lock);
	return rel && !is_here(engine, root, rel);
}

/* Every file of the representation is on the disk. */
static bool is_repre_here(struct engine *engine, const struct index_record *record)
{
	_cleanup_(freep) char *key = strf("%s/%s", record->project, record->repre);
	struct search search = { .engine = engine };
	void *old = NULL;
	int r;

	if (!key || is_still_missing(engine, key))
		return false;
	r = index_each_of_repre(engine->index, record->project, record->repre,
				find_missing, &search);
	if (r == 0 && !search.found)
		return true;
	mutex_lock(&engine->lock);
	if (!search.found || map_put(&engine->missing, key, search.found, &old) < 0)
		old = search.found;
	mutex_unlock(&engine->lock);
	missing_free(old);
	return false;
}

/* ---- what is recorded, on the pool thread ---- */

struct recording {
	struct engine *engine;
	struct outbox_rows *rows;
	const char *repre; /* only records of this one; NULL: those that have our entry */
};

static void record_ours(struct engine *engine, struct outbox_rows *rows,
			const struct index_record *record, const char *rel)
{
	struct record *row;

	if (record->ours.presence == DOC_PRESENT ||
	    journal_outbox_has(engine->journal, record->project, record->repre,
			       record->file, engine->config->active_site))
		return;
	row = outbox_rows_add(rows, RECORD_DONE, record, engine->config->active_site,
			      &record->ours);
	if (!row)
		return;
	row->id = strdup(path_name(rel));
	row->created_ms = clock_wall_ms();
	/* the last files of a representation come at the same time, and each finds all of it here */
	outbox_rows_once(rows);
}

static int record_path(void *context, int root, const char *rel)
{
	struct recording *recording = context;
	struct index_path path = { 0 };
	int r = index_find_path(recording->engine->index, root, rel, &path);

	for (size_t i = 0; r == 0 && i < path.n_records; i++)
		if (strcmp(path.records[i].repre, recording->repre) == 0)
			record_ours(recording->engine, recording->rows, &path.records[i],
				    rel);
	index_path_done(&path);
	return r < 0 ? r : 0;
}

static void record_arrival(struct engine *engine, int root, const char *rel,
			   struct outbox_rows *rows)
{
	struct index_path path = { 0 };

	if (index_find_path(engine->index, root, rel, &path) != 0)
		return;
	for (size_t i = 0; i < path.n_records; i++) {
		const struct index_record *record = &path.records[i];
		struct recording recording = {
			.engine = engine,
			.rows = rows,
			.repre = record->repre,
		};

		if (record->ours.presence == DOC_WANTED)
			record_ours(engine, rows, record, rel);
		else if (record->ours.presence == DOC_ABSENT &&
			 is_repre_here(engine, record))
			index_each_of_repre(engine->index, record->project, record->repre,
					    record_path, &recording);
	}
	index_path_done(&path);
}

/* ---- results, on the sync thread ---- */

static void put_object_state(struct engine *engine, const struct mail *mail,
			     enum index_object_state state)
{
	struct index_object object = {
		.state = state,
		.size = -1,
		.mtime_ns = -1,
		.seen_ms = clock_wall_ms(),
	};
	int r = index_begin(engine->index);

	if (r == 0)
		r = index_put_object(engine->index, mail->root, mail->rel, &object,
				     syncer_touched, engine);
	if (r == 0)
		r = index_commit(engine->index);
	else
		index_rollback(engine->index);
	if (r < 0)
		log_error("cannot note the object of '%s': %s", mail->rel,
			  error_text(NULL, r));
}

static void count_try(struct engine *engine, const struct mail *mail)
{
	struct outbox_rows rows = { 0 };
	struct index_path path = { 0 };

	if (engine->setup.is_read_only || engine->setup.is_cache_only ||
	    index_find_path(engine->index, mail->root, mail->rel, &path) != 0)
		return;
	for (size_t i = 0; i < path.n_records; i++) {
		const struct index_record *record = &path.records[i];
		struct record *row;

		if (record->ours.presence != DOC_WANTED)
			continue;
		row = outbox_rows_add(&rows, RECORD_FAILED, record,
				      engine->config->active_site, &record->ours);
		if (!row)
			continue;
		row->tries = record->ours.tries + 1;
		row->error = strdup(mail->text ? mail->text : "unknown error");
		row->failed_ms = clock_wall_ms();
	}
	index_path_done(&path);
	outbox_commit(engine, &rows);
	outbox_rows_done(&rows);
}

static void come_back_later(struct engine *engine, struct plan *plan)
{
	if (!plan)
		return;
	plan->n_faults++;
	plan_set_due(&engine->plans, plan,
		     clock_mono_ms() + act_backoff_ms(engine->config, plan->n_faults));
}

static void not_arrived(struct engine *engine, struct plan *plan, const struct mail *mail)
{
	const char *text = mail->text ? mail->text : error_text(NULL, mail->result);
	bool is_on_demand;

	if (mail->result == PROVIDER_GONE || mail->result == PROVIDER_CHANGED) {
		put_object_state(engine, mail,
				 mail->result == PROVIDER_GONE ? OBJECT_MISSING
							       : OBJECT_DIFFERENT);
		/* by whom, and when? */
		news_suspect(engine, mail->root, mail->rel);
		return;
	}
	come_back_later(engine, plan);
	if (provider_is_site_fault(mail->result)) {
		engine_set_remote_fault(engine, mail->result, text);
		return;
	}
	if (mail->result == PROVIDER_BUSY || mail->result == -ECANCELED ||
	    mail->result == -EEXIST)
		return;
	log_warning("cannot download '%s': %s", mail->rel, text);
	events_emit(&engine->events, (struct engine_event){ .root = mail->root,
							    .rel = mail->rel,
							    .what = "failed",
							    .state = FILE_FAILED,
							    .text = text });
	/* what a person's read met has no plan yet; explain has to know it all the same */
	is_on_demand = !plan || plan->is_of_reading;
	if (!plan)
		plan = plans_get(&engine->plans, mail->root, mail->rel);
	if (!plan)
		return;
	plan->is_of_reading = is_on_demand;
	plan_set_error(&engine->plans, plan, text, true);
	plan_set_patient(&engine->plans, plan, true);
	/* no room here, or a lost root, is a fault of the site, not of the file (law 8) */
	if (mail->result != -ENOSPC && mail->result != -EDQUOT && mail->result != -ESTALE)
		count_try(engine, mail);
}

static void handle_arrival(struct engine *engine, struct mail *mail)
{
	struct plan *plan = plans_find(&engine->plans, mail->root, mail->rel);

	if (plan && plan->phase == PLAN_DOWNLOAD)
		plan_set_phase(&engine->plans, plan, PLAN_IDLE);
	if (mail->result != 0) {
		not_arrived(engine, plan, mail);
		/* an object's state is news; the rest waits for its time */
		if (mail->result == PROVIDER_GONE || mail->result == PROVIDER_CHANGED ||
		    mail->result == -EEXIST)
			syncer_decide(engine, mail->root, mail->rel);
		return;
	}
	if (plan) {
		plan->n_faults = 0;
		plan_set_error(&engine->plans, plan, NULL, false);
	}
	events_emit(&engine->events, (struct engine_event){ .root = mail->root,
							    .rel = mail->rel,
							    .what = "recorded",
							    .state = FILE_LOCAL,
							    .progress = 1 });
	syncer_decide(engine, mail->root, mail->rel);
}

void arrive_completed(void *context, const struct hydrate_result *result)
{
	struct engine *engine = context;
	struct outbox_rows rows = { 0 };
	struct mail *mail = mail_new(handle_arrival, result->root, result->rel);

	if (result->error == 0 && !engine->setup.is_read_only &&
	    !engine->setup.is_cache_only) {
		if (result->is_new_truth)
			outbox_rows_add_truth(&rows, &result->truth, false);
		record_arrival(engine, result->root, result->rel, &rows);
		outbox_commit(engine, &rows);
		outbox_rows_done(&rows);
	}
	if (result->error == 0)
		engine_tell(engine, result->root, result->rel, ENGINE_CHANGE_NAME);
	if (mail) {
		mail->result = result->error;
		mail->text = result->text ? strdup(result->text) : NULL;
	}
	engine_post(engine, mail);
}

/* ---- sizes learnt by listing a folder ---- */

/* A listing is no proof that something is wrong: that is looked at again. */
static void judge_listed(struct engine *engine, int root, const char *rel,
			 struct index_object *object)
{
	const struct provider_object listed = {
		.id = object->id,
		.revision = object->revision,
		.size = object->size,
		.digest = object->digest,
	};
	struct index_path path = { 0 };

	if (index_find_path(engine->index, root, rel, &path) != 0)
		return;
	object->state = survey_judge(engine, &path, &listed);
	if (object->state == OBJECT_DIFFERENT || object->state == OBJECT_MISSING ||
	    path.object.state == OBJECT_MISSING ||
	    path.object.state == OBJECT_DIFFERENT) {
		object->state = path.object.state;
		object->fate = path.object.fate;
		object->at_ms = path.object.at_ms;
		object->who = steal(path.object.who);
		news_suspect(engine, root, rel);
	} else if (path.truth.size < 0) {
		object->state = OBJECT_UNKNOWN;
		/* a truth record may come of it */
		if (object->digest.has_sha256 || object->digest.has_md5)
			news_suspect(engine, root, rel);
	}
	index_path_done(&path);
}

static void handle_listed(struct engine *engine, struct mail *mail)
{
	int r = index_begin(engine->index);

	for (size_t i = 0; r == 0 && i < mail->n_objects; i++) {
		_cleanup_(freep) char *rel = path_join(mail->rel, mail->names[i]);

		if (rel)
			judge_listed(engine, mail->root, rel, &mail->objects[i]);
		r = rel ? index_put_object(engine->index, mail->root, rel,
					   &mail->objects[i], syncer_touched, engine)
			: -ENOMEM;
		/* objects that no document names are none of ours */
		if (r == INDEX_NONE)
			r = 0;
	}
	if (r == 0)
		r = index_commit(engine->index);
	else
		index_rollback(engine->index);
	if (r < 0)
		log_error("cannot note the listing of '%s': %s", mail->rel,
			  error_text(NULL, r));
}

void arrive_listed(void *context, int root, const char *rel_folder,
		   const struct index_object *objects, char *const *names, size_t n,
		   int error)
{
	_cleanup_(mail_freep) struct mail *mail =
		mail_new(handle_listed, root, rel_folder);
	struct engine *engine = context;

	if (!mail || error)
		return;
	mail->names = calloc(n + 1, sizeof(*mail->names));
	mail->objects = calloc(n + 1, sizeof(*mail->objects));
	if (!mail->names || !mail->objects)
		return;
	for (size_t i = 0; i < n; i++) {
		if (index_object_copy(&objects[i], &mail->objects[i]) < 0)
			return;
		mail->n_objects++;
		mail->names[i] = strdup(names[i]);
		if (!mail->names[i])
			return;
	}
	engine_post(engine, steal(mail));
	engine_await_mail(engine);
}

void arrive_fault(void *context, int outcome, const char *text)
{
	engine_set_remote_fault(context, outcome, text);
}
