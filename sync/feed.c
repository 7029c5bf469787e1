/*
 * The feed: store -> index. Reading everything is mark and sweep while the old index goes on serving; after that
 * events only say what to read again. Sync thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/doc_project.h"
#include "sync/engine_private.h"

#define ROWS_PER_COMMIT 500

static void set_reachable(struct engine *engine, int r, const char *text)
{
	bool was_reachable;

	mutex_lock(&engine->lock);
	was_reachable = engine->is_store_reachable;
	engine->is_store_reachable = r == 0;
	engine->store_errno = r;
	str_cut(engine->store_error, sizeof(engine->store_error), text);
	cond_broadcast(&engine->changed);
	mutex_unlock(&engine->lock);
	if (was_reachable && r < 0)
		log_warning("store is away: %s; results wait in the outbox", text);
	else if (!was_reachable && r == 0)
		log_info("store is reachable");
}

static void set_wakeable(struct engine *engine, struct store *store)
{
	mutex_lock(&engine->lock);
	engine->wakeable = store;
	mutex_unlock(&engine->lock);
}

void feed_lost(struct engine *engine, int r, const char *what)
{
	struct error error = { 0 };

	error_set(&error, r, "%s: %s", what, error_text(NULL, r));
	engine->store_retry_ms = clock_mono_ms() + engine->config->timing.retry_min_ms;
	engine->store_trouble = 0;
	set_reachable(engine, r, error.text);
	/* a locked database is there; anything else is opened anew */
	if (r == -EBUSY)
		return;
	set_wakeable(engine, NULL);
	store_free(engine->store);
	engine->store = NULL;
}

int feed_open(struct engine *engine)
{
	_cleanup_(freep) char *identity = NULL;
	struct error error = { 0 };
	int r = store_open(engine->config->store_uri, engine->config->store_database,
			   true, &engine->store, &error);

	if (r == 0)
		r = engine->store->ops->identity(engine->store, &identity);
	if (r == 0 && strcmp(identity, engine->store_identity) != 0)
		r = error_set(&error, -EXDEV, "another store is at %s now",
			      engine->config->store_uri);
	if (r < 0) {
		feed_lost(engine, r, error_text(&error, r));
		return r;
	}
	engine->store->poll_ms = engine->config->loop_delay_ms;
	engine->store->sites[0] = engine->config->active_site;
	engine->store->sites[1] =
		engine->config->remote_site[0] ? engine->config->remote_site : NULL;
	engine->store->takeover_ms = engine->config->timing.takeover_ms;
	set_wakeable(engine, engine->store);
	set_reachable(engine, 0, "");
	return 0;
}

static void refuse(struct engine *engine, const char *project, const char *id,
		   const char *reason)
{
	log_warning("document %s in %s takes no part: %s", id, project, reason);
	index_refuse_doc(engine->index, project, id, reason, syncer_touched, engine);
}

/* One document as it is now, within the transaction that is open. */
static int put(struct engine *engine, const char *project, const void *bson, size_t len)
{
	_cleanup_(doc_freep) struct doc *doc = NULL;
	_cleanup_(freep) char *id = NULL;
	struct error error = { 0 };
	int r = doc_parse(bson, len, project, &doc, &error);

	if (r == DOC_OTHER)
		return 0;
	if (r == -EBADMSG) {
		id = doc_id_of(bson, len);
		refuse(engine, project, id ? id : "without an id", error.text);
		return 0;
	}
	if (r < 0)
		return r;
	return index_put_doc(engine->index, doc, syncer_touched, engine);
}

struct reading {
	struct engine *engine;
	int64_t n;
};

/* Transactions stay short: readers never wait, but the log of a long one would grow. */
static int read_step(struct reading *reading)
{
	struct engine *engine = reading->engine;
	int r;

	if (++reading->n % ROWS_PER_COMMIT != 0)
		return 0;
	mutex_lock(&engine->lock);
	engine->n_read = reading->n;
	r = engine->is_stopping ? -ECANCELED : 0;
	cond_broadcast(&engine->changed);
	mutex_unlock(&engine->lock);
	if (r == 0)
		r = index_commit(engine->index);
	return r == 0 ? index_begin(engine->index) : r;
}

static int read_doc(void *context, const char *project, const void *bson, size_t len)
{
	struct reading *reading = context;
	struct engine *engine = reading->engine;
	int r;

	if (engine->project && strcmp(project, engine->project) != 0)
		return 0;
	r = put(engine, project, bson, len);
	return r < 0 ? r : read_step(reading);
}

