/*
 * The sync thread: the only one that talks to the store and writes the index.
 *
 *   loop: mail (results, requests) ── outbox ── feed (waits here) ── due plans ── decide what was touched
 *
 * Long walks (the first look at everything, the sweep) call syncer_pump() between steps, so a new publish
 * never waits for them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/engine_private.h"
#include "sync/greeting.h"
#include "sync/kinship.h"
#include "sync/progress.h"

#define PUMP_EVERY 256

int syncer_touched(void *context, int root, const char *rel)
{
	struct engine *engine = context;
	_cleanup_(freep) char *key = NULL;

	/* the first reading is followed by a look at everything */
	if (!index_is_complete(engine->index))
		return 0;
	key = strf("%d:%s", root, rel);
	return key ? map_put(&engine->dirty, key, engine, NULL) : -ENOMEM;
}

static void note_state(struct engine *engine, const struct assessment *assessment)
{
	enum file_state state =
		assessment->is_hidden ? FILE_HIDDEN : assessment->whole.state;

	if (!assessment->path.n_records) {
		tally_drop(&engine->tally, assessment->root, assessment->rel);
		return;
	}
	if (tally_put(&engine->tally, assessment->root, assessment->rel, state,
		      assessment->path.node.shown != SHOWN_NOT))
		events_emit(&engine->events,
			    (struct engine_event){ .root = assessment->root,
						   .rel = assessment->rel,
						   .what = "state",
						   .state = state });
}

void syncer_decide(struct engine *engine, int root, const char *rel)
{
	struct assess_setup setup = engine_assess_setup(engine);
	struct plan *plan = plans_find(&engine->plans, root, rel);
	struct assessment assessment;
	int64_t now = clock_mono_ms();
	uint64_t signature;
	int r;

	if (plan && plan->phase != PLAN_IDLE) {
		plan->is_dirty = true;
		if (plan->phase == PLAN_CHECK ||
		    assess(&setup, root, rel, 0, &assessment) < 0)
			return;
		act_on_busy(engine, plan, &assessment);
		assessment_done(&assessment);
		return;
	}
	r = assess(&setup, root, rel, plan ? now - plan->since_ms : 0, &assessment);
	if (r < 0) {
		log_error("cannot look at '%s': %s", rel, error_text(NULL, r));
		return;
	}
	signature = assessment_signature(&assessment);
	note_state(engine, &assessment);
	presence_note(engine, &assessment);
	if (plan && plan->signature != signature) {
		/* another situation: its age starts anew, a failure of before is over */
		plan->since_ms = now;
		plan->n_faults = 0;
		if (plan->signature)
			plan_set_error(&engine->plans, plan, NULL, false);
		assessment_done(&assessment);
		if (assess(&setup, root, rel, 0, &assessment) < 0)
			return;
	}
	if (!plan && assessment_has_action(&assessment)) {
		plan = plans_get(&engine->plans, root, rel);
		if (plan)
			plan->since_ms = now;
	}
	if (plan) {
		plan->signature = signature;
		act_on(engine, plan, &assessment);
	}
	assessment_done(&assessment);
}

static void touched_one(struct engine *engine, const char *key)
{
	char *rel = NULL;
	long root = strtol(key, &rel, 10);

	rel++;
	engine_tell(engine, (int)root, rel, ENGINE_CHANGE_NAME);
	syncer_decide(engine, (int)root, rel);
}

void syncer_decide_dirty(struct engine *engine)
{
	while (map_size(&engine->dirty)) {
		struct map taken = engine->dirty;
		struct map_slot *slot;
		size_t pos = 0;

		engine->dirty = (struct map){ 0 };
		while ((slot = map_next(&taken, &pos)))
			touched_one(engine, slot->key);
		map_done(&taken, NULL);
	}
}

static struct mail *take_mail(struct engine *engine)
{
	struct mail *mail;

	mutex_lock(&engine->lock);
	mail = engine->mail_first;
	engine->mail_first = engine->mail_last = NULL;
	mutex_unlock(&engine->lock);
	return mail;
}

static void handle_mail(struct engine *engine)
{
	struct mail *mail = take_mail(engine), *next;

	for (; mail; mail = next) {
		next = mail->next;
		mail->handle(engine, mail);
		mail_free(mail);
		mutex_lock(&engine->lock);
		engine->n_handled++;
		cond_broadcast(&engine->changed);
		mutex_unlock(&engine->lock);
	}
}

static void decide_due(void *context, int root, const char *rel)
{
	syncer_decide(context, root, rel);
}

