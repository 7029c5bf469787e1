/* Folders by path. */
#include "providers/gdrive/folder.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "providers/gdrive/census.h"
#include "providers/gdrive/find.h"
#include "providers/gdrive/make.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"

#define FRESH_MS 60000
#define MISSED_MS 10000 /* a folder that was missing is made without another look */

struct folder {
	char *id, *parent;
	int64_t checked_ms;
};

/* One level of a walk. */
struct level {
	const char *path; /* down to this folder */
	const char *parent;
	int64_t max_age_ms;
	bool can_make;
	bool is_missed; /* it was missing a moment ago, where the root was there */
};

void folder_free(struct folder *folder)
{
	if (!folder)
		return;
	free(folder->id);
	free(folder->parent);
	free(folder);
}
DEFINE_CLEANUP(struct folder *, folder_free);

/* ---- what is remembered ---- */

static int remember(struct anchor *root, const char *path, const struct wire_file *file,
		    const char *parent)
{
	_cleanup_(folder_freep) struct folder *folder = calloc(1, sizeof(*folder));
	void *old = NULL;
	int r;

	assert(file->id);
	if (!folder)
		return -ENOMEM;
	folder->id = strdup(file->id);
	folder->parent = strdup(parent);
	folder->checked_ms = clock_mono_ms();
	if (!folder->id || !folder->parent)
		return -ENOMEM;
	mutex_lock(&root->lock);
	r = map_put(&root->folders, path, folder, &old);
	if (r == 0)
		folder = NULL;
	mutex_unlock(&root->lock);
	folder_free(old);
	return r;
}

static void forget(struct anchor *root, const char *path)
{
	struct folder *old;

	mutex_lock(&root->lock);
	old = map_remove(&root->folders, path);
	mutex_unlock(&root->lock);
	folder_free(old);
}

/* A copy of its id, or NULL where it is not known; *IS_FRESH where it may be believed. 0 or -ENOMEM. */
static int recall(struct anchor *root, const struct level *level, char **ret,
		  bool *is_fresh)
{
	const struct folder *folder;
	bool is_known;

	*ret = NULL;
	mutex_lock(&root->lock);
	folder = map_get(&root->folders, level->path);
	is_known = folder && strcmp(folder->parent, level->parent) == 0;
	if (is_known) {
		*ret = strdup(folder->id);
		*is_fresh = clock_mono_ms() - folder->checked_ms < level->max_age_ms;
	}
	mutex_unlock(&root->lock);
	return is_known && !*ret ? -ENOMEM : 0;
}

/* What is remembered is still so? 0; PROVIDER_GONE: forgotten. */
static int check(const struct errand *errand, const struct level *level, const char *id)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	int r = find_by_id(errand, id, &file);

	if (r == 0 && wire_is_folder(&file) && file.name && file.parent &&
	    strcmp(file.name, path_name(level->path)) == 0 &&
	    strcmp(file.parent, level->parent) == 0)
		return remember(errand->root, level->path, &file, level->parent);
	if (r == 0 || r == PROVIDER_GONE) {
		forget(errand->root, level->path);
		return PROVIDER_GONE;
	}
	return r;
}

/* That it was missing is believed where it is made, and where an older answer will do. */
static bool was_missing(const struct errand *errand, const struct level *level)
{
	int64_t ms = errand->call->max_age_ms;

	if (level->can_make || ms > MISSED_MS)
		ms = MISSED_MS;
	return absent_is_known(errand, level->path, ms);
}

/* ---- one level ---- */

static int take(const struct errand *errand, const struct level *level,
		const struct wire_file *file, char **ret)
{
	int r = remember(errand->root, level->path, file, level->parent);

	if (r < 0)
		return r;
	*ret = strdup(file->id);
	return *ret ? 0 : -ENOMEM;
}

static int say_missing(const struct errand *errand, const struct level *level)
{
	return errand_say(errand, PROVIDER_GONE, "is not there: there is no folder '%s'",
			  level->path);
}

