/* What became of an object. */
#include "providers/gdrive/trace.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/find.h"
#include "providers/gdrive/folder.h"
#include "sync/base/path.h"

#define DEPTH_MAX 110
#define FRESH_MS 60000

/* The caller has said what it is; who did it and when: by default nothing. */
static int fill(struct provider_trace *ret, enum provider_fate fate, const char *by,
		int64_t when_ns)
{
	char *copy = by ? strdup(by) : NULL;

	if (by && !copy)
		return -ENOMEM;
	*ret = (struct provider_trace){ fate, copy, when_ns / 1000000 };
	return 0;
}

int trace_trashed(const struct errand *errand, const struct wire_file *file,
		  struct wire_file *ret)
{
	_cleanup_(freep) char *id = strdup(file->id);
	int r = id ? 0 : -ENOMEM;

	*ret = (struct wire_file){ .size = -1 };
	for (int i = 0; r == 0 && i < DEPTH_MAX; i++) {
		wire_file_done(ret);
		r = find_traced(errand, id, ret);
		if (r != 0 || ret->is_trashed_itself)
			return r;
		if (!ret->parent || !ret->is_trashed)
			return errand_say(errand, PROVIDER_GONE,
					  "is no longer in the trash of Drive");
		free(id);
		id = strdup(ret->parent);
		r = id ? 0 : -ENOMEM;
	}
	return r == 0 ? errand_say(errand, PROVIDER_GONE, "lies too deep") : r;
}

static int in_trash(const struct errand *errand, const struct wire_file *file,
		    struct provider_trace *ret)
{
	_cleanup_(wire_file_done) struct wire_file at = { .size = -1 };
	int r;

	if (file->is_trashed_itself)
		return fill(ret, FATE_TRASHED, file->trasher, file->trashed_ns);
	/* with a folder above, by whoever trashed that */
	r = trace_trashed(errand, file, &at);
	if (r == 0)
		return fill(ret, FATE_TRASHED, at.trasher, at.trashed_ns);
	return r == PROVIDER_GONE || r == PROVIDER_REFUSED
		       ? fill(ret, FATE_TRASHED, NULL, 0)
		       : r;
}

/* It lies in the folder that its path names, under its name? PROVIDER_GONE: it does not. */
static int check_place(const struct errand *errand, const struct wire_file *file)
{
	_cleanup_(freep) char *dir = path_parent(errand->path), *folder = NULL;
	int r;

	if (!dir)
		return -ENOMEM;
	if (!file->name || !file->parent ||
	    strcmp(file->name, path_name(errand->path)) != 0)
		return PROVIDER_GONE;
	/* what is remembered of a folder that somebody moved is no answer */
	r = folder_find(errand, dir, 0, &folder);
	return r == 0 && strcmp(folder, file->parent) != 0 ? PROVIDER_GONE : r;
}

static int judge(const struct errand *errand, const struct wire_file *file,
		 const char *revision, struct provider_trace *ret)
{
	int r;

	if (file->is_trashed)
		return in_trash(errand, file, ret);
	r = check_place(errand, file);
	if (r == PROVIDER_GONE)
		return fill(ret, FATE_MOVED, file->editor, 0);
	if (r != 0)
		return r;
	if (revision && file->revision && strcmp(file->revision, revision) != 0)
		return fill(ret, FATE_EDITED, file->editor, file->mtime_ns);
	return fill(ret, FATE_NONE, NULL, 0);
}

/* Without an id: what has the name, else the last one that was put into the trash from there. */
static int by_path(const struct errand *errand, const char *revision,
		   struct provider_trace *ret)
{
	_cleanup_(freep) char *dir = path_parent(errand->path), *folder = NULL;
	_cleanup_(wire_list_done) struct wire_list list = { 0 };
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	int r = dir ? folder_find(errand, dir, FRESH_MS, &folder) : -ENOMEM;

	if (r == 0)
		r = find_by_name(errand, folder, path_name(errand->path), &list);
	if (r == 0 && !list.n)
		r = find_in_trash(errand, folder, path_name(errand->path), &list);
	if (r == PROVIDER_GONE || (r == 0 && !list.n))
		return fill(ret, FATE_REMOVED, NULL, 0);
	if (r != 0)
		return r;
	r = find_traced(errand, list.files[list.files[0].is_trashed ? list.n - 1 : 0].id,
			&file);
	if (r == PROVIDER_GONE)
		return fill(ret, FATE_REMOVED, NULL, 0);
	return r == 0 ? judge(errand, &file, revision, ret) : r;
}

int trace_object(const struct errand *errand, const char *id, const char *revision,
		 struct provider_trace *ret)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	int r;

	if (!id)
		return by_path(errand, revision, ret);
	r = find_traced(errand, id, &file);
	if (r == PROVIDER_GONE || r == PROVIDER_REFUSED)
		return fill(ret, FATE_REMOVED, NULL, 0);
	return r == 0 ? judge(errand, &file, revision, ret) : r;
}
