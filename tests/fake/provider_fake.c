/* Providers of a remote in memory: the port's calls. */
#include "tests/fake/provider_fake.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/path.h"
#include "tests/fake/remote_fake_private.h"
#include "tests/fake/store_fake.h"

#define CHUNK ((size_t)64 << 10)
#define IDENTITY "identity-"

static struct provider_fake *from_base(struct provider *base)
{
	return container_of(base, struct provider_fake, base);
}

/* ---- every call ---- */

int provider_fake_say(struct provider_call *call, int outcome, const char *path)
{
	return error_set(&call->error, outcome, "fake remote: %s: %s", path,
			 provider_outcome_name(outcome));
}

static const char *refusal(struct provider *base, const char *path)
{
	const char *why = path_refusal(path);

	return why || path_is_utf8(path) ? why : "is not valid UTF-8";
}

static bool is_canceled(const struct provider_call *call)
{
	return __atomic_load_n(&call->cancel, __ATOMIC_RELAXED);
}

int provider_fake_judge_root(struct provider_fake *fake)
{
	struct root_fake *root = fake->remote->root;

	if (!root || (fake->known && fake->known != root->identity))
		return PROVIDER_NO_ROOT;
	fake->known = root->identity;
	return 0;
}

/* Counts, holds and fails as scripted. 0: go on, and call end(). */
static int begin(struct provider_fake *fake, enum fake_op op, struct provider_call *call)
{
	struct remote_fake *remote = fake->remote;
	int outcome, r;

	if (is_canceled(call))
		return -ECANCELED;
	mutex_lock(&remote->lock);
	remote->n_calls[op]++;
	remote->n_now[op]++;
	if (remote->n_now[op] > remote->n_most[op])
		remote->n_most[op] = remote->n_now[op];
	outcome = script_fake_take(remote, RULE_FAIL, op);
	if (!outcome)
		outcome = remote->outcome;
	mutex_unlock(&remote->lock);
	r = script_fake_wait(remote, op, 0, &call->cancel);
	if (r == 0)
		r = outcome;
	if (r != 0) {
		mutex_lock(&remote->lock);
		remote->n_now[op]--;
		mutex_unlock(&remote->lock);
	}
	return r > 0 ? provider_fake_say(call, r, "as scripted") : r;
}

/* What the call comes to in the end. */
static int end(struct provider_fake *fake, enum fake_op op, int r,
	       struct provider_call *call)
{
	struct remote_fake *remote = fake->remote;
	int outcome;

	mutex_lock(&remote->lock);
	remote->n_now[op]--;
	outcome = script_fake_take(remote, RULE_LOSE, op);
	mutex_unlock(&remote->lock);
	return outcome ? provider_fake_say(call, outcome, "the answer was lost") : r;
}

/* Whether there can be such an object at all. */
static int check_ref(struct provider_fake *fake, const struct provider_ref *ref,
		     bool is_folder, struct provider_call *call)
{
	if (ref->root[0] && strcmp(ref->root, "work") != 0)
		return provider_fake_say(call, PROVIDER_NO_ROOT, ref->root);
	if (is_folder && !ref->path[0])
		return 0;
	if (refusal(&fake->base, ref->path))
		return provider_fake_say(call, PROVIDER_REFUSED, "a path");
	return 0;
}

static char *revision_of(const struct object_fake *object)
{
	char *revision = strf("revision-%u", object->revision);

	return revision ? revision : fake_strdup("");
}

void provider_fake_digest(const void *data, size_t len, struct digest *ret)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;

	if (hasher_new(&hasher) < 0)
		abort();
	hasher_add(hasher, data, len);
	hasher_take(hasher, ret);
}

void provider_fake_fill(const struct remote_fake *remote,
			const struct object_fake *object, struct provider_object *ret)
{
	*ret = (struct provider_object){
		.id = strf("id-%u", object->id),
		.revision = revision_of(object),
		.document_id = strf("id-%u", object->id),
		.size = (int64_t)object->len,
		.mtime_ns = object->mtime_ns,
	};
	if (!ret->id || !ret->document_id)
		abort();
	if (remote->tells_digest)
		provider_fake_digest(object->data, object->len, &ret->digest);
}

