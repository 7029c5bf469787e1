/* One change stream and its thread. */
#include "sync/store_mongo_stream.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/bson_id.h"

/* So long the server waits for something to happen; also how long an end may take where it cannot be told. */
#define AWAIT_MS 10000
#define SOCKET_MS 20000
/* While it catches up: short, and given up after CATCH_UP_MS. */
#define GLANCE_MS 20
#define CATCH_UP_MS 10000
#define BATCH 1000
/* More than this waiting to be taken: the server keeps the rest. */
#define QUEUE_BYTES (4 * 1024 * 1024)

/* The server cannot go on from there (error_codes.yml). */
static const uint32_t lost_codes[] = {
	136,   /* CappedPositionLost */
	237,   /* CursorKilled: not by us */
	260,   /* InvalidResumeToken */
	280,   /* ChangeStreamFatalError */
	286,   /* ChangeStreamHistoryLost */
	9,     /* FailedToParse: a token of another server */
	10334, /* BSONObjectTooLarge */
	40576, 40585, 40615, 40647, 50811,
};

struct store_mongo_stream {
	struct store_mongo *s; /* by free() only: the thread has a client of its own */
	char *database, *collection;
	struct store_mongo_listener listener;
	mongoc_client_t *client;
	mongoc_client_session_t *session;
	uint32_t server;
	uint64_t opened; /* time of the opening command's reply: seconds, ordinal */
	pthread_t thread;
	bool has_thread;

	struct mutex lock;
	struct cond taken;
	int64_t cursor GUARDED_BY(&lock);
	bool is_stopping GUARDED_BY(&lock);
	int result GUARDED_BY(&lock); /* why the thread ended */
	struct buf events GUARDED_BY(&lock);
	char *position GUARDED_BY(&lock);
};

/* ---- commands ---- */

static int is_lost(const bson_error_t *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(lost_codes); i++)
		if (error->domain == MONGOC_ERROR_SERVER && error->code == lost_codes[i])
			return true;
	return false;
}

/* {"$changeStream": {...}} from POSITION (NULL: now), and what is needed of each event. */
static int append_pipeline(bson_t *command, const char *position)
{
	bson_t pipeline, stage, options, project, *from = NULL;
	bson_error_t error;
	bson_iter_t at;

	if (position) {
		from = bson_new_from_json((const uint8_t *)position, -1, &error);
		if (!from)
			return STORE_TOKEN_LOST;
	}
	BSON_APPEND_ARRAY_UNSAFE_BEGIN(command, "pipeline", &pipeline);
	BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "0", &stage);
	BSON_APPEND_DOCUMENT_BEGIN(&stage, "$changeStream", &options);
	if (from && bson_iter_init_find(&at, from, "at"))
		bson_append_iter(&options, "startAtOperationTime", -1, &at);
	else if (from)
		BSON_APPEND_DOCUMENT(&options, "resumeAfter", from);
	bson_append_document_end(&stage, &options);
	bson_append_document_end(&pipeline, &stage);
	BSON_APPEND_DOCUMENT_BEGIN(&pipeline, "1", &stage);
	BSON_APPEND_DOCUMENT_BEGIN(&stage, "$project", &project);
	BSON_APPEND_INT32(&project, "operationType", 1);
	BSON_APPEND_INT32(&project, "ns", 1);
	BSON_APPEND_INT32(&project, "documentKey", 1);
	bson_append_document_end(&stage, &project);
	bson_append_document_end(&pipeline, &stage);
	bson_append_array_end(command, &pipeline);
	if (from)
		bson_destroy(from);
	return 0;
}

static int make_opening(const char *collection, const char *position, bson_t *ret)
{
	bson_t cursor;
	int r;

	bson_init(ret);
	if (collection)
		BSON_APPEND_UTF8(ret, "aggregate", collection);
	else
		BSON_APPEND_INT32(ret, "aggregate", 1);
	r = append_pipeline(ret, position);
	BSON_APPEND_DOCUMENT_BEGIN(ret, "cursor", &cursor);
	BSON_APPEND_INT32(&cursor, "batchSize", BATCH);
	bson_append_document_end(ret, &cursor);
	return r;
}

