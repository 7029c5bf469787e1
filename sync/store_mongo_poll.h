/*
 * The feed of a MongoDB server without change streams (a standalone): looking every now and then costs what changed,
 * not what exists.
 *
 *   what sitefs changed anywhere         collection "touched" of our database, by its time
 *   publishes of other programs          ids of the last day; documents of the last hour are compared with the last look
 *   entries that wait, of our two sites  by the index of sync/store_mongo_index: what is asked for, recorded, reset or
 *                                        tried by another program, in documents of any age
 *   all else (a hand on an old one)      STORE_TOKEN_LOST once in an hour: everything is read again
 *
 * In a project without that index all documents of the last day are compared, and the reading of everything comes once
 * in ten minutes. Of one thread, that of the handle.
 */
#pragma once

#include "sync/store_mongo.h"

/* Between two readings of everything: where a project has no index, where all have it. */
#define STORE_MONGO_SWEEP_MS (10 * 60 * 1000)
#define STORE_MONGO_SWEEP_INDEXED_MS (60 * 60 * 1000)

struct store_mongo_poll;

/* Stands for now. */
int store_mongo_poll_new(struct store_mongo *s, struct store_mongo_poll **ret);
void store_mongo_poll_free(struct store_mongo_poll *poll);
/* Which one it is: random. Borrowed. */
const char *store_mongo_poll_id(const struct store_mongo_poll *poll);
/* When it is time to look, on the monotonic clock. */
int64_t store_mongo_poll_due_ms(const struct store_mongo_poll *poll);
/* Looks if it is time: appends events as store_mongo_stream_take() does. 0, STORE_TOKEN_LOST. */
int store_mongo_poll_look(struct store_mongo *s, struct store_mongo_poll *poll,
			  struct buf *events);
