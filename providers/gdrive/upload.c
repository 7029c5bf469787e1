/*
 * Putting an object there. Drive lets two files have one name, so "nothing may be there" is ours to keep:
 *
 *   what is there? ─► send all but the last bytes ─► is the source, the folder, the name the same? ─► the last bytes
 *                                                                                                        │
 *        the elder of two twins stays, ours goes ◄── did somebody do the same? ◄── is it what was sent? ◄┘
 *
 * A new file has an id that was generated before: repeating the request makes no second one. Content that is replaced
 * goes over the same file, whose older revision Drive keeps (for 30 days). Threads of this process wait for each other
 * at a name.
 */
#include "providers/gdrive/upload.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/api.h"
#include "providers/gdrive/census.h"
#include "providers/gdrive/deliver.h"
#include "providers/gdrive/download.h"
#include "providers/gdrive/find.h"
#include "providers/gdrive/folder.h"
#include "providers/gdrive/item.h"
#include "providers/gdrive/make.h"
#include "providers/gdrive/restore.h"
#include "providers/gdrive/settle.h"
#include "sync/base/path.h"

#define FRESH_MS 60000

enum then {
	THEN_SEND,  /* the name is free, or holds what may be replaced */
	THEN_ADOPT, /* it holds what we bring: an answer that was lost */
};

struct store {
	const struct errand *errand;
	const struct provider_put *put;
	char *dir, *folder; /* path and id of the folder */
	struct there there;
	struct delivery delivery;
	bool is_adopted;               /* found at the last look: `there` is the result */
	struct provider_object object; /* the result */
};

/* ---- what is there ---- */

static int conflict(const struct store *store)
{
	if (store->put->previous)
		return errand_say(store->errand, PROVIDER_CHANGED,
				  "is not the revision that may be replaced");
	return errand_say(store->errand, PROVIDER_EXISTS, "exists with other content");
}

/* The digest of what is there. */
static int digest_there(const struct store *store, struct digest *ret)
{
	const struct wire_file *file = &store->there.file;

	*ret = file->digest;
	if (ret->has_sha256 || ret->has_md5)
		return 0;
	return download_digest(store->errand, file->id, file->revision, ret);
}

/* Digest of the source: SENT where it is known already, else by reading it. */
static int digest_source(struct store *store, const struct digest *sent,
			 struct digest *ret)
{
	struct feed feed;
	char none;
	int r;

	*ret = sent ? *sent : store->put->digest;
	if (ret->has_sha256 || ret->has_md5)
		return 0;
	r = feed_init(&feed, store->errand, store->put);
	if (r == 0)
		r = feed_hash_to(&feed, (uint64_t)store->put->size);
	feed.next = (uint64_t)store->put->size;
	if (r == 0)
		r = feed_end(&feed, &none, ret);
	feed_done(&feed);
	return r;
}

/* Fills in `there`. For a new file what was found lately will do: that nobody else took the name is settled after. */
static int look_at_name(struct store *store)
{
	const struct provider_put *put = store->put;
	bool is_known = false;
	int r;

	if (!put->previous && !put->ref.id) {
		r = census_ask(store->errand, store->folder, &is_known, &store->there);
		if (r != 0 || (is_known && !store->there.file.id))
			return r;
		there_done(&store->there);
	}
	return item_look(store->errand, store->folder, put->ref.id, &store->there);
}

/* What lies at the name now, and what follows. */
static int look(struct store *store, const struct digest *sent, enum then *ret)
{
	const struct provider_put *put = store->put;
	struct digest ours, theirs;
	int r;

	there_done(&store->there);
	r = look_at_name(store);
	if (r != 0)
		return r;
	*ret = THEN_SEND;
	if (!store->there.file.id)
		return put->previous ? errand_say(store->errand, PROVIDER_CHANGED,
						  "is not there to be replaced")
				     : 0;
	if (put->previous && strcmp(put->previous, store->there.file.revision) == 0)
		return 0;
	if (store->there.file.size != put->size)
		return conflict(store);
	r = digest_there(store, &theirs);
	if (r == 0)
		r = digest_source(store, sent, &ours);
	if (r == PROVIDER_GONE)
		return errand_say(store->errand, PROVIDER_BUSY,
				  "comes and goes at Drive");
	if (r != 0)
		return r;
	if (!digest_equal(&ours, &theirs))
		return conflict(store);
	*ret = THEN_ADOPT;
	/* what was sent is known by more checksums than what is there may have */
	store->there.file.digest = ours;
	return 0;
}

/* The folder is still where it was. */
static int check_folder(const struct store *store)
{
	_cleanup_(freep) char *now = NULL;
	int r = folder_find(store->errand, store->dir, 0, &now);

	if (r == PROVIDER_GONE || (r == 0 && strcmp(now, store->folder) != 0))
		return errand_say(store->errand, PROVIDER_BUSY,
				  "cannot be stored: its folder was moved or removed "
				  "meanwhile");
	return r;
}