/* The token after this reply, or where the server gives none, its time. NULL: neither, or no memory. */
static char *position_of(const bson_t *reply)
{
	bson_iter_t it, found;
	char *json = NULL, *ret = NULL;
	const uint8_t *data;
	uint32_t len, t, i;
	bson_t token;

	if (bson_iter_init(&it, reply) &&
	    bson_iter_find_descendant(&it, "cursor.postBatchResumeToken", &found) &&
	    BSON_ITER_HOLDS_DOCUMENT(&found)) {
		bson_iter_document(&found, &len, &data);
		if (bson_init_static(&token, data, len))
			json = bson_as_canonical_extended_json(&token, NULL);
		ret = json ? strdup(json) : NULL;
		bson_free(json);
		return ret;
	}
	if (!bson_iter_init_find(&it, reply, "operationTime") ||
	    !BSON_ITER_HOLDS_TIMESTAMP(&it))
		return NULL;
	bson_iter_timestamp(&it, &t, &i);
	return strf("{\"at\": {\"$timestamp\": {\"t\": %u, \"i\": %u}}}", t, i);
}

static int64_t cursor_of(const bson_t *reply)
{
	bson_iter_t it, found;

	return bson_iter_init(&it, reply) &&
			       bson_iter_find_descendant(&it, "cursor.id", &found)
		       ? bson_iter_as_int64(&found)
		       : 0;
}

static void kill_cursor(struct store_mongo *s, const char *database,
			const char *collection, int64_t cursor)
{
	_cleanup_(bson_destroyp) bson_t *command = BCON_NEW(
		"killCursors", BCON_UTF8(collection ? collection : "$cmd.aggregate"),
		"cursors", "[", BCON_INT64(cursor), "]");
	bson_error_t error = { 0 };

	if (cursor && !mongoc_client_command_simple(s->client, database, command, NULL,
						    NULL, &error))
		store_mongo_errno(&error, "end a change stream");
}

int store_mongo_stream_now(struct store_mongo *s, struct store_mongo_source source,
			   char **ret_position)
{
	bson_error_t error = { 0 };
	bson_t command, reply;
	bool is_done;
	int r;

	r = make_opening(source.collection, NULL, &command);
	if (r == 0) {
		is_done = mongoc_client_command_simple(s->client, source.database,
						       &command, NULL, &reply, &error);
		if (is_done)
			kill_cursor(s, source.database, source.collection,
				    cursor_of(&reply));
		else
			r = store_mongo_errno(&error, "open a change stream");
		*ret_position = is_done ? position_of(&reply) : NULL;
		bson_destroy(&reply);
	}
	bson_destroy(&command);
	if (r == 0 && !*ret_position)
		r = -EIO;
	return r;
}

/* ---- events ---- */

struct event {
	const char *operation, *collection, *project,
		*key; /* project, key: of a truth record */
	char *id;
};

static void event_done(struct event *event)
{
	free(event->id);
}

static void read_truth_name(const bson_iter_t *id, struct event *ret)
{
	bson_iter_t it;

	if (!bson_iter_recurse(id, &it))
		return;
	while (bson_iter_next(&it)) {
		if (strcmp(bson_iter_key(&it), "p") == 0)
			ret->project = bson_get_text(&it);
		else if (strcmp(bson_iter_key(&it), "k") == 0)
			ret->key = bson_get_text(&it);
	}
}

