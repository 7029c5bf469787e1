/* Bits that go with a write. */
#include "fs/setid.h"

#include <stdio.h>
#include <sys/stat.h>

#define GROUPS_MAX 64

bool setid_has(const struct fs *fs, const struct stat *st)
{
	return fs->is_privileged && S_ISREG(st->st_mode) &&
	       st->st_mode & (S_ISUID | S_ISGID);
}

static bool is_in_group(fuse_req_t req, gid_t gid)
{
	gid_t groups[GROUPS_MAX];
	int n = fuse_req_getgroups(req, GROUPS_MAX, groups);

	for (int i = 0; i < n && i < GROUPS_MAX; i++)
		if (groups[i] == gid)
			return true;
	return fuse_req_ctx(req)->gid == gid;
}

void setid_drop(fuse_req_t req, fuse_ino_t ino, int fd)
{
	struct fs *fs = fs_of(req);
	struct stat st;
	char path[64];
	mode_t mode;

	/* root keeps them */
	if (!fs->is_privileged || fuse_req_ctx(req)->uid == 0 ||
	    !atomic_load(&fs->passthrough.has_setid) || fstat(fd, &st) < 0 ||
	    !setid_has(fs, &st))
		return;
	mode = st.st_mode & 07777 & ~(mode_t)S_ISUID;
	if (mode & S_IXGRP || !is_in_group(req, st.st_gid))
		mode &= ~(mode_t)S_ISGID;
	if (mode == (st.st_mode & 07777))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* of attributes alone the kernel takes no lock for it, so the request may be under way */
	if (chmod(path, mode) == 0)
		fuse_lowlevel_notify_inval_inode(fs->session, ino, -1, 0);
}
