/* Following the path of a root at Drive, name by name. */
#include "providers/gdrive/anchor_path.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/anchor.h"
#include "providers/gdrive/api.h"
#include "providers/gdrive/find.h"
#include "providers/gdrive/make.h"
#include "sync/base/path.h"

void anchor_place_done(struct anchor_place *place)
{
	free(place->id);
	free(place->drive_id);
}

int anchor_no_root(const struct errand *errand, const char *why)
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
static int take_place(const struct wire_file *file, struct anchor_place *place)
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
static int step_down(const struct errand *errand, const char *name,
		     struct anchor_place *place)
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

static int make_level(const struct errand *errand, const char *name,
		      struct anchor_place *place)
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
static int enter_top(const struct errand *errand, const char *name,
		     struct anchor_place *ret)
{
	int n, r;

	if (strcmp(name, ANCHOR_MY_DRIVE) == 0)
		return 0;
	r = find_drive(errand, name, &ret->id, &n);
	if (r != 0)
		return r;
	if (n != 1)
		return anchor_no_root(
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
static int enter_own(const struct errand *errand, struct anchor_place *ret)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	int r = find_trashed(errand, "root", &file);

	return r == 0 ? take_place(&file, ret) : r;
}

int anchor_path_follow(const struct errand *errand, bool can_create,
		       struct anchor_place *ret)
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
