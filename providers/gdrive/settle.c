/* Whether others took the names that we took. */
#include "providers/gdrive/settle.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/census.h"
#include "providers/gdrive/find.h"
#include "providers/gdrive/folder.h"
#include "providers/gdrive/item.h"
#include "providers/gdrive/make.h"
#include "sync/base/path.h"

#define NAMES_MAX 100
#define QUERY_MAX 6000 /* bytes; an address ends somewhere beyond 8,000 */
#define FRESH_MS 60000

/* Stores into one folder. */
struct group {
	const struct errand *errands;
	struct provider_settle *stores;
	const char *dir;
	char *folder;
	size_t members[NAMES_MAX], n;
	struct wire_list list; /* all of their names, oldest first */
};

static void group_done(struct group *group)
{
	free(group->folder);
	wire_list_done(&group->list);
}

/* ---- one store ---- */

static int say_conflict(const struct errand *errand)
{
	return errand_say(errand, PROVIDER_EXISTS, "exists with other content");
}

/* Ours is the second of that name: it goes, and the first counts. */
static int give_way(const struct errand *errand, struct provider_settle *store,
		    const struct wire_file *elder)
{
	struct provider_object *object = store->object;
	struct provider_object theirs = { 0 };
	struct digest ours = object->digest;
	int r = make_undo(errand, object->id);

	if (r != 0)
		return errand_say(errand, r > 0 ? PROVIDER_REFUSED : r,
				  "was stored twice at the same time: remove the younger "
				  "twin (%s) there",
				  object->id);
	census_note(errand, elder);
	if (!wire_is_object(elder) || elder->size != object->size ||
	    !digest_equal(&elder->digest, &ours))
		return say_conflict(errand);
	r = item_fill(elder, &theirs);
	if (r != 0)
		return r;
	theirs.digest = ours;
	provider_object_done(object);
	*object = theirs;
	return 0;
}

/* What went into a folder that is in the trash is not there. */
static int move_away(const struct errand *errand, const struct provider_settle *store)
{
	int r = make_undo(errand, store->object->id);

	return r == 0 ? errand_say(errand, PROVIDER_BUSY,
				   "cannot be stored: its folder was moved or removed "
				   "meanwhile")
		      : r;
}

/* The list does not have ours: it lags, or ours is not where it was put. */
static int look_at_ours(const struct group *group, const struct errand *errand,
			const struct provider_settle *store, struct wire_file *ret)
{
	int r = find_trashed(errand, store->object->id, ret);

	if (r == PROVIDER_GONE)
		return errand_say(errand, PROVIDER_BUSY,
				  "was removed from Drive as soon as it was there");
	if (r == 0 &&
	    (ret->is_trashed || !ret->parent || strcmp(ret->parent, group->folder) != 0))
		return move_away(errand, store);
	return r;
}

static int judge(const struct group *group, size_t member)
{
	const struct errand *errand = &group->errands[member];
	struct provider_settle *store = &group->stores[member];
	_cleanup_(wire_file_done) struct wire_file ours = { .size = -1 };
	const struct wire_file *elder = NULL;
	bool is_listed = false;
	int r;

	for (size_t i = 0; i < group->list.n && !is_listed; i++) {
		const struct wire_file *file = &group->list.files[i];

		if (strcmp(file->name, path_name(errand->path)) != 0)
			continue;
		is_listed = strcmp(file->id, store->object->id) == 0;
		if (!elder && !is_listed)
			elder = file;
	}
	if (is_listed)
		return elder ? give_way(errand, store, elder) : 0;
	r = look_at_ours(group, errand, store, &ours);
	if (r != 0 || !elder || find_compare(elder, &ours) > 0)
		return r;
	return give_way(errand, store, elder);
}

/* ---- one folder ---- */

static int by_age(const void *a, const void *b)
{
	return find_compare(a, b);
}

static int list_names(struct group *group)
{
	_cleanup_(buf_done) struct buf query = { 0 };
	int r;

	find_quote(&query, group->folder);
	buf_adds(&query, " in parents and trashed = false and (");
	for (size_t i = 0; i < group->n; i++) {
		buf_adds(&query, i ? " or name = " : "name = ");
		find_quote(&query, path_name(group->errands[group->members[i]].path));
	}
	buf_addc(&query, ')');
	if (query.has_failed)
		return -ENOMEM;
	r = find_query(&group->errands[group->members[0]], query.data, &group->list);
	if (r == 0 && group->list.n > 1)
		qsort(group->list.files, group->list.n, sizeof(*group->list.files),
		      by_age);
	return r;
}

static int settle_group(struct group *group)
{
	const struct errand *first = &group->errands[group->members[0]];
	int r = folder_find(first, group->dir, FRESH_MS, &group->folder);

	/* ours went elsewhere: each is looked at */
	if (r == PROVIDER_GONE) {
		group->folder = strdup("");
		r = group->folder ? 0 : -ENOMEM;
	} else if (r == 0) {
		r = list_names(group);
	}
	for (size_t i = 0; r == 0 && i < group->n; i++) {
		struct provider_settle *store = &group->stores[group->members[i]];

		store->result = judge(group, group->members[i]);
		store->error = first->call->error;
		if (store->result != 0)
			census_forget(first, group->folder);
		if (store->result < 0)
			return store->result;
	}
	return r;
}

/* ---- all ---- */

static bool joins(const struct group *group, const struct errand *errand, size_t *budget)
{
	const struct errand *first = &group->errands[group->members[0]];
	size_t cost = 3 * strlen(path_name(errand->path)) + 16;
	_cleanup_(freep) char *dir = path_parent(errand->path);

	if (group->n == NAMES_MAX || cost > *budget || errand->root != first->root ||
	    !dir || strcmp(dir, group->dir) != 0)
		return false;
	*budget -= cost;
	return true;
}

int settle_stores(const struct errand *errands, struct provider_settle *stores, size_t n)
{
	_cleanup_(freep) bool *is_done = calloc(n, sizeof(*is_done));
	int r = is_done ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && r == 0; i++) {
		_cleanup_(group_done) struct group group = { errands, stores };
		_cleanup_(freep) char *dir = path_parent(errands[i].path);
		size_t budget = QUERY_MAX;

		if (is_done[i])
			continue;
		if (!dir)
			return -ENOMEM;
		group.dir = dir;
		group.members[group.n++] = i;
		for (size_t j = i + 1; j < n; j++) {
			if (is_done[j] || !joins(&group, &errands[j], &budget))
				continue;
			is_done[j] = true;
			group.members[group.n++] = j;
		}
		r = settle_group(&group);
	}
	return r;
}
