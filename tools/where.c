/* Where a PATH argument lies. */
#include "tools/where.h"

#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/path.h"
#include "tools/pathspec.h"

static char *real_or_same(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : strdup(path);
}

int where_init(struct where *where, struct engine *engine, const char *mountpoint,
	       const char *only_root)
{
	struct roots *roots = engine_roots(engine);
	size_t n = roots_count(roots);

	*where = (struct where){ .engine = engine, .only_root = n == 1 ? 0 : -1 };
	where->roots = calloc(n, sizeof(*where->roots));
	if (!where->roots)
		return -ENOMEM;
	for (; where->n_roots < n; where->n_roots++) {
		int i = (int)where->n_roots;

		where->roots[i] = real_or_same(roots_path(roots, i));
		if (!where->roots[i])
			return -ENOMEM;
		if (only_root && !strcmp(only_root, roots_name(roots, i)))
			where->only_root = i;
	}
	if (!mountpoint)
		return 0;
	/* not resolved: it would be asked of the mount itself */
	where->mountpoint = strdup(mountpoint);
	return where->mountpoint ? 0 : -ENOMEM;
}

void where_done(struct where *where)
{
	for (size_t i = 0; i < where->n_roots; i++)
		free(where->roots[i]);
	free(where->roots);
	free(where->mountpoint);
	*where = (struct where){ 0 };
}

static bool is_shown(const struct where *where, int root)
{
	return where->mountpoint && (where->only_root < 0 || where->only_root == root);
}

char *where_path(const struct where *where, int root, const char *rel)
{
	_cleanup_(buf_done) struct buf path = { 0 };

	if (is_shown(where, root)) {
		buf_adds(&path, where->mountpoint);
		if (where->only_root < 0)
			buf_addf(&path, "/%s",
				 roots_name(engine_roots(where->engine), root));
	} else {
		buf_adds(&path, where->roots[root]);
	}
	if (rel[0])
		buf_addf(&path, "%s%s", path.len == 1 ? "" : "/", rel);
	return buf_take(&path);
}

