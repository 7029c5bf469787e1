/*
 * One edit of many files of a document as one update by the site's name, where sync/store_mongo_diff would compare each
 * of them with each: a sequence of ten thousand frames is changed in a moment. Pure: no database.
 *
 *   query          {_id, type: "representation", files: {$elemMatch: {_id: {$in: [...]}, sites: ...}}}
 *   update         {$set | $unset: {"files.$[f].sites.$[s].KEY": ...}}, or $push, $pull of "files.$[f].sites"
 *   array filters  [{"f._id": {$in: [...]}, "f.sites": {$type: "array"}}, {"s.name": SITE}]
 *
 * What it is decided on is the file's _id, and that it has an entry of that name or none; neither the form of other
 * entries nor their order.
 */
#pragma once

#include "sync/base/buf.h"
#include "sync/store.h"
#include "sync/store_mongo_diff.h"

/* From so many files on. */
#define STORE_MONGO_MANY 32

/* Into an empty RET; n_files 0 where the edit is not to be made in this way: few files, an old form of `sites`, ids or
 * keys that no path can name. OLD_DOC has passed bson_check(). 0 or -ENOMEM. */
int store_mongo_many(const struct buf *old_doc, const struct site_edit *edit,
		     struct store_mongo_diff *ret);
