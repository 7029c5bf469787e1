/* How many published files are in which state. */
#include "sync/tally.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

void tally_init(struct tally *tally)
{
	mutex_init(&tally->lock);
}

void tally_done(struct tally *tally)
{
	map_done(&tally->map, NULL);
	mutex_done(&tally->lock);
}

static uint64_t hash_of(int root, const char *rel)
{
	return XXH3_64bits_withSeed(rel, strlen(rel), (uint64_t)root);
}

static void *pack(enum file_state state, bool is_shown)
{
	return (void *)(uintptr_t)((unsigned)state << 1 | is_shown);
}

static void forget(struct tally *tally, const void *packed) REQUIRES(&tally->lock)
{
	uintptr_t value = (uintptr_t)packed;

	if (!value)
		return;
	tally->n[value >> 1]--;
	tally->n_shown -= (int64_t)(value & 1);
	tally->n_paths--;
}

bool tally_put(struct tally *tally, int root, const char *rel, enum file_state state,
	       bool is_shown)
{
	uint64_t hash = hash_of(root, rel);
	bool is_news = false;
	void *old = NULL;

	mutex_lock(&tally->lock);
	if (map_put_n(&tally->map, &hash, sizeof(hash), pack(state, is_shown), &old) ==
	    0) {
		forget(tally, old);
		is_news = !old || (uintptr_t)old >> 1 != (uintptr_t)state;
		tally->n[state]++;
		tally->n_shown += is_shown;
		tally->n_paths++;
	}
	mutex_unlock(&tally->lock);
	return is_news;
}

void tally_drop(struct tally *tally, int root, const char *rel)
{
	uint64_t hash = hash_of(root, rel);

	mutex_lock(&tally->lock);
	forget(tally, map_remove_n(&tally->map, &hash, sizeof(hash)));
	mutex_unlock(&tally->lock);
}

void tally_count(struct tally *tally, int64_t n_files, int64_t n_shown,
		 int64_t ret[FILE_N_STATES])
{
	int64_t hidden;

	mutex_lock(&tally->lock);
	for (int i = 0; i < FILE_N_STATES; i++)
		ret[i] = tally->n[i];
	n_shown -= tally->n_shown;
	hidden = n_files - tally->n_paths - n_shown;
	mutex_unlock(&tally->lock);
	ret[FILE_REMOTE] += n_shown > 0 ? n_shown : 0;
	ret[FILE_AWAITED] += hidden > 0 ? hidden : 0;
}
