/* What a publish is called where nobody says it: from its paths. Part of sync/publish; pure. */
#pragma once

#include "sync/base/cleanup.h"
#include "sync/publish_files.h"

struct publish_names {
	char *hierarchy; /* folders above the asset: "shots/seq1", "" */
	char *asset, *family, *subset;
};

void publish_names_done(struct publish_names *names);
/* Of at least one file. FOLDER: the one folder that was named (below its root), or NULL where files or
 * several things were. NAME: of the subset, or NULL. 0 or -ENOMEM. */
int publish_names_take(const char *project, const char *name, const char *folder,
		       const struct publish_files *files, struct publish_names *ret);
