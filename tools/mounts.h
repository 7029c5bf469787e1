/* The kernel's table of mounts (/proc/self/mountinfo, proc(5)). Asks no file system. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sync/base/cleanup.h"

enum mounts_kind {
	MOUNTS_NONE = 0,
	MOUNTS_OURS,  /* file system type fuse.sitefs */
	MOUNTS_OTHER, /* another file system's mount */
};

/* What is mounted exactly there (the topmost). PATH is absolute, without symlinks. */
enum mounts_kind mounts_find(const char *path);
/* The same in the text of a mountinfo file; for tests and fuzzing. */
enum mounts_kind mounts_find_in(const char *mountinfo, const char *path);
