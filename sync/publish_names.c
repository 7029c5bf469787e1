/* What a publish is called where nobody says it. */
#include "sync/publish_names.h"

#include <errno.h>
#include <string.h>

#include "sync/base/path.h"

#define FAMILY "publish" /* where the path names none */

void publish_names_done(struct publish_names *names)
{
	free(names->hierarchy);
	free(names->asset);
	free(names->family);
	free(names->subset);
	*names = (struct publish_names){ 0 };
}

/* ---- components ---- */

/* Points into the path. */
struct span {
	const char *s;
	size_t len;
};

static size_t count_spans(const char *path)
{
	size_t n = path[0] != 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static struct span span_at(const char *path, size_t i)
{
	while (i-- > 0)
		path = strchr(path, '/') + 1;
	return (struct span){ path, strcspn(path, "/") };
}

static bool span_is(struct span span, const char *text)
{
	return span.len == strlen(text) && memcmp(span.s, text, span.len) == 0;
}

static char *span_copy(struct span span)
{
	return strndup(span.s, span.len);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "v003" */
static bool is_version(struct span span)
{
	size_t i = 1;

	if (span.len < 2 || (span.s[0] != 'v' && span.s[0] != 'V'))
		return false;
	while (i < span.len && is_digit(span.s[i]))
		i++;
	return i == span.len;
}

/* ---- names of files ---- */

static bool is_separator(char c)
{
	return c == '.' || c == '_' || c == '-' || c == ' ';
}

static struct span without_end(struct span span, size_t len)
{
	while (len > 0 && is_separator(span.s[len - 1]))
		len--;
	return (struct span){ span.s, len };
}

/* "beauty" of "beauty_v003.1001.exr"; never empty. */
static struct span stem_of(const char *path)
{
	const char *name = path_name(path), *dot = strrchr(name, '.');
	struct span stem = { name,
			     dot && dot > name ? (size_t)(dot - name) : strlen(name) };
	struct span clean = stem;
	size_t len = stem.len;

	while (len > 0 && is_digit(stem.s[len - 1]))
		len--;
	/* Only a number behind a separator is a frame: "sh010" is a name. */
	if (len < stem.len && len > 0 && is_separator(stem.s[len - 1]))
		clean = without_end(stem, len);
	for (size_t i = clean.len; i-- > 1;)
		if (is_separator(clean.s[i - 1]) &&
		    is_version((struct span){ clean.s + i, clean.len - i }))
			clean = without_end(clean, i);
	return clean.len ? clean : stem;
}

/* The stem that all files have, else an empty one. */
static struct span common_stem(const struct publish_files *files)
{
	struct span first = stem_of(files->list[0].path);

	for (size_t i = 1; i < files->n; i++) {
		struct span stem = stem_of(files->list[i].path);

		if (stem.len != first.len || memcmp(stem.s, first.s, first.len) != 0)
			return (struct span){ first.s, 0 };
	}
	return first;
}

/* The folder that all files lie in. */
static char *common_folder(const struct publish_files *files)
{
	char *folder = path_parent(files->list[0].rel);

	for (size_t i = 1; folder && i < files->n; i++)
		while (!path_is_below(files->list[i].rel, folder)) {
			char *slash = strrchr(folder, '/');

			if (slash)
				*slash = 0;
			else
				folder[0] = 0;
		}
	return folder;
}

/* ---- names of a publish ---- */

/* How many components stand for the project: they are no part of the hierarchy. */
static size_t project_spans(const char *path, const char *project)
{
	return count_spans(path) > 0 && span_is(span_at(path, 0), project);
}

static char *join_spans(const char *path, size_t from, size_t to)
{
	struct span last;

	if (from >= to)
		return strdup("");
	last = span_at(path, to - 1);
	path = span_at(path, from).s;
	return strndup(path, (size_t)(last.s - path) + last.len);
}

/* ".../ASSET/publish/FAMILY/SUBSET/...": the index of "publish", 0 where it is no such path. */
static size_t find_publish(const char *path)
{
	size_t n = count_spans(path);

	for (size_t i = n; i-- > 1;)
		if (i + 2 < n && span_is(span_at(path, i), "publish"))
			return i;
	return 0;
}

/* The last component that is no version. */
static char *last_name(const char *path, const char *otherwise)
{
	for (size_t i = count_spans(path); i-- > 0;)
		if (!is_version(span_at(path, i)))
			return span_copy(span_at(path, i));
	return strdup(otherwise);
}

static char *subset_of(const char *project, const char *folder,
		       const struct publish_files *files, const char *common)
{
	struct span stem;

	if (folder)
		return last_name(folder, project);
	stem = common_stem(files);
	return stem.len ? span_copy(stem) : last_name(common, project);
}

int publish_names_take(const char *project, const char *name, const char *folder,
		       const struct publish_files *files, struct publish_names *ret)
{
	_cleanup_(freep) char *common = folder ? strdup(folder) : common_folder(files);
	size_t at, first;

	if (!common)
		return -ENOMEM;
	at = find_publish(common);
	first = project_spans(common, project);
	if (at > 0) {
		ret->hierarchy = join_spans(common, first, at - 1);
		ret->asset = span_copy(span_at(common, at - 1));
		ret->family = span_copy(span_at(common, at + 1));
		ret->subset = name ? strdup(name) : span_copy(span_at(common, at + 2));
	} else {
		ret->hierarchy = strdup("");
		ret->asset = count_spans(common) > first
				     ? span_copy(span_at(common, first))
				     : strdup(project);
		ret->family = strdup(FAMILY);
		ret->subset =
			name ? strdup(name) : subset_of(project, folder, files, common);
	}
	return ret->hierarchy && ret->asset && ret->family && ret->subset ? 0 : -ENOMEM;
}