static void read_event(const bson_iter_t *element, struct event *ret)
{
	bson_iter_t it, found;

	if (bson_iter_recurse(element, &it) && bson_iter_find(&it, "operationType"))
		ret->operation = bson_get_text(&it);
	if (bson_iter_recurse(element, &it) &&
	    bson_iter_find_descendant(&it, "ns.coll", &found))
		ret->collection = bson_get_text(&found);
	if (!bson_iter_recurse(element, &it) ||
	    !bson_iter_find_descendant(&it, "documentKey._id", &found))
		return;
	if (BSON_ITER_HOLDS_DOCUMENT(&found))
		read_truth_name(&found, ret);
	else
		ret->id = bson_id_text(&found);
}

static int add_event(struct buf *buf, char kind, const char *project, const char *id)
{
	buf_addc(buf, kind);
	buf_add(buf, project, strlen(project) + 1);
	return buf_add(buf, id, strlen(id) + 1);
}

static bool is_one_of(const char *text, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(text, list[i]) == 0)
			return true;
	return false;
}

/* 0; STORE_TOKEN_LOST where more than documents changed. */
static int take_event(const struct store_mongo_stream *stream, const struct event *event,
		      struct buf *events)
{
	static const char *const changes[] = { "insert", "update", "replace" };
	static const char *const ends[] = { "drop", "rename", "dropDatabase",
					    "invalidate" };

	if (!event->operation || is_one_of(event->operation, ends, ARRAY_SIZE(ends)))
		return STORE_TOKEN_LOST;
	if (stream->collection)
		return event->project && event->key
			       ? add_event(events, STORE_EVENT_TRUTH, event->project,
					   event->key)
			       : 0;
	if (!event->collection || !event->id ||
	    strncmp(event->collection, "system.", strlen("system.")) == 0)
		return 0;
	if (is_one_of(event->operation, changes, ARRAY_SIZE(changes)))
		return add_event(events, STORE_EVENT_DOC, event->collection, event->id);
	if (strcmp(event->operation, "delete") == 0)
		return add_event(events, STORE_EVENT_GONE, event->collection, event->id);
	return 0;
}

/* The batch of a reply into EVENTS. */
static int take_batch(const struct store_mongo_stream *stream, const bson_t *reply,
		      const char *batch, struct buf *events)
{
	bson_iter_t it, list;
	int r = 0;

	if (!bson_iter_init(&it, reply) ||
	    !bson_iter_find_descendant(&it, batch, &list) ||
	    !bson_iter_recurse(&list, &it))
		return -EIO;
	while (r == 0 && bson_iter_next(&it)) {
		_cleanup_(event_done) struct event event = { 0 };

		read_event(&it, &event);
		r = take_event(stream, &event, events);
	}
	return r;
}

/* What a reply brought, to where it is taken from. */
static int queue_reply(struct store_mongo_stream *stream, const bson_t *reply,
		       const char *batch)
{
	_cleanup_(buf_done) struct buf events = { 0 };
	_cleanup_(freep) char *position = position_of(reply);
	int r;

	r = take_batch(stream, reply, batch, &events);
	if (r == 0 && !position)
		r = -EIO;
	/* It was ended by an event that we were not told: nothing more will come. */
	if (r == 0 && !cursor_of(reply))
		r = STORE_TOKEN_LOST;
	mutex_lock(&stream->lock);
	stream->cursor = cursor_of(reply);
	if (r == 0 && events.len)
		r = buf_add(&stream->events, events.data, events.len);
	if (r == 0) {
		free(stream->position);
		stream->position = steal(position);
	}
	mutex_unlock(&stream->lock);
	return r;
}

/* ---- the cursor ---- */

/* Never repeated by the driver: a batch whose reply was lost would be passed over. */
static int run(struct store_mongo_stream *stream, const bson_t *command, bson_t *reply)
{
	_cleanup_(bson_destroyp) bson_t *opts =
		BCON_NEW("serverId", BCON_INT32((int32_t)stream->server));
	bson_error_t error = { 0 };

	if (!mongoc_client_session_append(stream->session, opts, &error)) {
		bson_init(reply);
		return store_mongo_errno(&error, "use a session");
	}
	if (mongoc_client_command_with_opts(stream->client, stream->database, command,
					    NULL, opts, reply, &error))
		return 0;
	if (is_lost(&error)) {
		log_debug("mongodb: the change stream cannot go on: %s", error.message);
		return STORE_TOKEN_LOST;
	}
	return store_mongo_errno(&error, "follow a change stream");
}

