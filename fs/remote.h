/*
 * Remote-only files: what may be done with a name that is listed and not here. Nothing in here waits for the
 * network.
 */
#pragma once

#include "fs/entry.h"

/* From what the inode was made with; the owner is that of the nearest real folder. 0 or a negative errno. */
int remote_stat(struct fs *fs, struct inode *inode, const struct inode_facts *facts,
		struct stat *ret);
/* A handle that streams. -ESTALE where the name is something else now, -EIO where it cannot be read; REMOTE_UNKNOWN
 * where its size is to be learnt first: *ret_rel is its name in the mount then. */
enum remote_outcome {
	REMOTE_UNKNOWN = 1,
};
int remote_open(struct fs *fs, struct inode *inode, struct handle **ret, char **ret_rel);
/* An incomplete file is never opened for writing. EMPTY (O_TRUNC, truncate to 0): an empty local file takes the name,
 * -ESTALE. Else its download goes to the front, -EACCES. Any other error as errno. */
int remote_open_for_writing(struct fs *fs, struct inode *inode, bool empty);
/* ERROR for what cannot be done with a file that is not here; -ESTALE where it is here by now. */
int remote_refuse(struct fs *fs, struct inode *inode, int error);
/* Somebody looks at a folder with files of unknown size: to be learnt in the background. */
void remote_learn_folder(struct folder *folder);
