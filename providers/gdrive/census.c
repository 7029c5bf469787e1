/* What lies in a folder. */
#include "providers/gdrive/census.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/find.h"
#include "providers/gdrive/folder.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"

#define ENTRIES_MAX 50000 /* of one folder: some 10 MiB */

struct entry {
	char *id, *revision;
	int64_t size, mtime_ns;
	struct digest digest;
	unsigned n_twins;
	bool is_object, can_download;
};

/* Guarded by the drive's lock. */
struct census {
	char *folder_id;
	int64_t listed_ms, used_ms;
	struct map names; /* -> struct entry */
	bool is_huge;     /* not kept */
};

static void free_entry(void *data)
{
	struct entry *entry = data;

	if (!entry)
		return;
	free(entry->id);
	free(entry->revision);
	free(entry);
}

static void census_free(struct census *census)
{
	if (!census)
		return;
	map_done(&census->names, free_entry);
	free(census->folder_id);
	free(census);
}
DEFINE_CLEANUP(struct census *, census_free);

void census_free_all(struct drive *drive)
{
	struct census *all[CENSUSES_KEPT];

	mutex_lock(&drive->lock);
	memcpy(all, drive->censuses, sizeof(all));
	memset(drive->censuses, 0, sizeof(drive->censuses));
	mutex_unlock(&drive->lock);
	for (size_t i = 0; i < CENSUSES_KEPT; i++)
		census_free(all[i]);
}

/* ---- entries ---- */

static struct entry *entry_of(const struct wire_file *file)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->id = strdup(file->id);
	entry->revision = file->revision ? strdup(file->revision) : NULL;
	entry->size = file->size;
	entry->mtime_ns = file->mtime_ns;
	entry->digest = file->digest;
	entry->is_object = wire_is_object(file);
	entry->can_download = file->can_download;
	if (entry->id && (entry->revision || !file->revision))
		return entry;
	free_entry(entry);
	return NULL;
}

static int put(struct map *names, const struct wire_file *file)
{
	struct entry *entry = entry_of(file);
	void *old = NULL;
	int r = entry ? map_put(names, file->name, entry, &old) : -ENOMEM;

	if (r < 0)
		free_entry(entry);
	free_entry(old);
	return r;
}

/* As a file that was just looked at. */
static int give(const struct entry *entry, const char *folder_id, const char *name,
		struct there *ret)
{
	struct wire_file *file = &ret->file;

	file->id = strdup(entry->id);
	file->revision = strdup(entry->revision);
	file->parent = strdup(folder_id);
	file->name = strdup(name);
	file->size = entry->size;
	file->mtime_ns = entry->mtime_ns;
	file->digest = entry->digest;
	file->can_download = entry->can_download;
	ret->n_twins = entry->n_twins;
	return file->id && file->revision && file->parent && file->name ? 0 : -ENOMEM;
}

/* ---- those that are kept ---- */

static struct census *get(struct drive *drive, const char *folder_id)
	REQUIRES(&drive->lock)
{
	for (size_t i = 0; i < CENSUSES_KEPT; i++) {
		struct census *census = drive->censuses[i];

		if (census && strcmp(census->folder_id, folder_id) == 0)
			return census;
	}
	return NULL;
}

/* In the place of an older one of the folder, or of the one that was not used for longest, which is returned. */
static struct census *keep(struct drive *drive, struct census *census)
	REQUIRES(&drive->lock)
{
	struct census *old;
	size_t at = 0;

	for (size_t i = 0; i < CENSUSES_KEPT; i++) {
		const struct census *other = drive->censuses[i],
				    *best = drive->censuses[at];

		if (other && strcmp(other->folder_id, census->folder_id) == 0) {
			at = i;
			break;
		}
		if (best && (!other || other->used_ms < best->used_ms))
			at = i;
	}
	old = drive->censuses[at];
	drive->censuses[at] = census;
	return old;
}

static struct census *census_new(const char *folder_id)
{
	struct census *census = calloc(1, sizeof(*census));

	if (!census)
		return NULL;
	census->folder_id = strdup(folder_id);
	census->listed_ms = census->used_ms = clock_mono_ms();
	if (census->folder_id)
		return census;
	free(census);
	return NULL;
}

static void publish(struct drive *drive, struct census *census)
{
	struct census *old;

	mutex_lock(&drive->lock);
	old = keep(drive, census);
	mutex_unlock(&drive->lock);
	census_free(old);
}

void census_begin(const struct errand *errand, const char *folder_id)
{
	struct census *census = census_new(folder_id);

	if (census)
		publish(errand->drive, census);
}

void census_note(const struct errand *errand, const struct wire_file *file)
{
	struct drive *drive = errand->drive;
	struct census *census;

	if (!file->parent || !file->name)
		return;
	mutex_lock(&drive->lock);
	census = get(drive, file->parent);
	/* without memory nothing is known of it */
	if (census && !census->is_huge && put(&census->names, file) < 0)
		census->listed_ms = INT64_MIN / 2;
	mutex_unlock(&drive->lock);
}

