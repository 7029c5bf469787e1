/* The MongoDB store: truth records, in the database that is ours. */
#include <errno.h>
#include <string.h>

#include "sync/base/log.h"
#include "sync/bson_id.h"
#include "sync/store_mongo.h"

/* Two hosts complete one record: who comes second reads again. */
#define PUT_TRIES 16

/* ---- reading ---- */

static void read_digest(const bson_iter_t *it, uint8_t *digest, size_t size,
			bool *ret_has)
{
	const uint8_t *data;
	uint32_t len;

	if (!BSON_ITER_HOLDS_BINARY(it))
		return;
	bson_iter_binary(it, NULL, &len, &data);
	*ret_has = len == size;
	if (*ret_has)
		memcpy(digest, data, size);
}

static int read_remote(const bson_iter_t *element, struct truth *ret)
{
	const char *site = NULL, *id = NULL, *revision = NULL;
	bson_iter_t it;

	if (!BSON_ITER_HOLDS_DOCUMENT(element) || !bson_iter_recurse(element, &it))
		return 0;
	while (bson_iter_next(&it)) {
		if (strcmp(bson_iter_key(&it), "site") == 0)
			site = bson_get_text(&it);
		else if (strcmp(bson_iter_key(&it), "id") == 0)
			id = bson_get_text(&it);
		else if (strcmp(bson_iter_key(&it), "revision") == 0)
			revision = bson_get_text(&it);
	}
	return site ? truth_set_remote(ret, site, id, revision) : 0;
}

static int read_file(const bson_iter_t *element, struct truth *ret)
{
	const char *ref = bson_get_text(element);

	return ref ? truth_files_add_ref(&ret->files, ref) : 0;
}

static int read_name(const bson_iter_t *id, struct truth *ret)
{
	bson_iter_t it;

	if (!BSON_ITER_HOLDS_DOCUMENT(id) || !bson_iter_recurse(id, &it))
		return -EUCLEAN;
	while (bson_iter_next(&it)) {
		const char *text = bson_get_text(&it);
		char **field =
			strcmp(bson_iter_key(&it), "p") == 0 ? &ret->project : &ret->key;

		if (!text || *field)
			return -EUCLEAN;
		*field = strdup(text);
		if (!*field)
			return -ENOMEM;
	}
	return ret->project && ret->key ? 0 : -EUCLEAN;
}

static int read_field(const bson_iter_t *it, struct truth *ret, int64_t *ret_rev)
{
	struct digest *digest = &ret->digest;
	const char *key = bson_iter_key(it);
	bson_iter_t list;
	int r = 0;

	if (strcmp(key, "_id") == 0)
		return read_name(it, ret);
	if (strcmp(key, "rev") == 0)
		*ret_rev = bson_iter_as_int64(it);
	else if (strcmp(key, "size") == 0)
		ret->size = bson_iter_as_int64(it);
	else if (strcmp(key, "mtime_ns") == 0)
		ret->mtime_ns = bson_iter_as_int64(it);
	else if (strcmp(key, "sha256") == 0)
		read_digest(it, digest->sha256, sizeof(digest->sha256),
			    &digest->has_sha256);
	else if (strcmp(key, "md5") == 0)
		read_digest(it, digest->md5, sizeof(digest->md5), &digest->has_md5);
	else if (strcmp(key, "remotes") == 0 && BSON_ITER_HOLDS_ARRAY(it) &&
		 bson_iter_recurse(it, &list))
		while (r == 0 && bson_iter_next(&list))
			r = read_remote(&list, ret);
	else if (strcmp(key, "files") == 0 && BSON_ITER_HOLDS_ARRAY(it) &&
		 bson_iter_recurse(it, &list))
		while (r == 0 && bson_iter_next(&list))
			r = read_file(&list, ret);
	return r;
}

/* Into an empty RET. -EUCLEAN: somebody else wrote it. */
static int read_truth(const bson_t *doc, struct truth *ret, int64_t *ret_rev)
{
	_cleanup_(truth_done) struct truth truth = { .size = -1 };
	int64_t rev = 0;
	bson_iter_t it;
	int r = bson_iter_init(&it, doc) ? 0 : -EUCLEAN;

	while (r == 0 && bson_iter_next(&it))
		r = read_field(&it, &truth, &rev);
	if (r == 0 && (!truth.project || !truth.key || truth.size < 0))
		r = -EUCLEAN;
	if (r < 0)
		return r;
	*ret = truth;
	*ret_rev = rev;
	truth = (struct truth){ 0 };
	return 0;
}

static void append_name(bson_t *doc, const char *project, const char *key)
{
	bson_t id;

	BSON_APPEND_DOCUMENT_BEGIN(doc, "_id", &id);
	BSON_APPEND_UTF8(&id, "p", project);
	BSON_APPEND_UTF8(&id, "k", key);
	bson_append_document_end(doc, &id);
}

static int find_truth(mongoc_collection_t *collection, const char *project,
		      const char *key, struct truth *ret, int64_t *ret_rev)
{
	_cleanup_(bson_destroyp) bson_t *filter = bson_new();
	_cleanup_(buf_done) struct buf found = { 0 };
	bson_t doc;
	int r;

	append_name(filter, project, key);
	r = store_mongo_first(collection, filter, NULL, &found);
	if (r != 0)
		return r;
	store_mongo_borrow(&found, &doc);
	return read_truth(&doc, ret, ret_rev);
}

int store_mongo_load_truth(struct store *store, const char *project, const char *key,
			   struct truth *ret)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_own(store_mongo_of(store), "truth");
	int64_t rev;
	int r = find_truth(collection, project, key, ret, &rev);

	return r == -EUCLEAN ? STORE_GONE : r;
}

