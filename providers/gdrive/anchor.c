/* One root folder of a gdrive site. */
#include "providers/gdrive/anchor.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/anchor_path.h"
#include "providers/gdrive/api.h"
#include "providers/gdrive/find.h"
#include "providers/gdrive/folder.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"

#define NEVER_MS (INT64_MIN / 2)

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

/* ---- is it still that one? ---- */

/* The root is what PLACE says, if it is what it was. */
static int settle(const struct errand *errand, struct anchor_place *place)
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
		return anchor_no_root(errand,
				      "is another folder than before: bring the old one "
				      "back, or take this one with --adopt");
	return 0;
}

/* The text of the last one, without what is above it. */
static bool has_name(const struct anchor *root, const char *name)
{
	const char *wanted = path_name(root->path);

	/* the account's own top folder is "My Drive" in its owner's language */
	return strcmp(wanted, name) == 0 || strcmp(root->path, "/" ANCHOR_MY_DRIVE) == 0;
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
		return anchor_no_root(errand,
				      "is gone, or the account is no longer a member");
	if (r == -EINVAL)
		return errand_say(errand, PROVIDER_BUSY,
				  "cannot look at the shared drive: the answer makes no "
				  "sense");
	if (r == 0 && (!file.name || !has_name(errand->root, file.name)))
		return anchor_no_root(errand, "was renamed at Drive");
	return r;
}

static int check_folder(const struct errand *errand, const char *id)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	int r = find_trashed(errand, id, &file);

	if (r == PROVIDER_GONE || (r == 0 && file.is_trashed))
		return anchor_no_root(errand,
				      r ? "is gone, or no longer shared with the account"
					: "is in the trash of Drive");
	if (r == 0 && (!file.name || !has_name(errand->root, file.name)))
		return anchor_no_root(errand, "was renamed at Drive");
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
		return anchor_no_root(
			errand, "does not exist at Drive, or is not shared with the "
				"account: share it, or make it with --create-root");
	r = id ? check_folder(errand, id) : -ENOMEM;
	if (r != 0)
		return r;
	return anchor_no_root(errand,
			      "lies elsewhere at Drive now: it, or a folder above it, "
			      "was moved or renamed");
}

/* Learns what the root is, by name. */
static int look(const struct errand *errand, bool can_create)
{
	_cleanup_(anchor_place_done) struct anchor_place place = { 0 };
	int r = anchor_path_follow(errand, can_create, &place);

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
