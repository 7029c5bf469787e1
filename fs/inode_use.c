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

struct inode_use *inode_make_use(struct inode *inode)
{
	if (!inode->use)
		inode->use = calloc(1, sizeof(*inode->use));
	return inode->use;
}

static bool is_as_seen(const struct inode *inode, int64_t size, const struct stat *st)
{
	const struct inode_use *use = inode->use;

	return use && use->has_seen && use->seen_size == size &&
	       is_equal_time(use->seen_mtime, st->st_mtim) &&
	       is_equal_time(use->seen_ctime, st->st_ctim);
}

/* Without memory for it: not seen. */
static void see(struct inode *inode, int64_t size, const struct stat *st)
{
	struct inode_use *use = inode_make_use(inode);
	int64_t now = clock_wall_ms() * 1000000;

	if (!use)
		return;
	use->has_seen = !was_young(st->st_mtim, now) && !was_young(st->st_ctim, now);
	use->seen_size = size;
	use->seen_mtime = st->st_mtim;
	use->seen_ctime = st->st_ctim;
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
	struct inode_use *use;
	bool keeps;

	mutex_lock(&inodes->lock);
	use = inode->use;
	keeps = is_as_seen(inode, (int64_t)inode->n_changes, st);
	if (use && !keeps && use->copy == INODE_COPY_PARTIAL)
		keeps = use->wants_drop = true; /* it is not used before its end */
	if (use && !keeps)
		use->copy = INODE_COPY_NONE;
	mutex_unlock(&inodes->lock);
	return keeps;
}

/* ---- the kernel's copy of a listing ---- */

void inodes_begin_copy(struct inodes *inodes, struct inode *inode)
{
	mutex_lock(&inodes->lock);
	inode->use->copy = INODE_COPY_PARTIAL; /* a handle has it */
	mutex_unlock(&inodes->lock);
}

static bool end_copy(struct inode_use *use)
{
	bool drops = use->wants_drop;

	use->copy = drops ? INODE_COPY_NONE : INODE_COPY_WHOLE;
	use->wants_drop = false;
	return drops;
}

bool inodes_end_copy(struct inodes *inodes, struct inode *inode)
{
	bool drops;

	mutex_lock(&inodes->lock);
	drops = end_copy(inode->use);
	mutex_unlock(&inodes->lock);
	return drops;
}

bool inodes_unread_copy(struct inodes *inodes, struct inode *inode)
{
	struct inode_use *use;
	bool drops;

	mutex_lock(&inodes->lock);
	use = inode->use;
	drops = use->copy == INODE_COPY_PARTIAL && use->wants_drop && end_copy(use);
	mutex_unlock(&inodes->lock);
	return drops;
}

static bool can_drop_copy(struct inode *inode)
{
	struct inode_use *use = inode->use;

	if (!use || use->copy == INODE_COPY_NONE)
		return false;
	use->wants_drop = use->copy == INODE_COPY_PARTIAL;
	if (!use->wants_drop)
		use->copy = INODE_COPY_NONE;
	return !use->wants_drop;
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
	struct inode_use *use = inode->use;

	if (!use || !use->is_idle)
		return;
	if (use->idle_next)
		use->idle_next->use->idle_prev = use->idle_prev;
	else
		inodes->idle_last = use->idle_prev;
	if (use->idle_prev)
		use->idle_prev->use->idle_next = use->idle_next;
	else
		inodes->idle_first = use->idle_next;
	use->idle_next = use->idle_prev = NULL;
	use->is_idle = false;
	inodes->n_idle--;
}

void inode_drop_backing(struct inodes *inodes, struct inode *inode)
{
	struct backing *backing = inode->use ? inode->use->backing : NULL;

	if (!backing || inode_has_handles(inode))
		return;
	idle_remove(inodes, inode);
	inode->use->backing = NULL;
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
	struct inode_use *use = inode->use;

	if (!use->backing || use->handles)
		return;
	if (!inode->names) {
		inode_drop_backing(inodes, inode);
		return;
	}
	use->idle_prev = inodes->idle_last;
	if (use->idle_prev)
		use->idle_prev->use->idle_next = inode;
	else
		inodes->idle_first = inode;
	inodes->idle_last = inode;
	use->is_idle = true;
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
	backing = inode->use ? inode->use->backing : NULL;
	if (backing)
		backing_ref(backing);
	if (way)
		*way = (enum inode_way)inode->way;
	mutex_unlock(&inodes->lock);
	return backing;
}