static int64_t get_cursor(struct store_mongo_stream *stream)
{
	int64_t cursor;

	mutex_lock(&stream->lock);
	cursor = stream->cursor;
	mutex_unlock(&stream->lock);
	return cursor;
}

static int get_more(struct store_mongo_stream *stream, int64_t await_ms)
{
	_cleanup_(bson_destroyp) bson_t *command = BCON_NEW(
		"getMore", BCON_INT64(get_cursor(stream)), "collection",
		BCON_UTF8(stream->collection ? stream->collection : "$cmd.aggregate"),
		"batchSize", BCON_INT32(BATCH), "maxTimeMS", BCON_INT64(await_ms));
	bson_t reply;
	int r;

	r = run(stream, command, &reply);
	if (r == 0)
		r = queue_reply(stream, &reply, "cursor.nextBatch");
	bson_destroy(&reply);
	return r;
}

static int open_cursor(struct store_mongo_stream *stream, const char *position)
{
	bson_t command, reply;
	uint32_t t, i;
	bson_iter_t it;
	int r;

	r = make_opening(stream->collection, position, &command);
	if (r == 0) {
		r = run(stream, &command, &reply);
		if (r == 0)
			r = queue_reply(stream, &reply, "cursor.firstBatch");
		if (bson_iter_init_find(&it, &reply, "operationTime") &&
		    BSON_ITER_HOLDS_TIMESTAMP(&it)) {
			bson_iter_timestamp(&it, &t, &i);
			stream->opened = (uint64_t)t << 32 | i;
		}
		bson_destroy(&reply);
	}
	bson_destroy(&command);
	return r;
}

/* The stream has read all that was there when it was opened. A token is "82", seconds and ordinal in hex, and more. */
static bool has_caught_up(struct store_mongo_stream *stream)
{
	char digits[17] = "";
	const char *data;
	uint64_t at = 0;
	char *end = digits;

	mutex_lock(&stream->lock);
	data = stream->position ? strstr(stream->position, "\"82") : NULL;
	if (data)
		str_cut(digits, sizeof(digits), data + strlen("\"82"));
	mutex_unlock(&stream->lock);
	at = strtoull(digits, &end, 16);
	return end != digits + sizeof(digits) - 1 || at >= stream->opened;
}

static int catch_up(struct store_mongo_stream *stream)
{
	int64_t deadline = clock_mono_ms() + CATCH_UP_MS;
	int r;

	do
		r = get_more(stream, GLANCE_MS);
	while (r == 0 && !has_caught_up(stream) && clock_mono_ms() < deadline);
	return r;
}

/* ---- the thread ---- */

/* False where it is to end. Waits while nobody takes. */
static bool may_go_on(struct store_mongo_stream *stream)
{
	bool may;

	mutex_lock(&stream->lock);
	while (!stream->is_stopping && stream->events.len > QUEUE_BYTES)
		cond_wait(&stream->taken, &stream->lock);
	may = !stream->is_stopping;
	mutex_unlock(&stream->lock);
	return may;
}

static bool has_events(struct store_mongo_stream *stream)
{
	bool has;

	mutex_lock(&stream->lock);
	has = stream->events.len > 0;
	mutex_unlock(&stream->lock);
	return has;
}

static void *follow(void *context)
{
	struct store_mongo_stream *stream = context;
	int r = 0;

	while (r == 0 && may_go_on(stream)) {
		r = get_more(stream, AWAIT_MS);
		if (r == 0 && has_events(stream))
			stream->listener.notify(stream->listener.context);
	}
	mutex_lock(&stream->lock);
	stream->result = r;
	mutex_unlock(&stream->lock);
	stream->listener.notify(stream->listener.context);
	return NULL;
}

