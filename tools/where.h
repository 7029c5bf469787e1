/*
 * Where a PATH argument lies: the daemon's side of tools/pathspec.h. Turns what a person means into roots and paths
 * below them, by the engine's index and disk, and back into paths that a person can open. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "sync/engine.h"

struct where {
	struct engine *engine; /* borrowed */
	char *mountpoint;      /* without symlinks, or NULL */
	int only_root; /* the root that the mount shows; -1: each as a folder of its name */
	char **roots; /* paths of the engine's roots, without symlinks */
	size_t n_roots;
};

/* MOUNTPOINT may be NULL. ONLY_ROOT: name of the one root that the mount shows (-o root=NAME), or NULL. */
int where_init(struct where *where, struct engine *engine, const char *mountpoint,
	       const char *only_root);
void where_done(struct where *where);

/* The path in the mount, else on the disk. Allocated; NULL on -ENOMEM. */
char *where_path(const struct where *where, int root, const char *rel);
/* The root and path below it of an absolute path. True where it is ours; *ret_rel is allocated, root -1 for the top
 * of a mount that shows several roots. False with *ret_rel NULL else (also on -ENOMEM). */
bool where_find(const struct where *where, const char *path, int *ret_root,
		char **ret_rel);

/* A non-zero result ends the walk and is returned by it. */
typedef int where_fn(void *context, int root, const char *rel);
/* Calls FN for each name that TEXT stands for: files, or folders where it is one. -EINVAL: no such form; -ENOENT:
 * neither under the mount or a root nor published; with ERROR. */
int where_each(const struct where *where, const char *text, const char *frames,
	       where_fn *fn, void *context, struct error *error);
