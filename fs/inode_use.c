/* Inodes in use: handles, reads that wait, cached pages, and the way from a path to what is known of it. */
#include <string.h>

#include "fs/handle.h"
#include "fs/inode_private.h"
#include "sync/base/clock.h"

/* A file changed less than this ago may change again without its times telling. */
#define YOUNG_NS ((int64_t)2000000000)

static bool is_equal_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool inodes_keep_pages(struct inodes *inodes, struct inode *inode, const struct stat *st)
{
	int64_t now = clock_wall_ms() * 1000000;
	bool keeps;

	mutex_lock(&inodes->lock);
	keeps = inode->has_seen && inode->seen_size == st->st_size &&
		is_equal_time(inode->seen_mtime, st->st_mtim) &&
		is_equal_time(inode->seen_ctime, st->st_ctim);
	inode->has_seen = timespec_ns(st->st_mtim) + YOUNG_NS < now &&
			  timespec_ns(st->st_ctim) + YOUNG_NS < now;
	inode->seen_size = st->st_size;
	inode->seen_mtime = st->st_mtim;
	inode->seen_ctime = st->st_ctim;
	mutex_unlock(&inodes->lock);
	return keeps;
}

void inodes_add_handle(struct inodes *inodes, struct handle *handle)
{
	struct inode *inode = handle->inode;

	mutex_lock(&inodes->lock);
	handle->prev = NULL;
	handle->next = inode->handles;
	if (handle->next)
		handle->next->prev = handle;
	inode->handles = handle;
	inode->n_refs++;
	inode->n_writers += handle->is_writing;
	mutex_unlock(&inodes->lock);
}

void inodes_remove_handle(struct inodes *inodes, struct handle *handle)
{
	struct inode *inode = handle->inode;

	mutex_lock(&inodes->lock);
	if (handle->next)
		handle->next->prev = handle->prev;
	if (handle->prev)
		handle->prev->next = handle->next;
	else
		inode->handles = handle->next;
	inode->n_writers -= handle->is_writing;
	inode->n_refs--;
	inode_put(inodes, inode);
	mutex_unlock(&inodes->lock);
}

struct handle *inodes_borrow_handle(struct inodes *inodes, struct inode *inode)
{
	struct handle *found = NULL;

	mutex_lock(&inodes->lock);
	for (struct handle *handle = inode->handles; handle; handle = handle->next)
		if (handle->fd >= 0 && (!found || handle->is_writing))
			found = handle;
	if (found)
		handle_ref(found);
	mutex_unlock(&inodes->lock);
	return found;
}

struct handle *inodes_any_handle(struct inodes *inodes)
{
	struct handle *handle = NULL;

	mutex_lock(&inodes->lock);
	for (struct inode *inode = inodes->all; inode && !handle; inode = inode->next)
		handle = inode->handles;
	mutex_unlock(&inodes->lock);
	return handle;
}

void inodes_begin_open(struct inodes *inodes, struct inode *inode)
{
	mutex_lock(&inodes->lock);
	inode->n_opens++;
	mutex_unlock(&inodes->lock);
}

void inodes_fail_open(struct inodes *inodes, struct inode *inode)
{
	mutex_lock(&inodes->lock);
	inode->n_opens--;
	mutex_unlock(&inodes->lock);
}

void inodes_begin_read(struct inodes *inodes, struct inode *inode)
{
	mutex_lock(&inodes->lock);
	inode->n_reads++;
	mutex_unlock(&inodes->lock);
}

bool inodes_end_read(struct inodes *inodes, struct inode *inode)
{
	bool drops;

	mutex_lock(&inodes->lock);
	inode->n_reads--;
	drops = inode->wants_drop && !inode->n_reads;
	if (drops)
		inode->wants_drop = false;
	mutex_unlock(&inodes->lock);
	return drops;
}

/* Each walk is for a change: counted at the deepest known folder. */
static void walk_locked(struct inodes *inodes, const char *path, struct inode_spot *ret,
			struct name **ret_name) REQUIRES(&inodes->lock)
{
	struct inode *at = inodes->top;

	for (;;) {
		size_t len = strcspn(path, "/");
		struct name *name = inode_find_name(inodes, at, path, len);

		*ret = (struct inode_spot){ .parent_id = at->facts.id,
					    .name = path,
					    .name_len = len };
		*ret_name = name;
		if (!name || !path[len])
			at->facts.n_changes++;
		if (!name)
			return;
		if (!path[len]) {
			ret->is_whole = true;
			inode_copy_facts(name->inode, &ret->facts);
			return;
		}
		at = name->inode;
		path += len + 1;
	}
}

void inodes_walk(struct inodes *inodes, const char *path, struct inode_spot *ret)
{
	struct name *name;

	mutex_lock(&inodes->lock);
	walk_locked(inodes, path, ret, &name);
	mutex_unlock(&inodes->lock);
}

bool inodes_unname_path(struct inodes *inodes, const char *path, uint64_t id)
{
	struct inode_spot spot;
	struct name *name;
	bool is_free = true;

	mutex_lock(&inodes->lock);
	walk_locked(inodes, path, &spot, &name);
	if (spot.is_whole && spot.facts.id == id) {
		struct inode *inode = name->inode;

		is_free = inode->n_reads == 0;
		inode->wants_drop = !is_free;
		inode_drop_name(inodes, name);
	}
	mutex_unlock(&inodes->lock);
	return is_free;
}

void inodes_set_size_path(struct inodes *inodes, const char *path, uint64_t id,
			  int64_t size, int64_t mtime_ns)
{
	struct inode_spot spot;
	struct name *name;

	mutex_lock(&inodes->lock);
	walk_locked(inodes, path, &spot, &name);
	if (spot.is_whole && spot.facts.id == id) {
		name->inode->facts.size = size;
		name->inode->facts.mtime_ns = mtime_ns;
	}
	mutex_unlock(&inodes->lock);
}