/* Store work that does not wait: outbox, and events until TIMEOUT_MS. */
static void serve_store(struct engine *engine, int64_t timeout_ms)
{
	int r;

	if (!engine->store && clock_mono_ms() >= engine->store_retry_ms &&
	    feed_open(engine) < 0)
		return;
	if (!engine->store)
		return;
	r = engine->store_trouble;
	if (r == 0)
		r = outbox_replay(engine);
	syncer_decide_dirty(engine);
	if (r == 0 && engine->store_trouble == 0 && index_is_complete(engine->index) &&
	    engine->token)
		r = feed_follow(engine, timeout_ms);
	if (r == 0 && engine->store_trouble == 0 && index_is_complete(engine->index) &&
	    engine->token)
		r = vanish_settle(engine);
	if (r < 0 && r != -ECANCELED)
		feed_lost(engine, r, "cannot use the store");
}

static void handle_catch_up(struct engine *engine, struct mail *mail)
{
	if (engine->store)
		engine->store->looks_now = true;
	serve_store(engine, 0);
	syncer_decide_dirty(engine);
}

void engine_catch_up(struct engine *engine)
{
	engine_post(engine, mail_new(handle_catch_up, 0, NULL));
	engine_await_mail(engine);
}

void syncer_pump(struct engine *engine)
{
	handle_mail(engine);
	serve_store(engine, 0);
	plans_take_due(&engine->plans, clock_mono_ms(), decide_due, engine);
	syncer_decide_dirty(engine);
}

/* ---- roots ---- */

struct first_use {
	struct engine *engine;
	int root;
	int64_t n_recorded;
	bool has_found;
};

static int find_recorded(void *context, int root, const char *rel)
{
	struct first_use *use = context;
	struct stat st;

	if (root != use->root)
		return 0;
	use->n_recorded++;
	if (beneath_stat(roots_fd(use->engine->roots, root), rel, &st) < 0)
		return 0;
	use->has_found = true;
	return 1;
}

/* First use: a root that holds none of the files recorded here is somebody else's, or not mounted. */
static void judge_roots(struct engine *engine)
{
	for (size_t i = 0; i < roots_count(engine->roots); i++) {
		struct first_use use = { .engine = engine, .root = (int)i };
		char why[200];

		if (!roots_is_first_use(engine->roots, (int)i))
			continue;
		index_each(engine->index, SELECT_RECORDED, NULL, find_recorded, &use);
		if (use.has_found || use.n_recorded == 0 || engine->setup.can_adopt) {
			roots_accept(engine->roots, (int)i);
			continue;
		}
		snprintf(
			why, sizeof(why),
			"%s holds none of the %lld files recorded at site '%s': mount the right "
			"disk, or give --adopt",
			roots_path(engine->roots, (int)i), (long long)use.n_recorded,
			engine->config->active_site);
		roots_set_lost(engine->roots, (int)i, why);
	}
}

static bool check_roots(struct engine *engine)
{
	bool was_lost = roots_are_lost(engine->roots, NULL);
	struct error why = { 0 };
	bool is_fine;

	roots_check(engine->roots);
	is_fine = !roots_are_lost(engine->roots, &why);
	if (!is_fine && !was_lost)
		log_warning("a root is lost: %s; nothing is moved or recorded", why.text);
	if (is_fine != !was_lost)
		events_emit(&engine->events,
			    (struct engine_event){ .rel = "",
						   .what = is_fine ? "back" : "lost",
						   .text = why.text });
	if (is_fine && was_lost) {
		log_info("the root is back");
		engine->is_swept = false;
	}
	return is_fine;
}

/* ---- looking at everything ---- */

struct sweep {
	struct engine *engine;
	int64_t n;
};

static int sweep_one(void *context, int root, const char *rel)
{
	struct sweep *sweep = context;

	syncer_decide(sweep->engine, root, rel);
	if (++sweep->n % PUMP_EVERY == 0)
		syncer_pump(sweep->engine);
	return engine_is_stopping(sweep->engine) ? -ECANCELED : 0;
}

/* They count from the next start on: roots and sites are not changed under a mount. Said once for each change of mind. */
static void look_at_settings(struct engine *engine)
{
	int r = engine->store ? config_is_outdated(engine->config, engine->store) : 0;

	if (r == 1 && !engine->is_outdated)
		log_warning(
			"OpenPype's settings have changed: they count when the daemon "
			"is started again ('sitefs config show' tells what they are)");
	if (r >= 0 && engine->store)
		engine->is_outdated = r == 1;
}

