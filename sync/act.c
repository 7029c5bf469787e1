/* Acting on a decision: outbox rows, jobs, a time to look again. Sync thread. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/base/path.h"
#include "sync/engine_private.h"
#include "sync/place.h"
#include "sync/progress.h"

#define WAIT_MIN_MS 250
#define WAIT_MAX_MS 10000
#define RESTOCK_MS 100

int64_t act_backoff_ms(const struct config *config, int n_faults)
{
	int64_t ms = config->timing.retry_min_ms;

	for (int i = 1; i < n_faults && ms < config->timing.retry_max_ms; i++)
		ms *= 2;
	if (ms > config->timing.retry_max_ms)
		ms = config->timing.retry_max_ms;
	/* jitter of a quarter, so that many files do not come back at once */
	return ms - ms / 4 + (int64_t)((uint64_t)random() % (uint64_t)(ms / 4 + 1));
}

static bool can_record(const struct engine *engine)
{
	return !engine->setup.is_read_only && !engine->setup.is_cache_only;
}

static void look_again(struct engine *engine, struct plan *plan, int64_t ms)
{
	plan_set_due(&engine->plans, plan, clock_mono_ms() + ms);
}

/* Quick at first, slower the longer it lasts. */
static void wait_on(struct engine *engine, struct plan *plan,
		    const struct decision *decision)
{
	int64_t ms = (clock_mono_ms() - plan->since_ms) / 4;

	plan_set_patient(&engine->plans, plan, decision->state != FILE_QUEUED);
	if (ms < WAIT_MIN_MS)
		ms = WAIT_MIN_MS;
	look_again(engine, plan, ms > WAIT_MAX_MS ? WAIT_MAX_MS : ms);
}

static bool is_on_its_way(struct engine *engine, const struct index_record *record,
			  const char *site)
{
	return journal_outbox_has(engine->journal, record->project, record->repre,
				  record->file, site);
}

/* Another hand recorded files that are not here: more than a few mean that the root is not the site's. */
static void count_pull(struct engine *engine, struct plan *plan)
{
	char why[200];

	if (plan->is_pull)
		return;
	plan->is_pull = true;
	if (++engine->n_pulls != PULLS_OF_A_LOST_ROOT + 1)
		return;
	snprintf(
		why, sizeof(why),
		"more than %d files recorded at site '%s' are missing under %s: mount the right "
		"disk, or give --adopt",
		PULLS_OF_A_LOST_ROOT, engine->config->active_site,
		roots_path(engine->roots, plan->root));
	if (!engine->setup.can_adopt)
		roots_set_lost(engine->roots, plan->root, why);
}

static void record_failed(struct record *row, const struct index_entry *entry,
			  const char *text)
{
	if (!row)
		return;
	row->tries = entry->tries + 1;
	row->error = strdup(text);
	row->failed_ms = clock_wall_ms();
}

/* The source is missing for good: a try, once until the plan is due again. */
static void fail_source(struct engine *engine, struct plan *plan,
			struct outbox_rows *rows, const struct index_record *record)
{
	_cleanup_(freep) char *text = strf("Source file %s doesn't exist.", record->path);

	if (!text || (plan->is_failed && plan->due_ms != INT64_MAX) ||
	    is_on_its_way(engine, record, engine->config->remote_site))
		return;
	record_failed(outbox_rows_add(rows, RECORD_FAILED, record,
				      engine->config->remote_site, &record->remote),
		      &record->remote, text);
	plan_set_error(&engine->plans, plan, text, true);
	plan_set_patient(&engine->plans, plan, true);
	look_again(engine, plan, engine->config->timing.retry_max_ms);
	log_warning("'%s' is recorded at '%s', but it is not under %s", record->path,
		    engine->config->active_site, roots_path(engine->roots, plan->root));
}

static void act_on_record(struct engine *engine, struct plan *plan,
			  struct assessment *assessment, size_t i,
			  struct outbox_rows *rows)
{
	const struct index_record *record = &assessment->path.records[i];
	const struct decision *decision = &assessment->decisions[i];
	const char *ours = engine->config->active_site;
	struct record *row;

	if (decision->row == 7 &&
	    (decision->action == ACT_WAIT || decision->action == ACT_PULL))
		count_pull(engine, plan);
	if (!can_record(engine) || roots_are_lost(engine->roots, NULL))
		return;
	switch (decision->action) {
	case ACT_RECORD_OURS:
		if (is_on_its_way(engine, record, ours))
			return;
		row = outbox_rows_add(rows, RECORD_DONE, record, ours, &record->ours);
		if (!row)
			return;
		row->id = strdup(path_name(assessment->rel));
		row->created_ms = clock_wall_ms();
		return;
	case ACT_PULL:
		if (!is_on_its_way(engine, record, ours))
			outbox_rows_add(rows, RECORD_PULL, record, ours, &record->ours);
		return;
	case ACT_FAIL:
		if (!engine_is_passive(engine))
			fail_source(engine, plan, rows, record);
		return;
	case ACT_NOTHING:
	case ACT_WAIT:
	case ACT_RECHECK:
	case ACT_CHECK:
	case ACT_HASH:
	case ACT_DOWNLOAD:
	case ACT_UPLOAD:
	case ACT_UPLOAD_OVER:
	case ACT_STAMP:
	case ACT_ASIDE:
		return;
	}
}

