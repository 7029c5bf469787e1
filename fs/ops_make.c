/*
 * Operations that make a name: mknod, mkdir, symlink, link, create. One path for all of them: the folder becomes
 * real, the name is claimed and must be free on the disk and in the view, then the disk makes it under the caller's
 * umask (it knows the folder's default ACL) and it gets the caller's owner.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fs/backing.h"
#include "fs/entry.h"
#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/reply.h"
#include "fs/setid.h"

struct making {
	mode_t mode; /* type and permissions, umask not applied */
	dev_t rdev;
	const char *target; /* of a symlink */
	int from_fd;        /* of a hard link: O_PATH of the file; else -1 */
	bool opens;         /* CREATE: FLAGS, and FD is filled */
	int flags;
	int fd;
};

/* The umask belongs to the process: each worker thread takes its own copy at its first use, so that it can wear the
 * caller's for the length of one call. False where that cannot be had. */
static bool wear_umask(mode_t mask)
{
	static _Thread_local bool has_own;

	if (!has_own && unshare(CLONE_FS) == 0)
		has_own = true;
	if (has_own)
		umask(mask);
	return has_own;
}

static int make_link(const struct entry *entry, const struct making *making)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", making->from_fd);
	return linkat(AT_FDCWD, path, entry->folder.fd, entry->name, AT_SYMLINK_FOLLOW);
}

static int make_open(const struct entry *entry, struct making *making)
{
	/* as in open(): no O_APPEND, no O_DIRECT below */
	int flags = making->flags & (O_ACCMODE | O_SYNC | O_DSYNC);

	making->fd = openat(entry->folder.fd, entry->name,
			    flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    making->mode & 07777);
	return making->fd < 0 ? -1 : 0;
}

/* As the system calls: -1 and errno. */
static int make_on_disk(const struct entry *entry, struct making *making)
{
	int dir_fd = entry->folder.fd;

	if (making->opens)
		return make_open(entry, making);
	if (making->from_fd >= 0)
		return make_link(entry, making);
	if (making->target)
		return symlinkat(making->target, dir_fd, entry->name);
	if (S_ISDIR(making->mode))
		return mkdirat(dir_fd, entry->name, making->mode & 07777);
	return mknodat(dir_fd, entry->name, making->mode, making->rdev);
}

static void unmake(const struct entry *entry, const struct making *making)
{
	unlinkat(entry->folder.fd, entry->name, S_ISDIR(making->mode) ? AT_REMOVEDIR : 0);
	if (making->fd >= 0)
		close(making->fd);
}

/* The caller's owner. The group is the folder's already where that has the set-group-ID bit. */
static int give_owner(fuse_req_t req, const struct entry *entry,
		      const struct making *making)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct stat folder, st;
	uid_t uid = fs_of(req)->is_privileged ? ctx->uid : (uid_t)-1;
	gid_t gid = ctx->gid;

	if (making->from_fd >= 0)
		return 0;
	if (fstat(entry->folder.fd, &folder) < 0 ||
	    fstatat(entry->folder.fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (folder.st_mode & S_ISGID || gid == st.st_gid)
		gid = (gid_t)-1;
	if ((uid == (uid_t)-1 || uid == st.st_uid) && gid == (gid_t)-1)
		return 0;
	if (fchownat(entry->folder.fd, entry->name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fs_of(req)->is_privileged ? -errno : 0;
	/* the change of owner has taken these bits away */
	if (st.st_mode & (S_ISUID | S_ISGID) && !S_ISLNK(st.st_mode) &&
	    fchmodat(entry->folder.fd, entry->name, st.st_mode & 07777, 0) < 0)
		return -errno;
	return 0;
}

/* The name is claimed. */
static int make_claimed(fuse_req_t req, const struct entry *entry, struct making *making)
{
	struct fs *fs = fs_of(req);
	mode_t mask = fuse_req_ctx(req)->umask;
	struct view_node node;
	int r = view_find(fs->view, entry->folder.root, entry->rel, &node);

	if (r < 0)
		return r;
	if (r != VIEW_NONE)
		return -EEXIST;
	if (!wear_umask(mask))
		making->mode &= ~mask;
	r = make_on_disk(entry, making) < 0 ? -errno : 0;
	wear_umask(0);
	if (r < 0)
		return r;
	r = give_owner(req, entry, making);
	if (r < 0)
		unmake(entry, making);
	return r;
}

static int make(fuse_req_t req, struct entry *entry, struct making *making,
		struct shown *ret)
{
	struct fs *fs = fs_of(req);
	struct stat st;
	int r;

	making->fd = -1;
	if (entry->is_private)
		return -EACCES;
	r = folder_make_real(&entry->folder);
	if (r < 0)
		return r;
	r = entry_claim(entry);
	if (r < 0)
		return r;
	r = make_claimed(req, entry, making);
	entry_unclaim(entry);
	if (r < 0)
		return r;
	if (fstatat(entry->folder.fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		r = -errno;
		if (making->fd >= 0)
			close(making->fd);
		return r;
	}
	shown_disk(fs, entry->folder.root, entry->rel, &st, ret);
	if (!making->opens)
		engine_touch(fs->engine, entry->folder.root, entry->rel);
	return 0;
}

/* Opens the entry and makes the name in it, again where folders above moved meanwhile. */
static int make_at(fuse_req_t req, fuse_ino_t parent, struct entry *entry,
		   struct making *making, struct shown *ret)
{
	const char *name = entry->name;
	int r;

	if (fs_of(req)->is_read_only)
		return -EROFS;
	do {
		entry_done(entry);
		r = entry_open(fs_of(req), parent, name, entry);
		if (r == 0)
			r = make(req, entry, making, ret);
	} while (r == -EAGAIN);
	return r;
}

static void make_and_reply(fuse_req_t req, fuse_ino_t parent, const char *name,
			   struct making *making)
{
	_cleanup_(entry_done) struct entry entry = { .name = name };
	struct shown shown;
	int r = make_at(req, parent, &entry, making, &shown);

	if (r < 0)
		reply_error(req, r);
	else
		reply_entry(req, &entry, &shown);
}

void fs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev)
{
	struct making making = { .mode = mode, .rdev = rdev, .from_fd = -1 };

	make_and_reply(req, parent, name, &making);
}

void fs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct making making = { .mode = S_IFDIR | mode, .from_fd = -1 };

	make_and_reply(req, parent, name, &making);
}

void fs_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct making making = { .mode = S_IFLNK, .target = target, .from_fd = -1 };

	make_and_reply(req, parent, name, &making);
}

void fs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	struct inode *inode = inodes_at(&fs->inodes, ino);
	struct inode_facts facts, above;
	_cleanup_(closep) int fd = -1;
	struct making making = { .mode = S_IFREG };

	inodes_facts(&fs->inodes, inode, &facts);
	inodes_facts(&fs->inodes, inodes_at(&fs->inodes, parent), &above);
	/* an incomplete file cannot have a second name; on EXDEV the caller copies */
	if (facts.kind != INODE_DISK || facts.root != above.root) {
		reply_error(req, -EXDEV);
		return;
	}
	fd = entry_open_inode(fs, inode, O_PATH, NULL);
	if (fd < 0) {
		reply_error(req, fd);
		return;
	}
	making.from_fd = fd;
	make_and_reply(req, parent, name, &making);
}

