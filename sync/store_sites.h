/*
 * Changes of `sites` in a representation, on its BSON: what every store that keeps documents itself
 * does inside of its transaction. Pure: no database, no clock. The document has passed bson_check().
 *
 * Only the `sites` of the touched file is written anew; the bytes before and after it stay, also the
 * unknown fields of entries and their order. A `sites` of another form than a list of objects is
 * converted whole with the first change to it (C3):
 *
 *   ["studio"]                       [{name: "studio", created_dt: D}]: such an entry said "present";
 *                                    D is the time in the file's _id (1970 if that is no ObjectId);
 *                                    a text that names nothing is dropped
 *   {"studio": {created_dt: D}}      [{name: "studio", created_dt: D}]
 *                                    (null counts as {}; members of other types are dropped)
 *   none, or of any other type       []
 */
#pragma once

#include "sync/base/buf.h"
#include "sync/store.h"

/*
 * Makes the change in DOC. 0: it is made, or was made already (*ret_changed says which);
 * STORE_GONE: no representation, or no such file; STORE_CONFLICT: a precondition of the record does
 * not hold, its path belongs to another file now, or the document would grow too large; -ENOMEM.
 * DOC is as before where nothing changed.
 */
int store_sites_record(struct buf *doc, const struct record *record, bool *ret_changed);

/* Makes the change in every file that it names, in one pass; the number of changed entries goes to ret_changed.
 * 0; STORE_GONE: no representation, or none of the files; -EFBIG (too large then), -ENOMEM. DOC is as before where
 * nothing changed, or with another result than 0. */
int store_sites_edit(struct buf *doc, const struct site_edit *edit, size_t *ret_changed);