static int rank_of(enum decide_action action)
{
	static const int ranks[] = {
		[ACT_NOTHING] = 0,  [ACT_FAIL] = 1,        [ACT_STAMP] = 2,
		[ACT_RECHECK] = 3,  [ACT_WAIT] = 4,        [ACT_PULL] = 1,
		[ACT_CHECK] = 6,    [ACT_RECORD_OURS] = 1, [ACT_HASH] = 7,
		[ACT_DOWNLOAD] = 8, [ACT_UPLOAD] = 8,      [ACT_UPLOAD_OVER] = 9,
		[ACT_ASIDE] = 10,
	};

	return ranks[action];
}

/* Of several records, the one whose action goes first. */
static size_t best_of(const struct assessment *assessment)
{
	size_t best = 0;

	for (size_t i = 1; i < assessment->path.n_records; i++)
		if (rank_of(assessment->decisions[i].action) >
		    rank_of(assessment->decisions[best].action))
			best = i;
	return best;
}

/* As OpenPype: that of our entry, else that of the remote's. */
static int priority_of(const struct engine *engine, const struct index_record *record)
{
	int priority =
		record->ours.priority ? record->ours.priority : record->remote.priority;

	if (engine->setup.is_mirror)
		return 0;
	return priority ? priority : DOC_PRIORITY_DEFAULT;
}

static bool start_check(struct engine *engine, struct plan *plan, int r)
{
	if (r == 0)
		plan_set_phase(&engine->plans, plan, PLAN_CHECK);
	else
		look_again(engine, plan, engine->config->timing.retry_max_ms);
	return r == 0;
}

/* False: its folder was listed lately, before it was recorded there. */
static bool learn_size(struct engine *engine, const struct plan *plan)
{
	_cleanup_(freep) char *folder = path_parent(plan->rel);

	return !folder || hydrate_learn_later(engine->hydrator, plan->root, folder);
}

static void start_download(struct engine *engine, struct plan *plan,
			   const struct assessment *assessment, size_t i)
{
	const struct index_record *record = &assessment->path.records[i];
	int r;

	r = hydrate_fetch(engine->hydrator, plan->root, plan->rel, POOL_DOWNLOAD,
			  priority_of(engine, record));
	if (r == 0) {
		plan->priority = priority_of(engine, record);
		plan_set_phase(&engine->plans, plan, PLAN_DOWNLOAD);
		return;
	}
	if (r == -ENODATA && !learn_size(engine, plan)) {
		start_check(engine, plan, check_object_start(engine, assessment, false));
		return;
	}
	plan->n_faults++;
	look_again(engine, plan, act_backoff_ms(engine->config, plan->n_faults));
}

static void start_upload(struct engine *engine, struct plan *plan,
			 const struct assessment *assessment, size_t i)
{
	const struct index_record *record = &assessment->path.records[i];
	const struct decision *decision = &assessment->decisions[i];
	struct upload_order order = {
		/* a copy goes over what differs only where the record asks for it (rows 14, 15) */
		.may_replace = decision->action == ACT_UPLOAD_OVER ||
			       (plan->is_forced &&
				(assessment->disk != DISK_COPY || decision->row == 15)),
		/* a replaced original goes over what we had sent, not over another hand's work */
		.must_match_truth = decision->row == 0 && !plan->is_forced,
		.is_forced = plan->is_forced,
		.priority = priority_of(engine, record),
	};
	_cleanup_(freep) char *ids = NULL;
	int r;

	for (size_t k = 0; k < assessment->path.n_records; k++)
		if (is_on_its_way(engine, &assessment->path.records[k],
				  engine->config->remote_site))
			return;
	r = lease_take(engine, plan, &ids);
	if (r != 0) {
		/* ids are on their way; else another process of this site sends it, or the store is away */
		look_again(engine, plan,
			   r == -EAGAIN ? RESTOCK_MS
					: engine->config->timing.retry_min_ms);
		return;
	}
	order.ids = ids;
	order.job = plan_begin_job(&engine->plans, plan, order.priority,
				   assessment->st.st_size);
	if (upload_start(engine, assessment, &order) == 0) {
		plan_set_phase(&engine->plans, plan, PLAN_UPLOAD);
		return;
	}
	lease_release(engine, plan);
	look_again(engine, plan, engine->config->timing.retry_max_ms);
}

