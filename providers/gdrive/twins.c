/* Several things of one name in one folder. */
#include "providers/gdrive/twins.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/find.h"
#include "providers/gdrive/folder.h"
#include "providers/gdrive/make.h"
#include "providers/gdrive/trail.h"
#include "sync/base/log.h"
#include "sync/base/path.h"

/* "beauty.1001.exr" becomes "beauty.1001.twin-1abcdefg.exr". */
static char *other_name(const struct wire_file *file)
{
	const char *dot = strrchr(file->name, '.');
	size_t stem = dot && dot != file->name ? (size_t)(dot - file->name)
					       : strlen(file->name);

	return strf("%.*s.twin-%.8s%s", (int)stem, file->name, file->id,
		    file->name + stem);
}

/* What lies in FROM comes into TO; names that are in both are twins then, found the next time. */
static int bring_together(const struct errand *errand, const struct wire_file *from,
			  const struct wire_file *to)
{
	_cleanup_(wire_list_done) struct wire_list list = { 0 }, rest = { 0 };
	int r = find_each(errand, from->id, &list);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		r = errand_is_canceled(errand)
			    ? -ECANCELED
			    : make_move(errand, list.files[i].id, from->id, to->id);
	/* the last look: somebody may put a file into it right now */
	if (r == 0)
		r = find_each(errand, from->id, &rest);
	for (size_t i = 0; r == 0 && i < rest.n; i++) {
		bool was_moved = false;

		for (size_t j = 0; j < list.n; j++)
			was_moved |= strcmp(rest.files[i].id, list.files[j].id) == 0;
		if (!was_moved)
			return errand_say(errand, PROVIDER_BUSY,
					  "is a folder in which somebody works: its twin "
					  "is left for the next time");
	}
	return r == 0 ? make_trash(errand, from->id) : r;
}

/* Of one that stays and another: the same bytes are known to be. */
static bool is_copy(const struct wire_file *a, const struct wire_file *b)
{
	return wire_is_object(a) && wire_is_object(b) && a->size == b->size &&
	       digest_equal(&a->digest, &b->digest);
}

static int put_right(const struct errand *errand, const struct wire_file *stays,
		     const struct wire_file *twin)
{
	_cleanup_(freep) char *name = NULL;

	if (wire_is_folder(stays) && wire_is_folder(twin))
		return bring_together(errand, twin, stays);
	if (is_copy(stays, twin)) {
		log_info("site '%s': %s is at Drive twice with the same bytes: %s goes "
			 "into the trash",
			 errand->drive->site->name, errand->path, twin->id);
		return make_trash(errand, twin->id);
	}
	name = other_name(twin);
	if (!name)
		return -ENOMEM;
	log_info("site '%s': another file at Drive has the name %s: it becomes '%s'",
		 errand->drive->site->name, errand->path, name);
	return make_name(errand, twin->id, name);
}

int twins_merge(const struct errand *errand, const char *id, int *ret)
{
	_cleanup_(freep) char *dir = path_parent(errand->path), *folder = NULL;
	_cleanup_(wire_list_done) struct wire_list list = { 0 };
	size_t stays = 0;
	int r = dir ? folder_find(errand, dir, 0, &folder) : -ENOMEM;

	*ret = 0;
	if (r == 0)
		r = find_by_name(errand, folder, path_name(errand->path), &list);
	if (r != 0)
		return r;
	if (!list.n)
		return errand_say(errand, PROVIDER_GONE, "is not there");
	for (size_t i = 0; id && i < list.n; i++) {
		if (strcmp(list.files[i].id, id) == 0)
			stays = i;
	}
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		if (i == stays)
			continue;
		r = put_right(errand, &list.files[stays], &list.files[i]);
		*ret += r == 0;
	}
	if (*ret)
		trail_forget(errand->drive);
	return r;
}
