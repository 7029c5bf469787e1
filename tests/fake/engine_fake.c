/* A scripted engine: names, whiteouts and claims. Bytes are in hydrate_fake.c. */
#include "tests/fake/engine_fake.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sync/base/beneath.h"
#include "sync/base/path.h"
#include "tests/fake/engine_fake_private.h"

/* ---- the table ---- */

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->root != y->root)
		return x->root < y->root ? -1 : 1;
	return strcmp(x->rel, y->rel);
}

/* First entry not before (root, rel). */
static size_t lower(struct engine *engine, int root, const char *rel)
	REQUIRES(&engine->lock)
{
	size_t low = 0, high = engine->n_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct entry key = { .root = root, .rel = (char *)(uintptr_t)rel };

		if (compare(&engine->entries[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct entry *fake_find(struct engine *engine, int root, const char *rel)
{
	size_t i = lower(engine, root, rel);
	struct entry *entry = i < engine->n_entries ? &engine->entries[i] : NULL;

	return entry && entry->root == root && strcmp(entry->rel, rel) == 0 ? entry
									    : NULL;
}

struct entry *fake_find_index(struct engine *engine, int root, const char *rel)
{
	for (size_t i = 0; i < engine->n_entries; i++)
		if (engine->entries[i].root == root &&
		    strcmp(engine->entries[i].index_rel, rel) == 0)
			return &engine->entries[i];
	return NULL;
}

static struct entry *append(struct engine *engine) REQUIRES(&engine->lock)
{
	if (engine->n_entries == engine->n_room) {
		engine->n_room = engine->n_room ? engine->n_room * 2 : 64;
		engine->entries = reallocarray(engine->entries, engine->n_room,
					       sizeof(*engine->entries));
		assert(engine->entries);
	}
	engine->entries[engine->n_entries] = (struct entry){ 0 };
	return &engine->entries[engine->n_entries++];
}

static void sort(struct engine *engine) REQUIRES(&engine->lock)
{
	qsort(engine->entries, engine->n_entries, sizeof(*engine->entries), compare);
}

static void entry_done(struct entry *entry)
{
	free(entry->rel);
	free(entry->index_rel);
	free(entry->source);
}

static void take_out(struct engine *engine, struct entry *entry) REQUIRES(&engine->lock)
{
	size_t i = (size_t)(entry - engine->entries);

	entry_done(entry);
	memmove(entry, entry + 1, (engine->n_entries - i - 1) * sizeof(*entry));
	engine->n_entries--;
}

void fake_note(struct engine *engine, const char *what, const char *rel)
{
	mutex_lock(&engine->lock);
	buf_addf(&engine->log, "%s %s\n", what, rel);
	mutex_unlock(&engine->lock);
}

static void tell(struct engine *engine, int root, const char *rel,
		 enum engine_change change)
{
	void (*fn)(void *, int, const char *, enum engine_change);
	void *context;

	mutex_lock(&engine->lock);
	fn = engine->listener;
	context = engine->listener_context;
	mutex_unlock(&engine->lock);
	if (fn)
		fn(context, root, rel, change);
}

/* ---- the script's side ---- */

struct engine *fake_new(const struct fake_setup *setup)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	assert(engine);
	mutex_init(&engine->lock);
	cond_init(&engine->claims_changed);
	engine->setup = *setup;
	engine->config.file_mode = 0644;
	engine->config.dir_mode = 0755;
	for (size_t i = 0; i < setup->n_roots; i++)
		engine->fds[i] = open(setup->paths[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
	engine->hydrator = fake_hydrator_new(engine);
	return engine;
}

void fake_free(struct engine *engine)
{
	fake_hydrator_free(engine->hydrator);
	for (size_t i = 0; i < engine->setup.n_roots; i++)
		if (engine->fds[i] >= 0)
			close(engine->fds[i]);
	mutex_lock(&engine->lock);
	for (size_t i = 0; i < engine->n_entries; i++)
		entry_done(&engine->entries[i]);
	free(engine->entries);
	map_done(&engine->claims, NULL);
	map_done(&engine->folders_hidden, NULL);
	buf_done(&engine->log);
	mutex_unlock(&engine->lock);
	cond_done(&engine->claims_changed);
	mutex_done(&engine->lock);
	free(engine);
}

void fake_put(struct engine *engine, const struct fake_file *file)
{
	struct entry *entry;

	mutex_lock(&engine->lock);
	entry = fake_find(engine, file->root, file->rel);
	if (entry)
		entry_done(entry);
	else
		entry = append(engine);
	*entry = (struct entry){ .root = file->root,
				 .rel = strdup(file->rel),
				 .index_rel = strdup(file->rel),
				 .source = file->source ? strdup(file->source) : NULL,
				 .size = file->size,
				 .mtime_ns = file->mtime_ns,
				 .is_failed = file->is_failed };
	sort(engine);
	mutex_unlock(&engine->lock);
	tell(engine, file->root, file->rel, ENGINE_CHANGE_NAME);
}

void fake_drop(struct engine *engine, int root, const char *rel)
{
	struct entry *entry;

	mutex_lock(&engine->lock);
	entry = fake_find(engine, root, rel);
	if (entry)
		take_out(engine, entry);
	mutex_unlock(&engine->lock);
	tell(engine, root, rel, ENGINE_CHANGE_NAME);
}

void fake_generate(struct engine *engine, int root, const char *folder, size_t n)
{
	mutex_lock(&engine->lock);
	for (size_t i = 0; i < n; i++) {
		struct entry *entry = append(engine);

		*entry = (struct entry){ .root = root,
					 .rel = strf("%s/f%06zu", folder, i),
					 .size = (int64_t)i,
					 .mtime_ns = INT64_C(1700000000000000000) };
		entry->index_rel = strdup(entry->rel);
	}
	sort(engine);
	mutex_unlock(&engine->lock);
}

static int copy_in(int root_fd, const char *source, const char *rel, int64_t mtime_ns)
{
	_cleanup_(closep) int in = open(source, O_RDONLY | O_CLOEXEC), out = -1;
	struct timespec times[2] = { ns_timespec(mtime_ns), ns_timespec(mtime_ns) };
	_cleanup_(freep) char *parent = path_parent(rel);
	struct stat st;
	int r = beneath_mkdirs(root_fd, parent, 0755, NULL);

	if (r < 0 || in < 0 || fstat(in, &st) < 0)
		return -EIO;
	out = beneath_open(root_fd, ".fake.new", O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (out < 0)
		return out;
	while (sendfile(out, in, NULL, (size_t)st.st_size) > 0)
		;
	futimens(out, times);
	r = beneath_rename(root_fd, ".fake.new", rel, RENAME_NOREPLACE);
	if (r < 0)
		beneath_unlink(root_fd, ".fake.new", 0);
	return r;
}

int fake_complete(struct engine *engine, int root, const char *rel)
{
	_cleanup_(freep) char *source = NULL;
	int64_t mtime_ns = 0;
	struct entry *entry;
	int r;

	mutex_lock(&engine->lock);
	entry = fake_find(engine, root, rel);
	if (entry && entry->source)
		source = strdup(entry->source);
	if (entry)
		mtime_ns = entry->mtime_ns;
	mutex_unlock(&engine->lock);
	if (!source)
		return -ENOENT;
	roots_claim((struct roots *)engine, root, rel);
	r = copy_in(engine->fds[root], source, rel, mtime_ns);
	mutex_lock(&engine->lock);
	entry = fake_find(engine, root, rel);
	if (entry && r == 0)
		entry->is_copy = true;
	mutex_unlock(&engine->lock);
	roots_unclaim((struct roots *)engine, root, rel);
	tell(engine, root, rel, ENGINE_CHANGE_NAME);
	return r;
}

int fake_evict(struct engine *engine, int root, const char *rel)
{
	struct entry *entry;
	int r = beneath_unlink(engine->fds[root], rel, 0);

	mutex_lock(&engine->lock);
	entry = fake_find(engine, root, rel);
	if (entry)
		entry->is_copy = false;
	mutex_unlock(&engine->lock);
	tell(engine, root, rel, ENGINE_CHANGE_NAME);
	return r;
}

int fake_learn_entry(struct engine *engine, int root, const char *index_rel)
{
	struct stat st;
	struct entry *entry;
	int r = -EIO;

	mutex_lock(&engine->lock);
	entry = fake_find_index(engine, root, index_rel);
	if (entry && entry->source && stat(entry->source, &st) == 0) {
		entry->size = st.st_size;
		r = 0;
	}
	mutex_unlock(&engine->lock);
	return r;
}

void fake_learn(struct engine *engine, int root, const char *rel)
{
	fake_learn_entry(engine, root, rel);
	tell(engine, root, rel, ENGINE_CHANGE_ATTR);
}

void fake_log(struct engine *engine, struct buf *ret)
{
	mutex_lock(&engine->lock);
	buf_adds(ret, buf_str(&engine->log));
	buf_clear(&engine->log);
	mutex_unlock(&engine->lock);
}

/* ---- engine.h ---- */

const struct config *engine_config(const struct engine *engine)
{
	return &engine->config;
}

/* Every part is the engine itself in other clothes. */
struct journal *engine_journal(const struct engine *engine)
{
	return (struct journal *)(uintptr_t)engine;
}

struct view *engine_view(const struct engine *engine)
{
	return (struct view *)(uintptr_t)engine;
}

struct roots *engine_roots(const struct engine *engine)
{
	return (struct roots *)(uintptr_t)engine;
}

struct hydrator *engine_hydrator(const struct engine *engine)
{
	return engine->hydrator;
}

void engine_set_listener(struct engine *engine,
			 void (*fn)(void *context, int root, const char *rel,
				    enum engine_change change),
			 void *context)
{
	mutex_lock(&engine->lock);
	engine->listener = fn;
	engine->listener_context = context;
	mutex_unlock(&engine->lock);
}

void engine_touch(struct engine *engine, int root, const char *rel)
{
	fake_note(engine, "touch", rel);
}

const char *file_state_name(enum file_state state)
{
	return state == FILE_LOCAL ? "local" : "remote";
}

void engine_file_done(struct engine_file *file)
{
	free(file->path.object.id);
	free(file->error);
	*file = (struct engine_file){ 0 };
}

int engine_describe(struct engine *engine, int root, const char *rel,
		    struct engine_file *ret)
{
	struct entry *entry;
	struct stat st;
	bool is_on_disk = beneath_stat(engine->fds[root], rel, &st) == 0;

	mutex_lock(&engine->lock);
	entry = fake_find(engine, root, rel);
	*ret = (struct engine_file){ .state = is_on_disk ? FILE_LOCAL : FILE_REMOTE,
				     .is_published = entry != NULL,
				     .is_on_disk = is_on_disk,
				     .progress = is_on_disk };
	if (entry)
		ret->path.object.id = strf("id-of-%s", entry->index_rel);
	mutex_unlock(&engine->lock);
	return ret->is_published || is_on_disk ? 0 : INDEX_NONE;
}

/* ---- journal.h ---- */

bool journal_has_copy(struct journal *journal, int root, const char *rel)
{
	struct engine *engine = (struct engine *)journal;
	struct entry *entry;
	bool has;

	mutex_lock(&engine->lock);
	entry = fake_find(engine, root, rel);
	has = entry && entry->is_copy;
	mutex_unlock(&engine->lock);
	return has;
}

/* ---- roots.h ---- */

size_t roots_count(const struct roots *roots)
{
	return ((const struct engine *)roots)->setup.n_roots;
}

const char *roots_name(const struct roots *roots, int root)
{
	return ((const struct engine *)roots)->setup.names[root];
}

int roots_fd(const struct roots *roots, int root)
{
	return ((const struct engine *)roots)->fds[root];
}

void roots_cover(struct roots *roots, int root, bool is_covered)
{
}

void roots_claim(struct roots *roots, int root, const char *rel)
{
	struct engine *engine = (struct engine *)roots;
	_cleanup_(freep) char *key = strf("%d:%s", root, rel);

	mutex_lock(&engine->lock);
	while (map_get(&engine->claims, key))
		cond_wait(&engine->claims_changed, &engine->lock);
	map_put(&engine->claims, key, engine, NULL);
	mutex_unlock(&engine->lock);
}

void roots_unclaim(struct roots *roots, int root, const char *rel)
{
	struct engine *engine = (struct engine *)roots;
	_cleanup_(freep) char *key = strf("%d:%s", root, rel);

	mutex_lock(&engine->lock);
	assert(map_remove(&engine->claims, key));
	cond_broadcast(&engine->claims_changed);
	mutex_unlock(&engine->lock);
}

/* ---- view.h ---- */

uint64_t view_ino(int root, const char *rel)
{
	return UINT64_C(1) << 63 |
	       XXH3_64bits_withSeed(rel, strlen(rel), (uint64_t)root) >> 8;
}

static bool is_below(const struct entry *entry, int root, const char *folder)
{
	size_t len = strlen(folder);

	return entry->root == root && (!len || (strncmp(entry->rel, folder, len) == 0 &&
						entry->rel[len] == '/'));
}

/* An index folder shows until it was removed, also when every file in it is hidden. */
static bool is_folder(struct engine *engine, int root, const char *rel)
	REQUIRES(&engine->lock)
{
	_cleanup_(freep) char *key = strf("%d:%s", root, rel);
	_cleanup_(freep) char *start = strf("%s/", rel);
	bool is_hidden = map_get(&engine->folders_hidden, key) != NULL;

	for (size_t i = lower(engine, root, start); i < engine->n_entries; i++) {
		struct entry *entry = &engine->entries[i];

		if (!is_below(entry, root, rel))
			return false;
		if (!is_hidden || !entry->is_hidden)
			return true;
	}
	return false;
}

static void fill_node(const struct entry *entry, struct view_node *ret)
{
	*ret = (struct view_node){ .is_failed = entry->is_failed,
				   .is_alias = strcmp(entry->rel, entry->index_rel) != 0,
				   .size = entry->size,
				   .mtime_ns = entry->mtime_ns,
				   .ino = view_ino(entry->root, entry->index_rel) };
}

static void fill_folder(int root, const char *rel, struct view_node *ret)
{
	*ret = (struct view_node){
		.is_folder = true, .size = -1, .mtime_ns = -1, .ino = view_ino(root, rel)
	};
}

int view_find(struct view *view, int root, const char *rel, struct view_node *ret)
{
	struct engine *engine = (struct engine *)view;
	struct entry *entry;
	int r = 0;

	mutex_lock(&engine->lock);
	entry = fake_find(engine, root, rel);
	if (entry && !entry->is_hidden)
		fill_node(entry, ret);
	else if (!entry && is_folder(engine, root, rel))
		fill_folder(root, rel, ret);
	else
		r = VIEW_NONE;
	mutex_unlock(&engine->lock);
	return r;
}

int view_list(struct view *view, int root, const char *rel, const char *after,
	      view_list_fn *fn, void *context)
{
	struct engine *engine = (struct engine *)view;
	_cleanup_(freep) char *start = rel[0] ? strf("%s/", rel) : strdup("");
	_cleanup_(freep) char *last = NULL;
	size_t len = strlen(start);
	int r = 0;

	mutex_lock(&engine->lock);
	for (size_t i = lower(engine, root, start); r == 0 && i < engine->n_entries;
	     i++) {
		struct entry *entry = &engine->entries[i];
		struct view_node node;
		char *name, *slash;

		if (!is_below(entry, root, rel))
			break;
		name = entry->rel + len;
		slash = strchr(name, '/');
		if (!slash && !entry->is_hidden) {
			fill_node(entry, &node);
			r = fn(context, name, &node);
		}
		if (slash) {
			_cleanup_(freep) char *folder =
				strndup(entry->rel, (size_t)(slash - entry->rel));

			if (last && strcmp(last, folder) == 0)
				continue;
			free(last);
			last = strdup(folder);
			if (!is_folder(engine, root, folder))
				continue;
			fill_folder(root, folder, &node);
			r = fn(context, folder + len, &node);
		}
	}
	mutex_unlock(&engine->lock);
	return r;
}

static int found_one(void *context, const char *name, const struct view_node *node)
{
	*(bool *)context = false;
	return 0;
}

bool view_is_empty(struct view *view, int root, const char *rel)
{
	bool is_empty = true;

	view_list(view, root, rel, NULL, found_one, &is_empty);
	return is_empty;
}

char *view_source(struct view *view, int root, const char *rel)
{
	struct engine *engine = (struct engine *)view;
	char *source = NULL;

	mutex_lock(&engine->lock);
	for (size_t i = lower(engine, root, rel); i < engine->n_entries && !source; i++) {
		struct entry *entry = &engine->entries[i];
		size_t rest = strlen(entry->rel) - strlen(rel);

		if (strcmp(entry->rel, rel) != 0 && !is_below(entry, root, rel))
			break;
		source = strndup(entry->index_rel, strlen(entry->index_rel) - rest);
	}
	mutex_unlock(&engine->lock);
	return source ? source : strdup(rel);
}

static int set_hidden(struct engine *engine, int root, const char *rel, bool is_hidden)
{
	_cleanup_(freep) char *key = strf("%d:%s", root, rel);
	struct entry *entry;

	mutex_lock(&engine->lock);
	entry = fake_find(engine, root, rel);
	if (entry)
		entry->is_hidden = is_hidden;
	else if (!is_hidden)
		map_remove(&engine->folders_hidden, key);
	else if (is_folder(engine, root, rel))
		map_put(&engine->folders_hidden, key, engine, NULL);
	mutex_unlock(&engine->lock);
	fake_note(engine, is_hidden ? "hide" : "unhide", rel);
	return 0;
}

int view_hide(struct view *view, int root, const char *rel, bool folder)
{
	return set_hidden((struct engine *)view, root, rel, true);
}

int view_unhide(struct view *view, int root, const char *rel)
{
	return set_hidden((struct engine *)view, root, rel, false);
}

int view_rename(struct view *view, int root, const char *from, const char *to)
{
	struct engine *engine = (struct engine *)view;

	mutex_lock(&engine->lock);
	for (size_t i = 0; i < engine->n_entries; i++) {
		struct entry *entry = &engine->entries[i];
		char *moved;

		if (!is_below(entry, root, from) || entry->is_hidden)
			continue;
		moved = path_rebase(entry->rel, from, to);
		free(entry->rel);
		entry->rel = moved;
	}
	sort(engine);
	mutex_unlock(&engine->lock);
	fake_note(engine, "rename", from);
	return 0;
}
