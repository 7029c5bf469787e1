/* Relative paths below a root. */
#include "sync/base/path.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "sync/base/buf.h"

static const char *component_refusal(const char *name, size_t len)
{
	if (len == 0)
		return "has an empty component";
	if (len == 1 && name[0] == '.')
		return "has a '.' component";
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return "has a '..' component";
	if (len > PATH_COMPONENT_MAX)
		return "has a name longer than 255 bytes";
	return NULL;
}

const char *path_refusal(const char *path)
{
	if (!path[0])
		return "is empty";
	if (strlen(path) > PATH_LENGTH_MAX)
		return "is longer than 4095 bytes";
	for (const char *p = path;; p++) {
		size_t len = strcspn(p, "/");
		const char *why = component_refusal(p, len);

		if (why)
			return why;
		p += len;
		if (!*p)
			return NULL;
	}
}

int path_normalise(const char *path, char **ret)
{
	_cleanup_(buf_done) struct buf buf = { 0 };
	char *out;

	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");

		if (len > 0 && !(len == 1 && p[0] == '.')) {
			if (buf.len)
				buf_addc(&buf, '/');
			buf_add(&buf, p, len);
		}
		p += len;
		p += strspn(p, "/");
	}
	out = buf_take(&buf);
	if (!out)
		return -ENOMEM;
	*ret = out;
	return 0;
}

const char *path_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *path_parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strndup(path, slash ? (size_t)(slash - path) : 0);
}

char *path_join(const char *dir, const char *name)
{
	return dir[0] ? strf("%s/%s", dir, name) : strdup(name);
}

bool path_is_below(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	if (!len)
		return true;
	return strncmp(path, prefix, len) == 0 && (!path[len] || path[len] == '/');
}

char *path_rebase(const char *path, const char *from, const char *to)
{
	const char *rest = path + strlen(from);

	rest += *rest == '/';
	if (!*rest)
		return strdup(to);
	return path_join(to, rest);
}

size_t path_utf8_length(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t code;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	code = s[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if ((len == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
	    (len == 4 && (code < 0x10000 || code > 0x10ffff)))
		return 0;
	return len;
}

bool path_is_utf8(const char *path)
{
	for (const char *s = path; *s;) {
		size_t len = path_utf8_length(s);

		if (!len)
			return false;
		s += len;
	}
	return true;
}
