/* The kernel's table of mounts. */
#include "tools/mounts.h"

#include <fcntl.h>
#include <string.h>

#include "sync/base/buf.h"

/* The field at P with its octal escapes (\040) undone; *ret_rest behind the blank that ends it. */
static int take_field(const char *p, struct buf *ret, const char **ret_rest)
{
	for (; *p && *p != ' ' && *p != '\n'; p++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' &&
		    p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
			buf_addc(ret, (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 |
					     (p[3] - '0')));
			p += 3;
		} else {
			buf_addc(ret, *p);
		}
	}
	*ret_rest = *p == ' ' ? p + 1 : p;
	return ret->has_failed ? -1 : 0;
}

static const char *skip_fields(const char *p, int n)
{
	while (n-- > 0) {
		p += strcspn(p, " \n");
		if (*p == ' ')
			p++;
	}
	return p;
}

/* LINE: id, parent, device, root, mount point, options, optional fields, "-", type, source ... */
static enum mounts_kind judge(const char *line, const char *path)
{
	_cleanup_(buf_done) struct buf point = { 0 };
	_cleanup_(buf_done) struct buf type = { 0 };
	const char *rest, *dash, *end = line + strcspn(line, "\n");

	if (take_field(skip_fields(line, 4), &point, &rest) < 0 ||
	    strcmp(buf_str(&point), path) != 0)
		return MOUNTS_NONE;
	dash = strstr(rest, " - ");
	if (!dash || dash > end || take_field(dash + 3, &type, &rest) < 0)
		return MOUNTS_OTHER;
	return strcmp(buf_str(&type), "fuse.sitefs") == 0 ? MOUNTS_OURS : MOUNTS_OTHER;
}

enum mounts_kind mounts_find_in(const char *mountinfo, const char *path)
{
	enum mounts_kind found = MOUNTS_NONE;

	for (const char *line = mountinfo; *line;) {
		enum mounts_kind kind = judge(line, path);

		if (kind != MOUNTS_NONE)
			found = kind; /* later ones lie on top */
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return found;
}

/* A file of /proc has no size to be known before it is read. */
static int read_table(struct buf *ret)
{
	_cleanup_(closep) int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	char data[16384];
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = read(fd, data, sizeof(data))) > 0)
		if (buf_add(ret, data, (size_t)n) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

enum mounts_kind mounts_find(const char *path)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (read_table(&text) < 0)
		return MOUNTS_NONE;
	return mounts_find_in(buf_str(&text), path);
}
