/* What others do at the remote: believing what was found. Sync thread. */
#include "sync/news_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"

#define NAMED_MAX 5 /* in the log */

/* Another site may have put it there, and its truth record is still on its way: then the store knows more than the
 * index. */
static bool is_confirmed(struct engine *engine, const struct found *found,
			 const struct index_path *path)
{
	_cleanup_(truth_done) struct truth truth = { .size = -1 };
	const struct plan *plan = plans_find(&engine->plans, found->root, found->rel);
	const struct truth *known = path->former.files.n ? &path->former : &path->truth;
	const struct truth_remote *ours, *theirs;
	int r;

	if (plan && plan->phase == PLAN_UPLOAD)
		return false;
	for (size_t i = 0; i < path->n_records; i++)
		if (journal_outbox_has(engine->journal, path->records[i].project,
				       path->records[i].repre, path->records[i].file,
				       engine->config->remote_site))
			return false;
	if (!engine->store)
		return false;
	r = engine->store->ops->load_truth(engine->store, found->project, found->key,
					   &truth);
	if (r != 0)
		return r == STORE_GONE && known->size < 0;
	ours = truth_find_remote(known, engine->config->remote_site);
	theirs = truth_find_remote(&truth, engine->config->remote_site);
	if (known->size < 0 || !truth_same_bytes(&truth, known))
		return false;
	return !theirs || !theirs->revision ||
	       (ours && ours->revision && strcmp(ours->revision, theirs->revision) == 0);
}

static int put(struct engine *engine, const struct found *found)
{
	int r = index_begin(engine->index);

	if (r == 0)
		r = index_put_object(engine->index, found->root, found->rel,
				     &found->object, syncer_touched, engine);
	if (r >= 0)
		return index_commit(engine->index);
	index_rollback(engine->index);
	return r;
}

static bool is_trouble(const struct index_object *object)
{
	return object->state == OBJECT_MISSING || object->state == OBJECT_DIFFERENT;
}

static void say(const struct engine *engine, const struct found *found)
{
	const struct index_object *object = &found->object;
	const char *fate = provider_fate_name(object->fate);
	char when[CLOCK_RFC3339_SIZE] = "";

	if (object->at_ms)
		clock_format(object->at_ms, when);
	log_warning("at site '%s' '%s' was %s%s%s%s%s", engine->config->remote_site,
		    found->rel,
		    fate                              ? fate
		    : object->state == OBJECT_MISSING ? "removed"
						      : "found to be another one",
		    object->who ? " by " : "", object->who ? object->who : "",
		    when[0] ? " at " : "", when);
}

/* The store may know more in a moment. */
static void doubt(struct engine *engine, const struct found *found)
{
	struct suspect *suspect = news_add(engine, found->root, found->rel, 0);

	if (suspect)
		suspect->due_ms += act_backoff_ms(engine->config, ++suspect->n_doubts);
}

/* Somebody has looked since. A time to come is one of a clock that was wrong. */
static bool is_outdated(const struct index_object *known, const struct index_object *seen)
{
	return known->seen_ms > seen->seen_ms && known->seen_ms <= clock_wall_ms();
}

/* The documents mean that object. */
static bool is_meant(const struct index_path *path, const struct index_object *object)
{
	for (size_t i = 0; i < path->n_records && object->document_id; i++)
		if (path->records[i].remote.presence == DOC_PRESENT &&
		    str_is_same(path->records[i].remote.id, object->document_id))
			return true;
	return false;
}

/* Nobody has told yet what its bytes are. */
static void learn(struct engine *engine, const struct found *found,
		  const struct index_path *path, struct outbox_rows *rows)
{
	_cleanup_(truth_done) struct truth truth = { .size = found->object.size,
						     .mtime_ns = found->object.mtime_ns,
						     .digest = found->object.digest };

	if (!found->is_learnt || path->truth.size >= 0 || !is_meant(path, &found->object))
		return;
	truth.project = strdup(found->project);
	truth.key = strdup(found->key);
	if (truth.project && truth.key &&
	    truth_copy_files(&found->signature, &truth) == 0 &&
	    truth_set_remote(&truth, engine->config->remote_site, found->object.id,
			     found->object.revision) == 0)
		outbox_rows_add_truth(rows, &truth, false);
}

/* Where the store does not tell of each change, the documents may be others than we know, of a newer publish. ASKED: which
 * was asked for last, as a sequence is one. */
