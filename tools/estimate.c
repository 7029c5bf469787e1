/* What asking for files at a site amounts to. */
#include "tools/estimate.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sync/base/path.h"

/* A folder that holds files to be brought is another member than the folder. */
#define HOLDER (-2)
#define PLAIN (-3)

/* WHAT: a file's size (-1: unknown), HOLDER or PLAIN. */
static uint64_t hash_of(const char *root, const char *path, size_t len, int64_t what)
{
	uint64_t seed = XXH3_64bits_withSeed(root, strlen(root), (uint64_t)what);
	uint64_t hash = XXH3_64bits_withSeed(path, len, seed);

	/* 0 is no member of a set */
	return hash + (hash == 0);
}

/* 1: seen for the first time, 0: not, or -ENOMEM. */
static int note_hash(struct hash_set *set, uint64_t hash)
{
	int r;

	if (hash_set_has(set, hash))
		return 0;
	r = hash_set_add(set, hash);
	return r < 0 ? r : 1;
}

static int note(struct estimate *estimate, const char *root, const char *path, size_t len)
{
	return note_hash(&estimate->paths, hash_of(root, path, len, PLAIN));
}

static int add_holder(struct estimate *estimate, const char *root, const char *rel)
{
	const char *slash = strrchr(rel, '/');
	size_t len = slash ? (size_t)(slash - rel) : 0;
	int r = note_hash(&estimate->paths, hash_of(root, rel, len, HOLDER));

	if (r <= 0)
		return r;
	buf_add(&estimate->holders, root, strlen(root) + 1);
	buf_add(&estimate->holders, rel, len);
	return buf_add(&estimate->holders, "", 1);
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
	const char *root = file->root ? file->root : "";
	int r;

	if (site) {
		estimate->n_there += site->presence == DOC_PRESENT;
		estimate->n_asked += site->presence != DOC_PRESENT;
		return 0;
	}
	r = note(estimate, root, file->rel, strlen(file->rel));
	if (r <= 0)
		return r;
	r = note_hash(&estimate->sizes,
		      hash_of(root, file->rel, strlen(file->rel), file->size));
	if (r >= 0)
		r = add_holder(estimate, root, file->rel);
	if (r < 0)
		return r;
	estimate->n_files++;
	if (file->size >= 0)
		estimate->n_bytes += file->size;
	else
		estimate->n_unknown++;
	return add_folders(estimate, root, file->rel);
}

void estimate_heed(struct estimate *estimate, const char *root, const char *rel,
		   int64_t size)
{
	size_t len = strlen(rel);

	if (hash_set_has(&estimate->sizes, hash_of(root, rel, len, size)) ||
	    hash_set_has(&estimate->sizes, hash_of(root, rel, len, -1))) {
		estimate->n_present++;
		estimate->n_present_bytes += size > 0 ? size : 0;
	} else if (hash_set_has(&estimate->paths, hash_of(root, rel, len, PLAIN))) {
		estimate->n_different++;
	}
}

double estimate_days(const struct estimate *estimate)
{
	return (double)estimate->n_bytes / (double)ESTIMATE_BYTES_A_DAY;
}

void estimate_done(struct estimate *estimate)
{
	hash_set_done(&estimate->paths);
	hash_set_done(&estimate->sizes);
	buf_done(&estimate->holders);
}
