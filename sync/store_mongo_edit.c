/*
 * The MongoDB store: what people change of sites, in bulk. Some hundred documents are read with one query, each is
 * changed by the rules that all stores share (sync/store_sites), and the differences are sent together:
 *
 *   $in of ids ──► edited in memory ──► conditional updates in one bulk ──► all matched: done
 *                                                                    └────► else: each of them once more, alone
 */
#include <errno.h>
#include <string.h>

#include "sync/base/map.h"
#include "sync/bson_check.h"
#include "sync/bson_id.h"
#include "sync/store_mongo.h"
#include "sync/store_mongo_diff.h"
#include "sync/store_mongo_many.h"
#include "sync/store_sites.h"

#define DOCS_AT_ONCE 256
/* Of updates, before they are sent. */
#define BYTES_AT_ONCE (8 << 20)
/* As in sync/store_mongo_sites. */
#define FILES_AT_ONCE 64

/* Edits of one document that follow each other. */
struct edit_run {
	const struct site_edit *edits;
	struct site_edited *results;
	size_t n;
	bool is_found, is_sent, is_changed;
};

struct batch {
	struct store_mongo *s;
	mongoc_collection_t *collection;
	const char *project;
	struct edit_run runs[DOCS_AT_ONCE];
	size_t n;
	struct map by_id; /* id -> run */
	mongoc_bulk_operation_t *bulk;
	size_t n_updates, n_bytes; /* in the bulk */
	bool has_written;
};

static void batch_done(struct batch *batch)
{
	map_done(&batch->by_id, NULL);
	if (batch->bulk)
		mongoc_bulk_operation_destroy(batch->bulk);
	if (batch->collection)
		mongoc_collection_destroy(batch->collection);
}

/* ---- one document ---- */

/* Results are added to what an earlier try counted: it may have made the change. */
static int edit_doc(void *context, struct buf *doc)
{
	struct edit_run *run = context;

	run->is_found = true;
	for (size_t i = 0; i < run->n; i++) {
		struct site_edited *result = &run->results[i];
		size_t n = 0;
		int r = store_sites_edit(doc, &run->edits[i], &n);

		if (r < 0 && r != -EFBIG)
			return r;
		result->result = r;
		if (n > result->n_changed)
			result->n_changed = n;
		run->is_changed |= n > 0;
	}
	return 0;
}

static void set_results(struct edit_run *run, int result)
{
	for (size_t i = 0; i < run->n; i++)
		run->results[i] = (struct site_edited){ .result = result };
}

static int edit_alone(struct batch *batch, struct edit_run *run)
{
	int r = store_mongo_change(batch->s, batch->project, run->edits->repre, edit_doc,
				   run);

	if (r == STORE_GONE || r == -EFBIG || r == -EBADMSG) {
		set_results(run, r);
		return 0;
	}
	return r;
}

/* ---- sending ---- */

static int begin_bulk(struct batch *batch)
{
	_cleanup_(bson_destroyp) bson_t *opts = bson_copy(batch->s->durable);

	BSON_APPEND_BOOL(opts, "ordered", false);
	batch->bulk = mongoc_collection_create_bulk_operation_with_opts(batch->collection,
									opts);
	batch->n_updates = batch->n_bytes = 0;
	return batch->bulk ? 0 : -ENOMEM;
}

static int add_update(struct batch *batch, const struct store_mongo_diff *diff)
{
	bson_t query, update, filters, opts = BSON_INITIALIZER;
	bson_error_t error = { 0 };
	bool is_added;
	int r = batch->bulk ? 0 : begin_bulk(batch);

	if (r < 0)
		return r;
	store_mongo_borrow(&diff->query, &query);
	store_mongo_borrow(&diff->update, &update);
	store_mongo_borrow(&diff->filters, &filters);
	bson_concat(&opts, &filters);
	/* Our own operators, and values that the server holds already. */
	BSON_APPEND_BOOL(&opts, "validate", false);
	is_added = mongoc_bulk_operation_update_one_with_opts(batch->bulk, &query,
							      &update, &opts, &error);
	bson_destroy(&opts);
	if (!is_added)
		return store_mongo_errno(&error, "change sites");
	batch->n_updates++;
	batch->n_bytes += diff->query.len + diff->update.len + diff->filters.len;
	return 0;
}

/* 0; STORE_CONFLICT: not all of them matched. */
static int execute(struct batch *batch)
{
	bson_error_t error = { 0 };
	int64_t n_matched = -1;
	bson_iter_t it;
	bson_t reply;
	int r = 0;

	if (!mongoc_bulk_operation_execute(batch->bulk, &reply, &error))
		r = store_mongo_errno(&error, "change sites");
	else if (bson_iter_init_find(&it, &reply, "nMatched"))
		n_matched = bson_iter_as_int64(&it);
	bson_destroy(&reply);
	mongoc_bulk_operation_destroy(batch->bulk);
	batch->bulk = NULL;
	batch->has_written = true;
	if (r == 0 && n_matched != (int64_t)batch->n_updates)
		return STORE_CONFLICT;
	return r == -EFBIG ? STORE_CONFLICT : r;
}

/* Sends what was gathered; where another hand was faster, or a document would grow too large, each alone. */
static int send_bulk(struct batch *batch)
{
	int r = batch->bulk ? execute(batch) : 0;
	bool is_conflict = r == STORE_CONFLICT;

	if (is_conflict)
		r = 0;
	for (size_t i = 0; r == 0 && i < batch->n; i++) {
		struct edit_run *run = &batch->runs[i];

		if (run->is_sent && is_conflict)
			r = edit_alone(batch, run);
		run->is_sent = false;
	}
	return r;
}

