/* A temporary folder for one test, and what most tests do in it. Removed at the end of the block. */
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sync/base/cleanup.h"

struct scratch {
	char dir[64];
};

static inline int scratch_remove_one(const char *path, const struct stat *st, int type,
				     struct FTW *ftw)
{
	return remove(path);
}

static inline void scratch_done(struct scratch *scratch)
{
	if (scratch->dir[0])
		nftw(scratch->dir, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline struct scratch scratch_new(void)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	struct scratch scratch;

	snprintf(scratch.dir, sizeof(scratch.dir), "%s/sitefs-test-XXXXXX", base);
	if (!mkdtemp(scratch.dir))
		abort();
	return scratch;
}

#define SCRATCH _cleanup_(scratch_done) struct scratch