/* The transfer that is under way is one that nobody wants now. */
static void stop_transfer(struct engine *engine, struct plan *plan)
{
	if (plan->phase == PLAN_DOWNLOAD) {
		hydrate_forget(engine->hydrator, plan->root, plan->rel);
		progress_clear(engine, plan->root, plan->rel);
	} else if (!plan_void_job(&engine->plans, plan)) {
		plan->is_held = true;
		engine_cancel_upload(engine, plan->root, plan->rel);
		return;
	}
	plan_set_phase(&engine->plans, plan, PLAN_IDLE);
	lease_release(engine, plan);
	plan->is_forced = false;
	syncer_decide(engine, plan->root, plan->rel);
}

static void change_priority(struct engine *engine, struct plan *plan, int priority)
{
	if (plan->phase == PLAN_DOWNLOAD) {
		if (hydrate_fetch(engine->hydrator, plan->root, plan->rel, POOL_DOWNLOAD,
				  priority) == 0)
			plan->priority = priority;
		return;
	}
	if (!plan_void_job(&engine->plans, plan))
		return;
	/* what is queued at the old place is void, and it is queued anew */
	plan_set_phase(&engine->plans, plan, PLAN_IDLE);
	syncer_decide(engine, plan->root, plan->rel);
}

void act_on_busy(struct engine *engine, struct plan *plan, struct assessment *assessment)
{
	size_t best = best_of(assessment);

	if ((plan->phase != PLAN_UPLOAD && plan->phase != PLAN_DOWNLOAD) ||
	    plan->is_held || !assessment->path.n_records)
		return;
	if (assessment->whole.state == FILE_PAUSED)
		stop_transfer(engine, plan);
	else if (priority_of(engine, &assessment->path.records[best]) != plan->priority)
		change_priority(engine, plan,
				priority_of(engine, &assessment->path.records[best]));
}

/* retry by a person: what is here goes to the remote, unless that has it. */
static void act_force(struct engine *engine, struct plan *plan,
		      const struct assessment *assessment)
{
	struct fault fault;

	if (engine_is_passive(engine) || engine_has_fault(engine, &fault) ||
	    roots_are_lost(engine->roots, NULL) || assessment->is_lost) {
		look_again(engine, plan, engine->config->timing.retry_max_ms);
		return;
	}
	if (assessment->whole.state == FILE_LOCAL &&
	    assessment->path.object.state == OBJECT_UNKNOWN) {
		start_check(engine, plan, check_object_start(engine, assessment, false));
		return;
	}
	if (assessment->whole.state == FILE_LOCAL &&
	    assessment->path.object.state == OBJECT_PRESENT) {
		plan->is_forced = false;
		look_again(engine, plan, 0);
		return;
	}
	start_upload(engine, plan, assessment, 0);
}

/* What is moved is what was decided on, not what another hand put there meanwhile. */
static int is_still_decided(void *context, const struct stat *st)
{
	const struct stat *decided = context;

	return st->st_dev == decided->st_dev && st->st_ino == decided->st_ino &&
			       timespec_ns(st->st_ctim) == timespec_ns(decided->st_ctim)
		       ? 0
		       : -EAGAIN;
}

static void move_aside(struct engine *engine, struct plan *plan,
		       struct assessment *assessment)
{
	int r;

	if (roots_are_lost(engine->roots, NULL))
		return;
	/* before the name is free: who opens it from then on begins anew */
	hydrate_invalidate(engine->hydrator, plan->root, plan->rel);
	r = place_aside(engine->roots, plan->root, plan->rel, is_still_decided,
			&assessment->st);
	if (r < 0) {
		log_warning("cannot move '%s' aside: %s", plan->rel, error_text(NULL, r));
		look_again(engine, plan, engine->config->timing.retry_min_ms);
		return;
	}
	journal_stamp_drop(engine->journal, plan->root, plan->rel);
	engine_tell(engine, plan->root, plan->rel, ENGINE_CHANGE_NAME);
	look_again(engine, plan, 0);
}

static void put_stamp(struct engine *engine, const struct assessment *assessment)
{
	struct stamp stamp = { .kind = STAMP_UPLOADED };

	stamp.digest = assessment->has_stamp ? assessment->stamp.digest
					     : assessment->path.truth.digest;
	stamp_take_stat(&stamp, &assessment->st);
	if (assess_stamp_files(&assessment->path, &stamp) == 0)
		journal_stamp_put(engine->journal, assessment->root, assessment->rel,
				  &stamp);
	stamp_done(&stamp);
}

