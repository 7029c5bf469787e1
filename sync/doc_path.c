/* Paths of documents: "{root[work]}/a/b", in every spelling that databases hold. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "sync/base/buf.h"
#include "sync/base/path.h"
#include "sync/doc.h"

#define PRIVATE_FOLDER ".sitefs" /* law 9 */
#define PLACEHOLDER "{root"

static int refuse(char **ret_refused, const char *why)
{
	*ret_refused = strf("path %s", why);
	return *ret_refused ? -EINVAL : -ENOMEM;
}

/* Documents of Windows hosts have back-slashes; no studio's template makes a name with one. */
static char *copy_with_slashes(const char *path)
{
	char *copy = strdup(path);

	for (char *p = copy; p && *p; p++)
		if (*p == '\\')
			*p = '/';
	return copy;
}

static bool is_private(const char *rel)
{
	size_t len = strcspn(rel, "/");

	/* Whatever the case: a root may lie on a file system that folds it. */
	return len == strlen(PRIVATE_FOLDER) &&
	       strncasecmp(rel, PRIVATE_FOLDER, len) == 0;
}

/* Reads "{root}", "{root[a]}" or "{root[a][b]}" at the start of TEXT: the name goes to NAME ("",
 * "a", "a.b"). The length, or 0 where there is none. */
static size_t read_placeholder(const char *text, struct buf *name)
{
	const char *p = text + strlen(PLACEHOLDER);

	if (strncmp(text, PLACEHOLDER, strlen(PLACEHOLDER)) != 0)
		return 0;
	while (*p == '[') {
		size_t len = strcspn(p + 1, "[]{}/");

		if (!len || p[1 + len] != ']')
			return 0;
		if (name->len)
			buf_addc(name, '.');
		buf_add(name, p + 1, len);
		p += len + 2;
	}
	return *p == '}' ? (size_t)(p + 1 - text) : 0;
}

/* Slashes and "." components, which normalising drops: so that a key is read back as it was. */
static size_t skip_nothings(const char *text)
{
	const char *p = text;

	while (*p == '/' || (p[0] == '.' && p[1] == '/'))
		p++;
	return (size_t)(p - text);
}

/* Moves *text over all placeholders at its start: a doubled one is one. */
static int take_root(const char **text, char **ret_root, char **ret_refused)
{
	_cleanup_(buf_done) struct buf root = { 0 };
	size_t len = read_placeholder(*text, &root);

	if (!len)
		return refuse(ret_refused, "begins with a placeholder that is no {root}");
	for (*text += len;; *text += len) {
		_cleanup_(buf_done) struct buf again = { 0 };
		size_t nothings = skip_nothings(*text);

		len = read_placeholder(*text + nothings, &again);
		if (root.has_failed || again.has_failed)
			return -ENOMEM;
		if (!len)
			break;
		if (strcmp(buf_str(&root), buf_str(&again)) != 0)
			return refuse(ret_refused, "begins with two different roots");
		len += nothings;
	}
	if (root.len > PATH_COMPONENT_MAX)
		return refuse(ret_refused, "has a root's name longer than 255 bytes");
	/* It becomes the name of a folder where a site has several roots. */
	if (strcmp(buf_str(&root), ".") == 0 || strcmp(buf_str(&root), "..") == 0)
		return refuse(ret_refused,
			      "has a root that is named like a folder above");
	*ret_root = buf_take(&root);
	return *ret_root ? 0 : -ENOMEM;
}

static bool has_drive(const char *text)
{
	char letter = (char)(text[0] | ('a' ^ 'A'));

	return letter >= 'a' && letter <= 'z' && text[1] == ':' && text[2] == '/';
}

/* The path of a network share keeps its two slashes, so that it is never taken for a local path. */
static const char *absolute_prefix(const char *text)
{
	size_t slashes = strspn(text, "/");

	return slashes == 0 ? "" : slashes == 2 ? "//" : "/";
}

static int parse(const char *text, char **ret_root, char **ret_rel, char **ret_refused)
{
	_cleanup_(freep) char *root = NULL;
	_cleanup_(freep) char *rel = NULL;
	bool is_absolute = text[0] == '/' || has_drive(text);
	const char *why;
	int r = 0;

	if (!text[0])
		return refuse(ret_refused, "is empty");
	if (!path_is_utf8(text))
		return refuse(ret_refused, "is not UTF-8");
	if (!is_absolute && text[0] != '{')
		return refuse(ret_refused, "begins with no {root} and is not absolute");
	if (!is_absolute)
		r = take_root(&text, &root, ret_refused);
	if (r == 0)
		r = path_normalise(text, &rel);
	if (r < 0)
		return r;
	why = path_refusal(rel);
	if (why)
		return refuse(ret_refused, why);
	if (root && is_private(rel))
		return refuse(ret_refused,
			      "lies in .sitefs, the private folder of a root");
	*ret_rel = is_absolute ? strf("%s%s", absolute_prefix(text), rel) : steal(rel);
	if (!*ret_rel)
		return -ENOMEM;
	*ret_root = steal(root);
	return 0;
}

int doc_path_parse(const char *path, char **ret_root, char **ret_rel, char **ret_refused)
{
	_cleanup_(freep) char *text = copy_with_slashes(path);

	if (!text)
		return -ENOMEM;
	return parse(text, ret_root, ret_rel, ret_refused);
}

char *doc_path_key(const char *root, const char *rel)
{
	return root[0] ? strf("{root[%s]}/%s", root, rel) : strf("{root}/%s", rel);
}

/* How much of ABSOLUTE is ROOT and the slash after it; 0 where it lies elsewhere. */
static size_t match_root(const char *absolute, const char *root)
{
	size_t len = strlen(root);

	while (len && root[len - 1] == '/')
		len--;
	if (strncmp(absolute, root, len) != 0 || absolute[len] != '/')
		return 0;
	return len + 1;
}

int doc_path_resolve_absolute(const struct config *config, const char *absolute,
			      char **ret_root, char **ret_rel)
{
	_cleanup_(freep) char *root = NULL;
	_cleanup_(freep) char *rel = NULL;
	const struct config_root *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < config->n_sites; i++) {
		const struct config_site *site = &config->sites[i];
		bool is_active = strcmp(site->name, config->active_site) == 0;

		if (strcmp(site->provider, "local_drive") != 0)
			continue;
		for (size_t j = 0; j < site->n_roots; j++) {
			size_t len = match_root(absolute, site->roots[j].path);

			if (len < best_len || !len || (len == best_len && !is_active))
				continue;
			best = &site->roots[j];
			best_len = len;
		}
	}
	if (!best || path_refusal(absolute + best_len) || is_private(absolute + best_len))
		return -ENOENT;
	root = strdup(best->name);
	rel = strdup(absolute + best_len);
	if (!root || !rel)
		return -ENOMEM;
	*ret_root = steal(root);
	*ret_rel = steal(rel);
	return 0;
}
