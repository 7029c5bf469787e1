/* Looking for changes where the server tells nobody of them. */
#include "sync/store_mongo_poll.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "sync/base/clock.h"
#include "sync/base/digest.h"
#include "sync/bson_id.h"
#include "sync/store_mongo_index.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* By ids of the last hour a document is compared itself, by those of the last day where no index tells what waits; else
 * only whether it is there. */
#define FRESH_S (60 * 60)
#define RECENT_S (24 * 60 * 60)
/* Of those that wait, the newest: what one project may cost. */
#define WAITING_MAX 10000

/* A document as it was when it was looked at. */
struct known {
	uint64_t hash; /* 0: only its id was read */
	int64_t look;  /* the last one that found it */
};

struct store_mongo_poll {
	char id[33];
	uint32_t t, i;              /* of the last change that was read from "touched" */
	struct map recent, waiting; /* "PROJECT\nID" -> struct known */
	int64_t n_looks;
	int64_t due_ms, sweep_ms;
	int64_t ahead_ms; /* the server's wall clock before our monotonic one: a host's own may be wrong */
};

static int add_event(struct buf *buf, char kind, const char *project, const char *id)
{
	buf_addc(buf, kind);
	buf_add(buf, project, strlen(project) + 1);
	return buf_add(buf, id, strlen(id) + 1);
}

struct reading {
	struct store_mongo *s;
	struct store_mongo_poll *poll;
	struct buf *events; /* NULL: only to know where we stand */
	const char *project;
	struct map *known; /* that what is read is compared with */
	bool has_index;    /* of PROJECT */
	bool is_complete;  /* every project has one */
};

/* ---- what sitefs changed ---- */

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

static int look_at_touched(struct reading *reading)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *touched =
		store_mongo_own(reading->s, "touched");
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

/* ---- what is known ---- */

static struct known *get_known(struct map *map, const char *key)
{
	struct known *known = key ? map_get(map, key) : NULL;

	if (known || !key)
		return known;
	known = calloc(1, sizeof(*known));
	if (!known || map_put(map, key, known, NULL) < 0) {
		free(known);
		return NULL;
	}
	return known;
}

/* HASH 0: only the id was read. */
static int heed(const struct reading *reading, const bson_t *doc, uint64_t hash)
{
	_cleanup_(freep) char *id = NULL, *key = NULL;
	struct known *known;
	bson_iter_t it;
	bool is_news;

	if (!bson_iter_init_find(&it, doc, "_id") || !(id = bson_id_text(&it)))
		return 0;
	key = strf("%s\n%s", reading->project, id);
	known = get_known(reading->known, key);
	if (!known)
		return -ENOMEM;
	is_news = !known->look || (hash && known->hash && known->hash != hash);
	known->hash = hash;
	known->look = reading->poll->n_looks;
	return is_news && reading->events
		       ? add_event(reading->events, STORE_EVENT_DOC, reading->project, id)
		       : 0;
}

static int heed_content(void *context, const bson_t *doc)
{
	uint64_t hash = XXH3_64bits(bson_get_data(doc), doc->len);

	return heed(context, doc, hash + !hash);
}

static int heed_id(void *context, const bson_t *doc)
{
	return heed(context, doc, 0);
}

/* What an earlier look found and this one did not: gone, too old now, no longer waiting. Reading it again tells. */
static int drop_unseen(const struct reading *reading, struct map *map)
{
	_cleanup_(buf_done) struct buf gone = { 0 };
	struct map_slot *slot;
	size_t pos = 0;
	int r = 0;

	while ((slot = map_next(map, &pos)))
		if (((struct known *)slot->value)->look != reading->poll->n_looks)
			buf_add(&gone, slot->key, slot->len + 1);
	for (size_t at = 0; r == 0 && at < gone.len; at += strlen(gone.data + at) + 1) {
		char *key = gone.data + at;
		size_t len = strcspn(key, "\n");
		_cleanup_(freep) char *project = strndup(key, len);

		free(map_remove(map, key));
		if (!project)
			r = -ENOMEM;
		else if (reading->events)
			r = add_event(reading->events, STORE_EVENT_DOC, project,
				      key + len + 1);
	}
	return gone.has_failed ? -ENOMEM : r;
}

/* ---- documents in which an entry waits ---- */

