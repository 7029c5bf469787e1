/*
 * The MongoDB store: entries of `sites` changed. A document is read, the change is made in it by the rules that all
 * stores share (sync/store_sites), and the difference is sent as an update whose query repeats everything that was
 * decided on. Where that finds nothing another hand was faster: read again, decide again.
 */
#include <errno.h>
#include <string.h>

#include "sync/bson_check.h"
#include "sync/store_mongo.h"
#include "sync/store_mongo_diff.h"
#include "sync/store_sites.h"

/* Each file of an update is compared with each file of the document: so many at a time. */
#define FILES_AT_ONCE 64
/* Changed under our hands so often: somebody works on it, later then. */
#define CHANGE_TRIES 16
/* From here on whole `sites` are compared: an entry that equals nothing, itself included, cannot be addressed. */
#define WHOLE_FROM 3

static int load_doc(struct store_mongo *s, const char *project, const char *id,
		    struct buf *ret)
{
	int r = store_mongo_load(&s->store, project, id, ret);

	return r == 0 ? bson_check(ret->data, ret->len) : r;
}

static int copy_doc(const struct buf *doc, struct buf *ret)
{
	buf_clear(ret);
	return buf_add(ret, doc->data, doc->len);
}

/* 0; STORE_CONFLICT: nothing matched. */
static int send_update(struct store_mongo *s, mongoc_collection_t *collection,
		       const struct store_mongo_diff *diff)
{
	_cleanup_(bson_destroyp) bson_t *opts = bson_copy(s->durable);
	bson_t query, update, filters, reply;
	bson_error_t error = { 0 };
	bool is_done, has_matched;
	bson_iter_t it;

	store_mongo_borrow(&diff->query, &query);
	store_mongo_borrow(&diff->update, &update);
	store_mongo_borrow(&diff->filters, &filters);
	bson_concat(opts, &filters);
	/* Our own operators, and values that the server holds already. */
	BSON_APPEND_BOOL(opts, "validate", false);
	is_done = mongoc_collection_update_one(collection, &query, &update, opts, &reply,
					       &error);
	has_matched = is_done && bson_iter_init_find(&it, &reply, "matchedCount") &&
		      bson_iter_as_int64(&it) == 1;
	bson_destroy(&reply);
	if (!is_done)
		return store_mongo_errno(&error, "change sites");
	return has_matched ? 0 : STORE_CONFLICT;
}

int store_mongo_confirm(struct store_mongo *s, mongoc_collection_t *collection,
			const char *id)
{
	_cleanup_(bson_destroyp) bson_t *update =
		BCON_NEW("$set", "{", "type", BCON_UTF8("representation"), "}");
	bson_error_t error = { 0 };
	bson_t filter;
	int r;

	if (!s->has_streams)
		return 0;
	r = store_mongo_by_id(id, &filter);
	BSON_APPEND_UTF8(&filter, "type", "representation");
	if (r == 0 && !mongoc_collection_update_one(collection, &filter, update,
						    s->durable, NULL, &error))
		r = store_mongo_errno(&error, "confirm");
	bson_destroy(&filter);
	return r;
}

struct target {
	const char *project, *id;
	store_mongo_change_fn *change;
	void *context;
	mongoc_collection_t *collection;
	bool is_whole;
};

/* All of the difference. STORE_CONFLICT: another hand was faster, some of it may be made. */
static int send_difference(struct store_mongo *s, const struct target *target,
			   const struct buf *old_doc, const struct buf *new_doc)
{
	struct store_mongo_diff_range range = { .max = FILES_AT_ONCE,
						.is_whole = target->is_whole };
	int r = 0;

	for (;;) {
		_cleanup_(store_mongo_diff_done) struct store_mongo_diff diff = { 0 };

		r = store_mongo_diff(old_doc, new_doc, range, &diff);
		if (r < 0 || diff.n_files == 0)
			break;
		r = send_update(s, target->collection, &diff);
		if (r != 0)
			break;
		range.skip += diff.n_files;
	}
	if (r == 0 && range.skip == 0)
		return store_mongo_confirm(s, target->collection, target->id);
	if (r == 0)
		r = store_mongo_touch(s, STORE_EVENT_DOC, target->project, target->id);
	return r;
}

int store_mongo_change(struct store_mongo *s, const char *project, const char *id,
		       store_mongo_change_fn *change, void *context)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_project(s, project);
	struct target target = { project, id, change, context, collection, false };
	_cleanup_(buf_done) struct buf old_doc = { 0 }, new_doc = { 0 };
	int r = STORE_CONFLICT;

	for (int i = 0; r == STORE_CONFLICT && i < CHANGE_TRIES; i++) {
		target.is_whole = i >= WHOLE_FROM;
		r = load_doc(s, project, id, &old_doc);
		if (r == 0)
			r = copy_doc(&old_doc, &new_doc);
		if (r == 0)
			r = change(context, &new_doc);
		if (r == 0)
			r = send_difference(s, &target, &old_doc, &new_doc);
	}
	return r == STORE_CONFLICT ? -EBUSY : r;
}

/* ---- record ---- */

/* Records of one document that follow each other. */
struct record_run {
	const struct record *records;
	int *results;
	size_t n;
};

static int change_records(void *context, struct buf *doc)
{
	const struct record_run *run = context;

	for (size_t i = 0; i < run->n; i++) {
		bool is_changed = false;
		int r = store_sites_record(doc, &run->records[i], &is_changed);

		if (r < 0)
			return r;
		run->results[i] = r;
	}
	return 0;
}

static bool is_same_doc(const struct record *a, const struct record *b)
{
	return strcmp(a->project, b->project) == 0 && strcmp(a->repre, b->repre) == 0;
}

static void set_results(const struct record_run *run, int result)
{
	for (size_t i = 0; i < run->n; i++)
		run->results[i] = result;
}

static int record_run(struct store_mongo *s, const struct record_run *run)
{
	int r = store_mongo_change(s, run->records->project, run->records->repre,
				   change_records, (void *)(uintptr_t)run);

	if (r == STORE_GONE)
		set_results(run, STORE_GONE);
	/* It would outgrow the server, or is no document: nobody can record anything there. */
	else if (r == -EFBIG || r == -EBADMSG)
		set_results(run, STORE_CONFLICT);
	else if (r < 0)
		return r;
	return 0;
}

int store_mongo_record(struct store *store, const struct record *records, size_t n,
		       int *results)
{
	int r = 0;

	for (size_t i = 0, len; r == 0 && i < n; i += len) {
		struct record_run run = { records + i, results + i, 1 };

		while (i + run.n < n && is_same_doc(records + i, records + i + run.n))
			run.n++;
		len = run.n;
		r = record_run(store_mongo_of(store), &run);
	}
	return r;
}
