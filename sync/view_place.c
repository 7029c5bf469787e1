/* Judging places: whether a name shows, by the whiteouts that concern it. */
#include <errno.h>
#include <string.h>

#include "sync/base/path.h"
#include "sync/view_private.h"

#define MAX_VERDICTS 20000
#define MARK(kind) (1u << WHITEOUT_##kind)

static bool is_file_shown(struct view *view, const struct place *place,
			  const uint64_t *hashes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool is_shown = place->is_alias
					? journal_alias_shows(view->journal, place->root,
							      place->rel, hashes[i])
					: !journal_is_hidden(view->journal, place->root,
							     place->rel, hashes[i]);

		if (is_shown)
			return true;
	}
	return false;
}

static bool is_file_covered(struct view *view, const struct place *place,
			    const uint64_t *hashes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (journal_alias_covers(view->journal, place->root, place->rel,
					 hashes[i]))
			return true;
	return false;
}

/* ---- folders: is anything in them? ---- */

/* A walk over the index below a place, until the first file that counts. */
struct walk {
	struct view *view;
	const struct place *place;
	char **todo; /* folders to be looked into, as paths below the place */
	size_t n;
	const char *folder; /* the one at hand */
	bool is_covering; /* of an alias: what was removed since the rename counts too */
	bool is_found;
};

static void walk_done(struct walk *walk)
{
	while (walk->n > 0)
		free(walk->todo[--walk->n]);
	free(walk->todo);
}

/* Takes the path. */
static int walk_add(struct walk *walk, char *path)
{
	char **todo = reallocarray(walk->todo, walk->n + 1, sizeof(*todo));

	if (todo)
		walk->todo = todo;
	if (!path || !todo) {
		free(path);
		return -ENOMEM;
	}
	todo[walk->n++] = path;
	return 0;
}

static int walk_child(void *context, const char *name, const struct index_node *node,
		      const uint64_t *hashes, size_t n)
{
	struct walk *walk = context;
	_cleanup_(freep) char *below = path_join(walk->folder, name);
	_cleanup_(freep) char *rel = below ? path_join(walk->place->rel, below) : NULL;
	_cleanup_(freep) char *source =
		below ? path_join(walk->place->source, below) : NULL;
	struct place place = {
		.root = walk->place->root,
		.rel = rel,
		.source = source,
		.is_alias = walk->place->is_alias,
	};
	int r;

	if (!rel || !source)
		return -ENOMEM;
	r = place_is_in_project(walk->view, &place, node);
	if (r <= 0)
		return r;
	if (node->is_folder)
		return walk_add(walk, steal(below));
	walk->is_found = walk->is_covering
				 ? is_file_covered(walk->view, &place, hashes, n)
				 : is_file_shown(walk->view, &place, hashes, n);
	return walk->is_found;
}

static int walk_below(struct view *view, const struct place *place, bool is_covering)
{
	_cleanup_(walk_done) struct walk walk = { .view = view,
						  .place = place,
						  .is_covering = is_covering };
	int r = walk_add(&walk, strdup(""));

	while (r == 0 && !walk.is_found && walk.n > 0) {
		_cleanup_(freep) char *folder = walk.todo[--walk.n];
		_cleanup_(freep) char *source = folder[0]
							? path_join(place->source, folder)
							: strdup(place->source);

		if (!source)
			return -ENOMEM;
		walk.folder = folder;
		r = index_list_hashes(view->index, place->root, source, NULL, walk_child,
				      &walk);
		/* Found, or the folder went away meanwhile: not an error. */
		if (r > 0)
			r = 0;
	}
	return r < 0 ? r : walk.is_found;
}

/* ---- verdicts ---- */

/* What the map points at. */
static char verdict_shown, verdict_not;

static int make_key(struct buf *key, const struct place *place, bool is_covering)
{
	return buf_addf(key, "%d%c%c%s", place->root, place->is_alias ? 'a' : 'o',
			is_covering ? 'c' : 's', place->rel);
}

