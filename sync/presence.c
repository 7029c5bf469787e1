/* What this site holds without entries that say so, told to the store. */
#include "sync/presence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/engine_private.h"

#define RETRY_MS 10000
/* Of the sync thread's time one part in so many goes into it, however large the representations are. */
#define SHARE 20
#define AT_ONCE 256
#define AT_ONCE_MS 100

void presence_done(struct presence *presence)
{
	holdings_done(&presence->told);
	map_done(&presence->waiting, NULL);
}

static bool is_recording(const struct engine *engine)
{
	return !engine->setup.is_read_only && !engine->setup.is_cache_only;
}

/* Only after a look at everything is it known what is here; in a lost root nothing seems to be. */
static bool is_able(struct engine *engine)
{
	return is_recording(engine) && engine->store && !engine->store_trouble &&
	       engine->is_swept && index_is_complete(engine->index) &&
	       !roots_are_lost(engine->roots, NULL);
}

/* What comes meanwhile goes with it: often the rest of the representation, after which nothing is told. */
static int64_t every_ms(const struct engine *engine)
{
	return engine->config->timing.settled_ms;
}

static int wait_for(void *context, const char *project, const char *repre)
{
	struct engine *engine = context;
	struct presence *presence = &engine->presence;
	_cleanup_(buf_done) struct buf key = { 0 };
	int r = holdings_key(&key, project, repre);

	if (r == 0)
		r = map_put_n(&presence->waiting, key.data, key.len, engine, NULL);
	if (r == 0 && presence->next_ms == INT64_MAX)
		presence->next_ms = clock_mono_ms() + every_ms(engine);
	return r;
}

/* ---- what is here ---- */

/* The file lies here as it should, and nothing says or will say so. */
static bool is_unrecorded(struct engine *engine, const struct assessment *a, size_t i)
{
	const struct index_record *record = &a->path.records[i];

	return a->disk != DISK_NOTHING && record->ours.presence == DOC_ABSENT &&
	       a->decisions[i].state == FILE_LOCAL &&
	       !journal_outbox_has(engine->journal, record->project, record->repre,
				   record->file, engine->config->active_site);
}

static bool is_stamped(const struct assessment *a)
{
	return a->disk == DISK_COPY || a->disk == DISK_UPLOADED;
}

static bool is_held(struct engine *engine, const struct assessment *a, size_t i)
{
	const struct index_record *record = &a->path.records[i];

	return is_unrecorded(engine, a, i) &&
	       (is_stamped(a) || holdings_have(&engine->presence.told, record->project,
					       record->repre, NULL));
}

static bool is_named(const struct assessment *a, const char *ref)
{
	for (size_t i = 0; i < a->path.n_records; i++) {
		_cleanup_(freep) char *named = assess_file_ref(&a->path.records[i]);

		if (!named || strcmp(named, ref) == 0)
			return true;
	}
	return false;
}

/* "PROJECT/REPRE/FILE" of a file that no document names here any more. */
static void note_unnamed(struct engine *engine, const char *ref)
{
	const char *slash = strchr(ref, '/'), *last = strrchr(ref, '/');
	_cleanup_(freep) char *project = NULL;
	_cleanup_(freep) char *repre = NULL;

	if (!slash || last == slash)
		return;
	project = strndup(ref, (size_t)(slash - ref));
	repre = strndup(slash + 1, (size_t)(last - slash - 1));
	if (project && repre &&
	    holdings_have(&engine->presence.told, project, repre, last + 1))
		wait_for(engine, project, repre);
}

void presence_note(struct engine *engine, const struct assessment *a)
{
	const struct holdings *told = &engine->presence.told;

	if (!is_recording(engine))
		return;
	for (size_t i = 0; i < a->path.n_records; i++) {
		const struct index_record *record = &a->path.records[i];

		if (is_held(engine, a, i) !=
		    holdings_have(told, record->project, record->repre, record->file))
			wait_for(engine, record->project, record->repre);
	}
	/* published anew under another id, or not at all */
	for (size_t i = 0; map_size(&told->rows) && i < a->stamp.n_files; i++)
		if (!is_named(a, a->stamp.files[i]))
			note_unnamed(engine, a->stamp.files[i]);
}

/* ---- one representation ---- */

struct item {
	char *project, *repre; /* owned, as the files are */
	char **files;
	size_t n, cap;
	struct holding holding; /* of these */
};

struct gather {
	struct engine *engine;
	struct item *item;
};

static void item_done(struct item *item)
{
	for (size_t i = 0; i < item->n; i++)
		free(item->files[i]);
	free(item->files);
	free(item->project);
	free(item->repre);
	*item = (struct item){ 0 };
}

static int add_file(struct item *item, const char *file)
{
	if (item->n == item->cap) {
		size_t cap = item->cap ? item->cap * 2 : 16;
		char **grown = reallocarray(item->files, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		item->files = grown;
		item->cap = cap;
	}
	item->files[item->n] = strdup(file);
	return item->files[item->n++] ? 0 : -ENOMEM;
}

static int gather_path(void *context, int root, const char *rel)
{
	struct gather *gather = context;
	struct item *item = gather->item;
	struct assess_setup setup = engine_assess_setup(gather->engine);
	struct assessment a;
	int r = assess(&setup, root, rel, 0, &a);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < a.path.n_records; i++) {
		const struct index_record *record = &a.path.records[i];

		if (strcmp(record->project, item->project) != 0 ||
		    strcmp(record->repre, item->repre) != 0 ||
		    !is_unrecorded(gather->engine, &a, i))
			continue;
		r = add_file(item, record->file);
	}
	assessment_done(&a);
	return r;
}

