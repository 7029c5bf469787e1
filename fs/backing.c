/* Files that the kernel has by number. */
#include "fs/backing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int backing_new(struct passthrough *passthrough, int fd, struct backing **ret)
{
	struct backing *backing = calloc(1, sizeof(*backing));
	int id;

	if (!backing)
		return -ENOMEM;
	id = passthrough_register(passthrough, fd);
	if (id < 0) {
		free(backing);
		return id;
	}
	backing->passthrough = passthrough;
	atomic_init(&backing->n_refs, 1);
	backing->id = id;
	backing->fd = fd;
	*ret = backing;
	return 0;
}

static int open_again(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, (flags & ~(O_TRUNC | O_NOFOLLOW)) | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int backing_path_fd(int fd)
{
	return open_again(fd, O_PATH);
}

void backing_ref(struct backing *backing)
{
	atomic_fetch_add(&backing->n_refs, 1);
}

void backing_unref(struct backing *backing)
{
	if (!backing || atomic_fetch_sub(&backing->n_refs, 1) != 1)
		return;
	passthrough_release(backing->passthrough, backing->id);
	close(backing->fd);
	free(backing);
}

int backing_open(const struct backing *backing, int flags)
{
	return open_again(backing->fd, flags);
}
