/* One root folder of a gdrive site. */
#include "providers/gdrive/anchor.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/api.h"
#include "providers/gdrive/find.h"
#include "providers/gdrive/folder.h"
#include "providers/gdrive/make.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"

#define MY_DRIVE "My Drive"
#define NEVER_MS (INT64_MIN / 2)

/* What a name leads to. */
struct place {
	char *id, *drive_id;
	bool is_drive, can_add;
};

static void place_done(struct place *place)
{
	free(place->id);
	free(place->drive_id);
}

void anchor_init(struct anchor *root, const struct config_root *config)
{
	root->name = config->name;
	root->path = config->path;
	mutex_init(&root->lock);
}

static void free_folder(void *folder)
{
	folder_free(folder);
}

void anchor_done(struct anchor *root)
{
	mutex_lock(&root->lock);
	free(root->id);
	free(root->expected);
	free(root->drive_id);
	map_done(&root->folders, free_folder);
	mutex_unlock(&root->lock);
	mutex_done(&root->lock);
}

static int no_root(const struct errand *errand, const char *why)
{
	return errand_say(errand, PROVIDER_NO_ROOT, "(the root %s of the site) %s",
			  errand->root->path, why);
}

/* ---- shared drives ---- */

static int load_drives(const struct errand *errand, const char *page,
		       struct wire_drives *ret)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(buf_done) struct buf target = { 0 };
	int r;

	buf_adds(&target, "/drive/v3/drives?pageSize=100&fields=nextPageToken,"
			  "drives(id,name)");
	if (page) {
		buf_adds(&target, "&pageToken=");
		http_escape(&target, page);
	}
	if (target.has_failed)
		return -ENOMEM;
	r = api_get(errand, target.data, UNITS_LIST, "list the shared drives", &answer);
	if (r == 0)
		r = wire_parse_drives(buf_str(&answer.http.body), answer.http.body.len,
				      ret);
	if (r == -EINVAL)
		return errand_say(errand, PROVIDER_BUSY,
				  "cannot list the shared drives: the answer makes no "
				  "sense");
	return r;
}

/* The ids of those of that name go to RET, the first, and *N, how many. */
static int find_drive(const struct errand *errand, const char *name, char **ret, int *n)
{
	_cleanup_(freep) char *page = NULL;
	int r = 0;

	*n = 0;
	do {
		struct wire_drives drives = { 0 };

		r = load_drives(errand, page, &drives);
		for (size_t i = 0; r == 0 && i < drives.n; i++) {
			if (strcmp(drives.names[i], name) != 0)
				continue;
			if (++*n == 1)
				*ret = steal(drives.ids[i]);
		}
		free(page);
		page = steal(drives.next);
		wire_drives_done(&drives);
	} while (r == 0 && page);
	return r;
}

/* ---- by name ---- */

/* Folders of that name: in the top folder PARENT, or (NULL) shared with the account. Appended to RET. */
static int find_candidates(const struct errand *errand, const char *parent,
			   const char *name, struct wire_list *ret)
{
	_cleanup_(buf_done) struct buf query = { 0 };

	buf_adds(&query, "name = ");
	find_quote(&query, name);
	if (parent) {
		buf_adds(&query, " and ");
		find_quote(&query, parent);
		buf_adds(&query, " in parents");
	} else {
		buf_adds(&query, " and sharedWithMe = true");
	}
	buf_adds(&query, " and mimeType = '" WIRE_FOLDER "' and trashed = false");
	if (query.has_failed)
		return -ENOMEM;
	return find_query(errand, query.data, ret);
}

/* The one of that exact name in both lists; two of different ids are none. */
static int choose(const struct errand *errand, const struct wire_list lists[2],
		  const char *name, const struct wire_file **ret)
{
	const struct wire_file *found = NULL;

	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < lists[i].n; j++) {
			const struct wire_file *file = &lists[i].files[j];

			if (strcmp(file->name, name) != 0 || !wire_is_folder(file) ||
			    (found && strcmp(found->id, file->id) == 0))
				continue;
			if (found)
				return errand_say(
					errand, PROVIDER_NO_ROOT,
					"two folders may be the root %s: %s and "
					"%s: rename one",
					errand->root->path, found->id, file->id);
			found = file;
		}
	}
	*ret = found;
	return 0;
}

/* PLACE moves on to FILE; the drive stays. */
static int take_place(const struct wire_file *file, struct place *place)
{
	char *id = strdup(file->id);

	if (!id)
		return -ENOMEM;
	free(place->id);
	place->id = id;
	place->can_add = file->can_add;
	place->is_drive = false;
	return 0;
}

/* One level down from PLACE (its id NULL: the account's own drive). PROVIDER_GONE. */
static int step_down(const struct errand *errand, const char *name, struct place *place)
{
	bool is_top = !place->id;
	_cleanup_(wire_list_done) struct wire_list own = { 0 }, shared = { 0 };
	const struct wire_file *file = NULL;
	int r = find_candidates(errand, is_top ? "root" : place->id, name, &own);

	if (r == 0 && is_top)
		r = find_candidates(errand, NULL, name, &shared);
	if (r == 0)
		r = choose(errand, (struct wire_list[]){ own, shared }, name, &file);
	if (r != 0)
		return r;
	if (!file)
		return PROVIDER_GONE;
	return take_place(file, place);
}