/* What is held of it now, into the empty ITEM. */
static int gather_item(struct engine *engine, const char *key, struct item *item)
{
	struct gather gather = { .engine = engine, .item = item };
	int r;

	item->project = strdup(key);
	item->repre = strdup(holdings_key_repre(key));
	if (!item->project || !item->repre)
		return -ENOMEM;
	r = index_each_of_repre(engine->index, item->project, item->repre, gather_path,
				&gather);
	if (r < 0)
		return r;
	item->holding = (struct holding){
		.project = item->project,
		.repre = item->repre,
		.files = (const char *const *)item->files,
		.n_files = item->n,
	};
	return 0;
}

/* ---- many of them ---- */

struct batch {
	struct item items[AT_ONCE];       /* all that were looked at */
	struct holding holdings[AT_ONCE]; /* those that differ from what was told */
	size_t n, n_holdings;
};

static void batch_free(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		item_done(&batch->items[i]);
	free(batch);
}
DEFINE_CLEANUP(struct batch *, batch_free);

/* As many of those that wait as go together. */
static int fill(struct engine *engine, struct batch *batch, int64_t until_ms)
{
	struct presence *presence = &engine->presence;
	struct map_slot *slot;
	size_t pos = 0;
	int r = 0;

	while (r == 0 && batch->n < AT_ONCE &&
	       (slot = map_next(&presence->waiting, &pos))) {
		struct item *item = &batch->items[batch->n++];

		r = gather_item(engine, slot->key, item);
		/* of one that was dropped nothing is told until it is back */
		if (r == 0 && !lost_projects_has(&engine->lost_projects, item->project) &&
		    !holdings_are(&presence->told, &item->holding))
			batch->holdings[batch->n_holdings++] = item->holding;
		if (clock_mono_ms() >= until_ms)
			break;
	}
	return r;
}

/* They are told, and wait no more. */
static int settle(struct engine *engine, const struct batch *batch)
{
	struct presence *presence = &engine->presence;
	int r = 0;

	for (size_t i = 0; r == 0 && i < batch->n_holdings; i++)
		r = holdings_put(&presence->told, &batch->holdings[i]);
	for (size_t i = 0; r == 0 && i < batch->n; i++) {
		const struct item *item = &batch->items[i];
		_cleanup_(buf_done) struct buf key = { 0 };

		r = holdings_key(&key, item->project, item->repre);
		if (r == 0)
			map_remove_n(&presence->waiting, key.data, key.len);
	}
	return r;
}

static int tell(struct engine *engine, int64_t until_ms)
{
	_cleanup_(batch_freep) struct batch *batch = calloc(1, sizeof(*batch));
	struct store *store = engine->store;
	int r = batch ? fill(engine, batch, until_ms) : -ENOMEM;

	if (r == 0)
		r = store->ops->put_holdings(store, engine->config->active_site,
					     batch->holdings, batch->n_holdings);
	return r == 0 ? settle(engine, batch) : r;
}

/* ---- what the store has ---- */

static int take(void *context, const struct holding *holding)
{
	return holdings_put(context, holding);
}

static int read_told(struct engine *engine)
{
	struct presence *presence = &engine->presence;
	_cleanup_(holdings_done) struct holdings now = { 0 };
	struct holdings before;
	int r = engine->store->ops->holdings(engine->store, engine->config->active_site,
					     engine->project, NULL, take, &now);

	if (r == 0)
		r = holdings_compare(&presence->told, &now, wait_for, engine);
	if (r < 0)
		return r;
	before = presence->told;
	presence->told = now;
	now = before;
	presence->is_read = true;
	return 0;
}

void presence_look_again(struct engine *engine)
{
	engine->presence.is_read = false;
	engine->presence.next_ms = 0;
}

/* ---- when ---- */

int64_t presence_next_ms(struct engine *engine)
{
	return is_able(engine) ? engine->presence.next_ms : INT64_MAX;
}

void presence_due(struct engine *engine)
{
	struct presence *presence = &engine->presence;
	int64_t started = clock_mono_ms(), took;
	int r = 0;

	if (started < presence->next_ms || !is_able(engine))
		return;
	if (!presence->is_read)
		r = read_told(engine);
	if (r == 0 && map_size(&presence->waiting))
		r = tell(engine, started + AT_ONCE_MS);
	took = (clock_mono_ms() - started) * SHARE;
	if (r < 0) {
		log_debug("cannot tell the store what is here without a record: %s",
			  error_text(NULL, r));
		presence->next_ms = started + RETRY_MS;
	} else if (map_size(&presence->waiting)) {
		presence->next_ms =
			started + (took > every_ms(engine) ? took : every_ms(engine));
	} else {
		presence->next_ms = INT64_MAX;
	}
}

void presence_end(struct engine *engine)
{
	if (!map_size(&engine->presence.waiting))
		return;
	engine->presence.next_ms = 0;
	presence_due(engine);
}
