/* Operations on handles: open, flush, release. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/entry.h"
#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/remote.h"
#include "fs/reply.h"

static bool is_for_writing(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

/* O_TRUNC was left out when the file was opened, since only then it is known to be the right one. */
static int truncate_opened(int fd, int flags)
{
	char path[64];

	if (is_for_writing(flags))
		return ftruncate(fd, 0) < 0 ? -errno : 0;
	/* O_RDONLY | O_TRUNC: unspecified by POSIX, truncates on Linux */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return truncate(path, 0) < 0 ? -errno : 0;
}

static int open_disk(struct fs *fs, struct inode *inode, struct fuse_file_info *fi,
		     struct handle **ret)
{
	/* O_APPEND: each write brings it; O_DIRECT: our buffers are not aligned as the disk wants */
	int flags = fi->flags & (O_ACCMODE | O_SYNC | O_DSYNC | O_NOATIME);
	struct handle_setup setup = { .is_writing = is_for_writing(flags) };
	struct stat st;
	int r;

	setup.fd = entry_open_inode(fs, inode, flags, &st);
	if (setup.fd == -EPERM && flags & O_NOATIME)
		setup.fd = entry_open_inode(fs, inode, flags & ~O_NOATIME, &st);
	if (setup.fd < 0)
		return setup.fd;
	if (fi->flags & O_TRUNC) {
		r = truncate_opened(setup.fd, flags);
		if (r < 0) {
			close(setup.fd);
			return r;
		}
	}
	fi->keep_cache =
		inodes_keep_pages(&fs->inodes, inode, &st) && !(fi->flags & O_TRUNC);
	fi->noflush = !setup.is_writing;
	r = handle_new(&fs->inodes, inode, &setup, ret);
	if (r == 0 && fi->flags & O_TRUNC)
		atomic_store(&(*ret)->is_dirty, true);
	return r;
}

static void reply_opened(fuse_req_t req, struct fuse_file_info *fi, struct handle *handle)
{
	struct fs *fs = fs_of(req);

	fi->fh = (uintptr_t)handle;
	if (fuse_reply_open(req, fi) < 0)
		handle_release(&fs->inodes, handle);
}

static void open_stream(fuse_req_t req, struct inode *inode, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	_cleanup_(freep) char *rel = NULL;
	struct inode_facts facts;
	struct handle *handle;
	int r;

	if (is_for_writing(fi->flags) || fi->flags & O_TRUNC) {
		r = remote_open_for_writing(fs, inode, fi->flags & O_TRUNC);
		reply_error(req, r);
		return;
	}
	r = remote_open(fs, inode, &handle, &rel);
	if (r == REMOTE_UNKNOWN) {
		inodes_facts(&fs->inodes, inode, &facts);
		stream_learn(fs, req, facts.root, rel);
		return;
	}
	if (r < 0) {
		reply_error(req, r);
		return;
	}
	/* all pages of a streaming inode are of one revision: another one is another inode */
	fi->keep_cache = 1;
	fi->noflush = 1;
	reply_opened(req, fi, handle);
}

void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct inode *inode = inodes_at(&fs->inodes, ino);
	struct inode_facts facts;
	struct handle *handle;
	int r;

	inodes_facts(&fs->inodes, inode, &facts);
	if (fs->is_read_only && (is_for_writing(fi->flags) || fi->flags & O_TRUNC)) {
		reply_error(req, -EROFS);
		return;
	}
	if (facts.kind == INODE_STREAM) {
		open_stream(req, inode, fi);
		return;
	}
	r = facts.kind == INODE_DISK ? open_disk(fs, inode, fi, &handle) : -EISDIR;
	if (r < 0)
		reply_error(req, r);
	else
		reply_opened(req, fi, handle);
}

void fs_touch_written(struct fs *fs, struct handle *handle)
{
	_cleanup_(freep) char *rel = NULL;
	struct inode_facts facts;

	if (!atomic_exchange(&handle->is_dirty, false))
		return;
	if (inodes_path(&fs->inodes, handle->inode, 0, &rel, &facts) == 0)
		engine_touch(fs->engine, facts.root, rel);
}

void fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	_cleanup_(handle_unrefp) struct handle *handle = handle_hold(fi->fh);
	int r = 0;

	/* a file system that reports late (NFS, quota) reports at close() */
	if (handle->is_writing && atomic_load(&handle->is_dirty)) {
		int fd = fcntl(handle->fd, F_DUPFD_CLOEXEC, 0);

		if (fd < 0 || close(fd) < 0)
			r = -errno;
		fs_touch_written(fs_of(req), handle);
	}
	reply_error(req, r);
}

void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct handle *handle = (struct handle *)(uintptr_t)fi->fh;

	fs_touch_written(fs, handle);
	handle_release(&fs->inodes, handle);
	fuse_reply_err(req, 0);
}
