/*
 * Listing a folder of the view. Most folders have nothing laid over them: then it is the index's one range
 * scan. Else names come from up to three sources (targets of renames, what an alias shows, the
 * index's own), a slice of each at a time, and are merged in byte order.
 */
#include <errno.h>
#include <string.h>

#include "sync/base/path.h"
#include "sync/view_private.h"

#define SLICE 512

struct entry {
	char *name;
	int rank; /* of two with one name the lower one counts */
	struct view_node node;
};

struct listing {
	struct view *view;
	int root;
	const char *rel;
	struct look look;
	bool has_targets;
	struct entry *entries;
	size_t n, cap;
	/* The source being read. */
	struct place folder;
	int rank;
	size_t n_read;
	char *last;    /* name read last, where the slice ended before the source did */
	char *horizon; /* entries behind it may lack company of another source; NULL: none */
};

enum { RANK_TARGET, RANK_ALIAS, RANK_OWN };

static void entries_clear(struct listing *listing)
{
	while (listing->n > 0)
		free(listing->entries[--listing->n].name);
}

static void listing_done(struct listing *listing)
{
	entries_clear(listing);
	free(listing->entries);
	free(listing->last);
	free(listing->horizon);
	look_done(&listing->look);
}

static int add_entry(struct listing *listing, const char *name, const struct place *place,
		     const struct index_node *node)
{
	struct entry *entry;

	if (listing->n == listing->cap) {
		size_t cap = listing->cap ? listing->cap * 2 : 64;
		struct entry *entries =
			reallocarray(listing->entries, cap, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		listing->entries = entries;
		listing->cap = cap;
	}
	entry = &listing->entries[listing->n];
	*entry = (struct entry){ .name = strdup(name), .rank = listing->rank };
	if (!entry->name)
		return -ENOMEM;
	place_to_node(place, node, &entry->node);
	listing->n++;
	return 0;
}

/* A child of LISTING->folder: judged as a place of its own. */
static int read_child(void *context, const char *name, const struct index_node *node,
		      const uint64_t *hashes, size_t n)
{
	struct listing *listing = context;
	const struct place *folder = &listing->folder;
	_cleanup_(freep) char *rel = path_join(folder->rel, name);
	_cleanup_(freep) char *source = path_join(folder->source, name);
	struct place place = { .root = folder->root,
			       .rel = rel,
			       .source = source,
			       .is_alias = folder->is_alias };
	int r;

	if (!rel || !source)
		return -ENOMEM;
	r = place_judge(listing->view, &place, node, hashes, n);
	if (r > 0)
		r = add_entry(listing, name, &place, node);
	if (r < 0 || ++listing->n_read < SLICE)
		return r;
	listing->last = strdup(name);
	return listing->last ? 1 : -ENOMEM;
}

static int read_source(struct listing *listing, const char *after)
{
	int r;

	listing->n_read = 0;
	r = index_list_hashes(listing->view->index, listing->root, listing->folder.source,
			      after, read_child, listing);
	if (r < 0 || !listing->last)
		return r < 0 ? r : 0;
	if (!listing->horizon || strcmp(listing->last, listing->horizon) < 0) {
		free(listing->horizon);
		listing->horizon = steal(listing->last);
	}
	free(steal(listing->last));
	return 0;
}

static int read_own(struct listing *listing, const char *after)
{
	if (!listing->look.is_own)
		return 0;
	listing->rank = RANK_OWN;
	listing->folder = (struct place){ .root = listing->root,
					  .rel = listing->rel,
					  .source = listing->rel };
	return read_source(listing, after);
}

static int read_alias(struct listing *listing, const char *after)
{
	if (!listing->look.is_alias)
		return 0;
	listing->rank = RANK_ALIAS;
	listing->folder = (struct place){ .root = listing->root,
					  .rel = listing->rel,
					  .source = listing->look.source,
					  .is_alias = true };
	return read_source(listing, after);
}

struct target {
	struct listing *listing;
	const char *after;
};

/* Only targets themselves: a folder on the way to one is real, and on the disk. */
static int read_target(void *context, const char *name)
{
	struct target *target = context;
	struct listing *listing = target->listing;
	_cleanup_(freep) char *rel = path_join(listing->rel, name);
	_cleanup_(look_done) struct look look = { 0 };
	struct place place = { .root = listing->root, .rel = rel, .is_alias = true };
	int r;

	if (!rel)
		return -ENOMEM;
	if (target->after && strcmp(name, target->after) <= 0)
		return 0;
	r = look_at(listing->view, listing->root, rel, &look);
	if (r < 0 || !look.is_target || !look.is_alias)
		return r;
	place.source = look.source;
	return add_entry(listing, name, &place, &look.alias);
}

static int read_targets(struct listing *listing, const char *after)
{
	struct target target = { .listing = listing, .after = after };

	listing->rank = RANK_TARGET;
	return listing->has_targets
		       ? journal_alias_list(listing->view->journal, listing->root,
					    listing->rel, read_target, &target)
		       : 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : x->rank - y->rank;
}

static int give_entries(struct listing *listing, view_list_fn *fn, void *context)
{
	int r = 0;

	if (listing->n)
		qsort(listing->entries, listing->n, sizeof(*listing->entries),
		      compare_entries);
	for (size_t i = 0; r == 0 && i < listing->n; i++) {
		const struct entry *entry = &listing->entries[i];

		if (listing->horizon && strcmp(entry->name, listing->horizon) > 0)
			break;
		if (i && strcmp(entry->name, listing->entries[i - 1].name) == 0)
			continue;
		r = fn(context, entry->name, &entry->node);
	}
	return r;
}

static int list_merged(struct listing *listing, const char *after, view_list_fn *fn,
		       void *context)
{
	_cleanup_(freep) char *from = NULL;
	int r;

	do {
		entries_clear(listing);
		free(steal(listing->horizon));
		r = read_targets(listing, after);
		if (r == 0)
			r = read_alias(listing, after);
		if (r == 0)
			r = read_own(listing, after);
		if (r == 0)
			r = give_entries(listing, fn, context);
		free(from);
		from = listing->horizon ? strdup(listing->horizon) : NULL;
		if (r == 0 && listing->horizon && !from)
			r = -ENOMEM;
		after = from;
	} while (r == 0 && from);
	return r;
}

/* ---- the usual folder ---- */

struct plain {
	struct listing *listing;
	view_list_fn *fn;
	void *context;
};

static int give_plain(void *context, const char *name, const struct index_node *node)
{
	struct plain *plain = context;
	_cleanup_(freep) char *rel = path_join(plain->listing->rel, name);
	struct place place = { .root = plain->listing->root, .rel = rel, .source = rel };
	struct view_node view_node;

	if (!rel)
		return -ENOMEM;
	place_to_node(&place, node, &view_node);
	return plain->fn(plain->context, name, &view_node);
}

/* Nothing is laid over it, and no name in it is another project's. */
static bool is_plain(const struct listing *listing)
{
	struct journal *journal = listing->view->journal;

	if (!listing->look.is_own || listing->look.is_alias || listing->has_targets ||
	    journal_has_whiteouts_below(journal, listing->root, listing->rel) ||
	    journal_whiteout_marks(journal, listing->root, listing->rel, false))
		return false;
	return listing->look.own.project || !view_has_project(listing->view);
}

static int note_target(void *context, const char *name)
{
	*(bool *)context = true;
	return 1;
}

static int list(struct listing *listing, const char *after, view_list_fn *fn,
		void *context)
{
	struct plain plain = { .listing = listing, .fn = fn, .context = context };
	int r = look_at(listing->view, listing->root, listing->rel, &listing->look);

	if (r == 0)
		r = journal_alias_list(listing->view->journal, listing->root,
				       listing->rel, note_target, &listing->has_targets);
	if (r < 0)
		return r;
	listing->look.is_own &= listing->look.own.is_folder;
	listing->look.is_alias &= listing->look.alias.is_folder;
	if (!listing->look.is_own && !listing->look.is_alias && !listing->has_targets)
		return VIEW_NONE;
	if (!is_plain(listing))
		return list_merged(listing, after, fn, context);
	return index_list(listing->view->index, listing->root, listing->rel, after, false,
			  give_plain, &plain);
}

int view_list(struct view *view, int root, const char *rel, const char *after,
	      view_list_fn *fn, void *context)
{
	_cleanup_(listing_done) struct listing listing = { .view = view,
							   .root = root,
							   .rel = rel };

	return list(&listing, after, fn, context);
}

static int note_any(void *context, const char *name, const struct view_node *node)
{
	*(bool *)context = true;
	return 1;
}

/* What cannot be read is not taken for empty. */
bool view_is_empty(struct view *view, int root, const char *rel)
{
	bool is_any = false;
	int r = view_list(view, root, rel, NULL, note_any, &is_any);

	return r >= 0 && !is_any;
}
