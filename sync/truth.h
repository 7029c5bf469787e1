/*
 * A truth record: what the bytes of a published path are, written by whoever uploaded or first
 * verified them, under project + key ("{root[work]}/a/b.exr"). Kept by the store beside the
 * documents, followed by every site. A value.
 *
 * It says which publish it is of: the files ("REPRE/FILE", ids) that named the path when its bytes were verified. A
 * version that is published again has new file ids: then the record is of a publish before and says nothing of this
 * one. A record without files (of an older sitefs) is of whatever names the path.
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

#define TRUTH_FILES_MAX 64 /* further files that name the path are not noted */

/* Ids of files: "REPRE/FILE". */
struct truth_files {
	char **refs;
	size_t n;
};

struct truth {
	char *project, *key;
	int64_t size;     /* bytes; -1 unknown: no record */
	int64_t mtime_ns; /* of the file that was uploaded */
	struct digest digest;
	struct truth_remote *remotes;
	size_t n_remotes;
	struct truth_files files; /* whose bytes these are; none: not known */
	/* Of one that is to be put: a record of none but these files is replaced. Not kept. */
	struct truth_files before;
};

/* What names the path now. Borrowed. */
struct truth_name {
	const char *repre, *file;
	bool is_there; /* its entry of the remote has created_dt */
};

void truth_done(struct truth *truth);
int truth_copy(const struct truth *truth, struct truth *ret);
const struct truth_remote *truth_find_remote(const struct truth *truth, const char *site);
/* Adds or replaces the remote of SITE. 0 or -ENOMEM. */
int truth_set_remote(struct truth *truth, const char *site, const char *id,
		     const char *revision);
/* 0 (also where it is there already, or there are too many) or -ENOMEM. */
int truth_files_add(struct truth_files *files, const char *repre, const char *file);
int truth_files_add_ref(struct truth_files *files, const char *ref);
int truth_files_copy(const struct truth_files *files, struct truth_files *ret);
/* Both lists of TRUTH, into RET, which has none. 0 or -ENOMEM. */
int truth_copy_files(const struct truth *truth, struct truth *ret);
void truth_files_done(struct truth_files *files);
bool truth_files_have(const struct truth_files *files, const char *repre,
		      const char *file);
/*
 * NAME is of a newer publish than FILES, given all N NAMES of the path: another file of a representation of which FILES
 * know one that is gone, or all that FILES know are gone. A further representation that names the path is none.
 */
bool truth_files_precede(const struct truth_files *files, const struct truth_name *name,
			 const struct truth_name *names, size_t n);
/* The record is of a publish before: a newer one names the path, and is recorded at the remote. */
bool truth_is_former(const struct truth *truth, const struct truth_name *names, size_t n);
/* OLD may be replaced by TRUTH: it is of none but the files that TRUTH comes after. */
bool truth_follows(const struct truth *truth, const struct truth *old);
/* Same size and no digest that differs. */
bool truth_same_bytes(const struct truth *a, const struct truth *b);
/* OLD says the same bytes: it takes over what it lacks of TRUTH, and where REPLACE the mtime, and is no longer of the files
 * that TRUTH comes after; *ret_changed tells whether that was anything. 0 or -ENOMEM. */
int truth_complete(struct truth *old, const struct truth *truth, bool replace,
		   bool *ret_changed);