static int make_level(const struct errand *errand, const char *name, struct place *place)
{
	_cleanup_(wire_file_done) struct wire_file file = { 0 };
	bool is_new;
	/* it has no ids: nothing of a root is reserved */
	int r = make_folder(
		errand,
		&(struct make_place){ .parent = place->id ? place->id : "root",
				      .name = name },
		&file, &is_new);

	return r == 0 ? take_place(&file, place) : r;
}

static void note_drive(struct anchor *root, const char *drive_id)
{
	char *copy = drive_id ? strdup(drive_id) : NULL, *old;

	mutex_lock(&root->lock);
	old = root->drive_id;
	root->drive_id = copy;
	mutex_unlock(&root->lock);
	free(old);
}

/* The top of the path: a shared drive, or (an empty place) the account's own. */
static int enter_top(const struct errand *errand, const char *name, struct place *ret)
{
	int n, r;

	if (strcmp(name, MY_DRIVE) == 0)
		return 0;
	r = find_drive(errand, name, &ret->id, &n);
	if (r != 0)
		return r;
	if (n != 1)
		return no_root(
			errand,
			n ? "is ambiguous: two shared drives have that name: "
			    "rename one"
			  : "leads to no shared drive that the account is a member "
			    "of: check its name, and add the account to it");
	ret->drive_id = strdup(ret->id);
	ret->is_drive = true;
	ret->can_add = true;
	if (!ret->drive_id)
		return -ENOMEM;
	note_drive(errand->root, ret->drive_id);
	return 0;
}

/* The account's own drive as a whole. */
static int enter_own(const struct errand *errand, struct place *ret)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	int r = find_trashed(errand, "root", &file);

	return r == 0 ? take_place(&file, ret) : r;
}

/* Follows the path of the configuration. PROVIDER_GONE. */
static int resolve(const struct errand *errand, bool can_create, struct place *ret)
{
	_cleanup_(freep) char *path = NULL;
	char *rest, *name;
	int r = path_normalise(errand->root->path, &path);

	if (r < 0)
		return r;
	rest = path;
	name = strsep(&rest, "/");
	r = enter_top(errand, name, ret);
	if (r == 0 && !rest && !ret->id)
		return enter_own(errand, ret);
	while (r == 0 && (name = strsep(&rest, "/"))) {
		r = step_down(errand, name, ret);
		if (r == PROVIDER_GONE && can_create)
			r = make_level(errand, name, ret);
	}
	return r;
}

/* ---- is it still that one? ---- */

/* The root is what PLACE says, if it is what it was. */
static int settle(const struct errand *errand, struct place *place)
{
	struct anchor *root = errand->root;
	const char *known;
	bool is_other;

	mutex_lock(&root->lock);
	known = root->id ? root->id : root->expected;
	is_other = known && strcmp(known, place->id) != 0;
	if (!is_other) {
		if (!root->id)
			root->id = steal(place->id);
		free(root->drive_id);
		root->drive_id = steal(place->drive_id);
		root->is_drive = place->is_drive;
		root->can_add = place->can_add;
		root->checked_ms = clock_mono_ms();
	}
	mutex_unlock(&root->lock);
	if (is_other)
		return no_root(errand, "is another folder than before: bring the old one "
				       "back, or take this one with --adopt");
	return 0;
}

/* The text of the last one, without what is above it. */
static bool has_name(const struct anchor *root, const char *name)
{
	const char *wanted = path_name(root->path);

	/* the account's own top folder is "My Drive" in its owner's language */
	return strcmp(wanted, name) == 0 || strcmp(root->path, "/" MY_DRIVE) == 0;
}

static int check_drive(const struct errand *errand, const char *id)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	_cleanup_(freep) char *target = strf("/drive/v3/drives/%s?fields=id,name", id);
	int r;

	if (!target)
		return -ENOMEM;
	r = api_get(errand, target, UNITS_GET, "look at the shared drive", &answer);
	if (r == 0)
		r = wire_parse_file(buf_str(&answer.http.body), answer.http.body.len,
				    &file);
	if (r == PROVIDER_GONE || r == PROVIDER_REFUSED)
		return no_root(errand, "is gone, or the account is no longer a member");
	if (r == -EINVAL)
		return errand_say(errand, PROVIDER_BUSY,
				  "cannot look at the shared drive: the answer makes no "
				  "sense");
	if (r == 0 && (!file.name || !has_name(errand->root, file.name)))
		return no_root(errand, "was renamed at Drive");
	return r;
}

