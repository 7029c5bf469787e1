/* Processes, by proc(5). */
#include "sync/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sync/base/cleanup.h"

int proc_read(const char *path, char *ret, size_t size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, ret, size - 1);
	if (n < 0)
		return -errno;
	ret[n] = 0;
	return 0;
}

int proc_stat(const char *path, char *text, size_t size, const char **ret)
{
	const char *end;
	int r = proc_read(path, text, size);

	if (r < 0)
		return r;
	end = strrchr(text, ')');
	if (!end || end[1] != ' ')
		return -EIO;
	*ret = end + 2;
	return 0;
}
