/* What a path is for people: state, progress, error; the walk over a folder; the counts of status. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"
#include "sync/engine_private.h"

void engine_file_done(struct engine_file *file)
{
	free(file->error);
	index_path_done(&file->path);
	*file = (struct engine_file){ 0 };
}

/* What goes on now says more than what the records ask for. */
static enum file_state live_state(struct engine *engine, const struct assessment *a,
				  const struct plan_glance *plan, bool has_plan,
				  const struct hydrate_state *hydrated)
{
	bool is_here = a->disk != DISK_NOTHING;

	if (a->is_hidden)
		return FILE_HIDDEN;
	if (has_plan && plan->phase == PLAN_UPLOAD)
		return plan->bytes > 0 ? FILE_UPLOADING : FILE_QUEUED;
	if (!is_here && hydrated->is_active)
		return FILE_DOWNLOADING;
	if (has_plan && plan->is_failed && a->whole.state != FILE_LOCAL)
		return FILE_FAILED;
	if (!is_here && a->whole.state == FILE_REMOTE && hydrated->present > 0)
		return FILE_PARTIAL;
	if (a->whole.state == FILE_QUEUED && engine_is_passive(engine))
		return is_here ? FILE_LOCAL : FILE_REMOTE;
	return a->whole.state;
}

static char *entry_error(const struct assessment *a)
{
	for (size_t i = 0; i < a->path.n_records; i++) {
		const struct index_record *record = &a->path.records[i];

		if (record->remote.error)
			return strdup(record->remote.error);
		if (record->ours.error)
			return strdup(record->ours.error);
	}
	return NULL;
}

static bool has_trouble(const struct assessment *a, enum file_state state)
{
	return state == FILE_FAILED || state == FILE_MODIFIED ||
	       a->path.object.state == OBJECT_MISSING ||
	       a->path.object.state == OBJECT_DIFFERENT;
}

static void fill(struct engine_file *file, struct assessment *a,
		 const struct plan_glance *plan, const struct hydrate_state *hydrated)
{
	file->is_published = a->path.n_records > 0;
	file->is_on_disk = a->disk != DISK_NOTHING;
	file->size = file->is_on_disk ? a->st.st_size : a->path.node.size;
	file->present = file->is_on_disk ? a->st.st_size : hydrated->present;
	file->progress = file->is_on_disk ? 1 : 0;
	if (file->state == FILE_UPLOADING && plan->size > 0)
		file->progress = (double)plan->bytes / (double)plan->size;
	else if (!file->is_on_disk && file->size > 0)
		file->progress = (double)hydrated->present / (double)file->size;
	if (plan->error[0])
		file->error = strdup(plan->error);
	else if (has_trouble(a, file->state)) {
		file->error = entry_error(a);
		if (!file->error)
			file->error = strdup(a->whole.why);
	}
	file->path = a->path;
	a->path = (struct index_path){ .truth.size = -1 };
}

static int assess_now(struct engine *engine, int root, const char *rel,
		      struct assessment *ret, struct plan_glance *plan, bool *has_plan)
{
	struct assess_setup setup = engine_assess_setup(engine);
	int r = assess(&setup, root, rel, 0, ret);

	if (r < 0)
		return r;
	if (ret->disk == DISK_NOTHING && !ret->path.n_records) {
		assessment_done(ret);
		return INDEX_NONE;
	}
	*plan = (struct plan_glance){ 0 };
	*has_plan = plans_glance(&engine->plans, root, rel, plan);
	return 0;
}

int engine_describe(struct engine *engine, int root, const char *rel,
		    struct engine_file *ret)
{
	_cleanup_(freep) char *source = NULL;
	struct hydrate_state hydrated = { 0 };
	struct assessment assessment;
	struct plan_glance plan;
	bool has_plan;
	struct stat st;
	int r;

