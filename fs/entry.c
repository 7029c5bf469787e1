/* Folders and names, resolved for one request. */
#include "fs/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/backing.h"
#include "fs/handle.h"
#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"

#define TRIES_MAX 64 /* folders that move without end are somebody's mistake */

static int open_root(struct fs *fs, int root, const char *rel, int flags)
{
	int root_fd = roots_fd(fs->roots, root);

	if (root_fd < 0)
		return -ENOENT; /* could never be opened: only the view has names */
	return beneath_open(root_fd, rel, flags, 0);
}

/* Opens the real folder and checks that it is the one meant. 0 with fd -1 where there is none. */
static int open_real(struct folder *folder)
{
	struct inode_facts *facts = &folder->facts;
	_cleanup_(closep) int fd =
		open_root(folder->fs, folder->root, folder->rel, O_PATH | O_DIRECTORY);
	struct stat st;

	folder->fd = -1;
	if (fd == -ENOENT)
		return 0;
	if (fd == -ENOTDIR || fd == -ELOOP)
		return -ESTALE;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* a root that was lost comes back with another descriptor: it is what ROOTS says */
	if (!facts->dev || !folder->rel[0])
		inodes_set_disk(&folder->fs->inodes, folder->inode, st.st_dev, st.st_ino);
	else if (facts->dev != st.st_dev || facts->ino != st.st_ino)
		return -ESTALE;
	folder->fd = steal_fd(fd);
	return 0;
}

int folder_open(struct fs *fs, fuse_ino_t ino, struct folder *ret)
{
	struct folder folder = { .fs = fs,
				 .inode = inodes_at(&fs->inodes, ino),
				 .fd = -1 };
	bool has_moved;
	int r;

	for (int i = 0; i < TRIES_MAX; i++) {
		folder.mark = moves_mark(&fs->moves);
		r = inodes_path(&fs->inodes, folder.inode, 0, &folder.rel, &folder.facts);
		if (r < 0)
			return r;
		folder.root = folder.facts.root;
		if (folder.facts.kind != INODE_TOP)
			r = open_real(&folder);
		has_moved = folder_has_moved(&folder);
		if (r == 0 && !has_moved) {
			*ret = folder;
			return 0;
		}
		folder_done(&folder);
		if (r < 0 && !has_moved)
			return r;
	}
	return -EBUSY;
}

bool folder_has_moved(const struct folder *folder)
{
	return !moves_is_same(&folder->fs->moves, folder->mark);
}

void folder_done(struct folder *folder)
{
	if (folder->fd >= 0)
		close(folder->fd);
	folder->fd = -1;
	free(steal(folder->rel));
}

/* The nearest real folder at or above REL. */
static int open_nearest(struct fs *fs, int root, const char *rel)
{
	_cleanup_(freep) char *path = strdup(rel);
	int fd;

	if (!path)
		return -ENOMEM;
	for (;;) {
		char *slash = strrchr(path, '/');

		fd = open_root(fs, root, path, O_PATH | O_DIRECTORY);
		if (fd != -ENOENT || !path[0])
			return fd;
		*(slash ? slash : path) = '\0';
	}
}

static void find_owner(struct folder *folder)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;

	if (folder->has_owner)
		return;
	folder->has_owner = true;
	folder->uid = geteuid();
	folder->gid = getegid();
	if (folder->root < 0)
		return;
	if (folder->fd < 0)
		fd = open_nearest(folder->fs, folder->root, folder->rel);
	if (fstat(folder->fd >= 0 ? folder->fd : fd, &st) < 0)
		return;
	folder->uid = st.st_uid;
	folder->gid = st.st_gid;
}

