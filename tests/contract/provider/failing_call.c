/* System calls that fail when a test wants it: the linker's --wrap leads here. */
#include "tests/contract/provider/failing_call.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

static enum fs_kind fs_kind;
static unsigned countdown;
static int error_wanted;
static bool has_failed;
static unsigned hook_countdown;
static void (*hook)(void *context);
static void *hook_context;

void failing_call_set_kind(enum fs_kind kind)
{
	fs_kind = kind;
}

void failing_call_at(unsigned n, int error)
{
	countdown = n;
	error_wanted = error;
	has_failed = false;
}

bool failing_call_has_failed(void)
{
	return has_failed;
}

void failing_call_do(unsigned n, void (*fn)(void *context), void *context)
{
	hook_countdown = n;
	hook = fn;
	hook_context = context;
}

static bool fails(void)
{
	if (hook_countdown && !--hook_countdown)
		hook(hook_context);
	if (!countdown || --countdown)
		return false;
	has_failed = true;
	errno = error_wanted;
	return true;
}

#define WRAP(type, name, parameters, ...)                         \
	type __real_##name parameters;                            \
	type __wrap_##name parameters;                            \
	type __wrap_##name parameters                             \
	{                                                         \
		return fails() ? -1 : __real_##name(__VA_ARGS__); \
	}

WRAP(ssize_t, pwrite64, (int fd, const void *data, size_t len, off_t offset), fd, data,
     len, offset)
WRAP(int, ftruncate64, (int fd, off_t len), fd, len)
WRAP(int, fsync, (int fd), fd)
WRAP(int, fdatasync, (int fd), fd)
WRAP(int, futimens, (int fd, const struct timespec times[2]), fd, times)
WRAP(int, mkdirat, (int fd, const char *name, mode_t mode), fd, name, mode)
WRAP(int, unlinkat, (int fd, const char *name, int flags), fd, name, flags)
WRAP(int, fstat64, (int fd, struct stat *st), fd, st)

/* The system's parameters. */
int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	if (fails())
		return -1;
	if (fs_kind != FS_NO_LINK)
		return __real_linkat(from_fd, from, to_fd, to, flags);
	errno = EPERM;
	return -1;
}

/* The system's parameters. */
int __real_renameat2(int from_fd, const char *from, int to_fd, const char *to,
		     unsigned flags);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to,
		     unsigned flags);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to,
		     unsigned flags)
{
	if (fails())
		return -1;
	if ((fs_kind == FS_NFS && flags) ||
	    (fs_kind == FS_NO_LINK && flags == RENAME_EXCHANGE)) {
		errno = EINVAL;
		return -1;
	}
	return __real_renameat2(from_fd, from, to_fd, to, flags);
}
