/*
 * The MongoDB store: leases, held by processes of many hosts. Nobody's clock is compared with anybody's:
 *
 *   holder     lease {_id: key, owner: "BOOT/SPACE/PID/START", epoch, ids}; owner {_id: owner, beat}: beat grows
 *              by one six times in takeover_ms while the process follows the store
 *   another    same boot and pids: looks whether the process lives; else reads the beat, and where it was the
 *              same for takeover_ms of its own monotonic clock, takes over: owner and epoch must still be the old
 *              ones. The ids stay, so that both make the same object where the first one was only asleep
 *
 * A host that slept finds another owner in its lease when it wakes, and release() tells it so.
 */
#include <errno.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/bson_id.h"
#include "sync/store_mongo.h"

#define BEATS 6 /* in takeover_ms, so that some may be late */
#define TAKE_TRIES 8

/* What was last seen of a holder on another host. */
struct seen {
	int64_t beat;
	int64_t since_ms; /* monotonic: when the beat was first read */
};

static int know_self(struct store_mongo *s)
{
	int r;

	if (s->self_name)
		return 0;
	r = store_owner_self(&s->self);
	if (r < 0)
		return r;
	s->self_name = store_owner_name(&s->self);
	return s->self_name ? 0 : -ENOMEM;
}

void store_mongo_beat(struct store_mongo *s)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *owners =
		store_mongo_own(s, "owner");
	_cleanup_(bson_destroyp) bson_t *filter = NULL;
	_cleanup_(bson_destroyp) bson_t *update = NULL;
	_cleanup_(bson_destroyp) bson_t *opts = NULL;
	int64_t now = clock_mono_ms();
	bson_error_t error = { 0 };

	if (now < s->next_beat_ms || know_self(s) < 0)
		return;
	s->next_beat_ms = now + s->store.takeover_ms / BEATS;
	filter = BCON_NEW("_id", BCON_UTF8(s->self_name));
	update = BCON_NEW("$inc", "{", "beat", BCON_INT64(1), "}", "$currentDate", "{",
			  "at", BCON_BOOL(true), "}");
	opts = BCON_NEW("upsert", BCON_BOOL(true));
	if (!mongoc_collection_update_one(owners, filter, update, opts, NULL, &error))
		store_mongo_errno(&error, "beat");
}

/* ---- the other holder ---- */

static int64_t read_beat(struct store_mongo *s, const char *owner, int *ret_r)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *owners =
		store_mongo_own(s, "owner");
	_cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", BCON_UTF8(owner));
	_cleanup_(buf_done) struct buf found = { 0 };
	bson_iter_t it;
	bson_t doc;

	*ret_r = store_mongo_first(owners, filter, NULL, &found);
	if (*ret_r != 0)
		return -1;
	store_mongo_borrow(&found, &doc);
	return bson_iter_init_find(&it, &doc, "beat") ? bson_iter_as_int64(&it) : -1;
}

/* Whether the beat stood still for long enough; the first look only begins to count. */
static int look_at_beat(struct store_mongo *s, const char *owner, bool *ret_is_dead)
{
	struct seen *seen = map_get(&s->seen, owner);
	int64_t now = clock_mono_ms();
	int64_t beat;
	int r;

	beat = read_beat(s, owner, &r);
	if (r < 0)
		return r;
	if (!seen) {
		seen = calloc(1, sizeof(*seen));
		if (!seen || map_put(&s->seen, owner, seen, NULL) < 0) {
			free(seen);
			return -ENOMEM;
		}
		*seen = (struct seen){ beat, now };
	}
	if (seen->beat != beat)
		*seen = (struct seen){ beat, now };
	*ret_is_dead = now - seen->since_ms >= s->store.takeover_ms;
	return 0;
}

static int is_dead(struct store_mongo *s, const char *owner, bool *ret)
{
	struct store_owner other;

	*ret = false;
	if (store_owner_parse(owner, &other) && store_owner_is_near(&other, &s->self)) {
		*ret = !store_owner_lives(&other);
		return 0;
	}
	return look_at_beat(s, owner, ret);
}

/* ---- taking, giving ---- */

/* A lease that is asked for. */
struct claim {
	const char *key, *ids; /* IDS: or NULL */
	char **ret_ids;
};

static int give_ids(const struct claim *claim, const char *ids)
{
	*claim->ret_ids = ids ? strdup(ids) : NULL;
	return ids && !*claim->ret_ids ? -ENOMEM : 0;
}

