/* Handles: descriptors, hydrations and listings behind the kernel's file handles. */
#include "fs/handle.h"

#include <errno.h>

#include "fs/inode.h"
#include "fs/listing.h"
#include "sync/hydrate.h"

static void close_parts(const struct handle_setup *setup)
{
	if (setup->fd >= 0)
		close(setup->fd);
	if (setup->hydration)
		hydrate_close(setup->hydration);
}

int handle_new(struct inodes *inodes, struct inode *inode,
	       const struct handle_setup *setup, struct handle **ret)
{
	struct handle *handle = calloc(1, sizeof(*handle));

	if (!handle) {
		close_parts(setup);
		return -ENOMEM;
	}
	handle->inode = inode;
	atomic_init(&handle->n_refs, 1);
	atomic_init(&handle->is_dirty, false);
	handle->fd = setup->fd;
	handle->is_writing = setup->is_writing;
	handle->hydration = setup->hydration;
	handle->size = setup->size;
	inodes_add_handle(inodes, handle);
	*ret = handle;
	return 0;
}

void handle_ref(struct handle *handle)
{
	atomic_fetch_add(&handle->n_refs, 1);
}

void handle_unref(struct handle *handle)
{
	if (atomic_fetch_sub(&handle->n_refs, 1) != 1)
		return;
	close_parts(&(struct handle_setup){ .fd = handle->fd,
					    .hydration = handle->hydration });
	listing_free(handle->listing);
	free(handle);
}

void handle_release(struct inodes *inodes, struct handle *handle)
{
	inodes_remove_handle(inodes, handle);
	handle_unref(handle);
}
