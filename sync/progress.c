/* How far transfers are, in the documents. */
#include "sync/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/engine_private.h"

struct gather {
	struct engine *engine;
	struct outbox_rows rows; /* their records only: nothing goes to the journal */
	bool is_clearing;
};

/* The part of the file that is through, -1 where nothing is under way. */
static double part_of(struct engine *engine, int root, const char *rel,
		      const struct plan_glance *plan, int64_t size)
{
	struct hydrate_state hydrated = { 0 };
	int64_t bytes = plan->bytes;

	if (plan->phase == PLAN_UPLOAD)
		size = plan->size;
	else if (hydrate_get_state(engine->hydrator, root, rel, &hydrated) == 0)
		bytes = hydrated.present;
	return size > 0 && bytes > 0 && bytes < size ? (double)bytes / (double)size : -1;
}

static void add(struct gather *gather, const struct index_record *record,
		enum plan_phase phase, double part)
{
	const struct config *config = gather->engine->config;
	const struct index_entry *entry =
		phase == PLAN_UPLOAD ? &record->remote : &record->ours;
	struct record *row;

	if (entry->presence != DOC_WANTED || (gather->is_clearing && entry->progress < 0))
		return;
	row = outbox_rows_add(
		&gather->rows, RECORD_PROGRESS, record,
		phase == PLAN_UPLOAD ? config->remote_site : config->active_site, entry);
	if (row)
		row->progress = part;
}

static void gather_one(void *context, int root, const char *rel)
{
	struct gather *gather = context;
	struct engine *engine = gather->engine;
	struct index_path path = { .truth.size = -1 };
	struct plan_glance plan;
	double part;

	if (!plans_glance(&engine->plans, root, rel, &plan) ||
	    index_find_path(engine->index, root, rel, &path) != 0)
		return;
	part = part_of(engine, root, rel, &plan, path.node.size);
	for (size_t i = 0; part >= 0 && i < path.n_records; i++)
		add(gather, &path.records[i], plan.phase, part);
	if (part >= 0)
		plan_set_told(&engine->plans, root, rel);
	index_path_done(&path);
}

static int compare(const void *a, const void *b)
{
	const struct record *left = a, *right = b;
	int order = strcmp(left->project, right->project);

	return order ? order : strcmp(left->repre, right->repre);
}

/* Those of one document follow each other, so that it is written once. */
static void send_rows(struct gather *gather)
{
	struct engine *engine = gather->engine;
	size_t n = gather->rows.n, n_due = 0;
	int64_t now = clock_mono_ms();
	_cleanup_(freep) struct record *records = calloc(n + 1, sizeof(*records));
	_cleanup_(freep) int *results = calloc(n + 1, sizeof(*results));
	int r;

	if (!n || !records || !results || !engine->store)
		return;
	for (size_t i = 0; i < n; i++)
		if (gather->is_clearing ||
		    outbox_may_write(engine, &gather->rows.rows[i].record, now))
			records[n_due++] = gather->rows.rows[i].record;
	for (size_t i = 0; i < n_due; i++)
		outbox_note_write(engine, &records[i], now);
	qsort(records, n_due, sizeof(*records), compare);
	r = n_due ? engine->store->ops->record(engine->store, records, n_due, results)
		  : 0;
	if (r < 0)
		log_debug("progress is not recorded: %s", error_text(NULL, r));
}

void progress_write(struct engine *engine)
{
	struct gather gather = { .engine = engine };
	int64_t now = clock_mono_ms(), every = engine->config->timing.progress_ms;

	if (every <= 0 || now < engine->next_progress_ms || !engine->store ||
	    engine_is_passive(engine))
		return;
	engine->next_progress_ms = now + every;
	plans_each_busy(&engine->plans, gather_one, &gather);
	send_rows(&gather);
	outbox_rows_done(&gather.rows);
}

void progress_clear(struct engine *engine, int root, const char *rel)
{
	struct gather gather = { .engine = engine, .is_clearing = true };
	struct index_path path = { .truth.size = -1 };

	if (!engine->store || engine_is_passive(engine) ||
	    index_find_path(engine->index, root, rel, &path) != 0)
		return;
	for (size_t i = 0; i < path.n_records; i++) {
		add(&gather, &path.records[i], PLAN_UPLOAD, -1);
		add(&gather, &path.records[i], PLAN_DOWNLOAD, -1);
	}
	index_path_done(&path);
	send_rows(&gather);
	outbox_rows_done(&gather.rows);
}
