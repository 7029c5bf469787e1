/*
 * Entries: a folder, and a name in it, resolved for one request: path below the root, descriptor of the real folder
 * if there is one. A path can be overtaken by a rename of a folder above; so each descriptor is checked against the
 * device and inode that the kernel's inode stands for, and the walk is repeated where folders moved meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "fs/fs.h"

#define ENTRY_PRIVATE ".sitefs" /* at the top of a root: hidden, refused */

enum entry_outcome {
	ENTRY_NONE = 1, /* nothing is shown there */
};

struct folder {
	struct fs *fs;
	struct inode *inode;
	struct inode_facts facts;
	uint64_t mark; /* of fs->moves */
	int root;      /* -1: INODE_TOP */
	char *rel;
	int fd; /* O_PATH; -1 where it is only in the view */
	/* owner of the nearest real folder at or above, once asked for */
	bool has_owner;
	uid_t uid;
	gid_t gid;
};

struct entry {
	struct folder folder;
	const char *name; /* borrowed */
	char *rel;        /* of the name */
	bool is_private;  /* ours: not shown, not to be made */
};

/* What is shown under a name. */
struct shown {
	struct inode_facts facts; /* for inodes_take() */
	struct stat st;           /* as the kernel gets it */
};

/* -ESTALE: the disk has something else there now (the kernel looks again). */
int folder_open(struct fs *fs, fuse_ino_t ino, struct folder *ret);
void folder_done(struct folder *folder);
/* A folder was renamed since: REL may lead elsewhere. FD is still right. */
bool folder_has_moved(const struct folder *folder);
/* Makes the folder real, with all above it that is not, each with the owner of the nearest real one. -EPERM for
 * INODE_TOP, -ENOENT where the view does not have it either. */
int folder_make_real(struct folder *folder);
/* What the folder itself looks like. -ENOENT. */
int folder_stat(struct folder *folder, struct stat *ret);

int entry_open(struct fs *fs, fuse_ino_t parent, const char *name, struct entry *ret);
void entry_done(struct entry *entry);
/* What the name shows: the disk, else the view. 0, ENTRY_NONE, or a negative errno; -EAGAIN: a folder was
 * renamed meanwhile, open the entry again. */
int entry_find(struct entry *entry, struct shown *ret) _must_check_;
/* Claims the name; every change of what it stands for is made under the claim. -EAGAIN (and no claim) as above. */
int entry_claim(struct entry *entry) _must_check_;
void entry_unclaim(struct entry *entry);

/* How a name is shown that is on the disk (REL: its path, for a file that keeps its number). */
void shown_disk(struct fs *fs, int root, const char *rel, const struct stat *st,
		struct shown *ret);
/* ... and one that is only in the view, below FOLDER. */
void shown_view(struct folder *folder, const struct view_node *node, struct shown *ret);

/* One look at the disk, by the inode's first name: 0 where that still is its file. -ESTALE: it may have others. */
int entry_stat_first(struct fs *fs, struct inode *inode, struct stat *ret);
/* A descriptor of what an INODE_DISK or real INODE_FOLDER stands for, checked; FLAGS as open(2), O_PATH too. ST may
 * be NULL. -ESTALE where the disk has it no longer under a name that we know and nobody has it open. */
int entry_open_inode(struct fs *fs, struct inode *inode, int flags, struct stat *st);
