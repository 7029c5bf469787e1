/* Operations on names and attributes: lookup, forget, getattr, setattr, readlink, statfs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "fs/backing.h"
#include "fs/entry.h"
#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/remote.h"
#include "fs/reply.h"
#include "fs/setid.h"

static void look_up(fuse_req_t req, struct entry *entry, int r, const struct shown *shown)
{
	if (r == ENTRY_NONE) {
		reply_no_entry(req, entry);
		return;
	}
	if (r < 0) {
		reply_error(req, r);
		return;
	}
	if (shown->facts.kind == INODE_STREAM && shown->facts.size < 0)
		remote_learn_folder(&entry->folder);
	reply_entry(req, entry, shown);
}

void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct shown shown = { 0 };
	int r;

	do {
		_cleanup_(entry_done) struct entry entry = { 0 };

		r = entry_open(fs_of(req), parent, name, &entry);
		if (r == 0)
			r = entry_find(&entry, &shown);
		if (r != -EAGAIN)
			look_up(req, &entry, r, &shown);
	} while (r == -EAGAIN);
}

/* After a mass of them memory goes back to the system, which nobody who forgets should wait for. */
static void have_forgotten(struct fs *fs)
{
	if (inodes_have_shrunk(&fs->inodes))
		notifier_push(fs->notifier,
			      &(struct notice){ .kind = NOTICE_MEMORY, .rel = "" });
}

void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	struct fs *fs = fs_of(req);

	inodes_forget(&fs->inodes, ino, n);
	have_forgotten(fs);
	fuse_reply_none(req);
}

void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct fs *fs = fs_of(req);

	for (size_t i = 0; i < count; i++)
		inodes_forget(&fs->inodes, forgets[i].ino, forgets[i].nlookup);
	have_forgotten(fs);
	fuse_reply_none(req);
}

/* A folder without a name, by a handle that somebody has. R where there is none. */
static int stat_removed(struct fs *fs, struct inode *inode, int r, struct stat *ret)
{
	struct handle *handle = inodes_borrow_handle(&fs->inodes, inode);
	struct inode_facts facts;

	if (!handle)
		return r;
	r = fstat(atomic_load(&handle->fd), ret) < 0 ? -errno : 0;
	handle_unref(handle);
	inodes_facts(&fs->inodes, inode, &facts);
	ret->st_ino = facts.st_ino;
	return r;
}

static int stat_folder(struct fs *fs, fuse_ino_t ino, struct stat *ret)
{
	_cleanup_(folder_done) struct folder folder = { .fd = -1 };
	int r = folder_open(fs, ino, &folder);

	if (r == -ESTALE)
		return stat_removed(fs, inodes_at(&fs->inodes, ino), r, ret);
	return r < 0 ? r : folder_stat(&folder, ret);
}

/* By a handle where one is open: also right for a file without a name. */
static int stat_disk(struct fs *fs, struct inode *inode, const struct inode_facts *facts,
		     struct stat *ret)
{
	struct handle *handle = NULL;
	struct backing *backing = NULL;
	int r = 0;

	if (facts->has_handles)
		handle = inodes_borrow_handle(&fs->inodes, inode);
	if (facts->has_handles && !handle)
		backing = inodes_borrow_backing(&fs->inodes, inode, NULL);
	if (handle || backing) {
		if (fstat(handle ? atomic_load(&handle->fd) : backing->fd, ret) < 0)
			r = -errno;
		backing_unref(backing);
		if (handle)
			handle_unref(handle);
	} else if (entry_stat_first(fs, inode, ret) < 0) {
		_cleanup_(closep) int fd = entry_open_inode(fs, inode, O_PATH, ret);

		r = fd < 0 ? fd : 0;
	}
	ret->st_ino = facts->st_ino;
	return r;
}

/* What getattr answers; FACTS is filled. */
static int stat_inode(struct fs *fs, fuse_ino_t ino, struct inode_facts *facts,
		      struct stat *ret)
{
	struct inode *inode = inodes_at(&fs->inodes, ino);

	inodes_facts(&fs->inodes, inode, facts);
	switch (facts->kind) {
	case INODE_TOP:
	case INODE_FOLDER:
		return stat_folder(fs, ino, ret);
	case INODE_DISK:
		return stat_disk(fs, inode, facts, ret);
	case INODE_STREAM:
		return remote_stat(fs, inode, facts, ret);
	}
	return -EIO;
}

void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct inode_facts facts;
	struct stat st = { 0 };
	int r = stat_inode(fs_of(req), ino, &facts, &st);

	if (r < 0)
		reply_error(req, r);
	else
		reply_attr(req, &st, &facts);
}

static int set_times(const char *path, int fd, const struct stat *attr, int to_set)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
				     { .tv_nsec = UTIME_OMIT } };

	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		times[0].tv_nsec = UTIME_NOW;
	else if (to_set & FUSE_SET_ATTR_ATIME)
		times[0] = attr->st_atim;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		times[1].tv_nsec = UTIME_NOW;
	else if (to_set & FUSE_SET_ATTR_MTIME)
		times[1] = attr->st_mtim;
	if (utimensat(fd, "", times, AT_EMPTY_PATH) == 0)
		return 0;
	/* before Linux 5.8, and not for symlinks there */
	if (errno == EINVAL && utimensat(AT_FDCWD, path, times, 0) == 0)
		return 0;
	return -errno;
}

