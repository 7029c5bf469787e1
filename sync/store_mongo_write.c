/* The MongoDB store: documents inserted. */
#include <errno.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/lock.h"
#include "sync/base/path.h"
#include "sync/bson_check.h"
#include "sync/bson_id.h"
#include "sync/store_mongo.h"

/* The server's own limit, for what clients send. */
#define MAX_DOCUMENT (16 * 1024 * 1024)
/* How long another publish into the project is waited for. */
#define PUBLISH_WAIT_MS 10000
#define PUBLISH_LOOK_MS 50

static bool is_project_name(const char *project)
{
	return project[0] != 0 && !strchr(project, '$') && path_is_utf8(project) &&
	       strncmp(project, "system.", strlen("system.")) != 0;
}

/* The document, borrowed, and its id; -EBADMSG where it is none or has no id of ours. */
static int read_doc(const struct buf *doc, bson_t *ret, char **ret_id)
{
	bson_iter_t it;

	if (!doc->data || doc->len > MAX_DOCUMENT || bson_check(doc->data, doc->len) < 0)
		return -EBADMSG;
	store_mongo_borrow(doc, ret);
	if (!bson_iter_init_find(&it, ret, "_id") ||
	    !(BSON_ITER_HOLDS_OID(&it) || bson_get_text(&it)))
		return -EBADMSG;
	*ret_id = bson_id_text(&it);
	return *ret_id ? 0 : -ENOMEM;
}

static bson_t *insert_opts(const struct store_mongo *s)
{
	bson_t *opts = bson_copy(s->durable);

	/* The server knows what it takes: every document is judged by it alone. */
	BSON_APPEND_BOOL(opts, "validate", false);
	BSON_APPEND_BOOL(opts, "ordered", false);
	return opts;
}

/* ---- insert ---- */

struct batch {
	bson_t *docs;
	const bson_t **list;
	char **ids;
	size_t *which; /* index of the caller */
	size_t n;
};

static void batch_done(struct batch *batch)
{
	for (size_t i = 0; batch->ids && i < batch->n; i++)
		free(batch->ids[i]);
	free(batch->docs);
	free(batch->list);
	free(batch->ids);
	free(batch->which);
}

static int batch_make(const struct buf *docs, size_t n, int *results, struct batch *ret)
{
	ret->docs = calloc(n, sizeof(*ret->docs));
	ret->list = calloc(n, sizeof(*ret->list));
	ret->ids = calloc(n, sizeof(*ret->ids));
	ret->which = calloc(n, sizeof(*ret->which));
	if (!ret->docs || !ret->list || !ret->ids || !ret->which)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		size_t at = ret->n;
		int r = read_doc(&docs[i], &ret->docs[at], &ret->ids[at]);

		results[i] = r == -EBADMSG ? STORE_REFUSED : 0;
		if (r == -EBADMSG)
			continue;
		if (r < 0)
			return r;
		ret->list[at] = &ret->docs[at];
		ret->which[at] = i;
		ret->n++;
	}
	return 0;
}

static int result_of(int64_t code)
{
	return code == MONGOC_ERROR_DUPLICATE_KEY ? STORE_EXISTS : STORE_REFUSED;
}

/* Each document that the server did not take; false where the reply has no such list. */
static bool read_write_errors(const bson_t *reply, const struct batch *batch,
			      int *results)
{
	bson_iter_t it, list, field;

	if (!bson_iter_init_find(&it, reply, "writeErrors") ||
	    !bson_iter_recurse(&it, &list))
		return false;
	while (bson_iter_next(&list)) {
		int64_t index = -1, code = 0;

		if (!bson_iter_recurse(&list, &field))
			continue;
		while (bson_iter_next(&field)) {
			if (strcmp(bson_iter_key(&field), "index") == 0)
				index = bson_iter_as_int64(&field);
			else if (strcmp(bson_iter_key(&field), "code") == 0)
				code = bson_iter_as_int64(&field);
		}
		if (index >= 0 && (size_t)index < batch->n)
			results[batch->which[index]] = result_of(code);
	}
	return true;
}

