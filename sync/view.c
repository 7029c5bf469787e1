/* The view: looking at single names. */
#include "sync/view.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sync/view_private.h"

#define INO_SYNTHETIC (UINT64_C(1) << 63)
/* 56 bits of hash: those above number the file system in fs. */
#define INO_HASH ((UINT64_C(1) << 56) - 1)

int view_new(struct index *index, struct journal *journal,
	     void (*changed)(void *context, int root, const char *rel), void *context,
	     struct view **ret)
{
	struct view *view = calloc(1, sizeof(*view));

	if (!view)
		return -ENOMEM;
	view->index = index;
	view->journal = journal;
	view->changed = changed;
	view->context = context;
	mutex_init(&view->lock);
	*ret = view;
	return 0;
}

void view_free(struct view *view) NO_THREAD_SAFETY
{
	if (!view)
		return;
	map_done(&view->verdicts, NULL);
	free(view->project);
	mutex_done(&view->lock);
	free(view);
}

uint64_t view_ino(int root, const char *rel)
{
	return INO_SYNTHETIC |
	       (XXH3_64bits_withSeed(rel, strlen(rel), (XXH64_hash_t)root) & INO_HASH);
}

/* Without memory nothing is let through rather than everything. */
void view_set_project(struct view *view, const char *project)
{
	char *copy = project ? strdup(project) : NULL;

	if (project && !copy)
		copy = strdup("");
	mutex_lock(&view->lock);
	free(view->project);
	view->project = copy;
	view->project_number = 0;
	mutex_unlock(&view->lock);
}

bool view_has_project(struct view *view)
{
	bool has;

	mutex_lock(&view->lock);
	has = view->project;
	mutex_unlock(&view->lock);
	return has;
}

/* 1: no filter; 0 with the filter's number, which may be one that no node has. */
static int find_filter(struct view *view, int64_t *ret)
{
	_cleanup_(freep) char *project = NULL;
	bool is_none;
	int r;

	mutex_lock(&view->lock);
	is_none = !view->project;
	*ret = view->project_number;
	if (!is_none && !*ret)
		project = strdup(view->project);
	mutex_unlock(&view->lock);
	if (is_none || *ret)
		return is_none;
	if (!project)
		return -ENOMEM;
	r = index_find_project(view->index, project, ret);
	if (r) {
		*ret = INT64_MAX;
		return r < 0 ? r : 0;
	}
	mutex_lock(&view->lock);
	view->project_number = *ret;
	mutex_unlock(&view->lock);
	return 0;
}

int place_is_in_project(struct view *view, const struct place *place,
			const struct index_node *node)
{
	int64_t filter;
	int r = find_filter(view, &filter);

	if (r)
		return r;
	if (node->project)
		return node->project == filter;
	return index_has_project(view->index, place->root, place->source, filter);
}

/* ---- looking ---- */

void look_done(struct look *look)
{
	free(look->source);
}

static int look_through_alias(struct view *view, int root, const char *rel,
			      struct look *look)
{
	struct place place = { .root = root, .rel = rel, .is_alias = true };
	int r = journal_alias_resolve(view->journal, root, rel, &look->source);

	if (r)
		return r < 0 ? r : 0;
	place.source = look->source;
	look->is_target = journal_alias_has(view->journal, root, rel);
	look->alias = (struct index_node){
		.is_folder = true, .shown = SHOWN_FILE, .size = -1, .mtime_ns = -1
	};
	r = index_find(view->index, root, look->source, &look->alias);
	if (r < 0)
		return r;
	if (look->is_target) {
		/* Also of nothing any more: whoever made the folder may remove it. */
		look->alias.is_folder = true;
		r = r ? 1 : place_is_in_project(view, &place, &look->alias);
	} else {
		r = r ? 0 : place_judge_node(view, &place, &look->alias);
	}
	look->is_alias = r > 0;
	return r < 0 ? r : 0;
}

static int look_at_own(struct view *view, int root, const char *rel, struct look *look)
{
	struct place place = { .root = root, .rel = rel, .source = rel };
	int r = index_find(view->index, root, rel, &look->own);

	if (r)
		return r < 0 ? r : 0;
	r = place_judge_node(view, &place, &look->own);
	look->is_own = r > 0;
	return r < 0 ? r : 0;
}

int look_at(struct view *view, int root, const char *rel, struct look *ret)
{
	int r;

	*ret = (struct look){ 0 };
	r = look_through_alias(view, root, rel, ret);
	if (r == 0)
		r = look_at_own(view, root, rel, ret);
	if (r < 0) {
		look_done(ret);
		*ret = (struct look){ 0 };
	}
	return r;
}

void place_to_node(const struct place *place, const struct index_node *node,
		   struct view_node *ret)
{
	bool is_by_source = place->is_alias && !node->is_folder;

	*ret = (struct view_node){
		.is_folder = node->is_folder,
		.is_failed = node->shown == SHOWN_FAILED,
		.is_alias = place->is_alias,
		.size = node->is_folder ? -1 : node->size,
		.mtime_ns = node->is_folder ? -1 : node->mtime_ns,
		.ino = view_ino(place->root, is_by_source ? place->source : place->rel),
	};
}

int view_find(struct view *view, int root, const char *rel, struct view_node *ret)
{
	_cleanup_(look_done) struct look look = { 0 };
	struct place place = { .root = root, .rel = rel };
	int r = look_at(view, root, rel, &look);

	if (r < 0)
		return r;
	if (!look.is_alias && !look.is_own)
		return VIEW_NONE;
	place.is_alias = look.is_alias;
	place.source = look.is_alias ? look.source : rel;
	place_to_node(&place, look.is_alias ? &look.alias : &look.own, ret);
	return 0;
}

char *view_source(struct view *view, int root, const char *rel)
{
	_cleanup_(look_done) struct look look = { 0 };

	if (look_at(view, root, rel, &look) < 0)
		return NULL;
	if (look.is_alias || (look.source && !look.is_own))
		return steal(look.source);
	return strdup(rel);
}