static void sweep(struct engine *engine)
{
	struct sweep state = { .engine = engine };
	bool is_first = !engine->is_swept;
	int r;

	engine->is_swept = true;
	engine->next_sweep_ms = clock_mono_ms() + engine->config->timing.sweep_ms;
	look_at_settings(engine);
	r = index_each(engine->index, SELECT_PENDING, NULL, sweep_one, &state);
	if (r == 0)
		r = index_each(engine->index, is_first ? SELECT_ALL : SELECT_RECORDED,
			       NULL, sweep_one, &state);
	if (r == 0)
		r = journal_stamp_each(engine->journal, STAMP_COPY, sweep_one, &state);
	if (r < 0 && r != -ECANCELED)
		log_error("looking at all files ended early: %s", error_text(NULL, r));
	presence_look_again(engine);
}

/* What was held back, or shall be, is decided anew. */
static void look_at_held(struct engine *engine)
{
	enum index_select all = engine->setup.is_mirror ? SELECT_ALL : SELECT_PENDING;
	struct sweep state = { .engine = engine };
	int r;

	if (pauses_expire(&engine->pauses, clock_wall_ms(), &engine->next_resume_ms))
		engine->needs_resuming = true;
	if (!engine->needs_resuming || !engine->is_swept)
		return;
	engine->needs_resuming = false;
	r = index_each(engine->index, all, NULL, sweep_one, &state);
	/* originals that were replaced, and are sent again */
	if (r == 0)
		r = index_each(engine->index, SELECT_RECORDED, NULL, sweep_one, &state);
	if (r < 0 && r != -ECANCELED)
		log_error("looking at what was paused ended early: %s",
			  error_text(NULL, r));
}

/* Only hosts that record are compared. A stranger's roots count as lost. */
static void check_kinship(struct engine *engine)
{
	bool is_kin = true;

	for (size_t i = 0; i < roots_count(engine->roots); i++) {
		_cleanup_(freep) char *identity = roots_identity(engine->roots, (int)i);
		struct kinship kinship = { .site = engine->config->active_site,
					   .root = roots_name(engine->roots, (int)i),
					   .path = roots_path(engine->roots, (int)i),
					   .identity = identity };
		struct error why = { 0 };
		int r;

		if (!identity)
			continue;
		r = kinship_check(engine->store, &kinship, engine->setup.can_adopt, false,
				  &why);
		if (r == -EXDEV) {
			roots_set_lost(engine->roots, (int)i, why.text);
			mutex_lock(&engine->lock);
			engine->refusal = why;
			cond_broadcast(&engine->changed);
			mutex_unlock(&engine->lock);
		} else if (r < 0) {
			engine->store_trouble = r;
			is_kin = false;
			break;
		}
	}
	engine->is_kin = is_kin;
}

/* ---- the loop ---- */

static void first_reading(struct engine *engine)
{
	int r = 0;

	if (engine->store && (!index_is_complete(engine->index) ||
			      (engine->needs_reading && !engine->is_swept))) {
		r = feed_read_all(engine);
		engine->needs_reading = r < 0;
		if (r < 0 && r != -ECANCELED)
			feed_lost(engine, r, "cannot read the store");
	} else if (engine->store && !engine->token) {
		r = index_get_token(engine->index, &engine->token) != 0
			    ? feed_read_all(engine)
			    : feed_read_projects(engine);
	}
	if (r < 0 || !index_is_complete(engine->index))
		return;
	/* before anybody reads: in a root that is not judged yet nothing can be staged */
	if (!engine->is_swept)
		judge_roots(engine);
	if (engine->store && !engine->store_trouble && !engine->is_kin &&
	    !engine->setup.is_read_only && !engine->setup.is_cache_only)
		check_kinship(engine);
	mutex_lock(&engine->lock);
	engine->is_ready = true;
	cond_broadcast(&engine->changed);
	mutex_unlock(&engine->lock);
}

/* Nothing is queued, running or waiting for us: what sync --once waits for. */
static bool is_nothing_left(struct engine *engine)
{
	struct plan_totals totals;
	int64_t waiting, parked, n_jobs;
	bool has_mail;

	plans_count(&engine->plans, &totals);
	journal_outbox_count(engine->journal, &waiting, &parked);
	mutex_lock(&engine->lock);
	n_jobs = engine->n_jobs;
	has_mail = engine->mail_first != NULL;
	mutex_unlock(&engine->lock);
	return engine->is_swept && engine->store && !has_mail && n_jobs == 0 &&
	       waiting == 0 &&
	       totals.n_download + totals.n_upload + totals.n_check + totals.n_waiting ==
		       0 &&
	       (engine->has_probed || !engine->provider) && news_is_settled(engine) &&
	       !map_size(&engine->dirty) && !engine->needs_resuming &&
	       vanish_due_ms(engine) == INT64_MAX;
}

