/* Files below a root descriptor: openat2 and friends. */
#include "sync/base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#include "sync/base/buf.h"
#include "sync/base/path.h"

#define PART_MAX 4095 /* bytes of a path that the kernel takes */

static int open_part(int root_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long r;

	/* -EAGAIN: a rename elsewhere raced with the walk; the kernel asks to repeat */
	for (int i = 0; i < 64; i++) {
		r = syscall(SYS_openat2, root_fd, path[0] ? path : ".", &how,
			    sizeof(how));
		if (r >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return r < 0 ? -errno : (int)r;
}

/* A path that was short where it was asked for may be too long from the root: walked in parts. */
static int open_long(int root_fd, const char *path, int flags, mode_t mode)
{
	_cleanup_(freep) char *copy = strdup(path);
	_cleanup_(closep) int fd = -1;
	char *part = copy;

	if (!copy)
		return -ENOMEM;
	while (strlen(part) > PART_MAX) {
		char *end = memrchr(part, '/', PART_MAX + 1);
		int next;

		if (!end)
			return -ENAMETOOLONG;
		*end = '\0';
		next = open_part(fd < 0 ? root_fd : fd, part, O_PATH | O_DIRECTORY, 0);
		if (next < 0)
			return next;
		if (fd >= 0)
			close(fd);
		fd = next;
		part = end + 1;
	}
	return open_part(fd < 0 ? root_fd : fd, part, flags, mode);
}

int beneath_open(int root_fd, const char *path, int flags, mode_t mode)
{
	if (strlen(path) > PART_MAX)
		return open_long(root_fd, path, flags, mode);
	return open_part(root_fd, path, flags, mode);
}

/* An O_PATH descriptor of the folder that holds PATH. */
static int open_parent(int root_fd, const char *path)
{
	_cleanup_(freep) char *parent = path_parent(path);

	if (!parent)
		return -ENOMEM;
	return beneath_open(root_fd, parent, O_PATH | O_DIRECTORY, 0);
}

int beneath_stat(int root_fd, const char *path, struct stat *ret)
{
	_cleanup_(closep) int fd = -1;

	if (!path[0])
		return fstat(root_fd, ret) < 0 ? -errno : 0;
	fd = open_parent(root_fd, path);
	if (fd < 0)
		return fd;
	return fstatat(fd, path_name(path), ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int beneath_mkdirs(int root_fd, const char *path, mode_t mode, int *ret_fd)
{
	_cleanup_(closep) int fd = beneath_open(root_fd, path, O_PATH | O_DIRECTORY, 0);
	_cleanup_(closep) int parent_fd = -1;
	_cleanup_(freep) char *parent = NULL;
	int r;

	if (fd == -ENOENT && path[0]) {
		parent = path_parent(path);
		if (!parent)
			return -ENOMEM;
		r = beneath_mkdirs(root_fd, parent, mode, &parent_fd);
		if (r < 0)
			return r;
		if (mkdirat(parent_fd, path_name(path), mode) < 0 && errno != EEXIST)
			return -errno;
		fd = beneath_open(root_fd, path, O_PATH | O_DIRECTORY, 0);
	}
	if (fd < 0)
		return fd;
	if (ret_fd)
		*ret_fd = steal_fd(fd);
	return 0;
}

int beneath_unlink(int root_fd, const char *path, int flags)
{
	_cleanup_(closep) int fd = open_parent(root_fd, path);

	if (fd < 0)
		return fd;
	return unlinkat(fd, path_name(path), flags) < 0 ? -errno : 0;
}

int beneath_rename(int root_fd, const char *from, const char *to, unsigned flags)
{
	_cleanup_(closep) int from_fd = open_parent(root_fd, from);
	_cleanup_(closep) int to_fd = open_parent(root_fd, to);

	if (from_fd < 0)
		return from_fd;
	if (to_fd < 0)
		return to_fd;
	if (renameat2(from_fd, path_name(from), to_fd, path_name(to), flags) == 0)
		return 0;
	if (flags != RENAME_NOREPLACE || (errno != EINVAL && errno != ENOSYS))
		return -errno;
	if (linkat(from_fd, path_name(from), to_fd, path_name(to), 0) < 0)
		return -errno;
	return unlinkat(from_fd, path_name(from), 0) < 0 ? -errno : 0;
}

int beneath_sync_parent(int root_fd, const char *path)
{
	_cleanup_(freep) char *parent = path_parent(path);
	_cleanup_(closep) int fd = -1;

	if (!parent)
		return -ENOMEM;
	fd = beneath_open(root_fd, parent, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

ssize_t fd_pread_all(int fd, void *data, size_t len, off_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n =
			pread(fd, (char *)data + done, len - done, offset + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int fd_pwrite_all(int fd, const void *data, size_t len, off_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, (const char *)data + done, len - done,
				   offset + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int fd_write_all(int fd, const void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int fd_read_file(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_(closep) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) char *data = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	n = fd_pread_all(fd, data, (size_t)st.st_size, 0);
	if (n < 0)
		return (int)n;
	data[n] = '\0';
	*ret_len = (size_t)n;
	*ret = steal(data);
	return 0;
}

int fd_replace_file(int dir_fd, const char *name, const void *data, size_t len,
		    mode_t mode)
{
	_cleanup_(freep) char *temporary = strf("%s.%d.new", name, (int)gettid());
	_cleanup_(closep) int fd = -1;
	int r;

	if (!temporary)
		return -ENOMEM;
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir_fd, temporary, 0);
	else if (fsync(dir_fd) < 0)
		r = -errno;
	return r;
}