/* The kernel believed that the name was free. Where it is not, it may look again, unless that was asked for. */
static int exists(int flags)
{
	return flags & O_EXCL ? -EEXIST : -ESTALE;
}

/* What the kernel is to read and write the new file by; NULL: through the daemon. */
static struct backing *offer(struct fs *fs, int fd)
{
	struct backing *backing = NULL;
	int path_fd, r;

	if (!passthrough_is_on(&fs->passthrough))
		return NULL;
	path_fd = backing_path_fd(fd);
	r = path_fd < 0 ? path_fd : backing_new(&fs->passthrough, path_fd, &backing);
	if (r == 0)
		return backing;
	passthrough_refused(&fs->passthrough, r);
	if (path_fd >= 0)
		close(path_fd);
	return NULL;
}

static void reply_created(fuse_req_t req, struct entry *entry, const struct shown *shown,
			  const struct making *making, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct handle_setup setup = { .fd = making->fd,
				      .is_writing =
					      (making->flags & O_ACCMODE) != O_RDONLY,
				      .decides = true };
	struct fuse_entry_param param;
	struct handle *handle;
	int r = reply_fill_entry(&entry->folder, entry->name, shown, &param);

	if (r < 0) {
		close(making->fd);
		reply_error(req, r);
		return;
	}
	setup.backing = offer(fs, making->fd);
	r = handle_new(&fs->inodes, inodes_at(&fs->inodes, param.ino), &setup, &handle);
	if (r < 0) {
		inodes_forget(&fs->inodes, param.ino, 1);
		reply_error(req, r);
		return;
	}
	atomic_store(&handle->is_dirty, true);
	param.attr_timeout = 0; /* it has a writer now */
	fi->fh = (uintptr_t)handle;
	fi->noflush = !setup.is_writing;
	fi->direct_io = handle->backing &&
			(fs_writes_by_daemon(fi->flags) || setid_has(fs, &shown->st));
	if (passthrough_reply_create(req, &param, fi,
				     handle->backing ? handle->backing->id : 0) < 0) {
		handle_release(&fs->inodes, handle);
		inodes_forget(&fs->inodes, param.ino, 1);
	}
}

void fs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	_cleanup_(entry_done) struct entry entry = { .name = name };
	struct making making = {
		.mode = S_IFREG | mode, .from_fd = -1, .opens = true, .flags = fi->flags
	};
	struct shown shown;
	int r = make_at(req, parent, &entry, &making, &shown);

	if (r == -EEXIST)
		r = exists(fi->flags);
	if (r < 0)
		reply_error(req, r);
	else
		reply_created(req, &entry, &shown, &making, fi);
}