/* What follows ABOVE in PATH, without slash; NULL where PATH is not below. */
static const char *rest_below(const char *path, const char *above)
{
	size_t len = above[1] ? strlen(above) : 0;

	if (strncmp(path, above, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path + len + (path[len] == '/');
}

static int find_root(const struct where *where, const char *name, size_t len)
{
	const struct roots *roots = engine_roots(where->engine);

	for (size_t i = 0; i < where->n_roots; i++) {
		const char *other = roots_name(roots, (int)i);

		if (strlen(other) == len && !strncmp(other, name, len))
			return (int)i;
	}
	return -1;
}

static bool find_in_mount(const struct where *where, const char *rest, int *ret_root,
			  const char **ret_rest)
{
	size_t len = strcspn(rest, "/");

	*ret_root = where->only_root;
	*ret_rest = rest;
	if (where->only_root >= 0 || !len)
		return true;
	*ret_root = find_root(where, rest, len);
	*ret_rest = rest + len + (rest[len] == '/');
	return *ret_root >= 0;
}

bool where_find(const struct where *where, const char *path, int *ret_root,
		char **ret_rel)
{
	_cleanup_(freep) char *clean = NULL;
	const char *rest = NULL;
	bool is_ours;

	*ret_rel = NULL;
	if (where->mountpoint)
		rest = rest_below(path, where->mountpoint);
	is_ours = rest && find_in_mount(where, rest, ret_root, &rest);
	for (size_t i = 0; i < where->n_roots && !is_ours; i++) {
		rest = rest_below(path, where->roots[i]);
		*ret_root = (int)i;
		is_ours = rest != NULL;
	}
	if (!is_ours || path_normalise(rest, &clean) < 0)
		return false;
	if ((clean[0] && path_refusal(clean)) ||
	    (clean[0] && path_is_below(clean, ".sitefs")))
		return false;
	*ret_rel = steal(clean);
	return true;
}

/* ---- each kind of argument ---- */

struct walk {
	const struct where *where;
	const struct pathspec *spec;
	where_fn *fn;
	void *context;
	size_t folder_len; /* of a sequence's folder below its root */
	int64_t n;         /* names found */
};

static int give(struct walk *walk, int root, const char *rel)
{
	walk->n++;
	return walk->fn(walk->context, root, rel);
}

static int not_ours(struct error *error, const char *text)
{
	return error_set(error, -ENOENT, "%.300s is neither under the mount nor a root",
			 text);
}

static int each_path(struct walk *walk, struct error *error)
{
	_cleanup_(freep) char *rel = NULL;
	int root, r = 0;

	if (!where_find(walk->where, walk->spec->text, &root, &rel))
		return not_ours(error, walk->spec->text);
	if (root >= 0)
		return give(walk, root, rel);
	for (size_t i = 0; i < walk->where->n_roots && r == 0; i++)
		r = give(walk, (int)i, "");
	return r;
}

static int match_file(void *context, int root, const char *rel, enum file_state state,
		      int64_t size)
{
	struct walk *walk = context;
	const char *name = rel + walk->folder_len;

	if (strchr(name, '/') || !pathspec_matches(walk->spec, name))
		return 0;
	return give(walk, root, rel);
}

static int each_of_sequence(struct walk *walk, struct error *error)
{
	struct engine *engine = walk->where->engine;
	_cleanup_(freep) char *rel = NULL;
	int root, r;

	if (!where_find(walk->where, walk->spec->folder, &root, &rel) || root < 0)
		return not_ours(error, walk->spec->text);
	walk->folder_len = rel[0] ? strlen(rel) + 1 : 0;
	r = engine_each_file(engine, root, rel, false, match_file, walk);
	if (r == 0 && !walk->n)
		r = engine_each_file(engine, root, rel, true, match_file, walk);
	return r;
}

static int give_indexed(void *context, int root, const char *rel)
{
	return give(context, root, rel);
}

static int each_of_repre(struct walk *walk)
{
	struct index *index = engine_index(walk->where->engine);
	_cleanup_(freep) char *project = NULL;
	int r;

	r = index_find_repre(index, walk->spec->repre, &project);
	if (r != 0)
		return r == INDEX_NONE ? 0 : r;
	return index_each_of_repre(index, project, walk->spec->repre, give_indexed, walk);
}

static int each_of_pub(struct walk *walk)
{
	const struct pathspec *spec = walk->spec;

	return index_each_of_publish(engine_index(walk->where->engine),
				     &(struct index_publish){ .project = spec->project,
							      .asset = spec->asset,
							      .subset = spec->subset,
							      .version = spec->version,
							      .name = spec->name },
				     give_indexed, walk);
}

/* A name that is there as it is written is no sequence. */
static bool is_literal(const struct where *where, const char *text)
{
	_cleanup_(freep) char *rel = NULL;
	enum file_state state;
	int root;

	return where_find(where, text, &root, &rel) && root >= 0 &&
	       engine_get_state(where->engine, root, rel, &state) == 0;
}

int where_each(const struct where *where, const char *text, const char *frames,
	       where_fn *fn, void *context, struct error *error)
{
	_cleanup_(pathspec_done) struct pathspec spec = { 0 };
	struct walk walk = {
		.where = where, .spec = &spec, .fn = fn, .context = context
	};
	int r;

	r = pathspec_parse(text, frames, &spec, error);
	if (r < 0)
		return r;
	switch (spec.kind) {
	case PATHSPEC_SEQUENCE:
		if (is_literal(where, text))
			r = each_path(&walk, error);
		else
			r = each_of_sequence(&walk, error);
		break;
	case PATHSPEC_PATH:
		r = each_path(&walk, error);
		break;
	case PATHSPEC_PUB:
		r = each_of_pub(&walk);
		break;
	case PATHSPEC_REPRE:
		r = each_of_repre(&walk);
		break;
	}
	if (r == 0 && !walk.n)
		return error_set(error, -ENOENT, "%.300s names no file that is known",
				 text);
	return r;
}
