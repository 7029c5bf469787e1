/* What asking for files at a site amounts to. */
#include "tools/estimate.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sync/base/path.h"

/* 1: seen for the first time, 0: not, or -ENOMEM. */
static int note(struct estimate *estimate, const char *root, const char *path, size_t len)
{
	uint64_t hash = XXH3_64bits_withSeed(path, len, XXH3_64bits(root, strlen(root)));
	int r;

	/* 0 is no member of a set */
	hash += hash == 0;
	if (hash_set_has(&estimate->paths, hash))
		return 0;
	r = hash_set_add(&estimate->paths, hash);
	return r < 0 ? r : 1;
}

/* The folders above the file, from the innermost on until one is known. */
static int add_folders(struct estimate *estimate, const char *root, const char *rel)
{
	size_t len = strlen(rel);
	int r = 1;

	while (r > 0) {
		while (len > 0 && rel[len - 1] != '/')
			len--;
		if (len == 0)
			break;
		r = note(estimate, root, rel, len--);
		estimate->n_folders += r > 0;
	}
	return r < 0 ? r : 0;
}

int estimate_add(struct estimate *estimate, const struct doc_file *file)
{
	const struct doc_site *site = doc_find_site(file, estimate->site);
	int r;

	if (site) {
		estimate->n_there += site->presence == DOC_PRESENT;
		estimate->n_asked += site->presence != DOC_PRESENT;
		return 0;
	}
	r = note(estimate, file->root ? file->root : "", file->rel, strlen(file->rel));
	if (r <= 0)
		return r;
	estimate->n_files++;
	if (file->size >= 0)
		estimate->n_bytes += file->size;
	else
		estimate->n_unknown++;
	return add_folders(estimate, file->root ? file->root : "", file->rel);
}

double estimate_days(const struct estimate *estimate)
{
	return (double)estimate->n_bytes / (double)ESTIMATE_BYTES_A_DAY;
}

void estimate_done(struct estimate *estimate)
{
	hash_set_done(&estimate->paths);
}
