/*
 * What vanishes from the store: single documents, and whole projects, which are treated like a lost root: what the index
 * has of them stays, and nothing of them is moved or recorded, until they are back. Sync thread.
 *
 *   a document is gone ──► departed ── quiet ──► others of its project are there: dropped from the index
 *                                        └────► none is: the project is lost
 *   a document of a lost project comes ── a minute without another ──► back: all is read, what did not come is dropped
 */
#include <errno.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/engine_private.h"

static void project_lost(struct engine *engine, const char *project)
{
	if (lost_projects_has(&engine->lost_projects, project))
		return;
	lost_projects_add(&engine->lost_projects, engine->journal, project);
	log_warning("project '%s' was dropped or emptied: its files are kept as they "
		    "were until it is back, or until `--adopt`",
		    project);
	events_emit(&engine->events,
		    (struct engine_event){ .rel = "", .what = "lost", .text = project });
	/* what is under way is held */
	engine->needs_resuming = true;
}

void vanish_came(struct engine *engine, const char *project, const char *id)
{
	departed_remove(&engine->departed, project, id);
	lost_projects_note(&engine->lost_projects, project, clock_mono_ms());
}

static int stop_at_first(void *context, int root, const char *rel)
{
	return 1;
}

int vanish_went(struct engine *engine, const char *project, const char *id)
{
	int r = index_each_of_repre(engine->index, project, id, stop_at_first, engine);

	if (r < 0)
		return r;
	/* nothing is shown of it */
	if (r == 0)
		return index_drop_doc(engine->index, project, id, syncer_touched, engine);
	return departed_add(&engine->departed, project, id, clock_mono_ms());
}

/* What a full reading did not find of a project. */
bool vanish_keeps(void *context, const char *project, bool is_empty)
{
	struct engine *engine = context;

	if (engine->setup.can_adopt && !engine->is_swept)
		return false;
	if (is_empty) {
		project_lost(engine, project);
		return true;
	}
	return lost_projects_note(&engine->lost_projects, project, clock_mono_ms());
}

/* ---- when it is believed ---- */

struct leaving {
	struct engine *engine;
	struct map emptied; /* project -> the map itself where it is, else the engine */
};

static int stop_at_document(void *context, const char *project, const void *bson,
			    size_t len)
{
	return 1;
}

static int is_emptied(struct leaving *leaving, const char *project)
{
	struct engine *engine = leaving->engine;
	const void *known = map_get(&leaving->emptied, project);
	void *mark;
	int r;

	if (known)
		return known == &leaving->emptied;
	r = engine->store->ops->scan(engine->store, project, true, stop_at_document,
				     engine);
	if (r < 0)
		return r;
	mark = r == 0 ? (void *)&leaving->emptied : (void *)engine;
	r = map_put(&leaving->emptied, project, mark, NULL);
	if (r == 0 && mark == &leaving->emptied)
		project_lost(engine, project);
	return r < 0 ? r : mark == &leaving->emptied;
}

static int leave(void *context, const char *project, const char *id)
{
	struct leaving *leaving = context;
	struct engine *engine = leaving->engine;
	int r = 0;

	if (!lost_projects_has(&engine->lost_projects, project))
		r = is_emptied(leaving, project);
	if (r != 0 || lost_projects_has(&engine->lost_projects, project))
		return r < 0 ? r : 0;
	return index_drop_doc(engine->index, project, id, syncer_touched, engine);
}

static int settle_departed(struct engine *engine)
{
	struct leaving leaving = { .engine = engine };
	int r = index_begin(engine->index);

	if (r == 0)
		r = departed_each(&engine->departed, leave, &leaving);
	map_done(&leaving.emptied, NULL);
	if (r == 0)
		r = index_set_token(engine->index, engine->token);
	if (r < 0) {
		index_rollback(engine->index);
		return r;
	}
	return index_commit(engine->index);
}

static void take_back(struct engine *engine, int64_t now)
{
	for (;;) {
		_cleanup_(freep) char *project =
			lost_projects_take_back(&engine->lost_projects, engine->journal,
						now, engine->config->timing.gone_ms);

		if (!project)
			return;
		log_info("project '%s' is back", project);
		events_emit(&engine->events, (struct engine_event){ .rel = "",
								    .what = "back",
								    .text = project });
		/* what is really gone was kept meanwhile, and what waits is due */
		engine->needs_reading = true;
		engine->needs_resuming = true;
	}
}

int64_t vanish_due_ms(struct engine *engine)
{
	const struct config *config = engine->config;
	int64_t departed = departed_due_ms(&engine->departed, config->timing.settled_ms);
	int64_t back =
		lost_projects_due_ms(&engine->lost_projects, config->timing.gone_ms);

	return departed < back ? departed : back;
}

int vanish_settle(struct engine *engine)
{
	int64_t now = clock_mono_ms();
	int r = 0;

	if (departed_due_ms(&engine->departed, engine->config->timing.settled_ms) <= now)
		r = settle_departed(engine);
	take_back(engine, now);
	if (r == 0 && engine->needs_reading) {
		r = feed_read_all(engine);
		engine->needs_reading = r < 0;
	}
	return r;
}
