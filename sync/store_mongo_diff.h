/*
 * From a representation as it was read, and as it shall be, to the update that makes the one of the other in a
 * MongoDB server, and only where it still is as it was read. Pure: no database.
 *
 * Only `sites` of files may differ. What is changed of an entry is set and unset field by field through two array
 * filters; a new entry is pushed, one that goes is pulled; an old form (or what does not fit these) is replaced
 * whole. The query repeats with $elemMatch what each was decided on: the file's _id and path, and the entry (or its
 * absence, or the whole old form) as it was read. Never by index:
 *
 *   query          {_id, type: "representation", files: {$all: [{$elemMatch: {_id, path, sites: ...}}, ...]}}
 *   update         {$set: {"files.$[f0].sites.$[s0].created_dt": ...}, $unset: ..., $push: ..., $pull: ...}
 *   array filters  [{"f0._id", "f0.path", "f0.sites"}, {"s0"}, ...]
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sync/base/buf.h"

struct store_mongo_diff {
	struct buf query, update, filters; /* BSON; filters: {arrayFilters: [...]} */
	size_t n_files;                    /* that it changes */
};

void store_mongo_diff_done(struct store_mongo_diff *diff);
/*
 * Into an empty RET: the changes of at most MAX files after the first SKIP changed ones; n_files 0 where none is
 * left. IS_WHOLE: every `sites` is replaced as a whole. Both documents have passed bson_check(). 0 or -ENOMEM.
 */
struct store_mongo_diff_range {
	size_t skip, max;
	bool is_whole;
};
int store_mongo_diff(const struct buf *old_doc, const struct buf *new_doc,
		     struct store_mongo_diff_range range, struct store_mongo_diff *ret);