/* Before the last bytes go out. -EALREADY: it is there, by another hand. */
static int before_last(void *context)
{
	struct store *store = context;
	const struct provider_put *put = store->put;
	enum then then;
	int r = 0;

	/* one query tells the same of small files, afterwards */
	if (put->size > DELIVER_SMALL)
		r = check_folder(store);
	else if (!put->previous && !put->ref.id &&
		 absent_is_known(store->errand, store->errand->path, ABSENT_MS))
		return 0;
	if (r == 0)
		r = look(store, &store->delivery.sent, &then);
	if (r != 0)
		return r;
	if (then == THEN_ADOPT) {
		store->is_adopted = true;
		return -EALREADY;
	}
	store->delivery.replace_id = store->there.file.id;
	return 0;
}

/* ---- after ---- */

/* Drive holds what was sent. */
static int verify(const struct store *store)
{
	const struct delivery *delivery = &store->delivery;
	struct digest held = delivery->file.digest;
	int r = 0;

	if (delivery->file.size == store->put->size && !held.has_sha256 && !held.has_md5)
		r = download_digest(store->errand, delivery->file.id, NULL, &held);
	if (r != 0)
		return r;
	if (delivery->file.size == store->put->size &&
	    digest_equal(&held, &delivery->sent))
		return 0;
	return errand_say(store->errand, PROVIDER_TORN,
			  "arrived damaged at Drive and was taken back");
}

/* Nobody did the same at the same time? */
static int settle(struct store *store)
{
	struct provider_settle one = { .ref = store->put->ref, .object = &store->object };
	int r = settle_stores(store->errand, &one, 1);

	return r == 0 ? one.result : r;
}

/* The name does not stand for what came damaged: a new file goes, another one gets back what it held. */
static int take_back(struct store *store, int r)
{
	struct delivery *delivery = &store->delivery;
	struct error said = store->errand->call->error;
	int undone = delivery->replace_id
			     ? restore_file(store->errand, &store->there.file)
			     : make_undo(store->errand, delivery->file.id);

	if (undone == 0) {
		store->errand->call->error = said;
		return r;
	}
	if (undone < 0)
		return undone;
	return errand_say(
		store->errand, r,
		"arrived damaged at Drive and could not be taken back: its last "
		"good version is kept there (Manage versions)");
}

static int fill(struct store *store, const struct wire_file *file,
		const struct digest *digest)
{
	int r;

	provider_object_done(&store->object);
	r = item_fill(file, &store->object);
	if (r == 0)
		store->object.digest = *digest;
	return r;
}

static int finish(struct store *store)
{
	struct delivery *delivery = &store->delivery;
	int r = verify(store);

	governor_sent(&store->errand->drive->governor, delivery->lane, store->put->size);
	/* another host's, with what it brought: it is not ours to be taken back */
	if (r == PROVIDER_TORN && delivery->was_taken)
		return conflict(store);
	if (r == PROVIDER_TORN)
		return take_back(store, r);
	if (r == 0)
		r = fill(store, &delivery->file, &delivery->sent);
	if (r != 0)
		return r;
	census_note(store->errand, &delivery->file);
	return delivery->replace_id || store->put->is_settled_later ? 0 : settle(store);
}

/* ---- all of it ---- */

static int pick_lane(struct store *store)
{
	const struct errand *errand = store->errand;
	int64_t wait_ms;
	int r = governor_enter_upload(&errand->drive->governor, store->put->size,
				      &store->delivery.lane, &wait_ms);

	if (r == 0)
		return 0;
	errand->call->retry_after_ms = wait_ms;
	if (r == -EDQUOT)
		return errand_say(
			errand, PROVIDER_FULL,
			"cannot be stored: all identities have sent their 750 GB "
			"of this day; add another key to credentials_url, or "
			"wait");
	return errand_say(errand, PROVIDER_BUSY,
			  "cannot be stored: Drive's quota opens again in %lld s",
			  (long long)(wait_ms + 999) / 1000);
}

/* What is known before anything is sent. */
static int check_rights(const struct store *store)
{
	const struct errand *errand = store->errand;
	struct drive *drive = errand->drive;
	_cleanup_(freep) char *root = NULL;
	bool has_no_storage;
	int r = anchor_find(errand, FRESH_MS, &root);

	if (r != 0)
		return r;
	if (!anchor_can_add(errand->root))
		return errand_say(
			errand, PROVIDER_DENIED,
			"cannot be stored: the account may only read there; make "
			"it a Contributor, or Editor");
	mutex_lock(&drive->lock);
	has_no_storage = drive->has_no_storage;
	mutex_unlock(&drive->lock);
	if (has_no_storage && !anchor_is_shared(errand->root))
		return errand_say(errand, PROVIDER_FULL,
				  "cannot be stored: a service account has no storage of "
				  "its own: use a shared drive as the root, or act as a "
				  "user (subject)");
	return 0;
}