static int insert_batch(struct store_mongo *s, const char *project,
			const struct batch *batch, int *results)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_project(s, project);
	_cleanup_(bson_destroyp) bson_t *opts = insert_opts(s);
	bson_error_t error = { 0 };
	bool is_done, has_list;
	bson_t reply;

	is_done = mongoc_collection_insert_many(collection, batch->list, batch->n, opts,
						&reply, &error);
	has_list = !is_done && read_write_errors(&reply, batch, results);
	bson_destroy(&reply);
	if (is_done || (has_list && error.domain != MONGOC_ERROR_WRITE_CONCERN &&
			error.domain != MONGOC_ERROR_STREAM))
		return 0;
	return store_mongo_errno(&error, "insert");
}

int store_mongo_insert(struct store *store, const char *project, const struct buf *docs,
		       size_t n, int *results)
{
	struct store_mongo *s = store_mongo_of(store);
	_cleanup_(batch_done) struct batch batch = { 0 };
	int r;

	if (!is_project_name(project))
		return -EINVAL;
	r = n ? batch_make(docs, n, results, &batch) : 0;
	if (r == 0 && batch.n)
		r = insert_batch(s, project, &batch, results);
	for (size_t i = 0; r == 0 && i < batch.n; i++)
		if (results[batch.which[i]] == 0)
			r = store_mongo_touch(s, STORE_EVENT_DOC, project, batch.ids[i]);
	return r;
}

/* ---- publish ---- */

/* {KEY: VALUE of DOC}, null where it has none: that is how a query finds both. */
static void append_same(bson_t *filter, const bson_t *doc, const char *key)
{
	bson_iter_t it;

	if (bson_iter_init_find(&it, doc, key))
		bson_append_iter(filter, key, -1, &it);
	else
		bson_append_null(filter, key, -1);
}

/* Its parent is a document of this batch: nobody else's hangs from there. */
static bool has_new_parent(const struct batch *batch, const bson_t *doc)
{
	bson_iter_t parent, id;

	if (!bson_iter_init_find(&parent, doc, "parent") || !BSON_ITER_HOLDS_OID(&parent))
		return false;
	for (size_t i = 0; i < batch->n; i++)
		if (bson_iter_init_find(&id, batch->list[i], "_id") &&
		    BSON_ITER_HOLDS_OID(&id) &&
		    bson_oid_equal(bson_iter_oid(&id), bson_iter_oid(&parent)))
			return true;
	return false;
}

struct arms {
	bson_t list;
	uint32_t n;
};

static bson_t *begin_arm(struct arms *arms, bson_t *ret)
{
	char key[16];

	snprintf(key, sizeof(key), "%u", arms->n++);
	bson_append_document_begin(&arms->list, key, -1, ret);
	return ret;
}

static void append_arms(struct arms *arms, const struct batch *batch, const bson_t *doc)
{
	bson_t arm;

	append_same(begin_arm(arms, &arm), doc, "_id");
	bson_append_document_end(&arms->list, &arm);
	if (has_new_parent(batch, doc))
		return;
	begin_arm(arms, &arm);
	append_same(&arm, doc, "type");
	append_same(&arm, doc, "parent");
	append_same(&arm, doc, "name");
	bson_append_document_end(&arms->list, &arm);
}

/* 0; STORE_EXISTS: a document of the type and parent of one of them has its name, or one has its _id. One question, as
 * the studio's collection has no index of names: all of it may be read for it. */
