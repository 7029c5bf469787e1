/*
 * How the active site's roots lie in the mount: one root is the mount point itself; several are one synthetic top
 * folder each, named by root. Also the numbers that inodes are shown with: bits 56 to 62 tell the file system below,
 * so that two roots never show one number; the top bit is set where the view made the number.
 *
 * Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "sync/roots.h"

struct rootmap;

enum rootmap_outcome {
	ROOTMAP_NONE = 1, /* the root is not in this mount */
};

/* ONLY: the name of the one root to be shown, or NULL for all. -ENOENT (said in ERROR), -ENOMEM. ROOTS is
 * borrowed. */
int rootmap_new(const struct roots *roots, const char *only, struct rootmap **ret,
		struct error *error);
void rootmap_free(struct rootmap *map);
DEFINE_CLEANUP(struct rootmap *, rootmap_free);

/* The root that is the mount point, or -1 where there are several. */
int rootmap_single(const struct rootmap *map);
/* The root of a top folder, or -1. */
int rootmap_find(const struct rootmap *map, const char *name);
/* Path below the mount point; allocated. ROOTMAP_NONE or -ENOMEM. */
int rootmap_path(const struct rootmap *map, int root, const char *rel, char **ret);

/* The number that a disk inode is shown with. */
uint64_t rootmap_ino(struct rootmap *map, uint64_t dev, uint64_t ino);
/* The root lies on a network file system, which tells nobody of changes. */
bool rootmap_is_remote(const struct rootmap *map, int root);
