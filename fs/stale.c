/* Telling the kernel of names, attributes and pages that changed behind its back. */
#include "fs/stale.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/path.h"

void stale_hear(void *context, int root, const char *rel, enum engine_change change)
{
	struct fs *fs = context;
	struct notice notice = { .kind = change == ENGINE_CHANGE_ATTR ? NOTICE_ATTR
								      : NOTICE_NAME,
				 .root = root,
				 .rel = rel };

	notifier_push(fs->notifier, &notice);
}

void stale_see(void *context, int root, const char *rel)
{
	struct fs *fs = context;

	notifier_push(fs->notifier,
		      &(struct notice){ .kind = NOTICE_NAME, .root = root, .rel = rel });
}

/* The kernel forgets the entry, also one that it holds as missing, and the folder's attributes. */
static void drop_entry(struct fs *fs, const struct inode_spot *spot)
{
	fuse_lowlevel_notify_inval_entry(fs->session, spot->parent_id, spot->name,
					 spot->name_len);
}

static void drop_pages(struct fs *fs, uint64_t id)
{
	fuse_lowlevel_notify_inval_inode(fs->session, id, 0, 0);
}

static void drop_attr(struct fs *fs, uint64_t id)
{
	fuse_lowlevel_notify_inval_inode(fs->session, id, -1, 0);
}

/* The folder's listing is another one now. */
static void drop_listing(struct fs *fs, uint64_t id, const char *path)
{
	if (inodes_drop_copy_path(&fs->inodes, path))
		drop_pages(fs, id);
	else
		drop_attr(fs, id);
}

/* True where the disk has it; then ST tells what. */
static bool find_on_disk(struct fs *fs, const struct notice *notice, struct stat *st)
{
	int root_fd = roots_fd(fs->roots, notice->root);

	return root_fd >= 0 && beneath_stat(root_fd, notice->rel, st) == 0;
}

/* A remote-only file that nobody has opened: whatever its revision is now, no page is of another one. */
static bool can_stream(struct fs *fs, const struct notice *notice,
		       const struct inode_facts *facts)
{
	struct view_node node;

	return !facts->has_opens &&
	       view_find(fs->view, notice->root, notice->rel, &node) == 0 &&
	       !node.is_folder;
}

/* The inode serves the name as it is now. */
static bool can_serve(struct fs *fs, const struct notice *notice,
		      const struct inode_facts *facts)
{
	struct view_node node;
	struct stat st;
	bool is_real = find_on_disk(fs, notice, &st);

	if (facts->kind == INODE_DISK)
		return is_real && st.st_dev == facts->dev && st.st_ino == facts->ino;
	if (facts->kind == INODE_STREAM)
		return !is_real && can_stream(fs, notice, facts);
	if (facts->kind != INODE_FOLDER)
		return false;
	if (is_real)
		return S_ISDIR(st.st_mode);
	return view_find(fs->view, notice->root, notice->rel, &node) == 0 &&
	       node.is_folder;
}

/* A folder that only the view had goes with the last name in it. */
static void check_folders_above(struct fs *fs, const struct notice *notice)
{
	_cleanup_(freep) char *above = path_parent(notice->rel);
	_cleanup_(freep) char *path = NULL;
	struct notice folder = { .kind = NOTICE_NAME,
				 .root = notice->root,
				 .rel = above };
	struct inode_spot spot;

	if (!above || !above[0] ||
	    rootmap_path(fs->rootmap, notice->root, above, &path) != 0)
		return;
	inodes_walk(&fs->inodes, path, &spot);
	if (!spot.is_whole || spot.facts.kind != INODE_FOLDER || spot.facts.dev)
		return;
	if (can_serve(fs, &folder, &spot.facts))
		return;
	/* the folder's own notice goes on upwards */
	notifier_push(fs->notifier, &folder);
}

/* What was not known when the inode was made. False where it is another file now. */
static bool refresh_stream(struct fs *fs, const struct notice *notice, const char *path,
			   const struct inode_facts *facts)
{
	struct view_node node;

	if (view_find(fs->view, notice->root, notice->rel, &node) != 0 ||
	    (facts->size >= 0 && node.size != facts->size))
		return false;
	inodes_set_size_path(&fs->inodes, path, facts, node.size, node.mtime_ns);
	return true;
}

static void tell_name(struct fs *fs, const struct notice *notice, const char *path)
{
	struct inode_spot spot;
	bool drops_pages = false;

	inodes_walk(&fs->inodes, path, &spot);
	if (spot.is_whole && can_serve(fs, notice, &spot.facts) &&
	    (spot.facts.kind != INODE_STREAM ||
	     refresh_stream(fs, notice, path, &spot.facts))) {
		drop_attr(fs, spot.facts.id);
		drop_attr(fs, spot.parent_id); /* its times: the name may be a new one */
		return;
	}
	if (spot.is_whole) {
		drops_pages = inodes_unname_path(&fs->inodes, path, &spot.facts) &&
			      spot.facts.kind == INODE_STREAM;
		check_folders_above(fs, notice);
	}
	drop_entry(fs, &spot);
	drop_listing(fs, spot.parent_id, path);
	if (drops_pages)
		drop_pages(fs, spot.facts.id);
}

/* A size that becomes known, or a time, is told to the inode; another size is another file. */
static void tell_attr(struct fs *fs, const struct notice *notice, const char *path)
{
	struct inode_spot spot;

	inodes_walk(&fs->inodes, path, &spot);
	if (!spot.is_whole || spot.facts.kind != INODE_STREAM)
		return;
	if (refresh_stream(fs, notice, path, &spot.facts))
		drop_attr(fs, spot.facts.id);
	else
		tell_name(fs, notice, path);
}

void stale_tell(void *context, const struct notice *notice)
{
	struct fs *fs = context;
	_cleanup_(freep) char *path = NULL;

	if (notice->kind == NOTICE_MEMORY) {
		inodes_shrink(&fs->inodes);
		malloc_trim(0);
		return;
	}
	if (notice->kind == NOTICE_PAGES || notice->kind == NOTICE_STAT) {
		if (notice->kind == NOTICE_PAGES)
			drop_pages(fs, notice->id);
		else
			drop_attr(fs, notice->id);
		return;
	}
	if (rootmap_path(fs->rootmap, notice->root, notice->rel, &path) != 0)
		return;
	if (!path[0]) {
		drop_attr(fs, INODE_TOP_ID);
		return;
	}
	if (notice->kind == NOTICE_NAME)
		tell_name(fs, notice, path);
	else
		tell_attr(fs, notice, path);
}
