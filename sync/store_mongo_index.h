/*
 * The one index that sitefs uses in the studio's collections: of entries of `sites` that wait, by the absence of
 * created_dt. Only `sitefs doctor --fix` makes it, and only where the server has no change streams; the stock Sync
 * Server's own query goes by it as well.
 *
 *   {"files.sites.name": 1, "files.sites.created_dt": 1, "_id": 1}     a missing created_dt is null in it
 */
#pragma once

#include "sync/store_mongo.h"

/* Into an uninitialised RET. */
void store_mongo_index_key(bson_t *ret);
/* Representations in which an entry of the handle's sites waits. Into an empty RET. */
void store_mongo_index_query(const struct store_mongo *s, bson_t *ret);
