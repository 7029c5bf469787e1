/* Texts of the configuration as people write them: blanks, {ENV}, relative paths, secrets. */
#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/path.h"
#include "sync/config_private.h"

#define BLANKS " \t\r\n"

char *config_strip(const char *text)
{
	size_t len;

	text += strspn(text, BLANKS);
	len = strlen(text);
	while (len && strchr(BLANKS, text[len - 1]))
		len--;
	return strndup(text, len);
}

char *config_quote(const char *text)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	buf_addc(&buf, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_addf(&buf, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			buf_addf(&buf, "\\u%04x", (unsigned char)*text);
		else
			buf_addc(&buf, *text);
	}
	buf_addc(&buf, '"');
	return buf_take(&buf);
}

/* P is behind a "{"; the end of the name goes to *ret_end. */
static int expand_one(const char *p, struct buf *buf, const char **ret_end,
		      struct error *error)
{
	size_t len = strcspn(p, "{}");
	_cleanup_(freep) char *name = strndup(p, len);
	const char *value;

	if (!name)
		return -ENOMEM;
	if (!len || p[len] != '}')
		return error_set(
			error, -EINVAL,
			"\"{\" begins the name of an environment variable, and no \"}\" ends it: "
			"write {{ for a brace");
	value = getenv(name);
	if (!value)
		return error_set(
			error, -ENOENT,
			"there is no environment variable %s: set it, or write the path",
			name);
	buf_adds(buf, value);
	*ret_end = p + len;
	return 0;
}

int config_expand(const char *text, char **ret, struct error *error)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	for (const char *p = text; *p; p++) {
		int r = 0;

		if ((*p == '{' || *p == '}') && p[1] == *p)
			buf_addc(&buf, *p++);
		else if (*p == '{')
			r = expand_one(p + 1, &buf, &p, error);
		else
			buf_addc(&buf, *p);
		if (r < 0)
			return r;
	}
	*ret = buf_take(&buf);
	return *ret ? 0 : -ENOMEM;
}

int config_absolute(const char *path, const char *base, char **ret)
{
	_cleanup_(freep) char *here = NULL, *joined = NULL, *rest = NULL;
	int r;

	if (path[0] != '/' && !base) {
		here = get_current_dir_name();
		if (!here)
			return -errno;
		base = here;
	}
	joined = path[0] == '/' ? strdup(path) : strf("%s/%s", base, path);
	r = joined ? path_normalise(joined, &rest) : -ENOMEM;
	if (r < 0)
		return r;
	*ret = strf("/%s", rest);
	return *ret ? 0 : -ENOMEM;
}

char *config_folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? strndup(file, (size_t)(slash - file)) : strdup(".");
}

char *config_hide_secrets(const char *uri)
{
	const char *host = strstr(uri, "://");
	const char *end, *at;

	if (!host) /* sqlite:PATH */
		return strdup(uri);
	host += strlen("://");
	end = strchr(host, '?'); /* options may be passwords too */
	end = end ? end : host + strlen(host);
	at = memrchr(host, '@', (size_t)(end - host));
	if (at)
		at++;
	else
		at = host;
	return strf("%.*s%s%.*s", (int)(host - uri), uri, at > host ? "***@" : "",
		    (int)(end - at), at);
}