/* The first open decides for all. */
static int decide(struct handle *handle)
{
	struct inode *inode = handle->inode;
	struct inode_use *use = inode->use;
	struct backing *offered = steal(handle->backing);

	if (inode->way == INODE_WAY_OPEN)
		inode->way = offered ? INODE_WAY_KERNEL : INODE_WAY_DAEMON;
	if (inode->way == INODE_WAY_KERNEL && !use->backing && offered) {
		use->backing = offered;
		backing_ref(offered);
	}
	handle->backing = use->backing;
	if (handle->backing)
		backing_ref(handle->backing);
	return inode->way == INODE_WAY_KERNEL && !use->backing ? -EIO : 0;
}

/* ---- handles ---- */

static int add_handle(struct inodes *inodes, struct handle *handle)
	REQUIRES(&inodes->lock)
{
	struct inode *inode = handle->inode;
	struct inode_use *use = inode_make_use(inode);
	int r = use ? 0 : -ENOMEM;

	if (r == 0 && handle->decides)
		r = decide(handle);
	if (r < 0)
		return r;
	idle_remove(inodes, inode);
	handle->prev = NULL;
	handle->next = use->handles;
	if (handle->next)
		handle->next->prev = handle;
	use->handles = handle;
	inode->n_refs++;
	use->n_writers += handle->is_writing;
	return 0;
}

int inodes_add_handle(struct inodes *inodes, struct handle *handle)
{
	int r;

	mutex_lock(&inodes->lock);
	r = add_handle(inodes, handle);
	mutex_unlock(&inodes->lock);
	return r;
}

void inodes_remove_handle(struct inodes *inodes, struct handle *handle)
{
	struct inode *inode = handle->inode;
	struct inode_use *use = inode->use; /* a handle has it */

	mutex_lock(&inodes->lock);
	if (handle->next)
		handle->next->prev = handle->prev;
	if (handle->prev)
		handle->prev->next = handle->next;
	else
		use->handles = handle->next;
	use->n_writers -= handle->is_writing;
	idle_add(inodes, inode);
	inode->n_refs--;
	inode_put(inodes, inode);
	inodes_unlock(inodes);
}

struct handle *inodes_borrow_handle(struct inodes *inodes, struct inode *inode)
{
	struct handle *found = NULL, *handle;

	mutex_lock(&inodes->lock);
	handle = inode->use ? inode->use->handles : NULL;
	for (; handle; handle = handle->next)
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
		handle = inode->use ? inode->use->handles : NULL;
	mutex_unlock(&inodes->lock);
	return handle;
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
	inode->use->n_reads++; /* by a handle */
	mutex_unlock(&inodes->lock);
}

bool inodes_end_read(struct inodes *inodes, struct inode *inode)
{
	struct inode_use *use;
	bool drops;

	mutex_lock(&inodes->lock);
	use = inode->use;
	use->n_reads--;
	drops = use->wants_drop && !use->n_reads;
	if (drops)
		use->wants_drop = false;
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

		*ret = (struct inode_spot){ .parent_id = inode_id(at),
					    .name = path,
					    .name_len = len };
		*ret_name = name;
		if (!name || !path[len])
			inode_count_change(at);
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

bool inodes_drop_copy_path(struct inodes *inodes, const char *path)
{
	struct inode *at;
	bool drops;

	mutex_lock(&inodes->lock);
	at = inodes->top;
	for (;;) {
		size_t len = strcspn(path, "/");
		struct name *name = inode_find_name(inodes, at, path, len);

		if (!name || !path[len])
			break;
		at = name->inode;
		path += len + 1;
	}
	drops = can_drop_copy(at);
	mutex_unlock(&inodes->lock);
	return drops;
}

static bool is_still(const struct inode_spot *spot, const struct inode_facts *facts)
{
	return spot->is_whole && spot->facts.id == facts->id &&
	       spot->facts.generation == facts->generation;
}

bool inodes_unname_path(struct inodes *inodes, const char *path,
			const struct inode_facts *facts)
{
	struct inode_spot spot;
	struct name *name;
	bool is_free = true;

	mutex_lock(&inodes->lock);
	walk_locked(inodes, path, &spot, &name);
	if (is_still(&spot, facts)) {
		struct inode *inode = name->inode;

		is_free = !inode->use || inode->use->n_reads == 0;
		if (!is_free)
			inode->use->wants_drop = true;
		inode_drop_name(inodes, name);
	}
	inodes_unlock(inodes);
	return is_free;
}

void inodes_set_size_path(struct inodes *inodes, const char *path,
			  const struct inode_facts *facts, int64_t size, int64_t mtime_ns)
{
	struct inode_spot spot;
	struct name *name;

	mutex_lock(&inodes->lock);
	walk_locked(inodes, path, &spot, &name);
	if (is_still(&spot, facts) && name->inode->kind == INODE_STREAM) {
		name->inode->stream.size = size;
		name->inode->stream.mtime_ns = mtime_ns;
	}
	mutex_unlock(&inodes->lock);
}
