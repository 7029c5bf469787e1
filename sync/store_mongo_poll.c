/* Looking for changes where the server tells nobody of them. */
#include "sync/store_mongo_poll.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "sync/base/clock.h"
#include "sync/base/digest.h"
#include "sync/bson_id.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SWEEP_MS (10 * 60 * 1000)
#define RECENT_S (24 * 60 * 60)

/* A document of the last day as it was when it was looked at. */
struct recent {
	uint64_t hash;
	int64_t look; /* the last one that found it */
};

struct store_mongo_poll {
	char id[33];
	uint32_t t, i;     /* of the last change that was read from "touched" */
	struct map recent; /* "PROJECT\nID" -> struct recent */
	int64_t n_looks;
	int64_t due_ms, sweep_ms;
};

static int add_event(struct buf *buf, char kind, const char *project, const char *id)
{
	buf_addc(buf, kind);
	buf_add(buf, project, strlen(project) + 1);
	return buf_add(buf, id, strlen(id) + 1);
}

/* ---- what sitefs changed ---- */

static int add_touch(mongoc_bulk_operation_t *bulk, enum store_event_kind kind,
		     const char *project, const char *id)
{
	_cleanup_(bson_destroyp) bson_t *filter =
		BCON_NEW("_id", "{", "k", BCON_INT32(kind), "p", BCON_UTF8(project), "i",
			 BCON_UTF8(id), "}");
	/* The server's own time, in the order of its writes. */
	_cleanup_(bson_destroyp) bson_t *update =
		BCON_NEW("$currentDate", "{", "at", "{", "$type", BCON_UTF8("timestamp"),
			 "}", "day", BCON_BOOL(true), "}");
	_cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	bson_error_t error = { 0 };

	if (mongoc_bulk_operation_update_one_with_opts(bulk, filter, update, opts,
						       &error))
		return 0;
	return store_mongo_errno(&error, "tell of a change");
}

static int touch(struct store_mongo *s, enum store_event_kind kind, const char *project,
		 const char *const *ids, size_t n)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *touched = NULL;
	mongoc_bulk_operation_t *bulk;
	bson_error_t error = { 0 };
	int r = 0;

	if (s->has_streams || n == 0)
		return 0;
	touched = store_mongo_own(s, "touched");
	bulk = mongoc_collection_create_bulk_operation_with_opts(touched, NULL);
	if (!bulk)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_touch(bulk, kind, project, ids[i]);
	if (r == 0 && !mongoc_bulk_operation_execute(bulk, NULL, &error))
		r = store_mongo_errno(&error, "tell of a change");
	mongoc_bulk_operation_destroy(bulk);
	return r;
}

int store_mongo_touch(struct store_mongo *s, enum store_event_kind kind,
		      const char *project, const char *id)
{
	return touch(s, kind, project, &id, 1);
}

int store_mongo_touch_all(struct store_mongo *s, const char *project,
			  const char *const *ids, size_t n)
{
	return touch(s, STORE_EVENT_DOC, project, ids, n);
}

struct reading {
	struct store_mongo_poll *poll;
	struct buf *events; /* NULL: only to know where we stand */
	const char *project;
	int64_t look;
};

static int read_touched(void *context, const bson_t *doc)
{
	const struct reading *reading = context;
	struct store_mongo_poll *poll = reading->poll;
	const char *project = NULL, *id = NULL;
	bson_iter_t it, field;
	int64_t kind = 0;

	if (!bson_iter_init_find(&it, doc, "at") || !BSON_ITER_HOLDS_TIMESTAMP(&it))
		return 0;
	bson_iter_timestamp(&it, &poll->t, &poll->i);
	if (!reading->events || !bson_iter_init_find(&it, doc, "_id") ||
	    !BSON_ITER_HOLDS_DOCUMENT(&it) || !bson_iter_recurse(&it, &field))
		return 0;
	while (bson_iter_next(&field)) {
		if (strcmp(bson_iter_key(&field), "k") == 0)
			kind = bson_iter_as_int64(&field);
		else if (strcmp(bson_iter_key(&field), "p") == 0)
			project = bson_get_text(&field);
		else if (strcmp(bson_iter_key(&field), "i") == 0)
			id = bson_get_text(&field);
	}
	if (!project || !id || kind < STORE_EVENT_DOC || kind > STORE_EVENT_TRUTH)
		return 0;
	return add_event(reading->events, (char)kind, project, id);
}

static int look_at_touched(struct store_mongo *s, struct reading *reading)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *touched =
		store_mongo_own(s, "touched");
	_cleanup_(bson_destroyp) bson_t *filter =
		BCON_NEW("at", "{", "$gt",
			 BCON_TIMESTAMP(reading->poll->t, reading->poll->i), "}");
	_cleanup_(bson_destroyp) bson_t *opts = NULL;

	if (reading->events)
		opts = BCON_NEW("sort", "{", "at", BCON_INT32(1), "}");
	else
		opts = BCON_NEW("sort", "{", "at", BCON_INT32(-1), "}", "limit",
				BCON_INT64(1));
	return store_mongo_each(touched, filter, opts, read_touched, reading);
}

/* ---- documents of the last day ---- */