	/* a name under a renamed folder is what its index path is, unless something lies there */
	if (beneath_stat(roots_fd(engine->roots, root), rel, &st) < 0)
		source = view_source(engine->view, root, rel);
	if (source)
		rel = source;
	r = assess_now(engine, root, rel, &assessment, &plan, &has_plan);
	if (r != 0)
		return r;
	*ret = (struct engine_file){ .size = -1 };
	if (engine->hydrator)
		hydrate_get_state(engine->hydrator, root, rel, &hydrated);
	ret->state = live_state(engine, &assessment, &plan, has_plan, &hydrated);
	/* whoever looks may be the first to see a change on the disk */
	if (!has_plan && assessment_has_action(&assessment))
		engine_touch(engine, root, rel);
	fill(ret, &assessment, &plan, &hydrated);
	assessment_done(&assessment);
	return 0;
}

int engine_get_state(struct engine *engine, int root, const char *rel,
		     enum file_state *ret)
{
	struct engine_file file;
	int r = engine_describe(engine, root, rel, &file);

	if (r != 0)
		return r;
	*ret = file.state;
	engine_file_done(&file);
	return 0;
}

/* ---- walking a folder: the disk's names and the index's, merged in byte order ---- */

struct walk {
	struct engine *engine;
	int root;
	bool awaited;
	engine_file_fn *fn;
	void *context;
};

struct names {
	char **names;
	size_t n, cap;
};

static int add_name(struct names *names, const char *name)
{
	char **grown;
	size_t cap = names->cap ? names->cap * 2 : 64;

	if (names->n == names->cap) {
		grown = reallocarray(names->names, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		names->names = grown;
		names->cap = cap;
	}
	names->names[names->n] = strdup(name);
	return names->names[names->n++] ? 0 : -ENOMEM;
}

static int add_disk_names(struct walk *walk, const char *rel, struct names *names)
{
	_cleanup_(closep) int fd = beneath_open(roots_fd(walk->engine->roots, walk->root),
						rel, O_RDONLY | O_DIRECTORY, 0);
	struct dirent *entry;
	int r = 0;
	DIR *dir;

	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? 0 : fd;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	steal_fd(fd);
	while (r == 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    (rel[0] || strcmp(entry->d_name, ".sitefs") != 0))
			r = add_name(names, entry->d_name);
	closedir(dir);
	return r;
}

static int add_index_name(void *context, const char *name, const struct index_node *node)
{
	return add_name(context, name);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->names[i]);
	free(names->names);
}

static int walk_at(struct walk *walk, const char *rel);

static int walk_folder(struct walk *walk, const char *rel)
{
	_cleanup_(names_done) struct names names = { 0 };
	int r = walk->awaited ? 0 : add_disk_names(walk, rel, &names);

	if (r == 0)
		r = index_list(walk->engine->index, walk->root, rel, NULL, true,
			       add_index_name, &names);
	if (r < 0)
		return r;
	qsort(names.names, names.n, sizeof(*names.names), compare_names);
	r = 0;
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		_cleanup_(freep) char *child = NULL;

		if (i > 0 && strcmp(names.names[i - 1], names.names[i]) == 0)
			continue;
		child = path_join(rel, names.names[i]);
		r = child ? walk_at(walk, child) : -ENOMEM;
		if (r == INDEX_NONE)
			r = 0;
	}
	return r;
}

static int walk_at(struct walk *walk, const char *rel)
{
	struct index_node node = { 0 };
	struct engine_file file;
	struct stat st;
	int r = beneath_stat(roots_fd(walk->engine->roots, walk->root), rel, &st);
	bool is_on_disk = r == 0;

	if (is_on_disk && S_ISDIR(st.st_mode))
		return walk_folder(walk, rel);
	r = index_find(walk->engine->index, walk->root, rel, &node);
	if (!is_on_disk && r == 0 && node.is_folder)
		return walk_folder(walk, rel);
	if (is_on_disk && !S_ISREG(st.st_mode))
		return 0;
	r = engine_describe(walk->engine, walk->root, rel, &file);
	if (r != 0)
		return r;
	if (walk->awaited == (file.state == FILE_AWAITED))
		r = walk->fn(walk->context, walk->root, rel, file.state, file.size);
	engine_file_done(&file);
	return r;
}

int engine_each_file(struct engine *engine, int root, const char *rel, bool awaited,
		     engine_file_fn *fn, void *context)
{
	struct walk walk = {
		.engine = engine,
		.root = root,
		.awaited = awaited,
		.fn = fn,
		.context = context,
	};

	return walk_at(&walk, rel);
}
