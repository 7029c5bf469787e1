/*
 * Putting an object there:
 *
 *   what is there? ─► send into a part ─► read it back ─► is the source the same? ─► move into place ─► sync
 *        │                ▲  │
 *        │                │  └─ saves a token every 8 MiB
 *        │                └─ resumed by the token of an earlier process
 *        └─► the very same bytes: an answer that was lost; done
 */
#include "providers/local_drive/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "providers/local_drive/keep.h"
#include "providers/local_drive/object.h"
#include "providers/local_drive/part.h"
#include "sync/base/beneath.h"
#include "sync/base/path.h"

#define CHUNK ((size_t)1 << 20)
#define SAVE_EVERY ((uint64_t)8 << 20)
#define TRIES 8 /* of a step that loses a race with others at the same folder */

/* What lies at the name. */
enum there {
	THERE_NOTHING,  /* and nothing is to be replaced */
	THERE_PREVIOUS, /* what may be replaced */
	THERE_OTHER,    /* fine only where it is what we bring: an answer that was lost */
};

struct store {
	const struct visit *visit;
	const struct provider_put *put;
	struct part part;
	struct digest sent;
};

static bool is_source_same(const struct store *store)
{
	const struct provider_put *put = store->put;

	return !put->is_source_same || put->is_source_same(put->source_context);
}

static int source_changed(const struct store *store, const char *how)
{
	return visit_say(store->visit, PROVIDER_SOURCE_CHANGED, "%s", how);
}

/* ---- sending ---- */

/* One piece from the source into the part. */
static int send_chunk(struct store *store, char *chunk)
{
	const struct provider_put *put = store->put;
	struct part *part = &store->part;
	uint64_t left = (uint64_t)put->size - part->offset;
	size_t want = left < CHUNK ? (size_t)left : CHUNK;
	ssize_t n;
	int r;

	if (visit_is_canceled(store->visit))
		return -ECANCELED;
	if (want == left && !is_source_same(store))
		return source_changed(store, "changed at its source while it was sent");
	n = put->source(put->source_context, chunk, want, part->offset);
	if (n < 0)
		return (int)n;
	if (n == 0)
		return source_changed(store, "became shorter at its source");
	r = part_add(part, store->visit, chunk, (size_t)n);
	if (r != 0)
		return r;
	if (put->resume && part->fd >= 0 && part->offset < (uint64_t)put->size &&
	    part->offset - part->saved >= SAVE_EVERY)
		r = part_save(part, store->visit, put);
	return r;
}

/* The rest of the source. It must end where its size says. */
static int send_all(struct store *store)
{
	const struct provider_put *put = store->put;
	struct provider_call *call = store->visit->call;
	_cleanup_(freep) char *chunk = malloc(CHUNK);
	ssize_t n;

	if (!chunk)
		return -ENOMEM;
	while (store->part.offset < (uint64_t)put->size) {
		int r = send_chunk(store, chunk);

		if (r != 0)
			return r;
		if (call->progress)
			call->progress(call->progress_context, store->part.offset);
	}
	n = put->source(put->source_context, chunk, 1, (uint64_t)put->size);
	if (n < 0)
		return (int)n;
	return n ? source_changed(store, "became longer at its source") : 0;
}

/* Sends into the part and proves that it arrived. */
static int send_and_verify(struct store *store)
{
	int r = send_all(store);

	if (r == 0)
		r = part_finish(&store->part, store->visit, store->put, &store->sent);
	if (r == 0 && digest_differs(&store->sent, &store->put->digest))
		return source_changed(store, "is not what it was when it was hashed");
	if (r == 0)
		r = part_verify(&store->part, store->visit, &store->sent);
	return r;
}

/* A part that is gone on with is trusted only as far as the end proves it right: once more from the start. */
static int send(struct store *store)
{
	int r = part_resume(store->visit, store->put, &store->part);

	if (r == 0) {
		r = send_and_verify(store);
		if (r != PROVIDER_TORN && r != PROVIDER_SOURCE_CHANGED)
			return r;
		if (!is_source_same(store))
			return r;
		part_discard(&store->part, store->visit, store->put);
	} else if (r != -ENOENT) {
		return r;
	}
	r = part_create(store->visit, store->put, &store->part);
	return r == 0 ? send_and_verify(store) : r;
}

/* ---- what is there already ---- */

static int look(const struct store *store, struct stat *ret_st, enum there *ret)
{
	const struct visit *visit = store->visit;
	const char *previous = store->put->previous;
	_cleanup_(freep) char *revision = NULL;
	int r = beneath_stat(visit->fd, visit->path, ret_st);

	if (r == -ENOENT && previous)
		return visit_say(visit, PROVIDER_CHANGED, "is not there to be replaced");
	if (r == -ENOENT) {
		*ret = THERE_NOTHING;
		return 0;
	}
	if (r < 0)
		return visit_fault(visit, r, true, "store");
	if (!S_ISREG(ret_st->st_mode))
		return visit_say(visit, PROVIDER_REFUSED,
				 "is a folder or some other thing that is no file");
	revision = object_revision(ret_st);
	if (!revision)
		return -ENOMEM;
	*ret = previous && strcmp(previous, revision) == 0 ? THERE_PREVIOUS : THERE_OTHER;
	return 0;
}

static int conflict(const struct store *store)
{
	if (store->put->previous)
		return visit_say(store->visit, PROVIDER_CHANGED,
				 "is not the revision that may be replaced");
	return visit_say(store->visit, PROVIDER_EXISTS, "exists with other content");
}