struct scan {
	store_truth_fn *fn;
	void *context;
};

static int give_truth(void *context, const bson_t *doc)
{
	const struct scan *scan = context;
	_cleanup_(truth_done) struct truth truth = { 0 };
	int64_t rev;
	int r = read_truth(doc, &truth, &rev);

	if (r == -EUCLEAN) {
		log_debug("mongodb: a truth record that is none of ours is left out");
		return 0;
	}
	return r < 0 ? r : scan->fn(scan->context, &truth);
}

int store_mongo_scan_truth(struct store *store, store_truth_fn *fn, void *context)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_own(store_mongo_of(store), "truth");
	_cleanup_(bson_destroyp) bson_t *all = bson_new();
	struct scan scan = { fn, context };

	return store_mongo_each(collection, all, NULL, give_truth, &scan);
}

/* ---- put ---- */

static void append_text(bson_t *doc, const char *key, const char *text)
{
	if (text)
		bson_append_utf8(doc, key, -1, text, -1);
}

static void append_files(bson_t *doc, const struct truth_files *files)
{
	bson_t list;

	BSON_APPEND_ARRAY_UNSAFE_BEGIN(doc, "files", &list);
	for (size_t i = 0; i < files->n; i++) {
		char key[24];

		snprintf(key, sizeof(key), "%zu", i);
		append_text(&list, key, files->refs[i]);
	}
	bson_append_array_end(doc, &list);
}

static bson_t *write_truth(const struct truth *truth, int64_t rev)
{
	const struct digest *digest = &truth->digest;
	bson_t *doc = bson_new(), remotes, remote;

	append_name(doc, truth->project, truth->key);
	BSON_APPEND_INT64(doc, "rev", rev);
	BSON_APPEND_INT64(doc, "size", truth->size);
	BSON_APPEND_INT64(doc, "mtime_ns", truth->mtime_ns);
	if (digest->has_sha256)
		BSON_APPEND_BINARY(doc, "sha256", BSON_SUBTYPE_BINARY, digest->sha256,
				   sizeof(digest->sha256));
	if (digest->has_md5)
		BSON_APPEND_BINARY(doc, "md5", BSON_SUBTYPE_BINARY, digest->md5,
				   sizeof(digest->md5));
	BSON_APPEND_ARRAY_UNSAFE_BEGIN(doc, "remotes", &remotes);
	for (size_t i = 0; i < truth->n_remotes; i++) {
		char key[24];

		snprintf(key, sizeof(key), "%zu", i);
		BSON_APPEND_DOCUMENT_BEGIN(&remotes, key, &remote);
		append_text(&remote, "site", truth->remotes[i].site);
		append_text(&remote, "id", truth->remotes[i].id);
		append_text(&remote, "revision", truth->remotes[i].revision);
		bson_append_document_end(&remotes, &remote);
	}
	bson_append_array_end(doc, &remotes);
	append_files(doc, &truth->files);
	return doc;
}

/* 0; STORE_CONFLICT: another one wrote it since it was read. */
static int save(struct store_mongo *s, mongoc_collection_t *collection,
		const struct truth *truth, int64_t old_rev)
{
	_cleanup_(bson_destroyp) bson_t *doc = write_truth(truth, old_rev + 1);
	_cleanup_(bson_destroyp) bson_t *filter = bson_new();
	bson_error_t error = { 0 };
	bson_iter_t it;
	bson_t reply;
	bool is_done, is_ours;
	int r;

	if (old_rev == 0) {
		if (mongoc_collection_insert_one(collection, doc, s->durable, NULL,
						 &error))
			return 0;
		r = store_mongo_errno(&error, "insert a truth record");
		return r == -EEXIST ? STORE_CONFLICT : r;
	}
	append_name(filter, truth->project, truth->key);
	BSON_APPEND_INT64(filter, "rev", old_rev);
	is_done = mongoc_collection_replace_one(collection, filter, doc, s->durable,
						&reply, &error);
	is_ours = is_done && bson_iter_init_find(&it, &reply, "matchedCount") &&
		  bson_iter_as_int64(&it) == 1;
	bson_destroy(&reply);
	if (!is_done)
		return store_mongo_errno(&error, "replace a truth record");
	return is_ours ? 0 : STORE_CONFLICT;
}

/* One try. -EAGAIN: another one was faster. */
static int put_once(struct store_mongo *s, mongoc_collection_t *collection,
		    const struct truth *truth, bool replace)
{
	_cleanup_(truth_done) struct truth old = { 0 };
	bool is_changed = true;
	int64_t rev = 0;
	int r;

	r = find_truth(collection, truth->project, truth->key, &old, &rev);
	if (r < 0)
		return r;
	if (r == 0 && truth_same_bytes(&old, truth)) {
		r = truth_complete(&old, truth, replace, &is_changed);
		if (r < 0 || !is_changed)
			return r;
		truth = &old;
	} else if (r == 0 && !replace && !truth_follows(truth, &old)) {
		return STORE_CONFLICT;
	}
	r = save(s, collection, truth, rev);
	if (r == 0)
		r = store_mongo_touch(s, STORE_EVENT_TRUTH, truth->project, truth->key);
	return r == STORE_CONFLICT ? -EAGAIN : r;
}

int store_mongo_put_truth(struct store *store, const struct truth *truth, bool replace)
{
	struct store_mongo *s = store_mongo_of(store);
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_own(s, "truth");
	int r = -EAGAIN;

	if (truth->size < 0 || !truth->project || !truth->key)
		return -EINVAL;
	for (int i = 0; r == -EAGAIN && i < PUT_TRIES; i++)
		r = put_once(s, collection, truth, replace);
	return r == -EAGAIN ? -EBUSY : r;
}
