/* Remote-only files. */
#include "fs/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs/handle.h"
#include "sync/base/beneath.h"
#include "sync/base/log.h"
#include "sync/base/path.h"

/* The folder that holds REL, without an inode: for its owner. */
static int folder_above(struct fs *fs, int root, const char *rel, struct folder *ret)
{
	char *parent = path_parent(rel);

	if (!parent)
		return -ENOMEM;
	*ret = (struct folder){ .fs = fs, .root = root, .rel = parent, .fd = -1 };
	return 0;
}

int remote_stat(struct fs *fs, struct inode *inode, const struct inode_facts *facts,
		struct stat *ret)
{
	_cleanup_(folder_done) struct folder folder = { .fd = -1 };
	_cleanup_(freep) char *rel = NULL;
	struct view_node node = { .size = facts->size,
				  .mtime_ns = facts->mtime_ns,
				  .ino = facts->st_ino };
	struct view_node now;
	struct shown shown;
	int r = inodes_path(&fs->inodes, inode, 0, &rel, NULL);

	if (r < 0 && r != -ESTALE)
		return r;
	if (r == -ESTALE) /* the name is gone; who has it open still sees the file */
		rel = strdup("");
	if (!rel)
		return -ENOMEM;
	if (node.size < 0 && r == 0 && view_find(fs->view, facts->root, rel, &now) == 0)
		node.size = now.size;
	if (folder_above(fs, facts->root, rel, &folder) < 0)
		return -ENOMEM;
	shown_view(&folder, &node, &shown);
	*ret = shown.st;
	if (r == -ESTALE)
		ret->st_nlink = 0;
	return 0;
}

/* The disk has the name: completed, or put there by somebody. */
static bool is_on_disk(struct fs *fs, int root, const char *rel)
{
	struct stat st;

	return roots_fd(fs->roots, root) >= 0 &&
	       beneath_stat(roots_fd(fs->roots, root), rel, &st) == 0;
}

/* 0: REL, the name of an inode with these FACTS, is listed and remote-only; NODE tells. */
static int check_name(struct fs *fs, const char *rel, const struct inode_facts *facts,
		      struct view_node *node)
{
	int r;

	if (is_on_disk(fs, facts->root, rel))
		return -ESTALE;
	r = view_find(fs->view, facts->root, rel, node);
	if (r < 0)
		return r;
	if (r == VIEW_NONE || node->is_folder)
		return -ESTALE;
	/* another file by now: this inode's pages are not its */
	if (node->size >= 0 && facts->size >= 0 && node->size != facts->size)
		return -ESTALE;
	return 0;
}

static int open_named(struct fs *fs, struct inode *inode, struct handle **ret,
		      char **ret_rel)
{
	_cleanup_(freep) char *rel = NULL, *source = NULL;
	struct handle_setup setup = { .fd = -1 };
	struct inode_facts facts;
	struct view_node node;
	int r = inodes_begin_open(&fs->inodes, inode, &rel, &facts);

	if (r < 0)
		return r;
	r = check_name(fs, rel, &facts, &node);
	if (r < 0)
		return r;
	if (node.is_failed)
		return -EIO;
	/* known by now, but the kernel has been told a guess: it must ask again */
	if (node.size >= 0 && facts.size < 0)
		return -ESTALE;
	if (node.size < 0) {
		*ret_rel = steal(rel);
		return REMOTE_UNKNOWN;
	}
	source = view_source(fs->view, facts.root, rel);
	if (!source)
		return -ENOMEM;
	r = hydrate_open(fs->hydrator, facts.root, source, &setup.hydration);
	if (r != 0)
		return r < 0 && r != -ENODATA ? r : -EIO;
	setup.size = node.size;
	/* nobody's read will ever ask for its bytes; where nothing is kept it is as empty all the same */
	if (node.size == 0 && hydrate_fetch(fs->hydrator, facts.root, source, POOL_READ,
					    DOC_PRIORITY_DEFAULT) < 0)
		log_debug("'%s' is empty and is not kept here", source);
	return handle_new(&fs->inodes, inode, &setup, ret);
}

int remote_open(struct fs *fs, struct inode *inode, struct handle **ret, char **ret_rel)
{
	int r = open_named(fs, inode, ret, ret_rel);

	if (r != 0)
		inodes_fail_open(&fs->inodes, inode);
	return r;
}

int remote_refuse(struct fs *fs, struct inode *inode, int error)
{
	_cleanup_(freep) char *rel = NULL;
	struct inode_facts facts;
	int r = inodes_path(&fs->inodes, inode, 0, &rel, &facts);

	if (r < 0)
		return r;
	return is_on_disk(fs, facts.root, rel) ? -ESTALE : error;
}

/* An empty file in the place of the remote-only one, with the owner and mode that were shown. */
static int make_empty(struct entry *entry)
{
	struct folder *folder = &entry->folder;
	struct fs *fs = folder->fs;
	struct shown shown;
	_cleanup_(closep) int fd = -1;
	int r = folder_make_real(folder);

	if (r < 0)
		return r;
	shown_view(folder, &(struct view_node){ 0 }, &shown);
	roots_claim(fs->roots, folder->root, entry->rel);
	fd = openat(folder->fd, entry->name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    fs->config->file_mode);
	if (fd < 0)
		r = errno == EEXIST ? 0 : -errno; /* completed just now */
	else if (fs->is_privileged && fchown(fd, shown.st.st_uid, shown.st.st_gid) < 0)
		r = -errno;
	if (r < 0 && fd >= 0)
		unlinkat(folder->fd, entry->name, 0);
	roots_unclaim(fs->roots, folder->root, entry->rel);
	if (r == 0)
		engine_touch(fs->engine, folder->root, entry->rel);
	return r;
}

int remote_open_for_writing(struct fs *fs, struct inode *inode, bool empty)
{
	_cleanup_(freep) char *rel = NULL, *source = NULL;
	_cleanup_(entry_done) struct entry entry = { 0 };
	struct inode_facts facts;
	struct view_node node;
	uint64_t parent;
	int r = inodes_path(&fs->inodes, inode, 0, &rel, &facts);

	if (r < 0)
		return r;
	r = check_name(fs, rel, &facts, &node);
	if (r < 0)
		return r;
	if (empty) {
		parent = inodes_parent_id(&fs->inodes, inode);
		r = parent ? entry_open(fs, parent, path_name(rel), &entry) : -ESTALE;
		if (r == 0)
			r = make_empty(&entry);
		return r < 0 ? r : -ESTALE;
	}
	source = view_source(fs->view, facts.root, rel);
	if (!source)
		return -ENOMEM;
	hydrate_fetch(fs->hydrator, facts.root, source, POOL_READ, 1000);
	return -EACCES;
}

void remote_learn_folder(struct folder *folder)
{
	struct fs *fs = folder->fs;
	_cleanup_(freep) char *source = view_source(fs->view, folder->root, folder->rel);

	if (source)
		hydrate_learn_later(fs->hydrator, folder->root, source);
}
