/*
 * Where an absolute path lies in the active site, without a daemon's help: below one of its roots, or in the mount
 * of a running daemon of it. Reads the runtime folder; asks no mount.
 */
#pragma once

#include "sync/config.h"

/* The number of the root and the path below it (normalised, allocated). 0, -ENOENT where it is in neither, -ENOMEM. */
int locate(const struct config *config, const char *absolute, int *ret_root,
	   char **ret_rel);