static int ask_documents(struct engine *engine, const struct index_path *path,
			 char **asked)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < path->n_records; i++) {
		const struct index_record *record = &path->records[i];
		char *repre = strf("%s/%s", record->project, record->repre);

		if (!str_is_same(repre, *asked))
			r = feed_reread(engine, record->project, record->repre);
		free(*asked);
		*asked = repre;
	}
	return r;
}

/* As the documents are now: it is of a newer publish, and not another one than was published. */
static bool is_of_newer(const struct engine *engine, const struct index_path *path,
			const struct index_object *found)
{
	const struct provider_object object = { .id = found->id,
						.revision = found->revision,
						.size = found->size,
						.mtime_ns = found->mtime_ns,
						.digest = found->digest };

	return found->state == OBJECT_DIFFERENT && path->truth.size < 0 &&
	       survey_judge(engine, path, &object) != OBJECT_DIFFERENT;
}

/* The path as it is; where trouble was found, with its documents read again. */
static int load(struct engine *engine, const struct found *found, char **asked,
		struct index_path *ret)
{
	int r = index_find_path(engine->index, found->root, found->rel, ret);

	if (r != 0 || !is_trouble(&found->object))
		return r;
	r = ask_documents(engine, ret, asked);
	if (r < 0)
		log_debug("cannot read the documents of '%s': %s", found->rel,
			  error_text(NULL, r));
	index_path_done(ret);
	return index_find_path(engine->index, found->root, found->rel, ret);
}

/* 1 where it is trouble that nobody knew of. */
static int apply(struct engine *engine, const struct found *found, char **asked,
		 struct outbox_rows *rows)
{
	struct index_path path = { 0 };
	bool was_trouble, is_believed, is_unsure;
	int r = load(engine, found, asked, &path);

	if (r != 0)
		return r == INDEX_NONE ? 0 : r;
	if (is_outdated(&path.object, &found->object)) {
		index_path_done(&path);
		return 0;
	}
	was_trouble = is_trouble(&path.object);
	is_believed = !is_trouble(&found->object) ||
		      (is_confirmed(engine, found, &path) &&
		       !is_of_newer(engine, &path, &found->object));
	/* what cannot be told from outside clears nothing that a reading has shown */
	is_unsure = was_trouble && found->object.state == OBJECT_UNKNOWN;
	if (!is_believed)
		doubt(engine, found);
	else if (!is_unsure)
		r = put(engine, found);
	if (r == 0 && is_believed)
		learn(engine, found, &path, rows);
	index_path_done(&path);
	return r < 0 ? r : is_believed && is_trouble(&found->object) && !was_trouble;
}

static void note_twins(struct engine *engine, const struct found *found)
{
	_cleanup_(freep) char *key = strf("%d:%s", found->root, found->rel);

	if (key)
		map_put(&engine->news.twins, key, engine, NULL);
}

void news_found(struct engine *engine, const struct errand *errand)
{
	_cleanup_(freep) char *asked = NULL;
	struct outbox_rows rows = { 0 };
	int n = 0;

	for (size_t i = 0; i < errand->n_found; i++) {
		int r = 0;

		if (errand->found[i].has_twins)
			note_twins(engine, &errand->found[i]);
		if (errand->found[i].is_news)
			r = apply(engine, &errand->found[i], &asked, &rows);

		if (r < 0)
			log_error("cannot note the object of '%s': %s",
				  errand->found[i].rel, error_text(NULL, r));
		if (r > 0 && n++ < NAMED_MAX)
			say(engine, &errand->found[i]);
	}
	if (n > NAMED_MAX)
		log_warning("... and %d files more", n - NAMED_MAX);
	outbox_commit(engine, &rows);
	outbox_rows_done(&rows);
}

static void handle_told(struct engine *engine, struct mail *mail)
{
	news_found(engine, mail->data);
}

void news_tell(struct engine *engine, const struct survey_finding *finding)
{
	struct mail *mail = mail_new(handle_told, 0, NULL);
	struct errand *errand = calloc(1, sizeof(*errand));

	if (mail && errand) {
		errand->engine = engine;
		mail->data = errand;
		mail->free_data = news_errand_free;
		if (news_take_finding(errand, finding) == 0) {
			engine_post(engine, mail);
			return;
		}
	} else {
		free(errand);
	}
	mail_free(mail);
}
