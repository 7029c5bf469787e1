/* Operations on folders: what they list. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs/entry.h"
#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/listing.h"
#include "fs/remote.h"
#include "fs/reply.h"
#include "sync/base/beneath.h"
#include "sync/base/path.h"

#define DOTS 2            /* "." and ".." come first */
#define PLUS_SIZE_MIN 128 /* an entry with attributes is larger */

void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	_cleanup_(folder_done) struct folder folder = { .fd = -1 };
	struct handle *handle = NULL;
	struct stat st;
	int r = folder_open(fs, ino, &folder);

	if (r == 0)
		r = folder_stat(&folder, &st);
	if (r == 0)
		/* by which it is still known after its name is gone */
		r = handle_new(&fs->inodes, folder.inode,
			       &(struct handle_setup){ .fd = steal_fd(folder.fd) },
			       &handle);
	if (r < 0) {
		reply_error(req, r);
		return;
	}
	fi->fh = (uintptr_t)handle;
	/* the kernel goes through its own copy of the listing, while that is of the folder as it is */
	fi->cache_readdir = 1;
	fi->keep_cache = inodes_keep_listing(&fs->inodes, folder.inode, &st);
	if (fuse_reply_open(req, fi) < 0)
		handle_release(&fs->inodes, handle);
}

static int add_names(struct folder *folder, DIR *dir, struct listing *listing)
{
	struct dirent *entry;
	int r = 0;

	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return -errno;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!folder->rel[0] && strcmp(entry->d_name, ENTRY_PRIVATE) == 0)
			continue;
		r = listing_add_disk(listing, entry->d_name, entry->d_type, entry->d_ino);
		if (r < 0)
			return r;
	}
}

