/*
 * What the files of the view share.
 *
 * A name can be there twice over: as the index's own, and through a renamed folder (an alias, which shows
 * the index path behind it). The alias is looked at first. Each such *place* is judged by the
 * whiteouts that concern it:
 *
 *   file     shown while a record's file id is not hidden there (alias: and is one that the rename
 *            took along)
 *   folder   shown as the index shows it, also when its last name was just removed, as rmdir follows; with
 *            a FOLDER or TREE whiteout on or above it only while something in it shows
 *   target   of a rename: always
 */
#pragma once

#include "sync/base/lock.h"
#include "sync/base/map.h"
#include "sync/view.h"

struct view {
	struct index *index;
	struct journal *journal;
	void (*changed)(void *context, int root, const char *rel);
	void *context;

	struct mutex lock;
	char *project GUARDED_BY(&lock);
	int64_t project_number GUARDED_BY(&lock); /* 0: not known yet */
	/* Whether anything below a folder shows: a walk, so it is kept while nothing changes. */
	struct map verdicts GUARDED_BY(&lock);
	uint64_t index_generation GUARDED_BY(&lock);
	uint64_t laid_generation GUARDED_BY(&lock);
};

struct place {
	int root;
	const char *rel;    /* in the mount */
	const char *source; /* index path: REL itself unless an alias */
	bool is_alias;
};

/* Is it shown? 1, 0 or a negative errno. HASHES: of the records of a file. */
int place_judge(struct view *view, const struct place *place,
		const struct index_node *node, const uint64_t *hashes, size_t n);
/* The same, with the hashes read if they matter. */
int place_judge_node(struct view *view, const struct place *place,
		     const struct index_node *node);
/* 1 where any file below the place, or a rename's target, is shown. */
int place_shows_below(struct view *view, const struct place *place);
/* The mount has a project filter. */
bool view_has_project(struct view *view);
/* 1 where the filter lets it pass. */
int place_is_in_project(struct view *view, const struct place *place,
			const struct index_node *node);
void place_to_node(const struct place *place, const struct index_node *node,
		   struct view_node *ret);

/* The places of a name, judged. */
struct look {
	bool is_own, is_alias,
		is_target; /* where it is shown; is_target: of a rename, always */
	char *source;      /* behind the alias, or NULL where none is above */
	struct index_node own, alias;
};
int look_at(struct view *view, int root, const char *rel, struct look *ret);
void look_done(struct look *look);