static char *recent_key(const char *project, const char *id)
{
	return strf("%s\n%s", project, id);
}

static int read_recent(void *context, const bson_t *doc)
{
	const struct reading *reading = context;
	struct store_mongo_poll *poll = reading->poll;
	_cleanup_(freep) char *id = NULL, *key = NULL;
	uint64_t hash = XXH3_64bits(bson_get_data(doc), doc->len);
	struct recent *recent;
	bson_iter_t it;
	bool is_news;

	if (!bson_iter_init_find(&it, doc, "_id") || !(id = bson_id_text(&it)))
		return 0;
	key = recent_key(reading->project, id);
	recent = key ? map_get(&poll->recent, key) : NULL;
	is_news = !recent || recent->hash != hash;
	if (!recent) {
		recent = key ? calloc(1, sizeof(*recent)) : NULL;
		if (!recent || map_put(&poll->recent, key, recent, NULL) < 0) {
			free(recent);
			return -ENOMEM;
		}
	}
	recent->hash = hash;
	recent->look = reading->look;
	return is_news && reading->events
		       ? add_event(reading->events, STORE_EVENT_DOC, reading->project, id)
		       : 0;
}

static int look_at_project(struct store_mongo *s, struct reading *reading)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_project(s, reading->project);
	bson_t filter = BSON_INITIALIZER, from;
	char hex[25];
	bson_oid_t oid;
	int r;

	snprintf(hex, sizeof(hex), "%08llx0000000000000000",
		 (unsigned long long)(clock_wall_ms() / 1000 - RECENT_S) & 0xffffffff);
	bson_oid_init_from_string(&oid, hex);
	BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &from);
	BSON_APPEND_OID(&from, "$gte", &oid);
	bson_append_document_end(&filter, &from);
	r = store_mongo_each(collection, &filter, NULL, read_recent, reading);
	bson_destroy(&filter);
	return r;
}

/* What an earlier look found and this one did not was removed, or is older than a day now: reading it again tells. */
static int drop_old(struct store_mongo_poll *poll, struct buf *events)
{
	_cleanup_(buf_done) struct buf gone = { 0 };
	struct map_slot *slot;
	size_t pos = 0;
	int r = 0;

	while ((slot = map_next(&poll->recent, &pos)))
		if (((struct recent *)slot->value)->look != poll->n_looks)
			buf_add(&gone, slot->key, slot->len + 1);
	for (size_t at = 0; r == 0 && at < gone.len; at += strlen(gone.data + at) + 1) {
		char *key = gone.data + at;
		size_t len = strcspn(key, "\n");
		_cleanup_(freep) char *project = strndup(key, len);

		free(map_remove(&poll->recent, key));
		if (!project)
			r = -ENOMEM;
		else if (events)
			r = add_event(events, STORE_EVENT_DOC, project, key + len + 1);
	}
	return gone.has_failed ? -ENOMEM : r;
}

static int look_at_recent(struct store_mongo *s, struct reading *reading)
{
	_cleanup_(buf_done) struct buf names = { 0 };
	int r = store_mongo_names(s, &names);

	reading->look = ++reading->poll->n_looks;
	for (size_t at = 0; r == 0 && at < names.len; at += strlen(names.data + at) + 1) {
		reading->project = names.data + at;
		r = look_at_project(s, reading);
	}
	return r == 0 ? drop_old(reading->poll, reading->events) : r;
}

/* ---- the handle ---- */

int store_mongo_poll_new(struct store_mongo *s, struct store_mongo_poll **ret)
{
	struct store_mongo_poll *poll = calloc(1, sizeof(*poll));
	struct reading reading = { .poll = poll };
	uint8_t random[(sizeof(poll->id) - 1) / 2];
	int r = 0;

	if (!poll)
		return -ENOMEM;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		r = -EIO;
	hex_encode(random, sizeof(random), poll->id);
	if (r == 0)
		r = look_at_touched(s, &reading);
	if (r == 0)
		r = look_at_recent(s, &reading);
	if (r < 0) {
		store_mongo_poll_free(poll);
		return r;
	}
	poll->due_ms = clock_mono_ms() + s->store.poll_ms;
	poll->sweep_ms = clock_mono_ms() + SWEEP_MS;
	*ret = poll;
	return 0;
}

void store_mongo_poll_free(struct store_mongo_poll *poll)
{
	if (poll)
		map_done(&poll->recent, free);
	free(poll);
}

const char *store_mongo_poll_id(const struct store_mongo_poll *poll)
{
	return poll->id;
}

int64_t store_mongo_poll_due_ms(const struct store_mongo_poll *poll)
{
	return poll->due_ms;
}

int store_mongo_poll_look(struct store_mongo *s, struct store_mongo_poll *poll,
			  struct buf *events)
{
	struct reading reading = { .poll = poll, .events = events };
	int64_t now = clock_mono_ms();
	int r;

	if (now < poll->due_ms)
		return 0;
	if (now >= poll->sweep_ms)
		return STORE_TOKEN_LOST;
	poll->due_ms = now + s->store.poll_ms;
	r = look_at_touched(s, &reading);
	return r == 0 ? look_at_recent(s, &reading) : r;
}