/* What is to be moved as soon as it can be; where a check goes before it, too. */
static void want(struct engine *engine, struct plan *plan,
		 const struct assessment *assessment, const struct decision *decision)
{
	bool is_upload = assessment->disk != DISK_NOTHING;
	int64_t size = is_upload ? assessment->st.st_size : assessment->path.node.size;
	enum plan_phase wanted = PLAN_IDLE;

	if (decision->state == FILE_QUEUED)
		wanted = is_upload ? PLAN_UPLOAD : PLAN_DOWNLOAD;
	plan_set_wanted(&engine->plans, plan, wanted, size < 0 ? 0 : size);
}

/* Transfers and questions, at most one under way per path. */
static void act_on_path(struct engine *engine, struct plan *plan,
			struct assessment *assessment, size_t i)
{
	const struct index_record *record =
		assessment->path.n_records ? &assessment->path.records[i] : NULL;
	const struct decision *decision =
		record ? &assessment->decisions[i] : &assessment->whole;
	struct fault fault;
	bool is_upload =
		decision->action == ACT_UPLOAD || decision->action == ACT_UPLOAD_OVER;
	bool needs_remote = is_upload || decision->action == ACT_DOWNLOAD ||
			    decision->action == ACT_CHECK ||
			    decision->action == ACT_RECHECK;

	want(engine, plan, assessment, decision);
	if (needs_remote && engine_is_passive(engine))
		return;
	if (needs_remote &&
	    (!engine->has_probed ||
	     (engine_has_fault(engine, &fault) && (is_upload || !fault.is_of_writing)) ||
	     roots_are_lost(engine->roots, NULL))) {
		look_again(engine, plan, engine->config->timing.retry_max_ms);
		return;
	}
	switch (decision->action) {
	case ACT_WAIT:
		wait_on(engine, plan, decision);
		return;
	case ACT_DOWNLOAD:
		/* what no document names is not downloaded */
		assert(record);
		start_download(engine, plan, assessment, i);
		return;
	case ACT_UPLOAD:
	case ACT_UPLOAD_OVER:
		start_upload(engine, plan, assessment, i);
		return;
	case ACT_CHECK:
		start_check(engine, plan, check_object_start(engine, assessment, false));
		return;
	case ACT_HASH:
		start_check(engine, plan, check_disk_start(engine, assessment));
		return;
	case ACT_RECHECK:
		plan_set_patient(&engine->plans, plan, true);
		plan_set_error(&engine->plans, plan, decision->why, true);
		if (plan->n_faults == 0) {
			plan->n_faults = 1;
			look_again(engine, plan, engine->config->timing.retry_max_ms);
		} else if (!start_check(engine, plan,
					check_object_start(engine, assessment, false))) {
			return;
		} else {
			plan->n_faults = 0;
		}
		return;
	case ACT_STAMP:
		put_stamp(engine, assessment);
		return;
	case ACT_ASIDE:
		move_aside(engine, plan, assessment);
		return;
	case ACT_NOTHING:
	case ACT_RECORD_OURS:
	case ACT_PULL:
	case ACT_FAIL:
		return;
	}
}

/* What failed came right by itself: nothing is left to do, or to tell. */
static void forget_failure(struct engine *engine, struct plan *plan,
			   const struct assessment *assessment)
{
	if (!plan->is_failed || plan->is_of_reading ||
	    assessment->whole.action != ACT_NOTHING ||
	    assessment->whole.state == FILE_FAILED)
		return;
	plan_set_error(&engine->plans, plan, NULL, false);
	plan_set_due(&engine->plans, plan, INT64_MAX);
}

void act_on(struct engine *engine, struct plan *plan, struct assessment *assessment)
{
	struct outbox_rows rows = { 0 };

	if (assessment->needs_rehash) {
		start_check(engine, plan, check_disk_start(engine, assessment));
		return;
	}
	for (size_t i = 0; i < assessment->path.n_records; i++)
		act_on_record(engine, plan, assessment, i, &rows);
	outbox_commit(engine, &rows);
	outbox_rows_done(&rows);
	forget_failure(engine, plan, assessment);
	if (!plan->is_failed)
		plan_set_patient(&engine->plans, plan, false);
	if (plan->is_forced && assessment->disk != DISK_NOTHING &&
	    assessment->disk != DISK_BLOCKED && assessment->path.n_records) {
		act_force(engine, plan, assessment);
		return;
	}
	act_on_path(engine, plan, assessment, best_of(assessment));
	if (plan->phase == PLAN_IDLE && plan->due_ms == INT64_MAX && !plan->is_failed) {
		if (plan->is_pull)
			engine->n_pulls--;
		lease_release(engine, plan);
		plans_drop(&engine->plans, plan);
	}
}
