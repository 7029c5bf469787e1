/*
 * Whether a mount may be put somewhere (DESIGN, "What the mount shows"): before it is too late to say it in a
 * sentence. Looks at the local disk only.
 */
#pragma once

#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "sync/config.h"

enum mountpoint_outcome {
	MOUNTPOINT_ROOT = 1, /* fine, and it is the site's only root itself */
};

/* PATH without symlinks goes to *ret, allocated. IS_ROOT_FINE: the mount shows one root only, so it may lie over it.
 * -EINVAL with the reason: missing, no folder, not empty, mounted already, or entangled with state, store, a root or a
 * remote's folder. A dead mount of ours is taken away first. */
int mountpoint_check(const struct config *config, const char *path, bool is_root_fine,
		     char **ret, struct error *error) _must_check_;
