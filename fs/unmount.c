/* Unmounting, and dead mounts. */
#include "fs/unmount.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "fs/mount.h"
#include "sync/base/buf.h"

#define OUR_TYPE "fuse.sitefs"

/* What fusermount3 says on stderr is left out: the caller says it in our words. */
static int spawn_fusermount(const char *flags, const char *path, pid_t *ret)
{
	const char *const argv[] = { "fusermount3", flags, "--", path, NULL };
	posix_spawn_file_actions_t actions;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	r = -posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
					      O_WRONLY, 0);
	/* posix_spawnp() does not write to its arguments, whatever its type says */
	if (r == 0)
		r = -posix_spawnp(ret, argv[0], &actions, NULL,
				  (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

static int run_fusermount(const char *flags, const char *path)
{
	int status;
	pid_t pid;
	int r = spawn_fusermount(flags, path, &pid);

	if (r != 0)
		return r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

int unmount_clean(const char *path)
{
	if (umount2(path, UMOUNT_NOFOLLOW) == 0)
		return 0;
	return errno == EPERM ? run_fusermount("-uq", path) : -errno;
}

int unmount_detach(const char *path)
{
	if (umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
		return 0;
	return errno == EPERM ? run_fusermount("-uzq", path) : -errno;
}

void unmount_flush(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	syncfs(fd);
	close(fd);
}

/* The path as the mount table has it; the last component is dead and cannot be asked. Allocated, or NULL. */
static char *table_path(const char *path)
{
	_cleanup_(freep) char *copy = strdup(path), *real = NULL;
	char *name, *slash;
	size_t len;

	if (!copy)
		return NULL;
	for (len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';
	slash = strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (!slash)
		real = realpath(".", NULL);
	else if (slash == copy)
		real = strdup("");
	else {
		*slash = '\0';
		real = realpath(copy, NULL);
	}
	if (!real)
		return NULL;
	return strf("%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
}

/* The type of what is mounted there, topmost, is ours. */
static bool is_ours(const char *path)
{
	_cleanup_(freep) char *wanted = table_path(path);
	FILE *table = setmntent("/proc/self/mounts", "re");
	struct mntent entry;
	char text[8192];
	bool ours = false;

	while (wanted && table && getmntent_r(table, &entry, text, sizeof(text)))
		if (strcmp(entry.mnt_dir, wanted) == 0)
			ours = strcmp(entry.mnt_type, OUR_TYPE) == 0;
	if (table)
		endmntent(table);
	return ours;
}

/* What the kernel remembers of its top, it tells of a dead mount as well: this it has to ask for. */
static bool is_dead(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) < 0 && errno == ENOTCONN;
}

int mount_clear_stale(const char *path, struct error *error)
{
	int r;

	if (!is_dead(path))
		return 0;
	if (!is_ours(path))
		return error_set(
			error, -EBUSY,
			"%s is a dead mount of another program: unmount it first", path);
	r = unmount_detach(path);
	/* somebody else may have been at it */
	if (r < 0 && is_dead(path))
		return error_set(error, r,
				 "cannot take away the dead mount at %s: %s; whoever "
				 "mounted it can: fusermount3 -uz %s",
				 path, strerror(-r), path);
	return 0;
}
