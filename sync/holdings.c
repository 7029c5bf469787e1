/* What a site holds that no entry of its own says. */
#include "sync/holdings.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sync/base/hash_set.h"

/* Of one representation, sorted. */
struct row {
	size_t n;
	uint64_t hashes[];
};

static uint64_t hash_of(const char *file)
{
	return XXH3_64bits(file, strlen(file));
}

int holdings_key(struct buf *ret, const char *project, const char *repre)
{
	buf_add(ret, project, strlen(project) + 1);
	buf_add(ret, repre, strlen(repre) + 1);
	return ret->has_failed ? -ENOMEM : 0;
}

const char *holdings_key_repre(const char *key)
{
	return key + strlen(key) + 1;
}

void holdings_done(struct holdings *holdings)
{
	map_done(&holdings->rows, free);
}

static struct row *make_row(const struct holding *holding)
{
	struct row *row =
		malloc(sizeof(*row) + holding->n_files * sizeof(row->hashes[0]));

	if (!row)
		return NULL;
	for (size_t i = 0; i < holding->n_files; i++)
		row->hashes[i] = hash_of(holding->files[i]);
	row->n = hashes_sort(row->hashes, holding->n_files);
	return row;
}

int holdings_put(struct holdings *holdings, const struct holding *holding)
{
	_cleanup_(buf_done) struct buf key = { 0 };
	struct row *row;
	void *old = NULL;

	if (holdings_key(&key, holding->project, holding->repre) < 0)
		return -ENOMEM;
	if (!holding->n_files) {
		free(map_remove_n(&holdings->rows, key.data, key.len));
		return 0;
	}
	row = make_row(holding);
	if (!row || map_put_n(&holdings->rows, key.data, key.len, row, &old) < 0) {
		free(row);
		return -ENOMEM;
	}
	free(old);
	return 0;
}

static const struct row *find_row(const struct holdings *holdings, const char *project,
				  const char *repre)
{
	_cleanup_(buf_done) struct buf key = { 0 };

	if (!map_size(&holdings->rows) || holdings_key(&key, project, repre) < 0)
		return NULL;
	return map_get_n(&holdings->rows, key.data, key.len);
}

bool holdings_have(const struct holdings *holdings, const char *project,
		   const char *repre, const char *file)
{
	const struct row *row = find_row(holdings, project, repre);

	return row && (!file || hashes_have(row->hashes, row->n, hash_of(file)));
}

static bool is_same(const struct row *a, const struct row *b)
{
	return a && b && a->n == b->n &&
	       memcmp(a->hashes, b->hashes, a->n * sizeof(a->hashes[0])) == 0;
}

bool holdings_are(const struct holdings *holdings, const struct holding *holding)
{
	const struct row *row = find_row(holdings, holding->project, holding->repre);
	_cleanup_(freep) struct row *wanted = NULL;

	if (!row || !holding->n_files)
		return !row && !holding->n_files;
	wanted = make_row(holding);
	return is_same(row, wanted);
}

/* Those of A that are others in B, or (ONLY_MISSING) are not in B at all. */
static int compare(const struct holdings *a, const struct holdings *b, bool only_missing,
		   holdings_fn *fn, void *context)
{
	struct map_slot *slot;
	size_t pos = 0;
	int r = 0;

	while (r == 0 && (slot = map_next(&a->rows, &pos))) {
		const struct row *other = map_get_n(&b->rows, slot->key, slot->len);

		if (only_missing ? !other : !is_same(slot->value, other))
			r = fn(context, slot->key, holdings_key_repre(slot->key));
	}
	return r;
}

int holdings_compare(const struct holdings *a, const struct holdings *b, holdings_fn *fn,
		     void *context)
{
	int r = compare(a, b, false, fn, context);

	return r ? r : compare(b, a, true, fn, context);
}
