/*
 * Operations that take a name away or move it: unlink, rmdir, rename. Where the remote holds the name too, the
 * whiteout is durable before the disk changes, and lifted again where the disk then refuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/entry.h"
#include "fs/fs.h"
#include "fs/reply.h"

/* ---- unlink, rmdir ---- */

/* The name is claimed; SHOWN is what it is. */
static int remove_claimed(struct entry *entry, const struct shown *shown)
{
	struct fs *fs = entry->folder.fs;
	bool is_folder = shown->facts.kind == INODE_FOLDER;
	int root = entry->folder.root;
	int r = view_hide(fs->view, root, entry->rel, is_folder);

	if (r < 0 || !shown->facts.dev)
		return r;
	if (unlinkat(entry->folder.fd, entry->name, is_folder ? AT_REMOVEDIR : 0) == 0)
		return 0;
	r = -errno;
	view_unhide(fs->view, root, entry->rel);
	return r;
}

static int find_removable(struct entry *entry, bool is_folder, struct shown *ret)
{
	struct fs *fs = entry->folder.fs;
	int r = entry_find(entry, ret);

	if (r == ENTRY_NONE)
		return -ENOENT;
	if (r < 0)
		return r;
	if (is_folder && ret->facts.kind != INODE_FOLDER)
		return -ENOTDIR;
	if (!is_folder && ret->facts.kind == INODE_FOLDER)
		return -EISDIR;
	if (is_folder && !view_is_empty(fs->view, entry->folder.root, entry->rel))
		return -ENOTEMPTY;
	return 0;
}

static int remove_name(struct entry *entry, bool is_folder)
{
	struct fs *fs = entry->folder.fs;
	struct shown shown;
	int r;

	if (entry->folder.facts.kind == INODE_TOP)
		return -EPERM;
	r = entry_claim(entry);
	if (r < 0)
		return r;
	r = find_removable(entry, is_folder, &shown);
	if (r == 0)
		r = remove_claimed(entry, &shown);
	entry_unclaim(entry);
	if (r < 0)
		return r;
	inodes_unname(&fs->inodes, entry->folder.inode, entry->name);
	engine_touch(fs->engine, entry->folder.root, entry->rel);
	return 0;
}

static void remove_and_reply(fuse_req_t req, fuse_ino_t parent, const char *name,
			     bool is_folder)
{
	struct fs *fs = fs_of(req);
	int r;

	do {
		_cleanup_(entry_done) struct entry entry = { 0 };

		r = fs->is_read_only ? -EROFS : entry_open(fs, parent, name, &entry);
		if (r == 0)
			r = remove_name(&entry, is_folder);
	} while (r == -EAGAIN);
	reply_error(req, r);
}

void fs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_and_reply(req, parent, name, false);
}

void fs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_and_reply(req, parent, name, true);
}

/* ---- rename ---- */

struct move {
	struct entry from, to;
	struct shown shown, shown_to;
	bool has_to; /* something is shown at TO: SHOWN_TO */
	unsigned flags;
};

static void move_done(struct move *move)
{
	entry_done(&move->from);
	entry_done(&move->to);
}

/* Two claims, in the order of the names, so that two renames cannot wait for each other. */
static void claim_both(const struct move *move)
{
	struct roots *roots = move->from.folder.fs->roots;
	int root = move->from.folder.root;
	int order = strcmp(move->from.rel, move->to.rel);
	const char *first = order < 0 ? move->from.rel : move->to.rel;
	const char *second = order < 0 ? move->to.rel : move->from.rel;

	roots_claim(roots, root, first);
	if (order != 0)
		roots_claim(roots, root, second);
}

static void unclaim_both(const struct move *move)
{
	struct roots *roots = move->from.folder.fs->roots;
	int root = move->from.folder.root;

	roots_unclaim(roots, root, move->from.rel);
	if (strcmp(move->from.rel, move->to.rel) != 0)
		roots_unclaim(roots, root, move->to.rel);
}

static int move_on_disk(const struct move *move)
{
	int from_fd = move->from.folder.fd, to_fd = move->to.folder.fd;

	if (renameat2(from_fd, move->from.name, to_fd, move->to.name, move->flags) == 0)
		return 0;
	/* unknown on NFS; the name was found free, under a claim */
	if (errno == EINVAL && move->flags == RENAME_NOREPLACE &&
	    renameat(from_fd, move->from.name, to_fd, move->to.name) == 0)
		return 0;
	return -errno;
}

/* A file, or whatever else is no folder. A name of the view at TO is replaced: a publish, no whiteout of it. */
static int move_file(struct move *move)
{
	struct entry *from = &move->from;
	struct view *view = from->folder.fs->view;
	int root = from->folder.root, r;

	if (move->shown.facts.kind == INODE_STREAM)
		return -EXDEV; /* incomplete: the caller copies */
	r = folder_make_real(&move->to.folder);
	if (r < 0)
		return r;
	r = view_hide(view, root, from->rel, false);
	if (r < 0)
		return r;
	r = move_on_disk(move);
	if (r < 0)
		view_unhide(view, root, from->rel);
	return r;
}

static bool is_real(const struct shown *shown)
{
	return shown->facts.dev != 0;
}