static int add_difference(struct batch *batch, const struct buf *old_doc,
			  const struct buf *new_doc)
{
	struct store_mongo_diff_range range = { .max = FILES_AT_ONCE };
	int r = 0;

	while (r == 0) {
		_cleanup_(store_mongo_diff_done) struct store_mongo_diff diff = { 0 };

		r = store_mongo_diff(old_doc, new_doc, range, &diff);
		if (r < 0 || diff.n_files == 0)
			break;
		r = add_update(batch, &diff);
		range.skip += diff.n_files;
	}
	return r;
}

static int add_run(struct batch *batch, struct edit_run *run, const struct buf *old_doc,
		   const struct buf *new_doc)
{
	_cleanup_(store_mongo_diff_done) struct store_mongo_diff many = { 0 };
	int r = 0;

	if (run->n == 1)
		r = store_mongo_many(old_doc, run->edits, &many);
	if (r < 0)
		return r;
	run->is_sent = true;
	return many.n_files ? add_update(batch, &many)
			    : add_difference(batch, old_doc, new_doc);
}

/* ---- a batch ---- */

static int take_doc(void *context, const bson_t *bson)
{
	struct batch *batch = context;
	_cleanup_(buf_done) struct buf old_doc = { 0 }, new_doc = { 0 };
	_cleanup_(freep) char *id = NULL;
	struct edit_run *run;
	bson_iter_t it;
	int r;

	if (!bson_iter_init_find(&it, bson, "_id"))
		return 0;
	id = bson_id_text(&it);
	run = id ? map_get(&batch->by_id, id) : NULL;
	if (!run || run->is_found)
		return 0;
	run->is_found = true;
	r = buf_add(&old_doc, bson_get_data(bson), bson->len);
	if (r == 0)
		r = buf_add(&new_doc, bson_get_data(bson), bson->len);
	if (r == 0 && bson_check(old_doc.data, old_doc.len) < 0) {
		set_results(run, -EBADMSG);
		return 0;
	}
	if (r == 0)
		r = edit_doc(run, &new_doc);
	if (r == 0 && run->is_changed)
		r = add_run(batch, run, &old_doc, &new_doc);
	return r == 0 && batch->n_bytes >= BYTES_AT_ONCE ? send_bulk(batch) : r;
}

static int find_docs(struct batch *batch)
{
	bson_t filter = BSON_INITIALIZER, in, list;
	char key[24];
	int r = 0;

	BSON_APPEND_DOCUMENT_BEGIN(&filter, "_id", &in);
	BSON_APPEND_ARRAY_BEGIN(&in, "$in", &list);
	for (size_t i = 0; r == 0 && i < batch->n; i++) {
		snprintf(key, sizeof(key), "%zu", i);
		r = bson_id_append(&list, key, batch->runs[i].edits->repre);
		if (r == -EINVAL)
			r = 0; /* such an id no document has */
	}
	bson_append_array_end(&in, &list);
	bson_append_document_end(&filter, &in);
	if (r == 0)
		r = store_mongo_each(batch->collection, &filter, NULL, take_doc, batch);
	bson_destroy(&filter);
	return r;
}

static int tell(struct batch *batch)
{
	const char *ids[DOCS_AT_ONCE];
	size_t n = 0;

	for (size_t i = 0; i < batch->n; i++)
		if (batch->runs[i].is_changed)
			ids[n++] = batch->runs[i].edits->repre;
	return store_mongo_touch_all(batch->s, batch->project, ids, n);
}

static int run_batch(struct batch *batch)
{
	const struct edit_run *found = NULL;
	int r;

	r = find_docs(batch);
	if (r == 0)
		r = send_bulk(batch);
	for (size_t i = 0; i < batch->n; i++) {
		if (!batch->runs[i].is_found)
			set_results(&batch->runs[i], STORE_GONE);
		else
			found = &batch->runs[i];
	}
	if (r == 0 && found && !batch->has_written)
		r = store_mongo_confirm(batch->s, batch->collection, found->edits->repre);
	return r == 0 ? tell(batch) : r;
}

/* The edits from AT on that go together. The number of them, or -ENOMEM. */
static ssize_t take_batch(struct batch *batch, const struct site_edit *edits, size_t n,
			  struct site_edited *results)
{
	size_t at = 0;
	int r;

	batch->project = edits->project;
	while (at < n && batch->n < DOCS_AT_ONCE &&
	       strcmp(edits[at].project, batch->project) == 0 &&
	       !map_get(&batch->by_id, edits[at].repre)) {
		struct edit_run *run = &batch->runs[batch->n++];

		*run =
			(struct edit_run){ edits + at, results + at, 1,
					   false,      false,        false };
		while (at + run->n < n &&
		       strcmp(edits[at + run->n].project, batch->project) == 0 &&
		       strcmp(edits[at + run->n].repre, edits[at].repre) == 0)
			run->n++;
		r = map_put(&batch->by_id, edits[at].repre, run, NULL);
		if (r < 0)
			return r;
		at += run->n;
	}
	return (ssize_t)at;
}

int store_mongo_edit(struct store *store, const struct site_edit *edits, size_t n,
		     struct site_edited *results)
{
	struct store_mongo *s = store_mongo_of(store);
	int r = 0;

	memset(results, 0, n * sizeof(*results));
	for (size_t at = 0; r == 0 && at < n;) {
		_cleanup_(batch_done) struct batch batch = { .s = s };
		ssize_t taken = take_batch(&batch, edits + at, n - at, results + at);

		if (taken < 0)
			return (int)taken;
		batch.collection = store_mongo_project(s, batch.project);
		r = run_batch(&batch);
		at += (size_t)taken;
	}
	return r;
}