/* PROVIDER_GONE: nothing has the name. */
static int look(const struct errand *errand, const struct level *level, char **ret)
{
	_cleanup_(wire_list_done) struct wire_list list = { 0 };
	int r = find_by_name(errand, level->parent, path_name(level->path), &list);

	if (r != 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		if (wire_is_folder(&list.files[i]))
			return take(errand, level, &list.files[i], ret);
	}
	if (list.n && level->can_make)
		return errand_say(errand, PROVIDER_REFUSED,
				  "cannot be: '%s' is a file at Drive, no folder",
				  level->path);
	return say_missing(errand, level);
}

static size_t depth_of(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* By one thread after another: the second finds what the first made. */
static int make(const struct errand *errand, const struct level *level, char **ret)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	_cleanup_(freep) char *key = strf("%s/%s", level->parent, path_name(level->path));
	struct claim *claim = NULL;
	bool is_fresh = false, is_new = false;
	int r = key ? claim_take(errand, key, &claim) : -ENOMEM;

	if (r != 0)
		return r;
	r = recall(errand->root, level, ret, &is_fresh);
	if (r == 0 && !*ret)
		r = level->is_missed ? PROVIDER_GONE : look(errand, level, ret);
	if (r == PROVIDER_GONE)
		r = make_folder(errand,
				&(struct make_place){ .parent = level->parent,
						      .name = path_name(level->path),
						      .depth = depth_of(level->path) },
				&file, &is_new);
	if (r == 0 && is_new)
		census_begin(errand, file.id);
	if (r == 0 && !*ret)
		r = take(errand, level, &file, ret);
	claim_drop(errand->drive, claim);
	return r;
}

static int step(const struct errand *errand, struct level *level, char **ret)
{
	_cleanup_(freep) char *id = NULL;
	bool is_fresh = false;
	int r = recall(errand->root, level, &id, &is_fresh);

	if (r == 0 && id && !is_fresh)
		r = check(errand, level, id);
	if (r == 0 && id) {
		*ret = steal(id);
		return 0;
	}
	if (r != 0 && r != PROVIDER_GONE)
		return r;
	level->is_missed = r == 0 && was_missing(errand, level);
	if (level->can_make)
		return make(errand, level, ret);
	return level->is_missed ? say_missing(errand, level) : look(errand, level, ret);
}

/* ---- all levels ---- */

/* The folder PATH is gone only where the root is there: lost is not empty. */
static int check_root(const struct errand *errand, const char *path)
{
	_cleanup_(freep) char *root = NULL;
	struct error said = errand->call->error;
	int r = anchor_find(errand, 0, &root);

	if (r != 0)
		return r;
	absent_note(errand, path);
	errand->call->error = said;
	return PROVIDER_GONE;
}

static int walk(const struct errand *errand, const char *path, int64_t max_age_ms,
		bool can_make, char **ret)
{
	_cleanup_(freep) char *id = NULL, *prefix = NULL;
	bool is_missed = false;
	size_t len = 0;
	int r;

	r = anchor_find(errand, path[0] ? FRESH_MS : max_age_ms, &id);
	while (r == 0 && path[len]) {
		char *next = NULL;
		struct level level = { .parent = id, .can_make = can_make };

		len += strcspn(path + len + (len ? 1 : 0), "/") + (len ? 1 : 0);
		free(prefix);
		prefix = strndup(path, len);
		if (!prefix)
			return -ENOMEM;
		level.path = prefix;
		level.max_age_ms =
			path[len] || max_age_ms > FRESH_MS ? FRESH_MS : max_age_ms;
		r = step(errand, &level, &next);
		is_missed = level.is_missed;
		free(id);
		id = next;
	}
	if (r == PROVIDER_GONE && !is_missed)
		return check_root(errand, prefix ? prefix : "");
	if (r != 0)
		return r;
	*ret = steal(id);
	return 0;
}

int folder_find(const struct errand *errand, const char *path, int64_t max_age_ms,
		char **ret)
{
	return walk(errand, path, max_age_ms, false, ret);
}

int folder_make(const struct errand *errand, const char *path, int64_t max_age_ms,
		char **ret)
{
	return walk(errand, path, max_age_ms, true, ret);
}
