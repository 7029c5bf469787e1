/* Where a file lies. */
#include "providers/gdrive/trail.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/find.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"

#define KEPT_MS 600000
#define KEPT_MAX 100000
#define DEPTH_MAX 110 /* Drive's limit is 100 */
#define ROOT_FRESH_MS 60000

struct trail {
	struct anchor *root; /* NULL: in none */
	char *path;
	int64_t seen_ms;
};

static void free_trail(void *data)
{
	struct trail *trail = data;

	free(trail->path);
	free(trail);
}

void trail_forget(struct drive *drive)
{
	struct map old;

	mutex_lock(&drive->lock);
	old = drive->trails;
	drive->trails = (struct map){ 0 };
	mutex_unlock(&drive->lock);
	map_done(&old, free_trail);
}

/* True where it is remembered; *RET_PATH NULL: in no root, or no memory. */
static bool recall(struct drive *drive, const char *id, struct anchor **ret_root,
		   char **ret_path)
{
	const struct trail *trail;
	bool is_known;

	*ret_path = NULL;
	mutex_lock(&drive->lock);
	trail = map_get(&drive->trails, id);
	is_known = trail && clock_mono_ms() - trail->seen_ms < KEPT_MS;
	if (is_known && trail->root) {
		*ret_root = trail->root;
		*ret_path = strdup(trail->path);
	}
	mutex_unlock(&drive->lock);
	return is_known;
}

int trail_recall(struct drive *drive, const char *folder_id, struct anchor **ret_root,
		 char **ret_path)
{
	recall(drive, folder_id, ret_root, ret_path);
	return *ret_path ? 0 : PROVIDER_GONE;
}

/* What cannot be kept is asked again. */
static void remember(struct drive *drive, const char *id, struct anchor *root,
		     const char *path)
{
	struct trail *trail = calloc(1, sizeof(*trail));
	void *old = NULL;

	if (!trail)
		return;
	trail->root = root;
	trail->path = strdup(path);
	trail->seen_ms = clock_mono_ms();
	mutex_lock(&drive->lock);
	if (!trail->path || map_size(&drive->trails) >= KEPT_MAX ||
	    map_put(&drive->trails, id, trail, &old) < 0)
		old = trail;
	mutex_unlock(&drive->lock);
	if (old)
		free_trail(old);
}

/* The root that is this folder. 0, PROVIDER_GONE, or a site fault: one that is lost says nothing about what lies in it. */
static int find_root(const struct errand *errand, const char *id, struct anchor **ret)
{
	struct drive *drive = errand->drive;

	for (size_t i = 0; i < drive->n_roots; i++) {
		_cleanup_(freep) char *root = NULL;
		struct errand at = *errand;
		int r;

		at.root = &drive->roots[i];
		r = anchor_find(&at, ROOT_FRESH_MS, &root);
		if (r != 0)
			return r;
		if (strcmp(root, id) != 0)
			continue;
		*ret = at.root;
		return 0;
	}
	return PROVIDER_GONE;
}

/* One level up: the folder's own name goes before PATH, and ID becomes its parent's. PROVIDER_GONE: that is the end. */
static int climb(const struct errand *errand, char **id, char **path)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	char *longer;
	int r = find_trashed(errand, *id, &file);

	if (r == PROVIDER_REFUSED)
		return PROVIDER_GONE;
	if (r != 0)
		return r;
	if (!file.parent || !file.name || path_refusal(file.name) ||
	    strchr(file.name, '/'))
		return PROVIDER_GONE;
	longer = (*path)[0] ? strf("%s/%s", file.name, *path) : strdup(file.name);
	if (!longer)
		return -ENOMEM;
	free(*path);
	*path = longer;
	free(*id);
	*id = steal(file.parent);
	return 0;
}

int trail_find(const struct errand *errand, const char *folder_id,
	       struct anchor **ret_root, char **ret_path)
{
	_cleanup_(freep) char *id = strdup(folder_id), *below = strdup("");
	struct anchor *root = NULL;
	int r = id && below ? 0 : -ENOMEM;

	for (int i = 0; r == 0 && i < DEPTH_MAX; i++) {
		_cleanup_(freep) char *above = NULL;

		r = find_root(errand, id, &root);
		if (r == 0) {
			above = strdup("");
		} else if (r == PROVIDER_GONE) {
			if (!recall(errand->drive, id, &root, &above)) {
				r = climb(errand, &id, &below);
				continue;
			}
		}
		if (!above)
			break;
		*ret_path = above[0] && below[0] ? strf("%s/%s", above, below)
						 : strdup(above[0] ? above : below);
		if (!*ret_path)
			return -ENOMEM;
		remember(errand->drive, folder_id, root, *ret_path);
		*ret_root = root;
		return 0;
	}
	if (r != 0 && r != PROVIDER_GONE)
		return r;
	remember(errand->drive, folder_id, NULL, "");
	return PROVIDER_GONE;
}