bool provider_fake_is_revision(const struct object_fake *object, const char *revision)
{
	_cleanup_(freep) char *actual = revision_of(object);

	return strcmp(actual, revision) == 0;
}

/* The object, of that revision (NULL: any). */
static int find(struct provider_fake *fake, const char *path, const char *revision,
		struct object_fake **ret) REQUIRES(&fake->remote->lock)
{
	int r = provider_fake_judge_root(fake);

	if (r != 0)
		return r;
	*ret = root_fake_find(fake->remote->root, path);
	if (!*ret)
		return PROVIDER_GONE;
	return !revision || provider_fake_is_revision(*ret, revision) ? 0
								      : PROVIDER_CHANGED;
}

/* ---- probe, stat, list ---- */

static int probe(struct provider *base, bool create_root, struct provider_call *call)
{
	struct provider_fake *fake = from_base(base);
	int r = begin(fake, FAKE_PROBE, call);

	if (r != 0)
		return r;
	mutex_lock(&fake->remote->lock);
	if (!fake->remote->root && create_root)
		fake->remote->root = root_fake_new(fake->remote);
	r = provider_fake_judge_root(fake);
	mutex_unlock(&fake->remote->lock);
	if (r > 0)
		provider_fake_say(call, r, "its root");
	return end(fake, FAKE_PROBE, r, call);
}

static int stat_object(struct provider *base, const struct provider_ref *ref,
		       struct provider_call *call, struct provider_object *ret)
{
	struct provider_fake *fake = from_base(base);
	struct provider_object found = { 0 };
	struct object_fake *object;
	int r = begin(fake, FAKE_STAT, call);

	if (r != 0)
		return r;
	r = check_ref(fake, ref, false, call);
	mutex_lock(&fake->remote->lock);
	if (r == 0)
		r = find(fake, ref->path, NULL, &object);
	if (r == 0)
		provider_fake_fill(fake->remote, object, &found);
	mutex_unlock(&fake->remote->lock);
	if (r > 0)
		provider_fake_say(call, r, ref->path);
	r = end(fake, FAKE_STAT, r, call);
	if (r == 0)
		*ret = found;
	else
		provider_object_done(&found);
	return r;
}

struct listing {
	struct listing *next;
	char *name;
	struct provider_object object; /* of a file */
	bool is_folder;
};

static void listing_free(struct listing *listing)
{
	while (listing) {
		struct listing *next = listing->next;

		provider_object_done(&listing->object);
		free(listing->name);
		free(listing);
		listing = next;
	}
}
DEFINE_CLEANUP(struct listing *, listing_free);

/* The name of PATH where it lies directly in FOLDER, else NULL. */
static const char *name_in(const char *folder, const char *path)
{
	const char *name = path;

	if (!path_is_below(path, folder) || strcmp(path, folder) == 0)
		return NULL;
	if (folder[0])
		name += strlen(folder) + 1;
	return strchr(name, '/') ? NULL : name;
}

static void add_names(const struct remote_fake *remote, const char *folder,
		      bool is_folder, struct listing **list)
{
	const struct map *map =
		is_folder ? &remote->root->folders : &remote->root->objects;
	struct map_slot *slot;

	for (size_t pos = 0; (slot = map_next(map, &pos));) {
		const char *name = name_in(folder, slot->key);
		struct listing *entry;

		if (!name)
			continue;
		entry = fake_alloc(sizeof(*entry));
		entry->name = fake_strdup(name);
		entry->is_folder = is_folder;
		if (!is_folder)
			provider_fake_fill(remote, slot->value, &entry->object);
		entry->next = *list;
		*list = entry;
	}
}

static int list_folder(struct provider_fake *fake, const char *folder,
		       struct listing **ret)
{
	int r;