static int read_truth(void *context, const struct truth *truth)
{
	struct reading *reading = context;
	int r = index_put_truth(reading->engine->index, truth, syncer_touched,
				reading->engine);

	return r < 0 ? r : read_step(reading);
}

static int read_project(void *context, const char *project)
{
	struct engine *engine = context;
	_cleanup_(buf_done) struct buf bson = { 0 };
	struct config_reason reason;
	bool is_inactive;
	int r = engine->store->ops->find(engine->store, project, "project", NULL, project,
					 &bson);

	if (r < 0)
		return r;
	is_inactive = r == 0 && doc_project_is_inactive(bson.data, bson.len);
	if (!is_inactive &&
	    config_leaves_out(engine->config, project, r == 0 ? bson.data : NULL,
			      bson.len, &reason)) {
		log_info("project '%s' has no background transfers: %s", project,
			 reason.text);
		is_inactive = true;
	}
	return index_set_project(engine->index, project, is_inactive, syncer_touched,
				 engine);
}

static int read_everything(struct engine *engine)
{
	struct store *store = engine->store;
	struct reading reading = { .engine = engine };
	int r = index_sweep_begin(engine->index);

	if (r == 0)
		r = store->ops->projects(store, read_project, engine);
	if (r == 0)
		r = store->ops->scan_truth(store, read_truth, &reading);
	if (r == 0)
		r = store->ops->scan(store, NULL, false, read_doc, &reading);
	if (r == 0)
		r = index_sweep_end(engine->index, syncer_touched, vanish_keeps, engine);
	return r > 0 ? 0 : r;
}

int feed_read_projects(struct engine *engine)
{
	int r = index_begin(engine->index);

	if (r < 0)
		return r;
	r = engine->store->ops->projects(engine->store, read_project, engine);
	if (r < 0) {
		index_rollback(engine->index);
		free(steal(engine->token)); /* and again with the next try */
		return r;
	}
	return index_commit(engine->index);
}

int feed_read_all(struct engine *engine)
{
	_cleanup_(freep) char *token = NULL;
	int r = engine->store->ops->now(engine->store, &token);

	if (r == 0)
		r = index_begin(engine->index);
	if (r < 0)
		return r;
	r = read_everything(engine);
	if (r == 0)
		r = index_set_token(engine->index, token);
	if (r < 0) {
		index_rollback(engine->index);
		return r;
	}
	index_set_complete(engine->index);
	r = index_commit(engine->index);
	if (r < 0)
		return r;
	free(engine->token);
	engine->token = steal(token);
	departed_done(&engine->departed);
	return 0;
}

/* Another hand changed our entry of a hidden name: the whiteout is lifted. Our own outbox is no other hand. */
struct hidden {
	struct engine *engine;
	const struct doc *doc;
};

/* The outbox puts its own changes into the index itself; only a row that is still there can be ours. */
static bool is_own_pull(struct engine *engine, const struct index_record *record)
{
	return journal_outbox_has(engine->journal, record->project, record->repre,
				  record->file, engine->config->active_site);
}

static int lift_whiteouts(void *context, int root, const char *rel)
{
	struct hidden *hidden = context;
	struct engine *engine = hidden->engine;
	struct index_path path = { 0 };
	int r;

	if (!journal_has_whiteouts_below(engine->journal, root, rel))
		return 0;
	r = index_find_path(engine->index, root, rel, &path);
	for (size_t i = 0; r == 0 && i < path.n_records; i++) {
		const struct index_record *record = &path.records[i];
		const struct doc_file *file;
		const struct doc_site *site;
		enum doc_presence presence;

		if (strcmp(record->repre, hidden->doc->id) != 0)
			continue;
		file = doc_find_file(hidden->doc, record->file);
		site = file ? doc_find_site(file, engine->config->active_site) : NULL;
		presence = site ? site->presence : DOC_ABSENT;
		if (!file || presence == record->ours.presence)
			continue;
		if (is_own_pull(engine, record))
			continue;
		view_restore(engine->view, root, rel);
		break;
	}
	index_path_done(&path);
	return r < 0 ? r : 0;
}