void census_forget(const struct errand *errand, const char *folder_id)
{
	struct drive *drive = errand->drive;
	struct census *census;

	mutex_lock(&drive->lock);
	census = get(drive, folder_id);
	if (census)
		census->listed_ms = INT64_MIN / 2;
	mutex_unlock(&drive->lock);
}

/* It is where and what it was: a change of ours, or one that was seen already. */
static bool is_as_found(const struct census *census, const char *id,
			const struct wire_file *file)
{
	const struct entry *entry;
	struct map_slot *slot;
	size_t pos = 0;

	if (file && file->parent && file->name && !file->is_trashed &&
	    strcmp(file->parent, census->folder_id) == 0) {
		entry = map_get(&census->names, file->name);
		return entry && strcmp(entry->id, id) == 0 &&
		       (!entry->is_object ||
			(file->revision && strcmp(entry->revision, file->revision) == 0));
	}
	while ((slot = map_next(&census->names, &pos))) {
		entry = slot->value;
		if (strcmp(entry->id, id) == 0)
			return false;
	}
	return true;
}

void census_heard(struct drive *drive, const char *id, const struct wire_file *file)
{
	mutex_lock(&drive->lock);
	for (size_t i = 0; i < CENSUSES_KEPT; i++) {
		struct census *census = drive->censuses[i];

		if (census && !is_as_found(census, id, file))
			census->listed_ms = INT64_MIN / 2;
	}
	mutex_unlock(&drive->lock);
}

/* ---- listing ---- */

/* Of twins the oldest counts, which comes first. */
static int fill(struct census *census, const struct wire_list *list)
{
	int r = 0;

	for (size_t i = 0; i < list->n && r == 0; i++) {
		struct entry *known = map_get(&census->names, list->files[i].name);

		if (known)
			known->n_twins++;
		else
			r = put(&census->names, &list->files[i]);
	}
	return r;
}

/* Empty, or is the folder there no more? */
static int check_empty(const struct errand *errand, const char *folder_id)
{
	_cleanup_(freep) char *dir = path_parent(errand->path);
	_cleanup_(freep) char *now = NULL;
	int r;

	if (!dir)
		return -ENOMEM;
	r = folder_find(errand, dir, 0, &now);
	if (r == PROVIDER_GONE || (r == 0 && strcmp(now, folder_id) != 0))
		return errand_say(errand, PROVIDER_BUSY,
				  "cannot be looked for: its folder was moved or removed "
				  "meanwhile");
	return r;
}

static int take(const struct errand *errand, const char *folder_id)
{
	_cleanup_(wire_list_done) struct wire_list list = { 0 };
	_cleanup_(census_freep) struct census *census = census_new(folder_id);
	int r;

	if (!census)
		return -ENOMEM;
	r = find_some(errand, folder_id, ENTRIES_MAX, &list);
	if (r == -E2BIG)
		census->is_huge = true;
	else if (r == 0)
		r = list.n ? fill(census, &list) : check_empty(errand, folder_id);
	if (r != 0 && r != -E2BIG)
		return r;
	publish(errand->drive, steal(census));
	return 0;
}

/* ---- asking ---- */

/* False where nothing recent is known. */
static bool recall(const struct errand *errand, const char *folder_id, bool *ret_is_known,
		   struct there *ret, int *ret_r)
{
	const char *name = path_name(errand->path);
	int64_t now_ms = clock_mono_ms();
	struct drive *drive = errand->drive;
	const struct entry *entry;
	struct census *census;
	bool is_recent;

	mutex_lock(&drive->lock);
	census = get(drive, folder_id);
	is_recent = census && now_ms - census->listed_ms <= errand->call->max_age_ms;
	if (is_recent) {
		census->used_ms = now_ms;
		entry = map_get(&census->names, name);
		*ret_is_known = !census->is_huge && (!entry || entry->is_object);
		if (*ret_is_known && entry)
			*ret_r = give(entry, folder_id, name, ret);
	}
	mutex_unlock(&drive->lock);
	return is_recent;
}

int census_ask(const struct errand *errand, const char *folder_id, bool *ret_is_known,
	       struct there *ret)
{
	_cleanup_(freep) char *key = NULL;
	struct claim *claim = NULL;
	int r = 0;

	*ret = (struct there){ .file.size = -1 };
	*ret_is_known = false;
	if (!errand->call->max_age_ms || recall(errand, folder_id, ret_is_known, ret, &r))
		return r;
	key = strf("list %s", folder_id);
	r = key ? claim_take(errand, key, &claim) : -ENOMEM;
	if (r != 0)
		return r;
	if (!recall(errand, folder_id, ret_is_known, ret, &r)) {
		r = take(errand, folder_id);
		if (r == 0)
			recall(errand, folder_id, ret_is_known, ret, &r);
	}
	claim_drop(errand->drive, claim);
	return r;
}
