/* sd_notify(3), the protocol: https://www.freedesktop.org/software/systemd/man/sd_notify.html */
#include "tools/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sync/base/cleanup.h"

void notify_send(const char *state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	_cleanup_(closep) int fd = -1;
	socklen_t len;

	if (!path || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, strlen(path));
	/* '@' stands for the NUL of an abstract address, which has no end but its length */
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && sendto(fd, state, strlen(state), MSG_NOSIGNAL,
			      (struct sockaddr *)&address, len) < 0) {
		/* nobody listens any more */
	}
}

static int64_t env_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long long value;

	if (!text)
		return -1;
	errno = 0;
	value = strtoll(text, &end, 10);
	return errno || end == text || *end || value < 0 ? -1 : value;
}

int64_t notify_watchdog_ms(void)
{
	int64_t us = env_number("WATCHDOG_USEC"), pid = env_number("WATCHDOG_PID");

	if (us <= 0 || (pid >= 0 && pid != getpid()))
		return -1;
	return us / 2000 > 0 ? us / 2000 : 1;
}

bool notify_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	char *end;

	/* "DEVICE:INODE" of what the service manager gave us as stderr */
	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	dev = strtoull(stream, &end, 10);
	if (*end != ':')
		return false;
	ino = strtoull(end + 1, &end, 10);
	return !*end && dev == st.st_dev && ino == st.st_ino;
}
