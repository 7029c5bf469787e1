/*
 * One change stream of a MongoDB server, read by a thread of its own with a client of its own: what happened waits
 * here, projected to operation, namespace and _id, until it is taken. The driver's own change streams block their
 * caller and cannot be woken; these are the same commands.
 *
 * A position is the stream's resume token as JSON, or {"at": TIMESTAMP} from servers too old to give one at once.
 */
#pragma once

#include "sync/store_mongo.h"

struct store_mongo_stream;

struct store_mongo_source {
	const char *database;
	const char *collection; /* NULL: all of the database */
};

/* The position that stands for now. Allocated. */
int store_mongo_stream_now(struct store_mongo *s, struct store_mongo_source source,
			   char **ret_position);
/*
 * Starts after POSITION; what has happened until now can be taken when this returns. NOTIFY is called by the thread
 * when there is something to be taken, or it has ended. STORE_TOKEN_LOST.
 */
struct store_mongo_listener {
	void (*notify)(void *context);
	void *context;
};
int store_mongo_stream_start(struct store_mongo *s, struct store_mongo_source source,
			     const char *position, struct store_mongo_listener listener,
			     struct store_mongo_stream **ret);
/* Ends the thread, also while it waits for the server. NULL is ignored. */
void store_mongo_stream_free(struct store_mongo_stream *stream);
/*
 * Appends what came, "Kproject\0id\0" each with K the kind, and replaces *position (allocated). 0, also where nothing
 * came; STORE_TOKEN_LOST, or a negative errno, once all was taken and the thread has ended by it.
 */
int store_mongo_stream_take(struct store_mongo_stream *stream, struct buf *events,
			    char **position);
