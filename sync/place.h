/*
 * Moving files between `.sitefs` and their names in a root (laws 1 and 4): a finished download into place, what a
 * newer publish replaces aside, and back. Each move is done under the claim on the name, never onto something, and
 * is on the disk on return.
 *
 * Any thread that may wait for the disk.
 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "sync/roots.h"

enum place_outcome {
	PLACE_NONE = 1, /* nothing to move */
};

struct place {
	struct roots *roots;
	int root;
	const char *rel;
	int fd;                     /* of the staged file: complete and verified */
	const char *name;           /* of it in `.sitefs/staged` of that root */
	mode_t file_mode, dir_mode; /* of the file, and of folders that are missing */
	int64_t mtime_ns;
	/* Asked under the claim: 0 where the record is still what was downloaded; else the result. */
	int (*check)(void *context);
	void *context;
};

/* Gives the staged file its owner (the nearest real folder's), mode and mtime, syncs it and moves it to its name. RET
 * is what lies there then. -EEXIST: something else has the name, or a file or symlink is where a folder is needed
 * (the disk wins). -ESTALE: the staged file is not in that root. */
int place_file(const struct place *place, struct stat *ret);

/* Under the claim: 0 where the file ST that lies there is the one to be moved; else the result. */
typedef int place_check_fn(void *context, const struct stat *st);
/* Moves what lies at the name to `.sitefs/superseded/REL.TIME`. PLACE_NONE. */
int place_aside(struct roots *roots, int root, const char *rel, place_check_fn *check,
		void *context);
/* Moves the newest superseded file of that name back; missing folders get DIR_MODE. PLACE_NONE; -EEXIST where the
 * name is taken. */
int place_back(struct roots *roots, int root, const char *rel, mode_t dir_mode);
