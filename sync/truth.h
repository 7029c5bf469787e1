/*
 * A truth record: what the bytes of a published path are, written by whoever uploaded or first
 * verified them, under project + key ("{root[work]}/a/b.exr"). Kept by the store beside the
 * documents, followed by every site. A value.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/digest.h"

/* The object that holds these bytes at one remote site. local_drive: id = path, revision = inode,
 * size, mtime, ctime; gdrive: file id and head revision. */
struct truth_remote {
	char *site, *id, *revision;
};

struct truth {
	char *project, *key;
	int64_t size;     /* bytes; -1 unknown: no record */
	int64_t mtime_ns; /* of the file that was uploaded */
	struct digest digest;
	struct truth_remote *remotes;
	size_t n_remotes;
};

void truth_done(struct truth *truth);
int truth_copy(const struct truth *truth, struct truth *ret);
const struct truth_remote *truth_find_remote(const struct truth *truth, const char *site);
/* Adds or replaces the remote of SITE. 0 or -ENOMEM. */
int truth_set_remote(struct truth *truth, const char *site, const char *id,
		     const char *revision);
/* Same size and no digest that differs. */
bool truth_same_bytes(const struct truth *a, const struct truth *b);
/* OLD says the same bytes: it takes over what it lacks of TRUTH, and where REPLACE the mtime; *ret_changed
 * tells whether that was anything. 0 or -ENOMEM. */
int truth_complete(struct truth *old, const struct truth *truth, bool replace,
		   bool *ret_changed);