static int look_at_waiting(struct reading *reading)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_project(reading->s, reading->project);
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, key;
	int r;

	reading->known = &reading->poll->waiting;
	store_mongo_index_query(reading->s, &filter);
	store_mongo_index_key(&key);
	BCON_APPEND(&opts, "sort", "{", "_id", BCON_INT32(-1), "}", "limit",
		    BCON_INT64(WAITING_MAX), "projection", "{", "files._id",
		    BCON_INT32(1), "files.sites", BCON_INT32(1), "}");
	/* never without it: that would read everything */
	BSON_APPEND_DOCUMENT(&opts, "hint", &key);
	r = store_mongo_each(collection, &filter, &opts, heed_content, reading);
	bson_destroy(&filter);
	bson_destroy(&opts);
	bson_destroy(&key);
	reading->has_index = r != -EOPNOTSUPP;
	return reading->has_index ? r : 0;
}

/* ---- documents of the last day ---- */

static void append_time(bson_t *range, const char *operator, int64_t seconds)
{
	char hex[25];
	bson_oid_t oid;

	snprintf(hex, sizeof(hex), "%08llx0000000000000000",
		 (unsigned long long)seconds & 0xffffffff);
	bson_oid_init_from_string(&oid, hex);
	BSON_APPEND_OID(range, operator, & oid);
}

/* Ids of the times FROM on until BEFORE; 0: no end. */
static int look_at_ids(struct reading *reading, int64_t from, int64_t before)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_project(reading->s, reading->project);
	bson_t filter = BSON_INITIALIZER, opts = BSON_INITIALIZER, range;
	int r;

	BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &range);
	append_time(&range, "$gte", from);
	if (before)
		append_time(&range, "$lt", before);
	bson_append_document_end(&filter, &range);
	if (before)
		BCON_APPEND(&opts, "projection", "{", "_id", BCON_INT32(1), "}");
	r = store_mongo_each(collection, &filter, &opts, before ? heed_id : heed_content,
			     reading);
	bson_destroy(&filter);
	bson_destroy(&opts);
	return r;
}

static int look_at_recent(struct reading *reading)
{
	int64_t now = (clock_mono_ms() + reading->poll->ahead_ms) / 1000;
	int r;

	reading->known = &reading->poll->recent;
	if (!reading->has_index)
		return look_at_ids(reading, now - RECENT_S, 0);
	r = look_at_ids(reading, now - RECENT_S, now - FRESH_S);
	return r == 0 ? look_at_ids(reading, now - FRESH_S, 0) : r;
}

static int look_at_projects(struct reading *reading)
{
	_cleanup_(buf_done) struct buf names = { 0 };
	struct store_mongo_poll *poll = reading->poll;
	int r = store_mongo_names(reading->s, &names);

	poll->n_looks++;
	reading->is_complete = true;
	for (size_t at = 0; r == 0 && at < names.len; at += strlen(names.data + at) + 1) {
		reading->project = names.data + at;
		reading->has_index = false;
		if (reading->s->store.sites[0])
			r = look_at_waiting(reading);
		reading->is_complete &= reading->has_index;
		if (r == 0)
			r = look_at_recent(reading);
	}
	if (r == 0)
		r = drop_unseen(reading, &poll->recent);
	return r == 0 ? drop_unseen(reading, &poll->waiting) : r;
}

/* ---- the handle ---- */

int store_mongo_poll_new(struct store_mongo *s, struct store_mongo_poll **ret)
{
	struct store_mongo_poll *poll = calloc(1, sizeof(*poll));
	struct reading reading = { .s = s, .poll = poll };
	uint8_t random[(sizeof(poll->id) - 1) / 2];
	int r = 0;

	if (!poll)
		return -ENOMEM;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		r = -EIO;
	hex_encode(random, sizeof(random), poll->id);
	if (r == 0)
		r = store_mongo_clock(s, &poll->ahead_ms);
	poll->ahead_ms -= clock_mono_ms();
	if (r == 0)
		r = look_at_touched(&reading);
	if (r == 0)
		r = look_at_projects(&reading);
	if (r < 0) {
		store_mongo_poll_free(poll);
		return r;
	}
	poll->due_ms = clock_mono_ms() + s->store.poll_ms;
	poll->sweep_ms =
		clock_mono_ms() + (reading.is_complete ? STORE_MONGO_SWEEP_INDEXED_MS
						       : STORE_MONGO_SWEEP_MS);
	*ret = poll;
	return 0;
}

void store_mongo_poll_free(struct store_mongo_poll *poll)
{
	if (!poll)
		return;
	map_done(&poll->recent, free);
	map_done(&poll->waiting, free);
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
	struct reading reading = { .s = s, .poll = poll, .events = events };
	int64_t now = clock_mono_ms();
	int r;

	if (now < poll->due_ms && !s->store.looks_now)
		return 0;
	s->store.looks_now = false;
	if (now >= poll->sweep_ms)
		return STORE_TOKEN_LOST;
	poll->due_ms = now + s->store.poll_ms;
	r = look_at_touched(&reading);
	return r == 0 ? look_at_projects(&reading) : r;
}
