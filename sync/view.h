/*
 * The view: what the mount shows where the disk has nothing (index, minus whiteouts, through renames),
 * and what a person's hand on those names means. The disk itself is fs's business: a name that exists
 * there is shown as it is and never asked here.
 *
 * Any thread. Questions are answered from the local index and memory; changes wait for one fsync.
 */
#pragma once

#include "sync/index.h"
#include "sync/journal.h"

struct view;

enum view_outcome {
	VIEW_NONE = 1, /* not shown */
};

struct view_node {
	bool is_folder;
	bool is_failed; /* listed; reading is EIO */
	bool is_alias; /* lies under a renamed folder: unpublished; removing touches no record */
	int64_t size;     /* -1: unknown until its folder was listed at the remote */
	int64_t mtime_ns; /* -1: unknown */
	uint64_t
		ino; /* synthetic: top bit set, by root and index path; also the st_ino that the
			      completed file keeps. Of a renamed folder by its own path: it may lie
			      below the index path that it shows */
};

/* CHANGED (any thread, no lock held) hears of each path whose record or name a person changed. */
int view_new(struct index *index, struct journal *journal,
	     void (*changed)(void *context, int root, const char *rel), void *context,
	     struct view **ret);
void view_free(struct view *view);
DEFINE_CLEANUP(struct view *, view_free);

uint64_t view_ino(int root, const char *rel);
/* With project filter of the mount (NULL = all): other projects' paths are VIEW_NONE. */
void view_set_project(struct view *view, const char *project);
/* VIEW_NONE. */
int view_find(struct view *view, int root, const char *rel, struct view_node *ret);
typedef int view_list_fn(void *context, const char *name, const struct view_node *node);
/* Shown children in byte order after AFTER (NULL = from the start). VIEW_NONE where REL is no shown
 * folder. */
int view_list(struct view *view, int root, const char *rel, const char *after,
	      view_list_fn *fn, void *context);
/* True where the folder shows nothing (the disk's part is the caller's). */
bool view_is_empty(struct view *view, int root, const char *rel);
/* The index path behind a name (itself unless an alias); allocated, NULL on -ENOMEM. */
char *view_source(struct view *view, int root, const char *rel);

/* Before the disk changes: the name is going away through the mount. Makes the whiteout durable where
 * the index knows the name (file or folder) or it is an alias; else does nothing. 0. */
int view_hide(struct view *view, int root, const char *rel, bool is_folder);
/* Undo of view_hide() where the disk then refused. */
int view_unhide(struct view *view, int root, const char *rel);
/* A folder is renamed through the mount, after its real part (if any) was moved on the disk: lays the
 * remote-only names under TO. Does nothing where the index shows nothing below FROM. */
int view_rename(struct view *view, int root, const char *from, const char *to);
/* restore: lifts whiteouts at and below the path (and TREE above it that hides it). VIEW_NONE where none
 * was. */
int view_restore(struct view *view, int root, const char *rel);
/* A record with this file id names the path now: lifts a NAME whiteout that does not know it. */
int view_lift_if_new(struct view *view, int root, const char *rel, const char *file_id);