/* All on one descriptor, which may be O_PATH. */
static int set_attr(int fd, const struct stat *attr, int to_set)
{
	const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME |
			  FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID) &&
	    fchownat(fd, "", to_set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1,
		     to_set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1,
		     AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (to_set & FUSE_SET_ATTR_MODE && chmod(path, attr->st_mode & 07777) < 0)
		return -errno;
	if (to_set & FUSE_SET_ATTR_SIZE && truncate(path, attr->st_size) < 0)
		return -errno;
	return to_set & times ? set_times(path, fd, attr, to_set) : 0;
}

/* As stat_removed(). */
static int setattr_removed(struct fs *fs, struct inode *inode, const struct stat *attr,
			   int to_set)
{
	struct handle *handle = inodes_borrow_handle(&fs->inodes, inode);
	int r = -ESTALE;

	if (!handle)
		return r;
	r = set_attr(atomic_load(&handle->fd), attr, to_set);
	handle_unref(handle);
	return r;
}

static int setattr_folder(struct fs *fs, fuse_ino_t ino, const struct stat *attr,
			  int to_set)
{
	_cleanup_(folder_done) struct folder folder = { .fd = -1 };
	int r = folder_open(fs, ino, &folder);

	if (r == -ESTALE)
		return setattr_removed(fs, inodes_at(&fs->inodes, ino), attr, to_set);
	if (r == 0)
		r = folder_make_real(&folder);
	if (r < 0)
		return r;
	return set_attr(folder.fd, attr, to_set);
}

#define BYTES_OR_OWNER (FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)

/* ftruncate() must work on a handle that was opened for writing whatever the mode is now; and where nobody has it
 * open, or not for writing, by name. */
static int setattr_disk(fuse_req_t req, struct inode *inode, const struct stat *attr,
			int to_set)
{
	struct fs *fs = fs_of(req);
	struct handle *handle = inodes_borrow_handle(&fs->inodes, inode);
	int r = 0;

	if (handle) {
		if (to_set & BYTES_OR_OWNER)
			setid_drop(req, (uintptr_t)inode, atomic_load(&handle->fd));
		if (to_set & FUSE_SET_ATTR_SIZE && handle->is_writing) {
			r = ftruncate(atomic_load(&handle->fd), attr->st_size) < 0
				    ? -errno
				    : 0;
			to_set &= ~FUSE_SET_ATTR_SIZE;
			atomic_store(&handle->is_dirty, true);
		}
		if (r == 0)
			r = set_attr(atomic_load(&handle->fd), attr, to_set);
		handle_unref(handle);
	} else {
		_cleanup_(closep) int fd = entry_open_inode(fs, inode, O_PATH, NULL);

		if (fd >= 0 && to_set & BYTES_OR_OWNER)
			setid_drop(req, (uintptr_t)inode, fd);
		r = fd < 0 ? fd : set_attr(fd, attr, to_set);
	}
	return r;
}

/* The engine decides by size and time what a file is: it hears of a truncate or new times at once. */
static void touch(struct fs *fs, struct inode *inode)
{
	_cleanup_(freep) char *rel = NULL;
	struct inode_facts facts;

	if (inodes_path(&fs->inodes, inode, 0, &rel, &facts) == 0)
		engine_touch(fs->engine, facts.root, rel);
}

static int setattr_inode(fuse_req_t req, fuse_ino_t ino, const struct stat *attr,
			 int to_set)
{
	struct fs *fs = fs_of(req);
	struct inode *inode = inodes_at(&fs->inodes, ino);
	struct inode_facts facts;
	int r = -EPERM;

	inodes_facts(&fs->inodes, inode, &facts);
	switch (facts.kind) {
	case INODE_TOP:
		break;
	case INODE_FOLDER:
		r = setattr_folder(fs, ino, attr, to_set);
		break;
	case INODE_DISK:
		r = setattr_disk(req, inode, attr, to_set);
		if (r == 0 && to_set & (FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MTIME |
					FUSE_SET_ATTR_MTIME_NOW))
			touch(fs, inode);
		break;
	case INODE_STREAM:
		if (to_set & FUSE_SET_ATTR_SIZE)
			r = remote_open_for_writing(fs, inode, attr->st_size == 0);
		else
			r = remote_refuse(fs, inode, -EPERM);
		break;
	}
	return r;
}

void fs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	int r = fs->is_read_only ? -EROFS : setattr_inode(req, ino, attr, to_set);

	if (r < 0)
		reply_error(req, r);
	else
		fs_getattr(req, ino, NULL);
}

void fs_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = fs_of(req);
	char target[4096]; /* symlinks of Linux are shorter */
	_cleanup_(closep) int fd =
		entry_open_inode(fs, inodes_at(&fs->inodes, ino), O_PATH, NULL);
	ssize_t n;

	if (fd < 0) {
		reply_error(req, fd);
		return;
	}
	n = readlinkat(fd, "", target, sizeof(target) - 1);
	if (n < 0) {
		reply_error(req, -errno);
		return;
	}
	target[n] = '\0';
	fuse_reply_readlink(req, target);
}

void fs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = fs_of(req);
	struct inode_facts facts;
	struct statvfs st = { 0 };
	int fd;

	inodes_facts(&fs->inodes, inodes_at(&fs->inodes, ino), &facts);
	fd = roots_fd(fs->roots, facts.root >= 0 ? facts.root : 0);
	if (fd >= 0 && fstatvfs(fd, &st) < 0)
		reply_error(req, -errno);
	else
		fuse_reply_statfs(req, &st);
}
