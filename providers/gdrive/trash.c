/* Taking objects out of Drive's trash. */
#include "providers/gdrive/trash.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/find.h"
#include "providers/gdrive/folder.h"
#include "providers/gdrive/item.h"
#include "providers/gdrive/make.h"
#include "providers/gdrive/trace.h"
#include "sync/base/path.h"

static bool is_wanted(const struct wire_file *file, const struct provider_object *wanted)
{
	return wire_is_object(file) && (wanted->size < 0 || file->size == wanted->size) &&
	       !digest_differs(&file->digest, &wanted->digest);
}

/* It may be found by id, else by the folder's trash, the last one first. PROVIDER_GONE. */
static int find(const struct errand *errand, const char *id,
		const struct provider_object *wanted, struct wire_file *ret)
{
	_cleanup_(freep) char *dir = path_parent(errand->path), *folder = NULL;
	_cleanup_(wire_list_done) struct wire_list list = { 0 };
	int r = id ? find_traced(errand, id, ret) : PROVIDER_GONE;

	if (r == 0 && is_wanted(ret, wanted))
		return 0;
	if (r != 0 && r != PROVIDER_GONE && r != PROVIDER_REFUSED)
		return r;
	wire_file_done(ret);
	r = dir ? folder_find(errand, dir, 0, &folder) : -ENOMEM;
	if (r == 0)
		r = find_in_trash(errand, folder, path_name(errand->path), &list);
	for (size_t i = list.n; r == 0 && i > 0; i--) {
		if (is_wanted(&list.files[i - 1], wanted))
			return find_traced(errand, list.files[i - 1].id, ret);
	}
	return r == 0 ? errand_say(errand, PROVIDER_GONE,
				   "is not in the trash of Drive with the right bytes")
		      : r;
}

/* Nothing else took the name meanwhile. A folder that is gone with it has no names. */
static int check_name(const struct errand *errand, const char *id)
{
	_cleanup_(freep) char *dir = path_parent(errand->path), *folder = NULL;
	_cleanup_(wire_list_done) struct wire_list list = { 0 };
	int r = dir ? folder_find(errand, dir, 0, &folder) : -ENOMEM;

	if (r == 0)
		r = find_by_name(errand, folder, path_name(errand->path), &list);
	if (r != 0)
		return r == PROVIDER_GONE ? 0 : r;
	for (size_t i = 0; i < list.n; i++) {
		if (strcmp(list.files[i].id, id) != 0)
			return errand_say(errand, PROVIDER_EXISTS,
					  "is in the trash, but something else has the "
					  "name at Drive by now");
	}
	return 0;
}

int trash_restore(const struct errand *errand, const char *id,
		  const struct provider_object *wanted, struct provider_object *ret)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	_cleanup_(wire_file_done) struct wire_file at = { .size = -1 };
	_cleanup_(wire_file_done) struct wire_file now = { .size = -1 };
	int r = find(errand, id, wanted, &file);

	if (r == 0 && file.is_trashed) {
		r = check_name(errand, file.id);
		if (r == 0)
			r = trace_trashed(errand, &file, &at);
		if (r == 0)
			r = make_untrash(errand, at.id);
	}
	if (r == 0)
		r = find_by_id(errand, file.id, &now);
	if (r == 0 && !is_wanted(&now, wanted))
		return errand_say(errand, PROVIDER_CHANGED,
				  "was changed while it was taken out of the trash");
	return r == 0 ? item_fill(&now, ret) : r;
}
