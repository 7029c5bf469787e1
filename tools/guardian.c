/* A process that takes away the mount of a daemon that died. */
#include "tools/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/mount.h"
#include "sync/base/error.h"

/* Nothing of the daemon's stays open but the pipe's end, at 0. */
static void let_go(int fd)
{
	sigset_t all;
	int null;

	sigfillset(&all); /* of the daemon's end it hears by the pipe */
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "sitefs-guard");
	setsid();
	if (chdir("/") < 0 || dup2(fd, 0) < 0)
		_exit(EXIT_FAILURE);
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		_exit(EXIT_FAILURE);
	close_range(3, ~0U, 0);
}

static void guard(const char *mountpoint)
{
	struct error error = { 0 };
	struct statfs fs;
	char byte;

	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	/* the pipe may end before the mount does: this is answered when that is dead, too */
	statfs(mountpoint, &fs);
	/* one that was unmounted, or is mounted anew, answers: then nothing is done */
	_exit(mount_clear_stale(mountpoint, &error) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

int guardian_start(const char *mountpoint)
{
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	r = pid < 0 ? -errno : 0;
	if (pid == 0) {
		/* a child of the first process, or the daemon would have to wait for it */
		close(fds[1]);
		let_go(fds[0]);
		if (fork() == 0)
			guard(mountpoint);
		_exit(EXIT_SUCCESS);
	}
	close(fds[0]);
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	if (r < 0)
		close(fds[1]);
	return r < 0 ? r : fds[1];
}
