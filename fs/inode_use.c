/* Inodes in use: handles, reads that wait, cached pages, and the way from a path to what is known of it. */
#include <errno.h>
#include <string.h>

#include "fs/backing.h"
#include "fs/handle.h"
#include "fs/inode_private.h"
#include "sync/base/clock.h"

/* A file changed less than this ago may change again without its times telling: within a tick of the clock of a disk that
 * keeps nanoseconds, or within the two seconds that the coarsest of others count in. */
#define YOUNG_FINE_NS ((int64_t)50000000)
#define YOUNG_COARSE_NS ((int64_t)2000000000)

static bool is_equal_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool was_young(struct timespec changed, int64_t now)
{
	bool is_fine = changed.tv_nsec % 1000000;

	return timespec_ns(changed) + (is_fine ? YOUNG_FINE_NS : YOUNG_COARSE_NS) >= now;
}

static bool is_as_seen(const struct inode *inode, int64_t size, const struct stat *st)
{
	return inode->has_seen && inode->seen_size == size &&
	       is_equal_time(inode->seen_mtime, st->st_mtim) &&
	       is_equal_time(inode->seen_ctime, st->st_ctim);
}

static void see(struct inode *inode, int64_t size, const struct stat *st)
{
	int64_t now = clock_wall_ms() * 1000000;

	inode->has_seen = !was_young(st->st_mtim, now) && !was_young(st->st_ctim, now);
	inode->seen_size = size;
	inode->seen_mtime = st->st_mtim;
	inode->seen_ctime = st->st_ctim;
}

bool inodes_keep_pages(struct inodes *inodes, struct inode *inode, const struct stat *st)
{
	bool keeps;

	mutex_lock(&inodes->lock);
	keeps = is_as_seen(inode, st->st_size, st);
	see(inode, st->st_size, st);
	mutex_unlock(&inodes->lock);
	return keeps;
}

void inodes_list(struct inodes *inodes, struct inode *inode, uint64_t n_changes,
		 const struct stat *st)
{
	mutex_lock(&inodes->lock);
	see(inode, (int64_t)n_changes, st);
	mutex_unlock(&inodes->lock);
}

bool inodes_keep_listing(struct inodes *inodes, struct inode *inode,
			 const struct stat *st)
{
	bool keeps;

	mutex_lock(&inodes->lock);
	keeps = is_as_seen(inode, (int64_t)inode->facts.n_changes, st);
	mutex_unlock(&inodes->lock);
	return keeps;
}

/* ---- backings ---- */

void inodes_unlock(struct inodes *inodes)
{
	struct backing *dropped = inodes->dropped;

	inodes->dropped = NULL;
	mutex_unlock(&inodes->lock);
	while (dropped) {
		struct backing *backing = dropped;

		dropped = backing->next;
		backing_unref(backing);
	}
}

static void idle_remove(struct inodes *inodes, struct inode *inode)
	REQUIRES(&inodes->lock)
{
	if (!inode->is_idle)
		return;
	if (inode->idle_next)
		inode->idle_next->idle_prev = inode->idle_prev;
	else
		inodes->idle_last = inode->idle_prev;
	if (inode->idle_prev)
		inode->idle_prev->idle_next = inode->idle_next;
	else
		inodes->idle_first = inode->idle_next;
	inode->idle_next = inode->idle_prev = NULL;
	inode->is_idle = false;
	inodes->n_idle--;
}

void inode_drop_backing(struct inodes *inodes, struct inode *inode)
{
	struct backing *backing = inode->backing;

	if (!backing || inode->handles)
		return;
	idle_remove(inodes, inode);
	inode->backing = NULL;
	backing->next = inodes->dropped;
	inodes->dropped = backing;
}

static void trim_idle(struct inodes *inodes) REQUIRES(&inodes->lock)
{
	while (inodes->n_idle > inodes->idle_max)
		inode_drop_backing(inodes, inodes->idle_first);
}

/* No handle uses it any more: kept, for the next open, where there can be one. */
static void idle_add(struct inodes *inodes, struct inode *inode) REQUIRES(&inodes->lock)
{
	if (!inode->backing || inode->handles)
		return;
	if (!inode->names) {
		inode_drop_backing(inodes, inode);
		return;
	}
	inode->idle_prev = inodes->idle_last;
	if (inode->idle_prev)
		inode->idle_prev->idle_next = inode;
	else
		inodes->idle_first = inode;
	inodes->idle_last = inode;
	inode->is_idle = true;
	inodes->n_idle++;
	trim_idle(inodes);
}

void inodes_set_idle_max(struct inodes *inodes, size_t n)
{
	mutex_lock(&inodes->lock);
	inodes->idle_max = n;
	trim_idle(inodes);
	inodes_unlock(inodes);
}

struct backing *inodes_borrow_backing(struct inodes *inodes, struct inode *inode,
				      enum inode_way *way)
{
	struct backing *backing;

	mutex_lock(&inodes->lock);
	backing = inode->backing;
	if (backing)
		backing_ref(backing);
	if (way)
		*way = inode->way;
	mutex_unlock(&inodes->lock);
	return backing;
}

/* The first open decides for all. */
static int decide(struct inodes *inodes, struct handle *handle) REQUIRES(&inodes->lock)
{
	struct inode *inode = handle->inode;
	struct backing *offered = steal(handle->backing);

	if (inode->way == INODE_WAY_OPEN)
		inode->way = offered ? INODE_WAY_KERNEL : INODE_WAY_DAEMON;
	if (inode->way == INODE_WAY_KERNEL && !inode->backing && offered) {
		inode->backing = offered;
		backing_ref(offered);
	}
	handle->backing = inode->backing;
	if (handle->backing)
		backing_ref(handle->backing);
	return inode->way == INODE_WAY_KERNEL && !inode->backing ? -EIO : 0;
}

/* ---- handles ---- */

int inodes_add_handle(struct inodes *inodes, struct handle *handle)
{
	struct inode *inode = handle->inode;
	int r = 0;

	mutex_lock(&inodes->lock);
	if (handle->decides)
		r = decide(inodes, handle);
	if (r == 0) {
		idle_remove(inodes, inode);
		handle->prev = NULL;
		handle->next = inode->handles;
		if (handle->next)
			handle->next->prev = handle;
		inode->handles = handle;
		inode->n_refs++;
		inode->n_writers += handle->is_writing;
	}
	mutex_unlock(&inodes->lock);
	return r;
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
	idle_add(inodes, inode);
	inode->n_refs--;
	inode_put(inodes, inode);
	inodes_unlock(inodes);
}

struct handle *inodes_borrow_handle(struct inodes *inodes, struct inode *inode)
{
	struct handle *found = NULL;

	mutex_lock(&inodes->lock);
	for (struct handle *handle = inode->handles; handle; handle = handle->next)
		if (atomic_load(&handle->fd) >= 0 && (!found || handle->is_writing))
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
	inodes_unlock(inodes);
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
