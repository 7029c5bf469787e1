/* Handles: descriptors, hydrations and listings behind the kernel's file handles. */
#include "fs/handle.h"

#include <errno.h>
#include <fcntl.h>

#include "fs/backing.h"
#include "fs/inode.h"
#include "fs/listing.h"
#include "sync/base/clock.h"
#include "sync/hydrate.h"

void handle_setup_done(const struct handle_setup *setup)
{
	if (setup->fd >= 0)
		close(setup->fd);
	backing_unref(setup->backing);
	if (setup->hydration)
		hydrate_close(setup->hydration);
}

/* Size and times in one number: enough to tell whether somebody wrote. */
static uint64_t sum_up(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return 0;
	return (uint64_t)timespec_ns(st.st_mtim) * 31 +
	       (uint64_t)timespec_ns(st.st_ctim) * 7 + (uint64_t)st.st_size;
}

int handle_new(struct inodes *inodes, struct inode *inode,
	       const struct handle_setup *setup, struct handle **ret)
{
	struct handle *handle = calloc(1, sizeof(*handle));
	int r;

	if (!handle) {
		handle_setup_done(setup);
		return -ENOMEM;
	}
	handle->inode = inode;
	atomic_init(&handle->n_refs, 1);
	atomic_init(&handle->is_dirty, false);
	atomic_init(&handle->fd, setup->fd);
	handle->is_writing = setup->is_writing;
	handle->decides = setup->decides;
	handle->backing = setup->backing;
	handle->hydration = setup->hydration;
	handle->size = setup->size;
	r = inodes_add_handle(inodes, handle);
	if (r < 0) {
		handle_setup_done(setup);
		free(handle);
		return r;
	}
	if (handle->decides)
		backing_unref(setup->backing);
	if (handle->is_writing && handle->backing)
		atomic_store(&handle->seen, sum_up(setup->fd));
	*ret = handle;
	return 0;
}

int handle_fd(struct handle *handle)
{
	int known = atomic_load(&handle->fd), fd;

	if (known >= 0 || !handle->backing)
		return known >= 0 ? known : -EBADF;
	fd = backing_open(handle->backing, O_RDONLY);
	if (fd < 0)
		return fd;
	/* another request may have been first */
	if (atomic_compare_exchange_strong(&handle->fd, &known, fd))
		return fd;
	close(fd);
	return known;
}

void handle_look(struct handle *handle)
{
	uint64_t now;

	if (!handle->is_writing || !handle->backing)
		return;
	now = sum_up(atomic_load(&handle->fd));
	if (atomic_exchange(&handle->seen, now) != now)
		atomic_store(&handle->is_dirty, true);
}

void handle_ref(struct handle *handle)
{
	atomic_fetch_add(&handle->n_refs, 1);
}

void handle_unref(struct handle *handle)
{
	if (atomic_fetch_sub(&handle->n_refs, 1) != 1)
		return;
	handle_setup_done(&(struct handle_setup){ .fd = atomic_load(&handle->fd),
						  .backing = handle->backing,
						  .hydration = handle->hydration });
	listing_free(handle->listing);
	free(handle);
}

void handle_release(struct inodes *inodes, struct handle *handle)
{
	inodes_remove_handle(inodes, handle);
	handle_unref(handle);
}