static int add_disk(struct folder *folder, struct listing *listing)
{
	int fd, r;
	DIR *dir;

	if (folder->fd < 0)
		return 0;
	fd = beneath_open(folder->fd, "", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	r = add_names(folder, dir, listing);
	closedir(dir);
	return r;
}

static int add_node(void *context, const char *name, const struct view_node *node)
{
	return listing_add_view(context, name, node);
}

/* As fs/entry.c shows it. Never 0: readdir(3) takes such an entry for a deleted one. */
static uint64_t root_ino(struct fs *fs, int root)
{
	int fd = roots_fd(fs->roots, root);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return view_ino(root, "");
	return rootmap_ino(fs->rootmap, st.st_dev, st.st_ino);
}

static int add_roots(struct folder *folder, struct listing *listing)
{
	struct fs *fs = folder->fs;
	int r = 0;

	for (int i = 0; r == 0 && i < (int)roots_count(fs->roots); i++)
		r = listing_add_disk(listing, roots_name(fs->roots, i), DT_DIR,
				     root_ino(fs, i));
	return r;
}

static int take_listing(struct folder *folder, struct listing **ret)
{
	_cleanup_(listing_freep) struct listing *listing = NULL;
	int r = listing_new(folder->facts.n_changes, &listing);

	if (r < 0)
		return r;
	if (folder->facts.kind == INODE_TOP) {
		r = add_roots(folder, listing);
	} else {
		r = add_disk(folder, listing);
		if (r == 0)
			r = view_list(folder->fs->view, folder->root, folder->rel, NULL,
				      add_node, listing);
	}
	if (r < 0)
		return r;
	if (listing_has_unknown(listing))
		remote_learn_folder(folder);
	*ret = steal(listing);
	return 0;
}

/* ---- one READDIR ---- */

struct fill {
	fuse_req_t req;
	struct folder *folder;
	bool is_plus;
	bool is_current; /* no name changed since the listing was taken */
	char *data;
	size_t size, used;
	uint64_t *
		ids; /* lookups counted, to be given back if the kernel does not take the reply */
	size_t n_ids;
};

static int add_entry(struct fill *fill, const char *name,
		     const struct fuse_entry_param *param, off_t next)
{
	char *at = fill->data + fill->used;
	size_t room = fill->size - fill->used, need;

	if (fill->is_plus)
		need = fuse_add_direntry_plus(fill->req, at, room, name, param, next);
	else
		need = fuse_add_direntry(fill->req, at, room, name, &param->attr, next);
	if (need > room)
		return -ENOSPC;
	fill->used += need;
	return 0;
}

static int add_dot(struct fill *fill, off_t i)
{
	struct fs *fs = fill->folder->fs;
	struct fuse_entry_param param = { .attr.st_mode = S_IFDIR };

	param.attr.st_ino = i == 0 ? fill->folder->facts.st_ino
				   : inodes_parent_ino(&fs->inodes, fill->folder->inode);
	return add_entry(fill, i == 0 ? "." : "..", &param, i + 1);
}

/* The number that a name is shown with, asking nobody but memory. */
static uint64_t shown_ino(struct folder *folder, const struct listing_entry *entry)
{
	struct fs *fs = folder->fs;
	uint64_t ino = inodes_known_ino(&fs->inodes, folder->inode, entry->name);
	_cleanup_(freep) char *rel = NULL;

	if (ino || !entry->is_disk || folder->root < 0)
		return ino ? ino : entry->ino;
	rel = path_join(folder->rel, entry->name);
	if (rel && entry->type != DT_DIR &&
	    journal_has_copy(fs->journal, folder->root, rel))
		return view_ino(folder->root, rel);
	return rootmap_ino(fs->rootmap, folder->facts.dev, entry->ino);
}

/* 0, or ENTRY_NONE where the name is gone since the listing was taken. */
static int show_entry(struct folder *folder, const struct listing_entry *entry,
		      struct shown *ret)
{
	struct fs *fs = folder->fs;
	_cleanup_(freep) char *rel = NULL;
	struct stat st;

	if (!entry->is_disk) {
		shown_view(folder, &entry->node, ret);
		return 0;
	}
	if (fstatat(folder->fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? ENTRY_NONE : -errno;
	rel = path_join(folder->rel, entry->name);
	if (!rel)
		return -ENOMEM;
	shown_disk(fs, folder->root, rel, &st, ret);
	return 0;
}

static int add_plus(struct fill *fill, const struct listing_entry *entry, off_t next)
{
	struct fs *fs = fill->folder->fs;
	struct fuse_entry_param param;
	struct shown shown;
	int r = ENTRY_NONE;

	if (fill->folder->fd >= 0 || !entry->is_disk)
		r = show_entry(fill->folder, entry, &shown);
	if (r == ENTRY_NONE)
		return 0;
	if (r == 0)
		r = reply_fill_entry(fill->folder, entry->name, &shown, &param);
	if (r != 0)
		return r;
	r = add_entry(fill, entry->name, &param, next);
	if (r < 0)
		inodes_forget(&fs->inodes, param.ino, 1);
	else
		fill->ids[fill->n_ids++] = param.ino;
	return r;
}

/* The kernel links what comes with attributes into its cache. A name of the view is only taken from the listing while
 * no name of the folder has changed; else it goes without, and is looked up by whoever wants to know. */
static int add_any(struct fill *fill, const struct listing_entry *entry, off_t next)
{
	struct fuse_entry_param param = { .attr.st_mode = DTTOIF(entry->type) };

	if (fill->is_plus && fill->folder->facts.kind != INODE_TOP &&
	    (entry->is_disk || fill->is_current))
		return add_plus(fill, entry, next);
	param.attr.st_ino = shown_ino(fill->folder, entry);
	return add_entry(fill, entry->name, &param, next);
}

static int fill_from(struct fill *fill, struct listing *listing, off_t offset)
{
	off_t end = (off_t)listing_count(listing) + DOTS;
	int r = 0;

	for (off_t i = offset; r == 0 && i < end; i++) {
		struct listing_entry entry;

		if (i < DOTS) {
			r = add_dot(fill, i);
			continue;
		}
		listing_get(listing, (size_t)(i - DOTS), &entry);
		r = add_any(fill, &entry, i + 1);
	}
	/* an empty answer would be the end of the folder */
	return fill->used || r == -ENOSPC ? 0 : r;
}

/* What the answer means for the kernel's copy. It may be told to drop it before it has the end: that is as good. */
static void note_copy(struct fill *fill, struct inode *inode, fuse_ino_t ino,
		      off_t offset)
{
	struct fs *fs = fs_of(fill->req);

	if (fill->used && offset == 0)
		inodes_begin_copy(&fs->inodes, inode);
	if (!fill->used && inodes_end_copy(&fs->inodes, inode))
		notifier_push(
			fs->notifier,
			&(struct notice){ .kind = NOTICE_PAGES, .id = ino, .rel = "" });
}

/* A listing is taken at the start and again after rewinddir(). */
static int prepare_listing(struct folder *folder, struct handle *handle, off_t offset)
{
	struct listing *listing = NULL;
	struct stat st;
	int r;

	if (handle->listing && offset != 0)
		return 0;
	r = folder_stat(folder, &st);
	if (r == 0)
		r = take_listing(folder, &listing);
	if (r < 0)
		return r;
	inodes_list(&folder->fs->inodes, folder->inode, folder->facts.n_changes, &st);
	if (folder_has_moved(folder)) {
		listing_free(listing);
		return -EAGAIN;
	}
	listing_free(handle->listing);
	handle->listing = listing;
	return 0;
}

static void answer(struct fill *fill)
{
	struct inodes *inodes = &fs_of(fill->req)->inodes;

	if (fuse_reply_buf(fill->req, fill->data, fill->used) == 0)
		return;
	for (size_t i = 0; i < fill->n_ids; i++)
		inodes_forget(inodes, fill->ids[i], 1);
}

/* -EAGAIN: a folder above was renamed meanwhile, the view may have been asked for the wrong path. */
static int fill_folder(struct fill *fill, fuse_ino_t ino, off_t offset,
		       struct handle *handle)
{
	_cleanup_(folder_done) struct folder folder = { .fd = -1 };
	int r = folder_open(fs_of(fill->req), ino, &folder);

	if (r == 0)
		r = prepare_listing(&folder, handle, offset);
	if (r < 0)
		return r;
	fill->folder = &folder;
	fill->is_current = listing_version(handle->listing) == folder.facts.n_changes;
	r = fill_from(fill, handle->listing, offset);
	fill->folder = NULL;
	if (r == 0)
		note_copy(fill, folder.inode, ino, offset);
	return r;
}

static void read_folder(struct fill *fill, fuse_ino_t ino, off_t offset,
			struct handle *handle)
{
	_cleanup_(freep) char *data = malloc(fill->size);
	_cleanup_(freep) uint64_t *ids =
		calloc(fill->size / PLUS_SIZE_MIN + 1, sizeof(*ids));
	int r = data && ids ? 0 : -ENOMEM;

	fill->data = data;
	fill->ids = ids;
	if (r == 0)
		do
			r = fill_folder(fill, ino, offset, handle);
		while (r == -EAGAIN);
	if (r < 0)
		reply_error(fill->req, r);
	else
		answer(fill);
}

void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	_cleanup_(handle_unrefp) struct handle *handle = handle_hold(fi->fh);
	struct fill fill = { .req = req, .size = size };

	read_folder(&fill, ino, offset, handle);
}

void fs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	_cleanup_(handle_unrefp) struct handle *handle = handle_hold(fi->fh);
	struct fill fill = { .req = req, .size = size, .is_plus = true };

	read_folder(&fill, ino, offset, handle);
}

void fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *handle = (struct handle *)(uintptr_t)fi->fh;
	struct fs *fs = fs_of(req);

	if (!handle->listing && inodes_unread_copy(&fs->inodes, handle->inode))
		notifier_push(
			fs->notifier,
			&(struct notice){ .kind = NOTICE_PAGES, .id = ino, .rel = "" });
	handle_release(&fs->inodes, handle);
	fuse_reply_err(req, 0);
}

void fs_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	_cleanup_(folder_done) struct folder folder = { .fd = -1 };
	_cleanup_(closep) int fd = -1;
	int r = folder_open(fs_of(req), ino, &folder);

	if (r == 0 && folder.fd >= 0) {
		fd = beneath_open(folder.fd, "", O_RDONLY | O_DIRECTORY, 0);
		r = fd < 0 ? fd : fsync(fd) < 0 ? -errno : 0;
	}
	/* a removed one that is still open has nothing that could be lost */
	reply_error(req, r == -ESTALE ? 0 : r);
}