/* Is the object that is there what we bring? Then it is the result. -EAGAIN: it changed or went meanwhile. */
static int adopt(const struct store *store, const struct digest *ours,
		 struct provider_object *ret)
{
	_cleanup_(closep) int fd = -1;
	struct digest held;
	struct stat st;
	int r = object_open(store->visit, NULL, &st, &fd);

	if (r == 0 && st.st_size != store->put->size)
		return conflict(store);
	if (r == 0)
		r = object_digest(store->visit, fd, &st, &held);
	if (r == PROVIDER_GONE || r == PROVIDER_CHANGED)
		return -EAGAIN;
	if (r == 0 && !digest_equal(&held, ours))
		return conflict(store);
	if (r == 0)
		r = object_fill(store->visit->path, &st, ret);
	if (r == 0)
		ret->digest = held;
	return r;
}

/* Digest of the source where the caller knows it, else by reading it. */
static int hash_source(struct store *store, struct digest *ret)
{
	int r;

	*ret = store->put->digest;
	if (ret->has_sha256 || ret->has_md5)
		return 0;
	r = hasher_new(&store->part.hasher);
	if (r == 0)
		r = send_all(store);
	if (r == 0)
		hasher_take(store->part.hasher, ret);
	part_done(&store->part);
	return r;
}

/* Before anything is sent. IS_DONE: RET is the result. */
static int look_before(struct store *store, struct provider_object *ret, bool *is_done)
{
	struct digest ours;
	enum there there;
	struct stat st;
	int r = look(store, &st, &there);

	*is_done = false;
	if (r != 0 || there != THERE_OTHER)
		return r;
	if (st.st_size != store->put->size)
		return conflict(store);
	r = hash_source(store, &ours);
	if (r == 0)
		r = adopt(store, &ours, ret);
	*is_done = r == 0;
	return r == -EAGAIN ? 0 : r;
}

/* ---- into place ---- */

static int make_parents(const struct visit *visit)
{
	_cleanup_(freep) char *dir = path_parent(visit->path);
	_cleanup_(closep) int fd = -1;
	int r;

	if (!dir)
		return -ENOMEM;
	fd = beneath_open(visit->fd, dir, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0)
		return 0;
	r = beneath_mkdirs(visit->fd, dir, 0755, NULL);
	while (r == 0 && dir[0]) {
		char *up = path_parent(dir);

		if (!up)
			return -ENOMEM;
		r = beneath_sync_parent(visit->fd, dir);
		free(dir);
		dir = up;
	}
	return r;
}

/* 0; -EEXIST, -ENOENT: somebody put a file there, removed the folder: look again. */
static int place(struct store *store)
{
	const struct visit *visit = store->visit;
	int r = make_parents(visit);

	if (r == 0)
		r = beneath_rename(visit->fd, store->part.path, visit->path,
				   RENAME_NOREPLACE);
	if (r == 0) {
		free(steal(store->part.path));
		r = beneath_sync_parent(visit->fd, visit->path);
	}
	if (r == 0 || r == -EEXIST || r == -ENOENT || r == -ENOMEM)
		return r;
	return visit_fault(visit, r, true, "put into place");
}

static int fill_from_part(const struct store *store, struct provider_object *ret)
{
	struct stat st;
	int r;

	/* of the open file: what lies at the name may be somebody else's by now */
	if (fstat(store->part.fd, &st) < 0)
		return visit_fault(store->visit, -errno, false, "look at");
	r = object_fill(store->visit->path, &st, ret);
	if (r == 0)
		ret->digest = store->sent;
	return r;
}

static int put_in_place(struct store *store, struct provider_object *ret)
{
	for (int i = 0; i < TRIES; i++) {
		enum there there;
		struct stat st;
		int r = look(store, &st, &there);

		if (r == 0 && there == THERE_OTHER)
			r = adopt(store, &store->sent, ret);
		else if (r == 0 && there == THERE_PREVIOUS)
			r = keep_replace(store->visit, &st, &store->part);
		else if (r == 0)
			r = place(store);
		if (r == -EAGAIN || r == -EEXIST || r == -ENOENT)
			continue;
		if (r == 0 && there != THERE_OTHER)
			r = fill_from_part(store, ret);
		return r;
	}
	return visit_say(store->visit, PROVIDER_BUSY,
			 "cannot be put into place: it comes and goes there");
}

/* ---- all of it ---- */

static bool is_worth_resuming(const struct store *store, int r)
{
	return store->put->resume && store->part.path && store->part.saved > 0 &&
	       (r < 0 || r == PROVIDER_BUSY || provider_is_site_fault(r));
}

static void end(struct store *store, int r)
{
	struct provider_resume *resume = store->put->resume;

	if (is_worth_resuming(store, r))
		part_done(&store->part);
	else
		part_discard(&store->part, store->visit, store->put);
	if (r == 0 && resume) {
		free(resume->token);
		resume->token = NULL;
	}
}

int store_object(const struct visit *visit, const struct provider_put *put,
		 struct provider_object *ret)
{
	struct store store = { .visit = visit, .put = put, .part = { .fd = -1 } };
	struct provider_object object = { 0 };
	bool is_done;
	int r;

	if (put->size < 0)
		return -EINVAL;
	r = look_before(&store, &object, &is_done);
	if (r == 0 && !is_done)
		r = send(&store);
	if (r == 0 && !is_source_same(&store))
		r = source_changed(&store, "changed at its source while it was sent");
	if (r == 0 && !is_done)
		r = visit_check(visit);
	if (r == 0 && !is_done)
		r = put_in_place(&store, &object);
	/* what went into a folder that is no longer the root is not there */
	if (r == 0)
		r = visit_check(visit);
	end(&store, r);
	if (r == 0)
		*ret = object;
	else
		provider_object_done(&object);
	return r;
}