static int reread(struct engine *engine, const char *project, const char *id)
{
	_cleanup_(buf_done) struct buf bson = { 0 };
	_cleanup_(doc_freep) struct doc *doc = NULL;
	struct hidden hidden = { .engine = engine };
	int r = engine->store->ops->load(engine->store, project, id, &bson);

	if (r == STORE_GONE)
		return vanish_went(engine, project, id);
	if (r < 0)
		return r;
	r = doc_parse(bson.data, bson.len, project, &doc, NULL);
	if (r == DOC_OTHER)
		return doc_is_project(bson.data, bson.len) ? read_project(engine, project)
							   : 0;
	if (r == 0) {
		vanish_came(engine, project, id);
		hidden.doc = doc;
		r = index_each_of_repre(engine->index, project, id, lift_whiteouts,
					&hidden);
	}
	return r < 0 && r != -EBADMSG ? r : put(engine, project, bson.data, bson.len);
}

int feed_reread(struct engine *engine, const char *project, const char *repre)
{
	int r = engine->store ? index_begin(engine->index) : -ENOTCONN;

	if (r < 0)
		return r;
	r = reread(engine, project, repre);
	if (r == 0)
		return index_commit(engine->index);
	index_rollback(engine->index);
	return r;
}

static int reread_truth(struct engine *engine, const char *project, const char *key)
{
	struct truth truth = { .size = -1 };
	_cleanup_(freep) char *repre = NULL;
	int r = engine->store->ops->load_truth(engine->store, project, key, &truth);

	if (r == 0)
		r = index_put_truth(engine->index, &truth, syncer_touched, engine);
	/* who wrote it knows a newer document: where the store does not tell of each change, it is long till we do */
	if (r == 0)
		r = index_find_unread(engine->index, &truth, &repre);
	if (r == 0)
		r = reread(engine, project, repre);
	truth_done(&truth);
	return r > 0 ? 0 : r;
}

/* Events are collected first: the store is not asked again from inside its own walk. */
struct events_read {
	struct engine *engine;
	struct store_event *events;
	size_t n, cap;
};

static int collect(void *context, const struct store_event *event)
{
	struct events_read *read = context;
	struct store_event *grown;

	if (read->engine->project && strcmp(event->project, read->engine->project) != 0)
		return 0;
	if (read->n == read->cap) {
		size_t cap = read->cap ? read->cap * 2 : 64;

		grown = reallocarray(read->events, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		read->events = grown;
		read->cap = cap;
	}
	read->events[read->n].kind = event->kind;
	read->events[read->n].project = strdup(event->project);
	read->events[read->n].id = strdup(event->id);
	read->n++;
	return read->events[read->n - 1].project && read->events[read->n - 1].id
		       ? 0
		       : -ENOMEM;
}

static void events_read_done(struct events_read *read)
{
	for (size_t i = 0; i < read->n; i++) {
		free((void *)(uintptr_t)read->events[i].project);
		free((void *)(uintptr_t)read->events[i].id);
	}
	free(read->events);
}

static int apply(struct engine *engine, const struct events_read *read)
{
	int r = index_begin(engine->index);

	for (size_t i = 0; r == 0 && i < read->n; i++) {
		const struct store_event *event = &read->events[i];

		if (event->kind == STORE_EVENT_TRUTH)
			r = reread_truth(engine, event->project, event->id);
		else
			r = reread(engine, event->project, event->id);
		if (r == 0 && (i + 1) % ROWS_PER_COMMIT == 0) {
			r = index_commit(engine->index);
			if (r == 0)
				r = index_begin(engine->index);
		}
	}
	/* what is not believed yet is heard of again after a restart */
	if (r == 0 && departed_due_ms(&engine->departed, 0) == INT64_MAX)
		r = index_set_token(engine->index, engine->token);
	if (r < 0) {
		index_rollback(engine->index);
		return r;
	}
	return index_commit(engine->index);
}

int feed_follow(struct engine *engine, int64_t timeout_ms)
{
	struct events_read read = { .engine = engine };
	int r = engine->store->ops->watch(engine->store, &engine->token, timeout_ms,
					  collect, &read);

	if (r == STORE_TOKEN_LOST) {
		log_info("the store's feed was cut: everything is read again");
		r = feed_read_all(engine);
	} else if (r == 0) {
		r = apply(engine, &read);
	}
	events_read_done(&read);
	if (r < 0)
		return r;
	set_reachable(engine, 0, "");
	return 0;
}
