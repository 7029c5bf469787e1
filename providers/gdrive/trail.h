/*
 * Where a file lies: from its folder up to a root. Folders met on the way are remembered for a while, those outside of
 * every root too, so that a busy drive costs one question a folder.
 */
#pragma once

#include "providers/gdrive/errand.h"
#include "providers/gdrive/wire.h"

/* Root and path of the folder with that id, the path the caller's. PROVIDER_GONE: it lies in no root. */
_must_check_ int trail_find(const struct errand *errand, const char *folder_id,
			    struct anchor **ret_root, char **ret_path);
/* What was remembered of that folder; PROVIDER_GONE: nothing, or that it lies in no root. No request. */
_must_check_ int trail_recall(struct drive *drive, const char *folder_id,
			      struct anchor **ret_root, char **ret_path);
/* A folder was moved, renamed, removed: what was remembered counts no more. */
void trail_forget(struct drive *drive);
