/*
 * The feed of a MongoDB server without change streams (a standalone): looking every now and then costs what changed,
 * not what exists.
 *
 *   what sitefs changed anywhere       collection "touched" of our database, by its time
 *   publishes of other programs        documents whose _id is of the last day, compared with the last look
 *   all else (a hand on an old one)    STORE_TOKEN_LOST once in ten minutes: everything is read again
 *
 * Of one thread, that of the handle.
 */
#pragma once

#include "sync/store_mongo.h"

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