static int check_folder(const struct errand *errand, const char *id)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	int r = find_trashed(errand, id, &file);

	if (r == PROVIDER_GONE || (r == 0 && file.is_trashed))
		return no_root(errand, r ? "is gone, or no longer shared with the account"
					 : "is in the trash of Drive");
	if (r == 0 && (!file.name || !has_name(errand->root, file.name)))
		return no_root(errand, "was renamed at Drive");
	if (r != 0)
		return r;
	mutex_lock(&errand->root->lock);
	errand->root->can_add = file.can_add;
	mutex_unlock(&errand->root->lock);
	return 0;
}

/* Its path leads nowhere: what became of the one that was there. */
static int look_for_lost(const struct errand *errand)
{
	struct anchor *root = errand->root;
	_cleanup_(freep) char *id = NULL;
	bool was_known;
	int r;

	mutex_lock(&root->lock);
	was_known = root->id || root->expected;
	if (was_known)
		id = strdup(root->id ? root->id : root->expected);
	mutex_unlock(&root->lock);
	if (!was_known)
		return no_root(errand,
			       "does not exist at Drive, or is not shared with the "
			       "account: share it, or make it with --create-root");
	r = id ? check_folder(errand, id) : -ENOMEM;
	if (r != 0)
		return r;
	return no_root(errand, "lies elsewhere at Drive now: it, or a folder above it, "
			       "was moved or renamed");
}

/* Learns what the root is, by name. */
static int look(const struct errand *errand, bool can_create)
{
	_cleanup_(place_done) struct place place = { 0 };
	int r = resolve(errand, can_create, &place);

	if (r == PROVIDER_GONE)
		return look_for_lost(errand);
	return r == 0 ? settle(errand, &place) : r;
}

int anchor_find(const struct errand *errand, int64_t max_age_ms, char **ret_id)
{
	struct anchor *root = errand->root;
	_cleanup_(freep) char *id = NULL;
	bool is_fresh = false, is_known, is_drive;
	int r = 0;

	mutex_lock(&root->lock);
	is_known = root->id;
	is_drive = root->is_drive;
	if (is_known) {
		id = strdup(root->id);
		is_fresh = clock_mono_ms() - root->checked_ms < max_age_ms;
	}
	mutex_unlock(&root->lock);
	if (is_known && !id)
		return -ENOMEM;
	if (!is_known) {
		r = look(errand, false);
		if (r == 0)
			return anchor_find(errand, INT64_MAX, ret_id);
	} else if (!is_fresh) {
		r = is_drive ? check_drive(errand, id) : check_folder(errand, id);
	}
	if (!is_fresh && (r == 0 || r == PROVIDER_NO_ROOT)) {
		mutex_lock(&root->lock);
		root->checked_ms = r == 0 ? clock_mono_ms() : NEVER_MS;
		mutex_unlock(&root->lock);
	}
	if (r != 0)
		return r;
	*ret_id = steal(id);
	return 0;
}

/* ---- for everybody ---- */

void anchor_doubt(struct anchor *root, const char *id)
{
	mutex_lock(&root->lock);
	if (root->id && strcmp(root->id, id) == 0)
		root->checked_ms = NEVER_MS;
	mutex_unlock(&root->lock);
}

int anchor_probe(const struct errand *errand, bool can_create)
{
	struct anchor *root = errand->root;
	bool is_known;

	mutex_lock(&root->lock);
	is_known = root->id || root->expected;
	mutex_unlock(&root->lock);
	/* one that is lost is brought back, not made anew */
	return look(errand, can_create && !is_known);
}

char *anchor_corpora(struct anchor *root)
{
	char *text;

	mutex_lock(&root->lock);
	text = root->drive_id ? strf("corpora=drive&driveId=%s", root->drive_id)
			      : strdup("corpora=user");
	mutex_unlock(&root->lock);
	return text;
}

int anchor_drive(struct anchor *root, char **ret)
{
	bool is_shared;

	mutex_lock(&root->lock);
	is_shared = root->drive_id;
	*ret = is_shared ? strdup(root->drive_id) : NULL;
	mutex_unlock(&root->lock);
	return is_shared && !*ret ? -ENOMEM : 0;
}

bool anchor_is_shared(struct anchor *root)
{
	bool is_shared;

	mutex_lock(&root->lock);
	is_shared = root->drive_id;
	mutex_unlock(&root->lock);
	return is_shared;
}

bool anchor_can_add(struct anchor *root)
{
	bool can_add;

	mutex_lock(&root->lock);
	can_add = root->can_add;
	mutex_unlock(&root->lock);
	return can_add;
}

int anchor_identity(struct anchor *root, char **ret)
{
	char *copy = NULL;
	bool is_known;

	mutex_lock(&root->lock);
	is_known = root->id;
	if (is_known)
		copy = strdup(root->id);
	mutex_unlock(&root->lock);
	if (!is_known)
		return -ENOENT;
	*ret = copy;
	return copy ? 0 : -ENOMEM;
}

int anchor_expect(struct anchor *root, const char *identity)
{
	char *copy = strdup(identity), *old;

	if (!copy)
		return -ENOMEM;
	mutex_lock(&root->lock);
	old = root->expected;
	root->expected = copy;
	mutex_unlock(&root->lock);
	free(old);
	return 0;
}