/* One folder in the real folder FD, with its owner unless the set-group-ID rule has given a group already. */
static int make_one(struct fs *fs, int fd, const char *name)
{
	struct stat st;

	if (mkdirat(fd, name, fs->config->dir_mode) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (!fs->is_privileged || fstat(fd, &st) < 0)
		return 0;
	if (fchownat(fd, name, st.st_uid, st.st_mode & S_ISGID ? (gid_t)-1 : st.st_gid,
		     AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

/* Makes what is missing of REL, from the top down. An O_PATH descriptor of it, or a negative errno. */
static int make_folders(struct fs *fs, int root, const char *rel)
{
	_cleanup_(closep) int fd = open_root(fs, root, "", O_PATH | O_DIRECTORY);
	_cleanup_(freep) char *path = strdup(rel);
	char *rest = path, *name;

	if (!path)
		return -ENOMEM;
	if (fd == -ENOENT)
		return -EIO;
	while (fd >= 0 && (name = strsep(&rest, "/")) && name[0]) {
		int next = beneath_open(fd, name, O_PATH | O_DIRECTORY, 0);
		int r = 0;

		if (next == -ENOENT)
			r = make_one(fs, fd, name);
		if (next == -ENOENT && r == 0)
			next = beneath_open(fd, name, O_PATH | O_DIRECTORY, 0);
		close(fd);
		fd = r < 0 ? r : next;
	}
	return fd < 0 ? fd : steal_fd(fd);
}

int folder_make_real(struct folder *folder)
{
	struct view_node node;
	struct stat st;
	int r;

	if (folder->facts.kind == INODE_TOP)
		return -EPERM;
	if (folder->fd >= 0)
		return 0;
	r = view_find(folder->fs->view, folder->root, folder->rel, &node);
	if (r < 0)
		return r;
	if (r == VIEW_NONE || !node.is_folder)
		return -ENOENT;
	r = make_folders(folder->fs, folder->root, folder->rel);
	if (r < 0)
		return r;
	folder->fd = r;
	if (fstat(folder->fd, &st) == 0)
		inodes_set_disk(&folder->fs->inodes, folder->inode, st.st_dev, st.st_ino);
	return 0;
}

int folder_stat(struct folder *folder, struct stat *ret)
{
	struct view_node node = { .is_folder = true, .size = -1, .mtime_ns = -1 };
	struct shown shown;
	int r;

	if (folder->fd >= 0) {
		if (fstat(folder->fd, ret) < 0)
			return -errno;
		ret->st_ino = folder->facts.st_ino;
		return 0;
	}
	r = VIEW_NONE;
	if (folder->root >= 0 && folder->rel[0])
		r = view_find(folder->fs->view, folder->root, folder->rel, &node);
	if (r < 0)
		return r;
	if (folder->root >= 0 && folder->rel[0] && (r == VIEW_NONE || !node.is_folder))
		return -ENOENT;
	shown_view(folder, &node, &shown);
	*ret = shown.st;
	ret->st_ino = folder->facts.st_ino;
	if (folder->root < 0)
		ret->st_mode = S_IFDIR | 0555;
	return 0;
}

int entry_open(struct fs *fs, fuse_ino_t parent, const char *name, struct entry *ret)
{
	struct entry entry = { .name = name };
	int r;

	if (strlen(name) > PATH_COMPONENT_MAX)
		return -ENAMETOOLONG;
	r = folder_open(fs, parent, &entry.folder);
	if (r < 0)
		return r;
	entry.rel = path_join(entry.folder.rel, name);
	if (!entry.rel) {
		folder_done(&entry.folder);
		return -ENOMEM;
	}
	entry.is_private = entry.folder.root >= 0 && !entry.folder.rel[0] &&
			   strcmp(name, ENTRY_PRIVATE) == 0;
	*ret = entry;
	return 0;
}

void entry_done(struct entry *entry)
{
	if (!entry->rel)
		return;
	folder_done(&entry->folder);
	free(steal(entry->rel));
}

/* A root's folder below the synthetic top. */
static int find_root(struct entry *entry, struct shown *ret)
{
	struct fs *fs = entry->folder.fs;
	int root = rootmap_find(fs->rootmap, entry->name);
	struct view_node node = { .is_folder = true, .size = -1, .mtime_ns = -1 };
	struct folder folder = { .fs = fs, .root = root, .rel = NULL, .fd = -1 };
	struct stat st;

	if (root < 0)
		return ENTRY_NONE;
	if (roots_fd(fs->roots, root) >= 0 &&
	    fstat(roots_fd(fs->roots, root), &st) == 0) {
		shown_disk(fs, root, "", &st, ret);
		return 0;
	}
	/* a root that could never be opened: what the view has is shown */
	node.ino = view_ino(root, "");
	folder.has_owner = true;
	folder.uid = geteuid();
	folder.gid = getegid();
	shown_view(&folder, &node, ret);
	return 0;
}

static int find(struct entry *entry, struct shown *ret)
{
	struct folder *folder = &entry->folder;
	struct view_node node;
	struct stat st;
	int r;

	if (entry->is_private)
		return ENTRY_NONE;
	if (folder->facts.kind == INODE_TOP)
		return find_root(entry, ret);
	if (folder->fd >= 0) {
		r = fstatat(folder->fd, entry->name, &st, AT_SYMLINK_NOFOLLOW);
		if (r == 0) {
			shown_disk(folder->fs, folder->root, entry->rel, &st, ret);
			return 0;
		}
		if (errno != ENOENT)
			return -errno;
	}
	r = view_find(folder->fs->view, folder->root, entry->rel, &node);
	if (r != 0)
		return r < 0 ? r : ENTRY_NONE;
	shown_view(folder, &node, ret);
	return 0;
}

int entry_find(struct entry *entry, struct shown *ret)
{
	int r = find(entry, ret);

	return folder_has_moved(&entry->folder) ? -EAGAIN : r;
}

int entry_claim(struct entry *entry)
{
	roots_claim(entry->folder.fs->roots, entry->folder.root, entry->rel);
	if (!folder_has_moved(&entry->folder))
		return 0;
	entry_unclaim(entry);
	return -EAGAIN;
}

void entry_unclaim(struct entry *entry)
{
	roots_unclaim(entry->folder.fs->roots, entry->folder.root, entry->rel);
}

void shown_disk(struct fs *fs, int root, const char *rel, const struct stat *st,
		struct shown *ret)
{
	uint64_t st_ino;

	/* a completed file keeps the number that it had when it was remote-only */
	if (S_ISREG(st->st_mode) && journal_has_copy(fs->journal, root, rel))
		st_ino = view_ino(root, rel);
	else
		st_ino = rootmap_ino(fs->rootmap, st->st_dev, st->st_ino);
	*ret = (struct shown){
		.facts = { .kind = S_ISDIR(st->st_mode) ? INODE_FOLDER : INODE_DISK,
			   .type = st->st_mode & S_IFMT,
			   .root = root,
			   .dev = st->st_dev,
			   .ino = st->st_ino,
			   .n_links = st->st_nlink,
			   .st_ino = st_ino,
			   .size = -1,
			   .mtime_ns = -1 },
		.st = *st,
	};
	ret->st.st_ino = st_ino;
}

void shown_view(struct folder *folder, const struct view_node *node, struct shown *ret)
{
	const struct config *config = folder->fs->config;
	mode_t type = node->is_folder ? S_IFDIR : S_IFREG;
	int64_t mtime_ns = node->mtime_ns >= 0 ? node->mtime_ns : folder->fs->started_ns;
	struct timespec mtime = ns_timespec(mtime_ns);
	int64_t size = node->is_folder || node->size < 0 ? 0 : node->size;

	find_owner(folder);
	*ret = (struct shown){
		.facts = { .kind = node->is_folder ? INODE_FOLDER : INODE_STREAM,
			   .type = type,
			   .root = folder->root,
			   .st_ino = node->ino,
			   .size = node->size,
			   .mtime_ns = node->mtime_ns },
		.st = { .st_ino = node->ino,
			.st_mode = type | (node->is_folder ? config->dir_mode
							   : config->file_mode),
			.st_nlink = node->is_folder ? 2 : 1,
			.st_uid = folder->uid,
			.st_gid = folder->gid,
			.st_size = size,
			.st_blksize = 4096,
			/* as if all of it were here, or cp and tar copy holes */
			.st_blocks = (size + 511) / 512,
			.st_atim = mtime,
			.st_mtim = mtime,
			.st_ctim = mtime },
	};
}

/* Opens by one name and checks that it is the inode's file. Never waits for a fifo's other end, and does not truncate:
 * what was opened is known only afterwards. */
static int open_checked(struct fs *fs, const struct inode_facts *facts, const char *rel,
			int flags, struct stat *ret)
{
	int more = flags & O_PATH ? O_NOFOLLOW : O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	_cleanup_(closep) int fd =
		open_root(fs, facts->root, rel, (flags & ~O_TRUNC) | more);

	if (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR)
		return -ESTALE;
	if (fd < 0)
		return fd;
	if (fstat(fd, ret) < 0)
		return -errno;
	if (ret->st_dev != facts->dev || ret->st_ino != facts->ino ||
	    (ret->st_mode & S_IFMT) != facts->type)
		return -ESTALE;
	return steal_fd(fd);
}

/* A file without a name, by a handle that somebody has, or what the kernel has of it. */
static int open_by_handle(struct fs *fs, struct inode *inode, int flags, struct stat *ret)
{
	struct handle *handle = inodes_borrow_handle(&fs->inodes, inode);
	struct backing *backing = NULL;
	char path[64];
	int fd = -ESTALE;

	if (handle) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d",
			 atomic_load(&handle->fd));
		fd = open(path, (flags & ~(O_TRUNC | O_NOFOLLOW)) | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
		handle_unref(handle);
	} else {
		backing = inodes_borrow_backing(&fs->inodes, inode, NULL);
		if (backing)
			fd = backing_open(backing, flags);
		backing_unref(backing);
	}
	if (fd >= 0 && fstat(fd, ret) < 0) {
		close(fd);
		return -EIO;
	}
	return fd;
}

/* Symlinks on the way do no harm here: what counts is which file is found. */
int entry_stat_first(struct fs *fs, struct inode *inode, struct stat *ret)
{
	_cleanup_(freep) char *rel = NULL;
	struct inode_facts facts;
	int r = inodes_path(&fs->inodes, inode, 0, &rel, &facts);

	if (r < 0)
		return r;
	if (fstatat(roots_fd(fs->roots, facts.root), rel, ret, AT_SYMLINK_NOFOLLOW) < 0 ||
	    ret->st_dev != facts.dev || ret->st_ino != facts.ino ||
	    (ret->st_mode & S_IFMT) != facts.type)
		return -ESTALE;
	return 0;
}

static int open_by_names(struct fs *fs, struct inode *inode, int flags, struct stat *ret)
{
	int r = -ESTALE;

	for (size_t i = 0; r == -ESTALE; i++) {
		_cleanup_(freep) char *rel = NULL;
		struct inode_facts facts;

		r = inodes_path(&fs->inodes, inode, i, &rel, &facts);
		if (r < 0)
			return r;
		r = open_checked(fs, &facts, rel, flags, ret);
	}
	return r;
}

/* The name is taken away and given back where lookups of it meet while it changes its inode. */
static int open_by_last_name(struct fs *fs, struct inode *inode, int flags,
			     struct stat *ret)
{
	_cleanup_(freep) char *rel = NULL;
	struct inode_facts facts;
	int r = inodes_last_path(&fs->inodes, inode, &rel);

	if (r < 0)
		return r;
	inodes_facts(&fs->inodes, inode, &facts);
	return open_checked(fs, &facts, rel, flags, ret);
}

int entry_open_inode(struct fs *fs, struct inode *inode, int flags, struct stat *st)
{
	struct stat unused;
	uint64_t mark;
	int fd;

	for (int i = 0; i < TRIES_MAX; i++) {
		mark = moves_mark(&fs->moves);
		fd = open_by_names(fs, inode, flags, st ? st : &unused);
		if (fd != -ESTALE || moves_is_same(&fs->moves, mark))
			break;
	}
	if (fd == -ESTALE)
		fd = open_by_handle(fs, inode, flags, st ? st : &unused);
	if (fd == -ESTALE)
		fd = open_by_last_name(fs, inode, flags, st ? st : &unused);
	return fd;
}
