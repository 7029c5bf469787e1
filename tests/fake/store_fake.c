/*
 * store() of a remote in memory: into a part, verified, into place. A part knows what was sent to it apart from what it
 * holds, so that bits that flip are found, as a real remote's checksum finds them.
 */
#include "tests/fake/store_fake.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "sync/base/buf.h"

#define CHUNK ((size_t)256 << 10)
#define SAVE_EVERY ((uint64_t)8 << 20)

struct store {
	struct provider_fake *fake;
	const struct provider_put *put;
	struct provider_call *call;
	struct root_fake *root; /* where the part lies */
	struct part_fake *part;
	uint64_t saved;
	struct digest sent;
};

static bool is_source_same(const struct store *store)
{
	const struct provider_put *put = store->put;

	return !put->is_source_same || put->is_source_same(put->source_context);
}

/* ---- the part ---- */

/* A token: its number, and what it is good for. */
static char *purpose_of(const struct provider_put *put)
{
	char *purpose = strf("%" PRId64 " %" PRId64 " %s", put->size, put->mtime_ns,
			     put->ref.path);

	if (!purpose)
		abort();
	return purpose;
}

static struct part_fake *find_part(struct store *store)
	REQUIRES(&store->fake->remote->lock)
{
	const struct provider_resume *resume = store->put->resume;
	_cleanup_(freep) char *purpose = purpose_of(store->put);
	const char *token = resume ? resume->token : NULL;
	const char *blank = token ? strchr(token, ' ') : NULL;

	if (!blank || strcmp(blank + 1, purpose) != 0)
		return NULL;
	for (struct part_fake *part = store->root->parts; part; part = part->next) {
		if (strcmp(part->token, token) == 0 && !part->is_in_use)
			return part;
	}
	return NULL;
}

static struct part_fake *new_part(struct store *store)
	REQUIRES(&store->fake->remote->lock)
{
	_cleanup_(freep) char *purpose = purpose_of(store->put);
	struct part_fake *part = fake_alloc(sizeof(*part));

	part->token = strf("%u %s", ++store->fake->remote->last_number, purpose);
	if (!part->token || hasher_new(&part->hasher) < 0)
		abort();
	part->data = fake_alloc((size_t)store->put->size + 1);
	part->next = store->root->parts;
	store->root->parts = part;
	return part;
}

/* True: it goes on with a part that is there. */
static bool begin_part(struct store *store, bool can_resume)
{
	bool is_resumed;

	mutex_lock(&store->fake->remote->lock);
	store->part = can_resume ? find_part(store) : NULL;
	is_resumed = store->part;
	if (!is_resumed)
		store->part = new_part(store);
	store->part->is_in_use = true;
	store->saved = store->part->len;
	mutex_unlock(&store->fake->remote->lock);
	return is_resumed;
}

static void drop_token(const struct store *store)
{
	struct provider_resume *resume = store->put->resume;

	if (!resume)
		return;
	free(resume->token);
	resume->token = NULL;
}

static void drop_part(struct store *store)
{
	mutex_lock(&store->fake->remote->lock);
	root_fake_drop_part(store->root, store->part);
	mutex_unlock(&store->fake->remote->lock);
	store->part = NULL;
	drop_token(store);
}

/* ---- sending ---- */

static int save(struct store *store)
{
	struct provider_resume *resume = store->put->resume;

	free(resume->token);
	resume->token = fake_strdup(store->part->token);
	store->saved = store->part->len;
	return resume->save(resume->context, resume->token, store->saved);
}

/* Takes what the source gave. */
static int add(struct store *store, const char *data, size_t len)
{
	struct remote_fake *remote = store->fake->remote;
	struct part_fake *part = store->part;
	int r = 0;

	mutex_lock(&remote->lock);
	if (part->len + len > remote->room) {
		r = PROVIDER_FULL;
	} else {
		memcpy(part->data + part->len, data, len);
		part->len += len;
		remote->n_bytes[FAKE_STORE] += len;
	}
	mutex_unlock(&remote->lock);
	if (r == 0)
		hasher_add(part->hasher, data, len);
	return r;
}

static int send_chunk(struct store *store, char *chunk)
{
	const struct provider_put *put = store->put;
	uint64_t left = (uint64_t)put->size - store->part->len;
	size_t want = left < CHUNK ? (size_t)left : CHUNK;
	ssize_t n;
	int r = script_fake_wait(store->fake->remote, FAKE_STORE, store->part->len,
				 &store->call->cancel);

	if (r != 0)
		return r;
	if (want == left && !is_source_same(store))
		return PROVIDER_SOURCE_CHANGED;
	n = put->source(put->source_context, chunk, want, store->part->len);
	if (n < 0)
		return (int)n;
	r = n ? add(store, chunk, (size_t)n) : PROVIDER_SOURCE_CHANGED;
	if (r == 0 && put->resume && store->part->len < (size_t)put->size &&
	    store->part->len - store->saved >= SAVE_EVERY)
		r = save(store);
	return r;
}