	mutex_lock(&fake->remote->lock);
	r = provider_fake_judge_root(fake);
	if (r == 0 && !root_fake_has_folder(fake->remote->root, folder))
		r = PROVIDER_GONE;
	if (r == 0) {
		add_names(fake->remote, folder, true, ret);
		add_names(fake->remote, folder, false, ret);
	}
	mutex_unlock(&fake->remote->lock);
	return r;
}

static int list(struct provider *base, const struct provider_ref *folder,
		provider_list_fn *fn, void *context, struct provider_call *call)
{
	struct provider_fake *fake = from_base(base);
	_cleanup_(listing_freep) struct listing *names = NULL;
	int r = begin(fake, FAKE_LIST, call);

	if (r != 0)
		return r;
	r = check_ref(fake, folder, true, call);
	if (r == 0)
		r = list_folder(fake, folder->path, &names);
	if (r > 0)
		provider_fake_say(call, r, folder->path);
	for (struct listing *entry = names; entry && r == 0; entry = entry->next) {
		r = is_canceled(call) ? -ECANCELED
				      : fn(context, entry->name, entry->is_folder,
					   entry->is_folder ? NULL : &entry->object);
	}
	return end(fake, FAKE_LIST, r, call);
}

/* ---- content ---- */

struct reading {
	struct provider_fake *fake;
	const char *path, *revision;
	unsigned is_of; /* the revision that the first look found */
	bool is_torn;
};

/* Copies what the object holds at OFFSET, if it is still what it was. */
static int copy_out(struct reading *reading, void *data, uint64_t offset, size_t len)
{
	struct provider_fake *fake = reading->fake;
	struct object_fake *object;
	int r;

	mutex_lock(&fake->remote->lock);
	r = find(fake, reading->path, reading->revision, &object);
	if (r == 0 && reading->is_of && reading->is_of != object->revision)
		r = PROVIDER_CHANGED;
	else if (r == 0 && (offset > object->len || len > object->len - offset))
		r = PROVIDER_TORN;
	if (r == 0) {
		reading->is_of = object->revision;
		if (len)
			memcpy(data, object->data + offset, len);
		fake->remote->n_bytes[FAKE_FETCH] += len;
	}
	mutex_unlock(&fake->remote->lock);
	return r;
}

static int read_range(struct reading *reading, uint64_t offset, uint64_t length,
		      provider_sink *sink, void *context, struct provider_call *call)
{
	_cleanup_(freep) char *chunk = fake_alloc(CHUNK);
	uint64_t done = 0;
	int r;

	while (done < length) {
		size_t len = length - done < CHUNK ? (size_t)(length - done) : CHUNK;

		r = script_fake_wait(reading->fake->remote, FAKE_FETCH, done,
				     &call->cancel);
		if (r == 0)
			r = copy_out(reading, chunk, offset + done, len);
		if (r != 0)
			return r;
		if (reading->is_torn && done == 0)
			chunk[0] = (char)(chunk[0] ^ 1);
		r = sink(context, chunk, len, offset + done);
		if (r < 0)
			return r;
		done += len;
		if (call->progress)
			call->progress(call->progress_context, done);
	}
	/* it is still that; for nothing at all, whether it is there */
	return copy_out(reading, NULL, offset + length, 0);
}

/* The port's parameters. */
static int fetch(struct provider *base, const struct provider_ref *ref,
		 const char *revision, uint64_t offset, uint64_t length,
		 provider_sink *sink, void *context, struct provider_call *call)
{
	struct provider_fake *fake = from_base(base);
	struct reading reading = { fake, ref->path, revision, 0, false };
	int r = begin(fake, FAKE_FETCH, call);

	if (r != 0)
		return r;
	mutex_lock(&fake->remote->lock);
	reading.is_torn = script_fake_take(fake->remote, RULE_TEAR, FAKE_FETCH) != 0;
	mutex_unlock(&fake->remote->lock);
	r = check_ref(fake, ref, false, call);
	/* before the first byte: all of the range is there */
	if (r == 0 && length > UINT64_MAX - offset)
		r = PROVIDER_TORN;
	if (r == 0)
		r = copy_out(&reading, NULL, offset + length, 0);
	if (r == 0)
		r = read_range(&reading, offset, length, sink, context, call);
	if (r > 0)
		provider_fake_say(call, r, ref->path);
	return end(fake, FAKE_FETCH, r, call);
}