/* ---- the handle ---- */

static int connect_stream(struct store_mongo_stream *stream)
{
	mongoc_uri_t *uri = mongoc_uri_copy(stream->s->uri);
	mongoc_server_description_t *server;
	bson_error_t error = { 0 };

	mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, SOCKET_MS);
	stream->client = mongoc_client_new_from_uri(uri);
	mongoc_uri_destroy(uri);
	if (!stream->client)
		return -ENOMEM;
	mongoc_client_set_error_api(stream->client, MONGOC_ERROR_API_VERSION_2);
	server = mongoc_client_select_server(stream->client, true, NULL, &error);
	if (!server)
		return store_mongo_errno(&error, "select a server");
	stream->server = mongoc_server_description_id(server);
	mongoc_server_description_destroy(server);
	stream->session = mongoc_client_start_session(stream->client, NULL, &error);
	return stream->session ? 0 : store_mongo_errno(&error, "start a session");
}

int store_mongo_stream_start(struct store_mongo *s, struct store_mongo_source source,
			     const char *position, struct store_mongo_listener listener,
			     struct store_mongo_stream **ret)
{
	struct store_mongo_stream *stream = calloc(1, sizeof(*stream));
	int r;

	if (!stream)
		return -ENOMEM;
	mutex_init(&stream->lock);
	cond_init(&stream->taken);
	stream->s = s;
	stream->listener = listener;
	stream->database = strdup(source.database);
	stream->collection = source.collection ? strdup(source.collection) : NULL;
	r = stream->database && (stream->collection || !source.collection) ? 0 : -ENOMEM;
	if (r == 0)
		r = connect_stream(stream);
	if (r == 0)
		r = open_cursor(stream, position);
	if (r == 0)
		r = catch_up(stream);
	if (r == 0) {
		r = -pthread_create(&stream->thread, NULL, follow, stream);
		stream->has_thread = r == 0;
	}
	if (r != 0) {
		store_mongo_stream_free(stream);
		return r;
	}
	*ret = stream;
	return 0;
}

/* The one way to end a wait in the server, short of its time: the cursor is killed, which is noticed with the next
 * write of anybody. */
static void end_wait(struct store_mongo_stream *stream)
{
	struct store_mongo *s = stream->s;

	kill_cursor(s, stream->database, stream->collection, get_cursor(stream));
	s->next_beat_ms = 0;
	store_mongo_beat(s);
}

void store_mongo_stream_free(struct store_mongo_stream *stream)
{
	bool is_over;

	if (!stream)
		return;
	mutex_lock(&stream->lock);
	stream->is_stopping = true;
	is_over = stream->result != 0;
	cond_broadcast(&stream->taken);
	mutex_unlock(&stream->lock);
	if (stream->has_thread) {
		if (!is_over)
			end_wait(stream);
		pthread_join(stream->thread, NULL);
	}
	if (stream->session)
		mongoc_client_session_destroy(stream->session);
	if (stream->client)
		mongoc_client_destroy(stream->client);
	mutex_lock(&stream->lock);
	buf_done(&stream->events);
	free(stream->position);
	mutex_unlock(&stream->lock);
	free(stream->database);
	free(stream->collection);
	cond_done(&stream->taken);
	mutex_done(&stream->lock);
	free(stream);
}

int store_mongo_stream_take(struct store_mongo_stream *stream, struct buf *events,
			    char **position)
{
	int r;

	mutex_lock(&stream->lock);
	r = stream->events.len ? buf_add(events, stream->events.data, stream->events.len)
			       : 0;
	if (r == 0 && stream->position) {
		free(*position);
		*position = steal(stream->position);
	}
	if (r == 0 && stream->events.len == 0)
		r = stream->result;
	if (r >= 0)
		buf_clear(&stream->events);
	cond_broadcast(&stream->taken);
	mutex_unlock(&stream->lock);
	return r;
}