static int send_all(struct store *store)
{
	const struct provider_put *put = store->put;
	_cleanup_(freep) char *chunk = fake_alloc(CHUNK);
	ssize_t n;

	while (store->part->len < (size_t)put->size) {
		int r = send_chunk(store, chunk);

		if (r != 0)
			return r;
		if (store->call->progress)
			store->call->progress(store->call->progress_context,
					      store->part->len);
	}
	n = put->source(put->source_context, chunk, 1, (uint64_t)put->size);
	if (n < 0)
		return (int)n;
	return n ? PROVIDER_SOURCE_CHANGED : 0;
}

static int verify(struct store *store)
{
	struct part_fake *part = store->part;
	struct digest held;
	int r;

	if (hasher_peek(part->hasher, &store->sent) < 0)
		abort();
	if (digest_differs(&store->sent, &store->put->digest))
		return PROVIDER_SOURCE_CHANGED;
	mutex_lock(&store->fake->remote->lock);
	r = script_fake_take(store->fake->remote, RULE_TEAR, FAKE_STORE);
	provider_fake_digest(part->data, part->len, &held);
	mutex_unlock(&store->fake->remote->lock);
	if (r == 0 && !digest_equal(&held, &store->sent))
		r = PROVIDER_TORN;
	return r;
}

static int send(struct store *store)
{
	bool is_resumed = begin_part(store, true);
	int r = send_all(store);

	if (r == 0)
		r = verify(store);
	if (!is_resumed || (r != PROVIDER_TORN && r != PROVIDER_SOURCE_CHANGED) ||
	    !is_source_same(store))
		return r;
	drop_part(store);
	begin_part(store, false);
	r = send_all(store);
	return r == 0 ? verify(store) : r;
}

/* ---- into place ---- */

/* What is in place, against what we bring (OURS empty: not known yet). */
static int look(struct store *store, const struct digest *ours,
		struct provider_object *ret, bool *is_done)
	REQUIRES(&store->fake->remote->lock)
{
	const struct provider_put *put = store->put;
	struct root_fake *root = store->fake->remote->root;
	struct object_fake *object = root_fake_find(root, put->ref.path);
	struct digest held;

	if (root_fake_is_blocked(root, put->ref.path) ||
	    root_fake_has_folder(root, put->ref.path))
		return PROVIDER_REFUSED;
	if (!object)
		return put->previous ? PROVIDER_CHANGED : 0;
	if (put->previous && provider_fake_is_revision(object, put->previous))
		return 0;
	if (object->len == (size_t)put->size && !ours->has_sha256 && !ours->has_md5)
		return 0;
	provider_fake_digest(object->data, object->len, &held);
	if (object->len != (size_t)put->size || !digest_equal(&held, ours))
		return put->previous ? PROVIDER_CHANGED : PROVIDER_EXISTS;
	provider_fake_fill(store->fake->remote, object, ret);
	ret->digest = held;
	*is_done = true;
	return 0;
}

static int look_before(struct store *store, struct provider_object *ret, bool *is_done)
{
	int r;

	mutex_lock(&store->fake->remote->lock);
	r = provider_fake_judge_root(store->fake);
	if (r == 0 && store->fake->remote->is_readonly)
		r = PROVIDER_DENIED;
	if (r == 0)
		r = look(store, &store->put->digest, ret, is_done);
	store->root = store->fake->remote->root;
	mutex_unlock(&store->fake->remote->lock);
	return r;
}

static int put_in_place(struct store *store, struct provider_object *ret)
{
	const struct provider_put *put = store->put;
	struct object_fake *object;
	bool is_done = false;
	int r;

	mutex_lock(&store->fake->remote->lock);
	r = provider_fake_judge_root(store->fake);
	if (r == 0)
		r = look(store, &store->sent, ret, &is_done);
	if (r == 0 && !is_done) {
		if (put->previous)
			root_fake_keep(store->fake->remote->root, put->ref.path);
		object = root_fake_put(store->fake->remote, put->ref.path,
				       steal(store->part->data), store->part->len);
		object->mtime_ns = put->mtime_ns;
		provider_fake_fill(store->fake->remote, object, ret);
		ret->digest = store->sent;
	}
	mutex_unlock(&store->fake->remote->lock);
	return r;
}

static bool is_worth_resuming(const struct store *store, int r)
{
	return store->put->resume && store->saved > 0 &&
	       (r < 0 || r == PROVIDER_BUSY || provider_is_site_fault(r));
}

int store_fake(struct provider_fake *fake, const struct provider_put *put,
	       struct provider_call *call, struct provider_object *ret)
{
	struct store store = { .fake = fake, .put = put, .call = call };
	bool is_done = false;
	int r = look_before(&store, ret, &is_done);

	if (r == 0 && !is_done)
		r = send(&store);
	if (r == 0 && !is_source_same(&store))
		r = PROVIDER_SOURCE_CHANGED;
	if (r == 0 && !is_done)
		r = put_in_place(&store, ret);
	if (store.part && is_worth_resuming(&store, r)) {
		mutex_lock(&fake->remote->lock);
		store.part->is_in_use = false;
		mutex_unlock(&fake->remote->lock);
	} else if (store.part) {
		drop_part(&store);
	}
	if (r == 0)
		drop_token(&store);
	return r;
}