/* -EEXIST: somebody has it. */
static int insert_lease(struct store_mongo *s, mongoc_collection_t *leases,
			const struct claim *claim)
{
	_cleanup_(bson_destroyp) bson_t *doc =
		BCON_NEW("_id", BCON_UTF8(claim->key), "owner", BCON_UTF8(s->self_name),
			 "epoch", BCON_INT64(1));
	bson_error_t error = { 0 };

	if (claim->ids)
		BSON_APPEND_UTF8(doc, "ids", claim->ids);
	if (mongoc_collection_insert_one(leases, doc, s->durable, NULL, &error))
		return give_ids(claim, claim->ids);
	return store_mongo_errno(&error, "take a lease");
}

static int take_over(struct store_mongo *s, mongoc_collection_t *leases, const char *key,
		     const char *owner, int64_t epoch)
{
	_cleanup_(bson_destroyp) bson_t *filter =
		BCON_NEW("_id", BCON_UTF8(key), "owner", BCON_UTF8(owner), "epoch",
			 BCON_INT64(epoch));
	_cleanup_(bson_destroyp) bson_t *update =
		BCON_NEW("$set", "{", "owner", BCON_UTF8(s->self_name), "}", "$inc", "{",
			 "epoch", BCON_INT64(1), "}");
	bson_error_t error = { 0 };
	bson_iter_t it;
	bson_t reply;
	bool is_done, is_ours;

	is_done = mongoc_collection_update_one(leases, filter, update, s->durable, &reply,
					       &error);
	is_ours = is_done && bson_iter_init_find(&it, &reply, "matchedCount") &&
		  bson_iter_as_int64(&it) == 1;
	bson_destroy(&reply);
	if (!is_done)
		return store_mongo_errno(&error, "take a lease over");
	return is_ours ? 0 : -EAGAIN;
}

static const char *text_in(const bson_t *doc, const char *key)
{
	bson_iter_t it;

	return bson_iter_init_find(&it, doc, key) ? bson_get_text(&it) : NULL;
}

/* Somebody has it, perhaps we. -EAGAIN: it changed under our hands. */
static int take_held(struct store_mongo *s, mongoc_collection_t *leases,
		     const struct claim *claim)
{
	_cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("_id", BCON_UTF8(claim->key));
	_cleanup_(buf_done) struct buf found = { 0 };
	const char *owner;
	int64_t epoch = 0;
	bool is_free = false;
	bson_iter_t it;
	bson_t doc;
	int r;

	r = store_mongo_first(leases, filter, NULL, &found);
	if (r != 0)
		return r == STORE_GONE ? -EAGAIN : r;
	store_mongo_borrow(&found, &doc);
	if (bson_iter_init_find(&it, &doc, "epoch"))
		epoch = bson_iter_as_int64(&it);
	owner = text_in(&doc, "owner");
	if (!owner)
		return -EUCLEAN;
	if (strcmp(owner, s->self_name) != 0) {
		r = is_dead(s, owner, &is_free);
		if (r == 0 && is_free)
			r = take_over(s, leases, claim->key, owner, epoch);
		else if (r == 0)
			r = STORE_CONFLICT;
	}
	return r == 0 ? give_ids(claim, text_in(&doc, "ids")) : r;
}

int store_mongo_lease(struct store *store, const char *key, const char *ids,
		      char **ret_ids)
{
	struct store_mongo *s = store_mongo_of(store);
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *leases =
		store_mongo_own(s, "lease");
	const struct claim claim = { key, ids, ret_ids };
	int r = know_self(s);

	if (r < 0)
		return r;
	/* Who holds a lease beats. */
	store_mongo_beat(s);
	r = -EAGAIN;
	for (int i = 0; r == -EAGAIN && i < TAKE_TRIES; i++) {
		r = insert_lease(s, leases, &claim);
		if (r == -EEXIST)
			r = take_held(s, leases, &claim);
	}
	return r == -EAGAIN ? STORE_CONFLICT : r;
}

int store_mongo_release(struct store *store, const char *key)
{
	struct store_mongo *s = store_mongo_of(store);
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *leases =
		store_mongo_own(s, "lease");
	_cleanup_(bson_destroyp) bson_t *filter = NULL;
	bson_error_t error = { 0 };
	bson_iter_t it;
	bson_t reply;
	bool is_done, was_ours;
	int r = know_self(s);

	if (r < 0)
		return r;
	filter = BCON_NEW("_id", BCON_UTF8(key), "owner", BCON_UTF8(s->self_name));
	/* Not waited for on a majority: one that comes back is that of a living process, which takes it again. */
	is_done = mongoc_collection_delete_one(leases, filter, NULL, &reply, &error);
	was_ours = is_done && bson_iter_init_find(&it, &reply, "deletedCount") &&
		   bson_iter_as_int64(&it) == 1;
	bson_destroy(&reply);
	if (!is_done)
		return store_mongo_errno(&error, "give a lease back");
	return was_ours ? 0 : STORE_GONE;
}