static int check_free(mongoc_collection_t *collection, const struct batch *batch)
{
	_cleanup_(bson_destroyp) bson_t *filter = bson_new();
	_cleanup_(bson_destroyp) bson_t *opts = BCON_NEW(
		"limit", BCON_INT64(1), "projection", "{", "_id", BCON_INT32(1), "}");
	_cleanup_(buf_done) struct buf found = { 0 };
	struct arms arms = { 0 };
	int r;

	BSON_APPEND_ARRAY_UNSAFE_BEGIN(filter, "$or", &arms.list);
	for (size_t i = 0; i < batch->n; i++)
		append_arms(&arms, batch, batch->list[i]);
	bson_append_array_end(filter, &arms.list);
	r = store_mongo_first(collection, filter, opts, &found);
	if (r < 0)
		return r;
	return r == 0 ? STORE_EXISTS : 0;
}

/* Takes back what this call inserted: by its _id, and only as it was inserted. */
static void take_back(mongoc_collection_t *collection, const struct batch *batch,
		      size_t n)
{
	bson_error_t error = { 0 };

	while (n-- > 0) {
		bson_t filter = BSON_INITIALIZER;

		append_same(&filter, batch->list[n], "_id");
		if (!mongoc_collection_delete_one(collection, &filter, NULL, NULL,
						  &error))
			store_mongo_errno(&error, "take a publish back");
		bson_destroy(&filter);
	}
}

/* What it hangs from comes first: whoever dies between leaves a version without files, not files without one. */
static int insert_all(struct store_mongo *s, mongoc_collection_t *collection,
		      const struct batch *batch)
{
	_cleanup_(bson_destroyp) bson_t *opts = bson_copy(s->durable);
	bson_error_t error = { 0 };
	int r;

	BSON_APPEND_BOOL(opts, "validate", false);
	for (size_t i = 0; i < batch->n; i++) {
		if (mongoc_collection_insert_one(collection, batch->list[i], opts, NULL,
						 &error))
			continue;
		r = store_mongo_errno(&error, "publish");
		take_back(collection, batch, i);
		return r == -EEXIST ? STORE_EXISTS : r;
	}
	return 0;
}

static int publish_batch(struct store_mongo *s, const char *project,
			 const struct batch *batch)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_project(s, project);
	int r = batch->n ? check_free(collection, batch) : 0;

	if (r == 0)
		r = insert_all(s, collection, batch);
	for (size_t i = 0; r == 0 && i < batch->n; i++)
		r = store_mongo_touch(s, STORE_EVENT_DOC, project, batch->ids[i]);
	return r;
}

/* The studio's collection has no unique index to go by: one publish at a time, by a lease of ours. */
static int wait_for_turn(struct store_mongo *s, const char *key)
{
	int64_t deadline = clock_mono_ms() + PUBLISH_WAIT_MS;
	int r;

	for (;;) {
		_cleanup_(freep) char *ids = NULL;

		r = store_mongo_lease(&s->store, key, NULL, &ids);
		if (r != STORE_CONFLICT)
			return r;
		if (clock_mono_ms() >= deadline)
			return -EBUSY;
		mutex_lock(&s->lock);
		cond_wait_until(&s->changed, &s->lock, clock_mono_ms() + PUBLISH_LOOK_MS);
		mutex_unlock(&s->lock);
	}
}

int store_mongo_publish(struct store *store, const char *project, const struct buf *docs,
			size_t n)
{
	struct store_mongo *s = store_mongo_of(store);
	_cleanup_(freep) char *key = strf("publish:%s", project);
	_cleanup_(freep) int *results = calloc(n + 1, sizeof(*results));
	_cleanup_(batch_done) struct batch batch = { 0 };
	int r, released;

	if (!key || !results)
		return -ENOMEM;
	if (!is_project_name(project))
		return -EINVAL;
	r = n ? batch_make(docs, n, results, &batch) : 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = results[i] ? -EBADMSG : 0;
	if (r == 0)
		r = wait_for_turn(s, key);
	if (r != 0)
		return r;
	r = publish_batch(s, project, &batch);
	released = store_mongo_release(store, key);
	return r == 0 && released < 0 ? 0 : r;
}