static void note_idle(struct engine *engine)
{
	bool is_idle = is_nothing_left(engine) || roots_are_lost(engine->roots, NULL);

	mutex_lock(&engine->lock);
	if (is_idle && !engine->mail_first) {
		engine->is_idle = true;
		cond_broadcast(&engine->changed);
	}
	mutex_unlock(&engine->lock);
}

static int64_t wait_ms(struct engine *engine, int64_t next_due_ms)
{
	int64_t now = clock_mono_ms();
	int64_t until = now + engine->config->timing.probe_ms;
	int64_t settle_ms = upload_settle_due(engine);
	struct fault fault;

	if (engine->next_linger_ms < until)
		until = engine->next_linger_ms;
	if (engine->is_swept && engine->next_sweep_ms < until)
		until = engine->next_sweep_ms;
	if (next_due_ms < until)
		until = next_due_ms;
	if (plans_are_busy(&engine->plans) && engine->config->timing.progress_ms > 0 &&
	    engine->next_progress_ms < until)
		until = engine->next_progress_ms;
	if (engine->next_resume_ms != INT64_MAX &&
	    engine->next_resume_ms - clock_wall_ms() < until - now)
		until = now + engine->next_resume_ms - clock_wall_ms();
	if (engine->store && engine->next_write_ms < until)
		until = engine->next_write_ms;
	if (engine->store && vanish_due_ms(engine) < until)
		until = vanish_due_ms(engine);
	if (news_next_ms(engine) < until)
		until = news_next_ms(engine);
	if (presence_next_ms(engine) < until)
		until = presence_next_ms(engine);
	if ((engine_has_fault(engine, &fault) || !engine->has_probed) &&
	    engine->provider && !engine->is_probing && fault.next_probe_ms < until)
		until = fault.next_probe_ms;
	if (settle_ms < until - now)
		until = now + settle_ms;
	if (!engine->store && engine->store_retry_ms < until)
		until = engine->store_retry_ms;
	return until > now ? until - now : 0;
}

static void wait_without_store(struct engine *engine, int64_t ms)
{
	int64_t deadline = clock_mono_ms() + ms;

	mutex_lock(&engine->lock);
	while (!engine->mail_first && !engine->is_stopping)
		if (cond_wait_until(&engine->changed, &engine->lock, deadline) ==
		    -ETIMEDOUT)
			break;
	mutex_unlock(&engine->lock);
}

static void round_of(struct engine *engine)
{
	int64_t next_due;

	handle_mail(engine);
	if (!engine->store)
		serve_store(engine, 0);
	first_reading(engine);
	syncer_decide_dirty(engine);
	if (index_is_complete(engine->index) && !engine->is_swept)
		judge_roots(engine);
	if (check_roots(engine) && index_is_complete(engine->index) &&
	    (!engine->is_swept || clock_mono_ms() >= engine->next_sweep_ms))
		sweep(engine);
	look_at_held(engine);
	progress_write(engine);
	probe_due(engine);
	news_due(engine);
	probe_keep_meter(engine, false);
	lease_give_back(engine, false);
	greeting_due(engine);
	presence_due(engine);
	next_due = plans_take_due(&engine->plans, clock_mono_ms(), decide_due, engine);
	serve_store(engine, 0);
	syncer_decide_dirty(engine);
	note_idle(engine);
	if (engine->store)
		serve_store(engine, wait_ms(engine, next_due));
	else
		wait_without_store(engine, wait_ms(engine, next_due));
}

void *syncer_run(void *context)
{
	struct engine *engine = context;

	while (!engine_is_stopping(engine))
		round_of(engine);
	mutex_lock(&engine->lock);
	engine->wakeable = NULL;
	cond_broadcast(&engine->changed);
	mutex_unlock(&engine->lock);
	probe_keep_meter(engine, true);
	/* nothing waits for its second any more */
	map_done(&engine->written, free);
	if (engine->store && outbox_replay(engine) < 0)
		log_info("results wait in the outbox for the next start");
	else
		presence_end(engine);
	lease_give_back(engine, true);
	store_free(engine->store);
	engine->store = NULL;
	return NULL;
}

void syncer_submit(struct engine *engine, struct engine_job *job, enum pool_rank rank,
		   int priority)
{
	job->engine = engine;
	mutex_lock(&engine->lock);
	engine->n_jobs++;
	mutex_unlock(&engine->lock);
	pool_submit(engine->workers, &job->job, rank, priority);
}

void syncer_job_end(struct engine *engine)
{
	mutex_lock(&engine->lock);
	engine->n_jobs--;
	mutex_unlock(&engine->lock);
}
