/* What others do at the remote: what a change that the feed tells of means for us. Sync thread. */
#include "sync/news_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/path.h"

#define AN_HOUR ((int64_t)3600000)

/* Folders below that hold published files are compared. */
static int add_folder(void *context, const char *name, const struct index_node *node);

struct walk {
	struct engine *engine;
	int root;
	const char *rel;
	int n_files;
};

static void add_folders(struct engine *engine, int root, const char *rel)
{
	_cleanup_(freep) char *key = strf("%d:%s", root, rel);
	struct walk walk = { .engine = engine, .root = root, .rel = rel };

	if (index_list(engine->index, root, rel, NULL, true, add_folder, &walk) == 0 &&
	    walk.n_files && key)
		map_put(&engine->news.folders, key, engine, NULL);
}

static int add_folder(void *context, const char *name, const struct index_node *node)
{
	struct walk *walk = context;
	_cleanup_(freep) char *rel = NULL;

	walk->n_files += !node->is_folder;
	if (!node->is_folder)
		return 0;
	rel = path_join(walk->rel, name);
	if (!rel)
		return -ENOMEM;
	add_folders(walk->engine, walk->root, rel);
	return 0;
}

static void compare_soon(struct engine *engine, int64_t delay_ms)
{
	int64_t ms = clock_mono_ms() + delay_ms;

	if (ms < engine->news.next_compare_ms)
		engine->news.next_compare_ms = ms;
}

struct meaning {
	struct engine *engine;
	const struct change *change;
	int n_paths;
	bool is_other; /* a published name, and another object than is known */
};

/* The change names an object that is right, as far as we know: our own work, or another site's. */
static bool is_right(const struct meaning *meaning, const struct index_path *path)
{
	const struct change *change = meaning->change;
	const char *id = survey_known_id(meaning->engine, path);

	return change->has_object && path->truth.size >= 0 &&
	       (!id || strcmp(id, change->id) == 0) &&
	       path->object.state != OBJECT_MISSING &&
	       path->object.state != OBJECT_DIFFERENT &&
	       survey_judge(meaning->engine, path, &change->object) == OBJECT_PRESENT;
}

static int suspect_path(void *context, int root, const char *rel)
{
	struct meaning *meaning = context;
	struct engine *engine = meaning->engine;
	const struct change *change = meaning->change;
	struct suspect *suspect = NULL;
	struct index_path path = { 0 };
	const char *id;
	int r = index_find_path(engine->index, root, rel, &path);

	if (r != 0)
		return r == INDEX_NONE ? 0 : r;
	meaning->n_paths++;
	id = survey_known_id(engine, &path);
	meaning->is_other |= id && strcmp(id, change->id) != 0;
	if (!path.node.is_folder && survey_is_recorded(&path) &&
	    !is_right(meaning, &path))
		suspect = news_add(engine, root, rel, engine->config->timing.settled_ms);
	index_path_done(&path);
	if (!suspect || change->has_object)
		return 0;
	free(suspect->by);
	suspect->fate = change->trace.fate;
	suspect->by = change->trace.by ? strdup(change->trace.by) : NULL;
	suspect->when_ms = change->trace.when_ms;
	return 0;
}

/* Another object of a published name, or something beside such a pair: only a listing shows both. */
static int heed_twins(struct engine *engine, const struct change *change, bool is_other)
{
	_cleanup_(freep) char *folder = path_parent(change->path);
	_cleanup_(freep) char *key = folder ? strf("%d:%s", change->root, folder) : NULL;
	struct map_slot *slot;
	size_t pos = 0;

	if (!key)
		return -ENOMEM;
	while (!is_other && (slot = map_next(&engine->news.twins, &pos))) {
		_cleanup_(freep) char *above = path_parent(slot->key);

		/* "ROOT:" is its own parent where the name lies at the top */
		is_other = above && (strcmp(above, key) == 0 || !folder[0]);
	}
	return is_other ? map_put(&engine->news.folders, key, engine, NULL) : 0;
}

int news_heed(struct engine *engine, const struct change *change)
{
	struct meaning meaning = { .engine = engine, .change = change };
	int r;

	if (change->is_folder) {
		/* one of ours may have been moved to where nobody looks */
		if (change->path)
			add_folders(engine, change->root, change->path);
		else
			compare_soon(engine, AN_HOUR);
		return 0;
	}
	r = index_each_of_remote_id(engine->index, change->id, suspect_path, &meaning);
	if (r == 0 && change->path)
		r = suspect_path(&meaning, change->root, change->path);
	if (r == 0 && change->path)
		r = heed_twins(engine, change, meaning.is_other);
	/* perhaps it was a folder: only its id is told */
	if (r == 0 && !meaning.n_paths && !change->path &&
	    change->trace.fate == FATE_REMOVED)
		compare_soon(engine, AN_HOUR);
	return r;
}
