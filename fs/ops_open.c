/* Operations on handles: open, flush, release. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/backing.h"
#include "fs/entry.h"
#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/remote.h"
#include "fs/reply.h"
#include "fs/setid.h"

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

/* O_APPEND: each write brings it; O_DIRECT: our buffers are not aligned as the disk wants. */
#define FLAGS_BELOW (O_ACCMODE | O_SYNC | O_DSYNC | O_NOATIME)

/* An opening of a file on the disk. */
struct opening {
	struct fs *fs;
	fuse_req_t req;
	struct inode *inode;
	int flags;      /* the caller's */
	bool needs_fd;  /* for writing, truncating: as the disk allows it */
	struct stat st; /* as it was found */
};

static int open_below(struct opening *opening, int flags)
{
	int fd = entry_open_inode(opening->fs, opening->inode, flags, &opening->st);

	if (fd == -EPERM && flags & O_NOATIME)
		fd = entry_open_inode(opening->fs, opening->inode, flags & ~O_NOATIME,
				      &opening->st);
	return fd;
}

/* Gives the file to the kernel. Where it is not taken, there is no backing. */
static void offer(struct opening *opening, struct handle_setup *setup)
{
	struct passthrough *passthrough = &opening->fs->passthrough;
	int fd = opening->needs_fd ? backing_path_fd(setup->fd) : steal_fd(setup->fd);
	int r = fd < 0 ? fd : backing_new(passthrough, fd, &setup->backing);

	if (r == 0)
		return;
	passthrough_refused(passthrough, r);
	if (fd >= 0)
		close(fd);
}

/* Where the kernel has the file by number there is nothing more to do for reading than to see that the name still is
 * that file. */
static int open_for_kernel(struct opening *opening, struct handle_setup *setup)
{
	if (setup->backing && !opening->needs_fd &&
	    entry_stat_first(opening->fs, opening->inode, &opening->st) == 0)
		return 0;
	setup->fd = open_below(opening,
			       opening->needs_fd ? opening->flags & FLAGS_BELOW : O_PATH);
	if (setup->fd < 0)
		return setup->fd;
	if (!setup->backing)
		offer(opening, setup);
	else if (!opening->needs_fd)
		close(steal_fd(setup->fd));
	return 0;
}

static int open_parts(struct opening *opening, struct handle_setup *setup)
{
	struct fs *fs = opening->fs;
	enum inode_way way;
	int r = 0;

	setup->backing = inodes_borrow_backing(&fs->inodes, opening->inode, &way);
	if (way != INODE_WAY_DAEMON && passthrough_is_on(&fs->passthrough))
		r = open_for_kernel(opening, setup);
	if (r == 0 && !setup->backing && setup->fd < 0) {
		setup->fd = open_below(opening, opening->flags & FLAGS_BELOW);
		r = setup->fd < 0 ? setup->fd : 0;
	}
	if (r == 0 && opening->flags & O_TRUNC)
		setid_drop(opening->req, (uintptr_t)opening->inode, setup->fd);
	if (r == 0 && opening->flags & O_TRUNC)
		r = truncate_opened(setup->fd, opening->flags);
	return r;
}

/* -EAGAIN: somebody else was first, and decided otherwise. */
static int open_once(struct opening *opening, struct handle **ret)
{
	struct inodes *inodes = &opening->fs->inodes;
	struct handle_setup setup = { .fd = -1,
				      .is_writing = is_for_writing(opening->flags),
				      .decides = true };
	int r = open_parts(opening, &setup);

	if (r < 0) {
		handle_setup_done(&setup);
		return r;
	}
	r = handle_new(inodes, opening->inode, &setup, ret);
	if (r == 0 && !(*ret)->backing && atomic_load(&(*ret)->fd) < 0) {
		handle_release(inodes, *ret);
		return -EAGAIN;
	}
	return r;
}

static int open_disk(fuse_req_t req, struct inode *inode, struct fuse_file_info *fi,
		     struct handle **ret)
{
	struct fs *fs = fs_of(req);
	struct opening opening = { .fs = fs,
				   .req = req,
				   .inode = inode,
				   .flags = fi->flags,
				   .needs_fd = is_for_writing(fi->flags) ||
					       fi->flags & O_TRUNC };
	int r;

	do
		r = open_once(&opening, ret);
	while (r == -EAGAIN);
	if (r < 0)
		return r;
	if (!(*ret)->backing)
		fi->keep_cache = inodes_keep_pages(&fs->inodes, inode, &opening.st) &&
				 !(fi->flags & O_TRUNC);
	else if (opening.needs_fd && !(fi->flags & O_TRUNC))
		/* what the kernel holds of its size and times gets old from now on */
		notifier_push(fs->notifier, &(struct notice){ .kind = NOTICE_STAT,
							      .id = (uintptr_t)inode,
							      .rel = "" });
	fi->noflush = !(*ret)->is_writing;
	fi->direct_io = opening.needs_fd && setid_has(fs, &opening.st);
	if (fi->flags & O_TRUNC)
		atomic_store(&(*ret)->is_dirty, true);
	return 0;
}

/* The kernel opens the file below with the flags of now, and would keep to them: who may take back O_APPEND (or O_DIRECT,
 * as dd does for the last block) by fcntl(2) writes through the daemon. */
bool fs_writes_by_daemon(int flags)
{
	return is_for_writing(flags) && flags & (O_APPEND | O_DIRECT);
}

static void reply_opened(fuse_req_t req, struct fuse_file_info *fi, struct handle *handle)
{
	struct fs *fs = fs_of(req);
	int id = handle->backing ? handle->backing->id : 0;

	fi->fh = (uintptr_t)handle;
	fi->direct_io = id && (fi->direct_io || fs_writes_by_daemon(fi->flags));
	if (passthrough_reply_open(req, fi, id) < 0)
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
	r = facts.kind == INODE_DISK ? open_disk(req, inode, fi, &handle) : -EISDIR;
	if (r < 0)
		reply_error(req, r);
	else
		reply_opened(req, fi, handle);
}

void fs_touch_written(struct fs *fs, struct handle *handle)
{
	_cleanup_(freep) char *rel = NULL;
	struct inode_facts facts;

	handle_look(handle);
	if (!atomic_exchange(&handle->is_dirty, false))
		return;
	if (inodes_path(&fs->inodes, handle->inode, 0, &rel, &facts) == 0)
		engine_touch(fs->engine, facts.root, rel);
}

void fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	_cleanup_(handle_unrefp) struct handle *handle = handle_hold(fi->fh);
	int r = 0;

	handle_look(handle);
	/* a file system that reports late (NFS, quota) reports at close() */
	if (handle->is_writing && atomic_load(&handle->is_dirty)) {
		int fd = fcntl(atomic_load(&handle->fd), F_DUPFD_CLOEXEC, 0);

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