static int digest(struct provider *base, const struct provider_ref *ref,
		  const char *revision, struct provider_call *call, struct digest *ret)
{
	struct provider_fake *fake = from_base(base);
	struct object_fake *object;
	struct digest held;
	int r = begin(fake, FAKE_DIGEST, call);

	if (r != 0)
		return r;
	r = check_ref(fake, ref, false, call);
	mutex_lock(&fake->remote->lock);
	if (r == 0)
		r = find(fake, ref->path, revision, &object);
	if (r == 0)
		provider_fake_digest(object->data, object->len, &held);
	mutex_unlock(&fake->remote->lock);
	if (r > 0)
		provider_fake_say(call, r, ref->path);
	r = end(fake, FAKE_DIGEST, r, call);
	if (r == 0)
		*ret = held;
	return r;
}

static int store(struct provider *base, const struct provider_put *put,
		 struct provider_call *call, struct provider_object *ret)
{
	struct provider_fake *fake = from_base(base);
	struct provider_object stored = { 0 };
	int r = begin(fake, FAKE_STORE, call);

	if (r != 0)
		return r;
	r = check_ref(fake, &put->ref, false, call);
	if (r == 0)
		r = store_fake(fake, put, call, &stored);
	if (r > 0)
		provider_fake_say(call, r, put->ref.path);
	r = end(fake, FAKE_STORE, r, call);
	if (r == 0)
		*ret = stored;
	else
		provider_object_done(&stored);
	return r;
}

static int trash(struct provider *base, const struct provider_ref *ref,
		 const char *revision, struct provider_call *call)
{
	struct provider_fake *fake = from_base(base);
	struct object_fake *object;
	int r = begin(fake, FAKE_TRASH, call);

	if (r != 0)
		return r;
	r = check_ref(fake, ref, false, call);
	mutex_lock(&fake->remote->lock);
	if (r == 0)
		r = find(fake, ref->path, revision, &object);
	if (r == 0 && fake->remote->is_readonly)
		r = PROVIDER_DENIED;
	if (r == 0)
		root_fake_trash(fake->remote->root, ref->path);
	mutex_unlock(&fake->remote->lock);
	if (r > 0)
		provider_fake_say(call, r, ref->path);
	return end(fake, FAKE_TRASH, r, call);
}

/* ---- the provider ---- */

static int identity(struct provider *base, const char *root, char **ret)
{
	struct provider_fake *fake = from_base(base);
	unsigned known;

	mutex_lock(&fake->remote->lock);
	known = fake->known;
	mutex_unlock(&fake->remote->lock);
	if (!known)
		return -ENOENT;
	*ret = strf(IDENTITY "%u", known);
	return *ret ? 0 : -ENOMEM;
}

static int expect(struct provider *base, const char *root, const char *text)
{
	struct provider_fake *fake = from_base(base);
	size_t len = strlen(IDENTITY);
	bool is_ours = strncmp(text, IDENTITY, len) == 0;

	mutex_lock(&fake->remote->lock);
	fake->known = is_ours ? (unsigned)strtoul(text + len, NULL, 10) : UINT32_MAX;
	mutex_unlock(&fake->remote->lock);
	return 0;
}

static void free_provider(struct provider *base)
{
	free(from_base(base));
}

static const struct provider_ops ops = {
	.name = "fake",
	.probe = probe,
	.refusal = refusal,
	.stat = stat_object,
	.list = list,
	.fetch = fetch,
	.digest = digest,
	.store = store,
	.trash = trash,
	.free = free_provider,
	.identity = identity,
	.expect = expect,
};

struct provider *provider_fake_new(struct remote_fake *remote)
{
	struct provider_fake *fake = fake_alloc(sizeof(*fake));

	provider_init(&fake->base, &ops);
	fake->remote = remote;
	return &fake->base;
}
