/* Hydration, questions: how far a file is, which ranges of it are here, what is still to come. */
#include <errno.h>

#include "sync/base/buf.h"
#include "sync/hydrate_private.h"

/* What the journal knows of a file that nobody has in hand. */
static int read_rows(struct hydrator *hydrator, int root, const char *rel,
		     struct rangemap *ranges, struct hydrate_state *ret)
{
	_cleanup_(staged_done) struct staged row = { 0 };
	_cleanup_(freep) struct staged_block *blocks = NULL;
	size_t n;
	int r = journal_staged_get(hydrator->setup.journal, root, rel, &row, &blocks, &n);

	for (size_t i = 0; i < n && r == 0; i++)
		r = rangemap_add(ranges, blocks[i].offset,
				 blocks[i].offset + blocks[i].length);
	if (r == 0)
		ret->size = row.size;
	return r;
}

static bool is_active_locked(struct hydrate_file *file)
{
	struct hydrate_work *work;

	for (size_t i = 0; (work = hydrate_work_at(file, i)); i++)
		if (work->call)
			return true;
	return file->phase == HYDRATE_FINISHING;
}

/* Ranges that were read or checked, and those of an earlier run that will be. */
static int read_file(struct hydrator *hydrator, const char *key, struct rangemap *ranges,
		     struct hydrate_state *ret)
{
	struct staging *staging = NULL;
	struct hydrate_file *file;
	int r = JOURNAL_NONE;

	mutex_lock(&hydrator->lock);
	file = map_get(&hydrator->files, key);
	if (file) {
		file->refs++;
		r = rangemap_add_all(ranges, &file->present);
		staging = file->staging;
		ret->is_active = is_active_locked(file);
		ret->size = file->size;
		ret->n_handles = file->n_handles;
	}
	mutex_unlock(&hydrator->lock);
	if (staging && r == 0)
		r = staging_add_kept(staging, ranges);
	if (file && !staging && r == 0)
		r = read_rows(hydrator, file->root, file->rel, ranges, ret);
	if (r == JOURNAL_NONE && (ret->is_active || ret->n_handles))
		r = 0;
	if (file)
		hydrate_unref(file);
	return r;
}

static int read_state(struct hydrator *hydrator, int root, const char *rel,
		      struct rangemap *ranges, struct hydrate_state *ret)
{
	_cleanup_(freep) char *key = strf("%d:%s", root, rel);
	int r;

	if (!key)
		return -ENOMEM;
	r = read_file(hydrator, key, ranges, ret);
	if (r == JOURNAL_NONE)
		r = read_rows(hydrator, root, rel, ranges, ret);
	ret->present = rangemap_total(ranges);
	if (r == 0 && !ret->present && !ret->is_active && !ret->n_handles)
		return JOURNAL_NONE;
	return r;
}

int hydrate_get_state(struct hydrator *hydrator, int root, const char *rel,
		      struct hydrate_state *ret)
{
	_cleanup_(rangemap_done) struct rangemap ranges = { 0 };
	struct hydrate_state state = { 0 };
	int r = read_state(hydrator, root, rel, &ranges, &state);

	if (r == 0)
		*ret = state;
	return r;
}

int hydrate_get_ranges(struct hydrator *hydrator, int root, const char *rel,
		       int64_t **ret, size_t *ret_n)
{
	_cleanup_(rangemap_done) struct rangemap ranges = { 0 };
	struct hydrate_state state = { 0 };
	int64_t *pairs;
	int r = read_state(hydrator, root, rel, &ranges, &state);

	if (r != 0)
		return r;
	pairs = calloc(ranges.n + 1, 2 * sizeof(*pairs));
	if (!pairs)
		return -ENOMEM;
	for (size_t i = 0; i < ranges.n; i++) {
		pairs[2 * i] = ranges.ranges[i].start;
		pairs[2 * i + 1] = ranges.ranges[i].end - ranges.ranges[i].start;
	}
	*ret = pairs;
	*ret_n = ranges.n;
	return 0;
}

bool hydrator_is_at_work(struct hydrator *hydrator)
{
	bool is_at_work;

	mutex_lock(&hydrator->lock);
	is_at_work = hydrator->n_busy > 0;
	mutex_unlock(&hydrator->lock);
	return is_at_work;
}

void hydrate_get_totals(struct hydrator *hydrator, struct hydrate_totals *ret)
{
	struct map_slot *slot;
	size_t pos = 0;

	*ret = (struct hydrate_totals){ 0 };
	mutex_lock(&hydrator->lock);
	while ((slot = map_next(&hydrator->files, &pos))) {
		const struct hydrate_file *file = slot->value;

		if (!hydrate_has_background(file))
			continue;
		ret->files++;
		ret->bytes += file->size - rangemap_total(&file->present);
	}
	ret->bytes_done = hydrator->bytes_done;
	mutex_unlock(&hydrator->lock);
}
