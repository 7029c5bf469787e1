/*
 * A folder as a remote (NAS, USB disk): objects lie under the site's roots by their normal paths.
 * Everything else of ours is in `.sitefs/` at the top of a root, mode 0700:
 *
 *   remote-id                 identity of the root: 32 hex digits, made by the first probe
 *   incoming/HASH.SIZE.RANDOM an upload that is not complete; unused ones go after a week
 *   superseded/PATH/TIME      what a store replaced; kept
 *   trash/PATH/TIME           what trash() took away; kept
 *
 * id = path, revision = "inode:size:mtime_ns:ctime_ns", document id = basename. A remote that cannot be written
 * is read all the same: probe() succeeds, store() and trash() are PROVIDER_DENIED.
 */
#pragma once

#include "sync/provider.h"

/* As provider_open() in providers/registry.h. -EINVAL where a root is no absolute path. */
int local_drive_new(const struct config_site *site, struct provider **ret,
		    struct error *error);