static int find_folder(struct store *store)
{
	int r;

	store->dir = path_parent(store->errand->path);
	if (!store->dir)
		return -ENOMEM;
	if (!store->put->previous)
		return folder_make(store->errand, store->dir, FRESH_MS, &store->folder);
	r = folder_find(store->errand, store->dir, FRESH_MS, &store->folder);
	return r == PROVIDER_GONE ? errand_say(store->errand, PROVIDER_CHANGED,
					       "is not there to be replaced")
				  : r;
}

/* A copy of what is there under another name, where it still holds these bytes. PROVIDER_GONE: it has to be sent. */
static int copy(struct store *store)
{
	const struct provider_put *put = store->put;
	_cleanup_(wire_file_done) struct wire_file twin = { .size = -1 };
	enum then then;
	int r;

	if (!put->twin_id || put->previous || (put->resume && put->resume->token))
		return PROVIDER_GONE;
	r = find_by_id(store->errand, put->twin_id, &twin);
	if (r == PROVIDER_REFUSED ||
	    (r == 0 && (!wire_is_object(&twin) || twin.size != put->size ||
			item_check(store->errand, &twin, put->twin_revision) != 0 ||
			!digest_equal(&twin.digest, &put->digest))))
		return PROVIDER_GONE;
	if (r == 0)
		r = look(store, &put->digest, &then);
	if (r != 0)
		return r;
	if (then == THEN_ADOPT) {
		store->is_adopted = true;
		return -EALREADY;
	}
	if (store->there.file.id)
		return PROVIDER_GONE;
	r = deliver_copy(&store->delivery, put->twin_id);
	/* who may not copy may send; another hand may have taken it away meanwhile */
	if (r == PROVIDER_REFUSED || r == PROVIDER_DENIED)
		return PROVIDER_GONE;
	return r == 0 ? finish(store) : r;
}

/* Sends; what was gone on with is trusted only as far as the end proves it: once more from the start. */
static int send(struct store *store)
{
	struct delivery *delivery = &store->delivery;
	bool was_resumed;
	int r;

	delivery->parent = store->folder;
	delivery->before_last = before_last;
	delivery->context = store;
	r = copy(store);
	if (r != PROVIDER_GONE)
		return r;
	r = deliver(delivery);
	if (r == 0)
		r = finish(store);
	was_resumed = delivery->was_resumed;
	if (!was_resumed || (r != PROVIDER_TORN && r != PROVIDER_SOURCE_CHANGED) ||
	    !feed_is_source_same(&delivery->feed))
		return r;
	deliver_discard(delivery);
	r = deliver(delivery);
	return r == 0 ? finish(store) : r;
}

static int run(struct store *store)
{
	enum then then = THEN_SEND;
	int r = check_rights(store);

	if (r == 0)
		r = find_folder(store);
	/* a large one is not sent to learn that the name is taken */
	if (r == 0 && store->put->size > DELIVER_SMALL)
		r = look(store, NULL, &then);
	if (r != 0)
		return r;
	if (then == THEN_ADOPT)
		return fill(store, &store->there.file, &store->there.file.digest);
	store->delivery.replace_id = store->there.file.id;
	r = pick_lane(store);
	if (r == 0)
		r = send(store);
	return r == -EALREADY && store->is_adopted
		       ? fill(store, &store->there.file, &store->there.file.digest)
		       : r;
}

/* Something of it is worth to be gone on with. */
static bool is_worth_resuming(const struct store *store, int r)
{
	const struct provider_resume *resume = store->put->resume;

	return resume && resume->token &&
	       (r < 0 || r == PROVIDER_BUSY || provider_is_site_fault(r));
}

int upload_store(const struct errand *errand, const struct provider_put *put,
		 struct provider_object *ret)
{
	struct store store = { .errand = errand, .put = put, .there.file.size = -1 };
	_cleanup_(freep) char *key = strf("%s//%s", errand->root->path, errand->path);
	struct claim *claim = NULL;
	int r;

	if (put->size < 0)
		return -EINVAL;
	r = key ? claim_take(errand, key, &claim) : -ENOMEM;
	if (r != 0)
		return r;
	r = delivery_init(&store.delivery, errand, put);
	if (r == 0)
		r = run(&store);
	if (r == 0)
		feed_tell(&store.delivery.feed, (uint64_t)put->size);
	/* whatever went wrong, something may lie there now */
	if (r != 0 && store.folder)
		census_forget(errand, store.folder);
	if (store.delivery.feed.hasher && !is_worth_resuming(&store, r))
		deliver_discard(&store.delivery);
	claim_drop(errand->drive, claim);
	delivery_done(&store.delivery);
	there_done(&store.there);
	if (r == 0)
		*ret = store.object;
	else
		provider_object_done(&store.object);
	free(store.dir);
	free(store.folder);
	return r;
}