static void heed_generations(struct view *view, uint64_t index, uint64_t laid)
	REQUIRES(&view->lock)
{
	if (view->index_generation == index && view->laid_generation == laid &&
	    map_size(&view->verdicts) < MAX_VERDICTS)
		return;
	map_done(&view->verdicts, NULL);
	view->index_generation = index;
	view->laid_generation = laid;
}

/* 1 or 0, or -ENOENT. */
static int find_verdict(struct view *view, const struct buf *key, uint64_t index,
			uint64_t laid)
{
	void *value;

	mutex_lock(&view->lock);
	heed_generations(view, index, laid);
	value = map_get(&view->verdicts, buf_str(key));
	mutex_unlock(&view->lock);
	return value ? value == &verdict_shown : -ENOENT;
}

/* One that was reached on what is older by now is not kept; without memory none is. */
static void keep_verdict(struct view *view, const struct buf *key, uint64_t index,
			 uint64_t laid, bool is_shown)
{
	mutex_lock(&view->lock);
	if (view->index_generation == index && view->laid_generation == laid)
		map_put(&view->verdicts, buf_str(key),
			is_shown ? &verdict_shown : &verdict_not, NULL);
	mutex_unlock(&view->lock);
}

static int ask_below(struct view *view, const struct place *place, bool is_covering)
{
	_cleanup_(buf_done) struct buf key = { 0 };
	uint64_t index = index_generation(view->index);
	uint64_t laid = journal_laid_generation(view->journal);
	int r = make_key(&key, place, is_covering);

	if (r == 0)
		r = find_verdict(view, &key, index, laid);
	if (r != -ENOENT)
		return r;
	r = walk_below(view, place, is_covering);
	if (r >= 0)
		keep_verdict(view, &key, index, laid, r);
	return r;
}

static int stop_at_first(void *context, const char *name)
{
	return 1;
}

int place_shows_below(struct view *view, const struct place *place)
{
	int r = journal_alias_list(view->journal, place->root, place->rel, stop_at_first,
				   NULL);

	return r ? r : ask_below(view, place, false);
}

/* ---- both ---- */

static int judge_own_folder(struct view *view, const struct place *place)
{
	unsigned marks =
		journal_whiteout_marks(view->journal, place->root, place->rel, false);

	if (!(marks &
	      (MARK(FOLDER) | MARK(TREE) | MARK(ALIAS) | WHITEOUT_MARK_TREE_ABOVE)))
		return 1;
	return place_shows_below(view, place);
}

static int judge_alias_folder(struct view *view, const struct place *place)
{
	unsigned marks =
		journal_whiteout_marks(view->journal, place->root, place->rel, true);

	if (marks & (MARK(ALIAS) | WHITEOUT_MARK_ALIAS_ABOVE))
		return 0;
	if (marks & (MARK(FOLDER) | MARK(TREE) | WHITEOUT_MARK_TREE_ABOVE))
		return place_shows_below(view, place);
	return ask_below(view, place, true);
}

int place_judge(struct view *view, const struct place *place,
		const struct index_node *node, const uint64_t *hashes, size_t n)
{
	int r;

	if (!place->rel[0])
		return 1;
	if (node->shown == SHOWN_NOT)
		return 0;
	r = place_is_in_project(view, place, node);
	if (r <= 0)
		return r;
	if (!node->is_folder)
		return is_file_shown(view, place, hashes, n);
	return place->is_alias ? judge_alias_folder(view, place)
			       : judge_own_folder(view, place);
}

int place_judge_node(struct view *view, const struct place *place,
		     const struct index_node *node)
{
	_cleanup_(freep) uint64_t *hashes = NULL;
	size_t n = 0;
	int r;

	/* The usual file: nothing was ever removed here, so its ids are not asked for. */
	if (node->is_folder || node->shown == SHOWN_NOT)
		return place_judge(view, place, node, NULL, 0);
	if (!place->is_alias &&
	    !journal_whiteout_marks(view->journal, place->root, place->rel, false))
		return place_is_in_project(view, place, node);
	r = index_file_hashes(view->index, place->root, place->source, &hashes, &n);
	if (r)
		return r < 0 ? r : 0;
	return place_judge(view, place, node, hashes, n);
}
