/* A newer publish took a path: truth records, and objects that cannot be its own. */
#include "sync/republish.h"

#include <stdlib.h>
#include <string.h>

#include "sync/bson_id.h"

/* Python prints, and file systems keep, coarse times. */
#define COARSE_NS 2000000000

static bool is_there(const struct index_record *record)
{
	return record->remote.presence == DOC_PRESENT;
}

static bool is_wanted(const struct index_record *record)
{
	return record->remote.presence == DOC_WANTED;
}

static bool is_here(const struct index_record *record)
{
	return record->ours.presence == DOC_PRESENT;
}

struct truth_name *republish_names(const struct index_path *path)
{
	struct truth_name *names = calloc(path->n_records + 1, sizeof(*names));

	for (size_t i = 0; names && i < path->n_records; i++)
		names[i] = (struct truth_name){
			.repre = path->records[i].repre,
			.file = path->records[i].file,
			.is_there = is_there(&path->records[i]),
		};
	return names;
}

int republish_sign(const struct index_path *path, bool is_sent, struct truth *truth)
{
	int r = truth_files_copy(&path->former.files, &truth->before);

	for (size_t i = 0; r == 0 && i < path->n_records; i++) {
		const struct index_record *record = &path->records[i];

		if (is_there(record) ||
		    (is_sent && (is_here(record) || is_wanted(record))))
			r = truth_files_add(&truth->files, record->repre, record->file);
	}
	return r;
}

bool republish_is_signed(const struct index_path *path)
{
	const struct truth_files *files = &path->truth.files;

	for (size_t i = 0; i < path->n_records && files->n < TRUTH_FILES_MAX; i++)
		if (is_there(&path->records[i]) &&
		    !truth_files_have(files, path->records[i].repre,
				      path->records[i].file))
			return false;
	return true;
}

/* When the file was made, by its document's hash; -1: the id's time is all that is known. */
static int64_t made_ns(const struct index_record *record)
{
	int64_t seconds = bson_id_seconds(record->file);

	return seconds >= 0 && record->mtime_ns == seconds * 1000000000
		       ? -1
		       : record->mtime_ns;
}

/* The very object that the publish before had. */
static bool is_untouched(const struct index_path *path, const char *site,
			 const struct provider_object *object)
{
	const struct truth_remote *remote = truth_find_remote(&path->former, site);

	return remote && remote->revision && object->revision &&
	       strcmp(remote->revision, object->revision) == 0;
}

const char *republish_refusal(const struct index_path *path, const char *site,
			      const struct provider_object *object)
{
	bool is_old = is_untouched(path, site, object);
	bool is_other_size = true, is_older = true, has_newer = false;

	if (!path->former.files.n)
		return NULL;
	/* several may name the path: one that the object fits is enough */
	for (size_t i = 0; i < path->n_records; i++) {
		const struct index_record *record = &path->records[i];
		int64_t ns = made_ns(record);

		if (!is_there(record) ||
		    truth_files_have(&path->former.files, record->repre, record->file))
			continue;
		has_newer = true;
		if (record->size_hint <= 0 || record->size_hint == object->size)
			is_other_size = false;
		if (ns < 0 || object->mtime_ns < 0 || object->mtime_ns + COARSE_NS >= ns)
			is_older = false;
	}
	if (has_newer && is_other_size)
		return "the object at the remote has not the size that the newer publish "
		       "tells";
	if (has_newer && is_old && is_older)
		return "the object at the remote is still that of the publish before";
	return NULL;
}
