/*
 * One root folder of a gdrive site, and whether what its name leads to is still that folder. Its identity is the
 * folder's id. Folders below it are remembered by path (folder.h).
 *
 *   /My Drive/NAME/…   a folder of the account's own drive, or one shared with it; two candidates are none
 *   /DRIVE/…           a shared drive by its exact name, and a folder in it
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/base/lock.h"
#include "sync/base/map.h"
#include "sync/provider.h"

struct errand;

struct anchor {
	const char *name, *path; /* of the configuration */
	struct mutex lock;
	char *id GUARDED_BY(&lock);       /* NULL: not seen yet */
	char *expected GUARDED_BY(&lock); /* what it was for an earlier process */
	char *drive_id GUARDED_BY(&lock); /* of a shared drive, else NULL */
	bool is_drive GUARDED_BY(&lock);  /* the root is the top of a drive */
	bool can_add GUARDED_BY(&lock);
	int64_t checked_ms GUARDED_BY(&lock); /* when it was right last */
	struct map folders GUARDED_BY(&lock); /* path -> struct folder */
};

void anchor_init(struct anchor *root, const struct config_root *config);
void anchor_done(struct anchor *root);

/* Looks for it by its name, makes it where CAN_CREATE and it was never seen. 0 or a site fault, … */
int anchor_probe(const struct errand *errand, bool can_create);
/* Its id, and its drive's (or NULL); checked at the remote unless it was right MAX_AGE_MS ago. 0 or a site fault. */
int anchor_find(const struct errand *errand, int64_t max_age_ms, char **ret_id);
/* Something happened to the object ID: where it is the root, the next one to find it looks again. */
void anchor_doubt(struct anchor *root, const char *id);
/* "corpora=drive&driveId=ID" or "corpora=user", for listing below it; NULL on -ENOMEM. */
char *anchor_corpora(struct anchor *root);
/* The shared drive's id, NULL where it lies in the account's own. 0 or -ENOMEM. */
int anchor_drive(struct anchor *root, char **ret);
/* It lies in a shared drive, whose files belong to the drive. */
bool anchor_is_shared(struct anchor *root);
/* False where the account was seen to be a mere reader. */
bool anchor_can_add(struct anchor *root);
int anchor_identity(struct anchor *root, char **ret);
int anchor_expect(struct anchor *root, const char *identity);