/* Undo of move_on_disk(), where the view could not follow. */
static void move_back(const struct move *move)
{
	renameat2(move->to.folder.fd, move->to.name, move->from.folder.fd,
		  move->from.name, RENAME_NOREPLACE);
}

static int move_folder(struct move *move)
{
	struct entry *from = &move->from, *to = &move->to;
	struct fs *fs = from->folder.fs;
	int root = from->folder.root, r = 0;

	if (move->has_to && !view_is_empty(fs->view, root, to->rel))
		return -ENOTEMPTY;
	if (is_real(&move->shown)) {
		r = folder_make_real(&to->folder);
		if (r == 0)
			r = move_on_disk(move);
	} else if (move->has_to && is_real(&move->shown_to)) {
		/* only remote over a real folder, which must be empty */
		r = unlinkat(to->folder.fd, to->name, AT_REMOVEDIR) < 0 ? -errno : 0;
	}
	if (r < 0)
		return r;
	r = view_rename(fs->view, root, from->rel, to->rel);
	if (r < 0 && is_real(&move->shown))
		move_back(move);
	return r < 0 ? r : 0;
}

/* Both names stay, so nothing is hidden; only what is wholly on the disk can be exchanged. */
static int exchange(struct move *move)
{
	struct fs *fs = move->from.folder.fs;
	int root = move->from.folder.root;
	struct view_node node;

	if (!move->has_to)
		return -ENOENT;
	if (!is_real(&move->shown) || !is_real(&move->shown_to))
		return -EXDEV;
	if (move->shown.facts.kind == INODE_FOLDER &&
	    view_find(fs->view, root, move->from.rel, &node) != VIEW_NONE)
		return -EXDEV;
	if (move->shown_to.facts.kind == INODE_FOLDER &&
	    view_find(fs->view, root, move->to.rel, &node) != VIEW_NONE)
		return -EXDEV;
	return move_on_disk(move);
}

static int check_kinds(const struct move *move)
{
	bool is_folder = move->shown.facts.kind == INODE_FOLDER;
	bool is_folder_to = move->has_to && move->shown_to.facts.kind == INODE_FOLDER;

	if (move->has_to && move->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (move->flags & RENAME_EXCHANGE || !move->has_to)
		return 0;
	if (is_folder && !is_folder_to)
		return -ENOTDIR;
	return !is_folder && is_folder_to ? -EISDIR : 0;
}

/* Finds what lies at both names. -EAGAIN as entry_find(). */
static int find_both(struct move *move)
{
	int r = entry_find(&move->from, &move->shown);

	if (r == ENTRY_NONE)
		return -ENOENT;
	if (r == 0)
		r = entry_find(&move->to, &move->shown_to);
	if (r < 0)
		return r;
	move->has_to = r != ENTRY_NONE;
	return check_kinds(move);
}

static int move_by_kind(struct move *move)
{
	if (move->flags & RENAME_EXCHANGE)
		return exchange(move);
	return move->shown.facts.kind == INODE_FOLDER ? move_folder(move)
						      : move_file(move);
}

/* What the kernel knows moves along. Without memory both names are forgotten: the kernel looks them up again. */
static void move_inodes(struct move *move)
{
	struct entry *from = &move->from, *to = &move->to;
	struct fs *fs = from->folder.fs;

	if (move->flags & RENAME_EXCHANGE)
		inodes_exchange(&fs->inodes, from->folder.inode, from->name,
				to->folder.inode, to->name);
	else
		inodes_rename(&fs->inodes, from->folder.inode, from->name,
			      to->folder.inode, to->name);
}

/* Both names are claimed. */
static int move_claimed(struct move *move)
{
	struct fs *fs = move->from.folder.fs;
	bool moves_folder;
	int r = find_both(move);

	if (r < 0)
		return r;
	moves_folder = move->shown.facts.kind == INODE_FOLDER ||
		       (move->has_to && move->shown_to.facts.kind == INODE_FOLDER);
	if (moves_folder)
		moves_begin(&fs->moves);
	r = move_by_kind(move);
	if (r == 0)
		move_inodes(move);
	if (moves_folder)
		moves_end(&fs->moves);
	return r;
}

static int check_move(const struct move *move)
{
	if (move->from.is_private || move->to.is_private)
		return -EACCES;
	if (move->from.folder.root != move->to.folder.root)
		return -EXDEV;
	if (move->from.folder.root < 0)
		return -EPERM;
	if (move->flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	return 0;
}

static int move_name(struct move *move)
{
	struct fs *fs = move->from.folder.fs;
	int root = move->from.folder.root;
	int r = check_move(move);

	if (r < 0)
		return r;
	claim_both(move);
	r = move_claimed(move);
	unclaim_both(move);
	if (r < 0)
		return r;
	engine_touch(fs->engine, root, move->from.rel);
	engine_touch(fs->engine, root, move->to.rel);
	return 0;
}

/* As FUSE has it: six parameters. */
void fs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	       const char *new_name, unsigned flags)
{
	struct fs *fs = fs_of(req);
	int r;

	do {
		_cleanup_(move_done) struct move move = { .flags = flags };

		r = fs->is_read_only ? -EROFS : entry_open(fs, parent, name, &move.from);
		if (r == 0)
			r = entry_open(fs, new_parent, new_name, &move.to);
		if (r == 0)
			r = move_name(&move);
	} while (r == -EAGAIN);
	reply_error(req, r);
}
