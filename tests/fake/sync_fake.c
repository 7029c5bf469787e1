/* fsync(2) and fdatasync(2) of this process. */
#include "tests/fake/sync_fake.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>

/* The linker's names for what is wrapped. */
int __real_fsync(int fd);     /* NOLINT(bugprone-reserved-identifier) */
int __real_fdatasync(int fd); /* NOLINT(bugprone-reserved-identifier) */
int __wrap_fsync(int fd);     /* NOLINT(bugprone-reserved-identifier) */
int __wrap_fdatasync(int fd); /* NOLINT(bugprone-reserved-identifier) */

static atomic_int n_fsync, n_fdatasync, next_error;
static atomic_uint_fast64_t last_ino;

void sync_fake_look(struct sync_fake *ret)
{
	*ret = (struct sync_fake){ atomic_load(&n_fsync), atomic_load(&n_fdatasync),
				   atomic_load(&last_ino) };
}

void sync_fake_fail(int error)
{
	atomic_store(&next_error, error);
}

static int note(int fd, atomic_int *n)
{
	struct stat st;
	int error = atomic_exchange(&next_error, 0);

	if (fstat(fd, &st) == 0)
		atomic_store(&last_ino, st.st_ino);
	atomic_fetch_add(n, 1);
	if (!error)
		return 0;
	errno = error;
	return -1;
}

int __wrap_fsync(int fd)
{
	return note(fd, &n_fsync) < 0 ? -1 : __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
	return note(fd, &n_fdatasync) < 0 ? -1 : __real_fdatasync(fd);
}
