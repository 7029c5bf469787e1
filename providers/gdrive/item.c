/* One object of a gdrive site. */
#include "providers/gdrive/item.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/census.h"
#include "providers/gdrive/find.h"
#include "providers/gdrive/folder.h"
#include "sync/base/log.h"
#include "sync/base/path.h"

#define FRESH_MS 60000

void there_done(struct there *there)
{
	wire_file_done(&there->file);
}

static int no_object(const struct errand *errand, const struct wire_file *file)
{
	if (wire_is_folder(file))
		return errand_say(errand, PROVIDER_GONE, "is a folder, no file");
	return errand_say(errand, PROVIDER_GONE,
			  "is no file with bytes, but a document of Google's or a "
			  "shortcut (%s)",
			  file->mime ? file->mime : "of unknown type");
}

static int find_in(const struct errand *errand, const char *folder_id,
		   struct wire_file *ret)
{
	_cleanup_(wire_list_done) struct wire_list list = { 0 };
	int r = find_by_name(errand, folder_id, path_name(errand->path), &list);

	if (r != 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		if (!wire_is_object(&list.files[i]))
			continue;
		*ret = list.files[i];
		list.files[i] = (struct wire_file){ .size = -1 };
		return 0;
	}
	if (list.n)
		return no_object(errand, &list.files[0]);
	return errand_say(errand, PROVIDER_GONE, "is not there");
}

static int find_by_path(const struct errand *errand, struct wire_file *ret)
{
	_cleanup_(freep) char *dir = path_parent(errand->path);
	_cleanup_(freep) char *folder = NULL, *again = NULL;
	int r;

	if (!dir)
		return -ENOMEM;
	r = folder_find(errand, dir, FRESH_MS, &folder);
	if (r == 0)
		r = find_in(errand, folder, ret);
	if (r != PROVIDER_GONE || !folder)
		return r;
	/* nothing in a folder that somebody took away is no answer */
	r = folder_find(errand, dir, 0, &again);
	if (r == 0 && strcmp(folder, again) != 0)
		return find_in(errand, again, ret);
	return r == 0 ? errand_say(errand, PROVIDER_GONE, "is not there") : r;
}

int item_find(const struct errand *errand, const char *id, struct wire_file *ret)
{
	int r = PROVIDER_GONE;

	*ret = (struct wire_file){ .size = -1 };
	if (id)
		r = find_by_id(errand, id, ret);
	if (r == 0 && wire_is_object(ret))
		return 0;
	wire_file_done(ret);
	return r == 0 || r == PROVIDER_GONE || r == PROVIDER_REFUSED
		       ? find_by_path(errand, ret)
		       : r;
}

int item_recall(const struct errand *errand, const char *id, bool *ret_is_known,
		struct wire_file *ret)
{
	_cleanup_(freep) char *dir = path_parent(errand->path);
	_cleanup_(there_done) struct there there = { .file.size = -1 };
	_cleanup_(freep) char *folder = NULL;
	int r;

	*ret = (struct wire_file){ .size = -1 };
	*ret_is_known = false;
	if (!errand->call->max_age_ms)
		return 0;
	if (!dir)
		return -ENOMEM;
	r = folder_find(errand, dir, FRESH_MS, &folder);
	if (r == 0)
		r = census_ask(errand, folder, ret_is_known, &there);
	if (r != 0 || !*ret_is_known)
		return r;
	if (!there.file.id && !id)
		return errand_say(errand, PROVIDER_GONE, "is not there");
	/* it may have moved */
	if (!there.file.id || (id && strcmp(id, there.file.id) != 0)) {
		*ret_is_known = false;
		return 0;
	}
	*ret = there.file;
	there.file = (struct wire_file){ .size = -1 };
	return 0;
}

/* The hint leads to an object that has the name, in the folder. */
static int look_at_hint(const struct errand *errand, const char *folder_id,
			const char *hint, struct there *ret)
{
	struct wire_file *file = &ret->file;
	int r = find_by_id(errand, hint, file);

	if (r == 0 && wire_is_object(file) && file->name && file->parent &&
	    strcmp(file->name, path_name(errand->path)) == 0 &&
	    strcmp(file->parent, folder_id) == 0)
		return 0;
	wire_file_done(file);
	return r == 0 || r == PROVIDER_REFUSED ? PROVIDER_GONE : r;
}

int item_look(const struct errand *errand, const char *folder_id, const char *hint,
	      struct there *ret)
{
	_cleanup_(wire_list_done) struct wire_list list = { 0 };
	int r = PROVIDER_GONE;

	*ret = (struct there){ .file.size = -1 };
	if (hint)
		r = look_at_hint(errand, folder_id, hint, ret);
	if (r != PROVIDER_GONE)
		return r;
	r = find_by_name(errand, folder_id, path_name(errand->path), &list);
	if (r != 0 || !list.n)
		return r;
	if (!wire_is_object(&list.files[0]))
		return errand_say(errand, PROVIDER_REFUSED,
				  "is a folder, a document or a shortcut at Drive");
	if (list.n > 1)
		log_warning("site '%s': %zu files at Drive have the name %s: the oldest "
			    "counts (%s)",
			    errand->drive->site->name, list.n, errand->path,
			    list.files[0].id);
	ret->file = list.files[0];
	ret->n_twins = list.n - 1;
	list.files[0] = (struct wire_file){ .size = -1 };
	return 0;
}

int item_check(const struct errand *errand, const struct wire_file *file,
	       const char *revision)
{
	if (!revision || strcmp(file->revision, revision) == 0)
		return 0;
	return errand_say(errand, PROVIDER_CHANGED,
			  "is another revision at Drive than was expected");
}

int item_fill(const struct wire_file *file, struct provider_object *ret)
{
	struct provider_object object = { .size = file->size,
					  .mtime_ns = file->mtime_ns,
					  .digest = file->digest,
					  .n_twins = file->n_twins };

	object.id = strdup(file->id);
	object.revision = strdup(file->revision);
	object.document_id = strdup(file->id);
	if (!object.id || !object.revision || !object.document_id) {
		provider_object_done(&object);
		return -ENOMEM;
	}
	*ret = object;
	return 0;
}
