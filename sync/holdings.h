/*
 * What a site holds that no entry of its own says: files of representations that were opened there while others of the
 * same are missing, or whose entries were removed. By hashes, so that many are small. Pure; the owner's lock guards it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sync/base/buf.h"
#include "sync/base/map.h"

/* Of one representation: the ids of its files. Borrowed. */
struct holding {
	const char *project, *repre;
	const char *const *files;
	size_t n_files;
};

struct holdings {
	struct map rows; /* by holdings_key(); a zeroed struct holds nothing */
};

void holdings_done(struct holdings *holdings);
/* In place of what is there of the representation; no files: nothing is left of it. 0 or -ENOMEM. */
int holdings_put(struct holdings *holdings, const struct holding *holding);
/* FILE NULL: any of the representation. Without memory: no. */
bool holdings_have(const struct holdings *holdings, const char *project,
		   const char *repre, const char *file);
/* Exactly these of the representation, in whatever order. Without memory: no. */
bool holdings_are(const struct holdings *holdings, const struct holding *holding);
/* Calls FN with each representation of which the two do not hold the same. Its result as long as that is 0. */
typedef int holdings_fn(void *context, const char *project, const char *repre);
int holdings_compare(const struct holdings *a, const struct holdings *b, holdings_fn *fn,
		     void *context);

/* A representation as one key of bytes, into the empty RET: two texts, each with its NUL. 0 or -ENOMEM. */
int holdings_key(struct buf *ret, const char *project, const char *repre);
/* The second of them. */
const char *holdings_key_repre(const char *key);
