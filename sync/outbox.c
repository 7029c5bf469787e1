/*
 * The outbox: results on their way to the store.
 *
 *   job: success ──► rows durable in the journal (law 7) ──► sync thread: store->record/put_truth
 *        ──► 0: the document is read again into the index, then the row goes
 *        ──► conflict, gone: the store wins, the row goes, the path is decided anew
 *        ──► negative: the store is away: the row stays, order holds
 *
 * Under load a document is written once a second, with all that has come: what is later waits as long, and no longer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/engine_private.h"

/* One write of a document takes what waits for it, of many frames too. */
#define BATCH 2048
#define WRITE_EVERY_MS 1000
#define WRITTEN_MAX 4096

void outbox_rows_done(struct outbox_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		outbox_row_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct outbox_rows){ 0 };
}

static struct outbox_row *add_row(struct outbox_rows *rows)
{
	struct outbox_row *grown;
	size_t cap = rows->cap ? rows->cap * 2 : 8;

	if (rows->n == rows->cap) {
		grown = reallocarray(rows->rows, cap, sizeof(*grown));
		if (!grown)
			return NULL;
		rows->rows = grown;
		rows->cap = cap;
	}
	rows->rows[rows->n] = (struct outbox_row){ .truth.size = -1 };
	return &rows->rows[rows->n++];
}

static bool copy_strings(struct record *record, const struct index_record *from,
			 const char *site, const struct index_entry *entry)
{
	record->project = strdup(from->project);
	record->repre = strdup(from->repre);
	record->file = strdup(from->file);
	record->path = strdup(from->path);
	record->site = strdup(site);
	if (entry->id && !(record->had_id = strdup(entry->id)))
		return false;
	return record->project && record->repre && record->file && record->path &&
	       record->site;
}

struct record *outbox_rows_add(struct outbox_rows *rows, enum record_op op,
			       const struct index_record *record, const char *site,
			       const struct index_entry *entry)
{
	struct outbox_row *row = add_row(rows);

	if (!row)
		return NULL;
	row->has_record = true;
	row->record.op = op;
	row->record.had_presence = entry->presence;
	row->record.had_created_ms = entry->created_ms;
	if (!copy_strings(&row->record, record, site, entry)) {
		outbox_row_done(row);
		rows->n--;
		return NULL;
	}
	return &row->record;
}

void outbox_rows_once(struct outbox_rows *rows)
{
	rows->rows[rows->n - 1].is_once = true;
}

int outbox_rows_add_truth(struct outbox_rows *rows, const struct truth *truth,
			  bool replace)
{
	struct outbox_row *row = add_row(rows);
	int r;

	if (!row)
		return -ENOMEM;
	r = truth_copy(truth, &row->truth);
	if (r < 0) {
		rows->n--;
		return r;
	}
	row->has_truth = true;
	row->is_replacing = replace;
	return 0;
}

int outbox_commit(struct engine *engine, struct outbox_rows *rows)
{
	int r;

	if (!rows->n)
		return 0;
	r = journal_outbox_add(engine->journal, rows->rows, rows->n);
	if (r < 0)
		return log_error_r(r, "cannot write the outbox: %s", error_text(NULL, r));
	engine_wake(engine);
	return 0;
}

/* The document as the store has it now, into the index, before its row goes: so a crash between finds the
 * row again and knows the change for its own. */
static int reload(struct engine *engine, const struct record *record)
{
	_cleanup_(buf_done) struct buf bson = { 0 };
	_cleanup_(doc_freep) struct doc *doc = NULL;
	struct error error = { 0 };
	int r = engine->store->ops->load(engine->store, record->project, record->repre,
					 &bson);

	if (r == 0)
		r = doc_parse(bson.data, bson.len, record->project, &doc, &error);
	if (r != 0)
		return r > 0 ? 0 : r;
	r = index_begin(engine->index);
	if (r == 0)
		r = index_put_doc(engine->index, doc, syncer_touched, engine);
	if (r < 0) {
		index_rollback(engine->index);
		return r;
	}
	return index_commit(engine->index);
}

static int put_truth(struct engine *engine, const struct outbox_row *row)
{
	int r = engine->store->ops->put_truth(engine->store, &row->truth,
					      row->is_replacing);

	if (r < 0)
		return r;
	if (r == STORE_CONFLICT) {
		log_warning(
			"truth record of %s says other bytes than were verified here: kept",
			row->truth.key);
		return 0;
	}
	r = index_begin(engine->index);
	if (r == 0)
		r = index_put_truth(engine->index, &row->truth, syncer_touched, engine);
	if (r < 0) {
		index_rollback(engine->index);
		return r;
	}
	return index_commit(engine->index);
}

static void settle(const struct record *record, int result)
{
	if (result != 0)
		log_info(
			"'%s' in %s: the %s entry was changed by another hand meanwhile, it "
			"stays so",
			record->path, record->project, record->site);
}

/* Of the rows that are not held back. */
static int send_records(struct engine *engine, struct record *records, size_t n)
{
	_cleanup_(freep) int *results = calloc(n + 1, sizeof(*results));
	int r = results ? engine->store->ops->record(engine->store, records, n, results)
			: -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		settle(&records[i], results[i]);
	for (size_t i = 0; r == 0 && i < n; i++) {
		bool is_last =
			i + 1 == n || strcmp(records[i].repre, records[i + 1].repre) != 0;

		if (is_last)
			r = reload(engine, &records[i]);
	}
	return r;
}

/* ---- at most one write a second of one document ---- */

static char *written_key(const struct record *record)
{
	return strf("%s\n%s", record->project, record->repre);
}

bool outbox_may_write(struct engine *engine, const struct record *record,
		      int64_t started_ms)
{
	_cleanup_(freep) char *key = written_key(record);
	const int64_t *written = key ? map_get(&engine->written, key) : NULL;

	/* what this pass began it goes on with */
	if (!written || *written == started_ms || *written + WRITE_EVERY_MS <= started_ms)
		return true;
	if (*written + WRITE_EVERY_MS < engine->next_write_ms)
		engine->next_write_ms = *written + WRITE_EVERY_MS;
	return false;
}

void outbox_note_write(struct engine *engine, const struct record *record,
		       int64_t started_ms)
{
	_cleanup_(freep) char *key = written_key(record);
	int64_t *written = key ? map_get(&engine->written, key) : NULL;
	int64_t *fresh;

	if (written || !key) {
		if (written)
			*written = started_ms;
		return;
	}
	if (map_size(&engine->written) >= WRITTEN_MAX)
		map_done(&engine->written, free);
	fresh = malloc(sizeof(*fresh));
	if (!fresh)
		return;
	*fresh = started_ms;
	if (map_put(&engine->written, key, fresh, NULL) < 0)
		free(fresh);
}

/* ---- replay ---- */

/* The rows of one pass over the outbox. */
struct batch {
	struct outbox_row *rows;
	size_t n;
	struct record *records; /* borrowed from the rows */
	int64_t *seqs;          /* of the rows that are done with it */
	size_t n_records, n_seqs;
};

static void batch_done(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		outbox_row_done(&batch->rows[i]);
	free(batch->rows);
	free(batch->records);
	free(batch->seqs);
}

static bool is_held(struct engine *engine, const struct batch *batch, size_t i,
		    bool was_held, int64_t started_ms)
{
	const struct record *record = &batch->rows[i].record;
	const struct record *before = i > 0 ? &batch->rows[i - 1].record : NULL;

	if (before && batch->rows[i - 1].has_record &&
	    strcmp(before->repre, record->repre) == 0 &&
	    strcmp(before->project, record->project) == 0)
		return was_held;
	if (!outbox_may_write(engine, record, started_ms))
		return true;
	outbox_note_write(engine, record, started_ms);
	return false;
}

/* Those of one document follow each other, in their order. */
static int compare_rows(const void *a, const void *b)
{
	const struct outbox_row *left = a, *right = b;
	int order = (int)left->has_record - (int)right->has_record;

	if (order == 0 && left->has_record)
		order = strcmp(left->record.project, right->record.project);
	if (order == 0 && left->has_record)
		order = strcmp(left->record.repre, right->record.repre);
	if (order == 0)
		order = left->seq < right->seq ? -1 : left->seq > right->seq;
	return order;
}

static int replay_batch(struct engine *engine, struct batch *batch, int64_t started_ms)
{
	bool was_held = false;
	int r = 0;

	batch->records = calloc(batch->n, sizeof(*batch->records));
	batch->seqs = calloc(batch->n, sizeof(*batch->seqs));
	if (!batch->records || !batch->seqs)
		return -ENOMEM;
	for (size_t i = 0; i < batch->n && r == 0; i++)
		if (batch->rows[i].has_truth)
			r = put_truth(engine, &batch->rows[i]);
	for (size_t i = 0; i < batch->n; i++) {
		const struct outbox_row *row = &batch->rows[i];

		if (row->has_record)
			was_held = is_held(engine, batch, i, was_held, started_ms);
		if (row->has_record && !was_held)
			batch->records[batch->n_records++] = row->record;
		if (!row->has_record || !was_held)
			batch->seqs[batch->n_seqs++] = row->seq;
	}
	if (r == 0 && batch->n_records)
		r = send_records(engine, batch->records, batch->n_records);
	if (r == 0 && batch->n_seqs)
		r = journal_outbox_drop(engine->journal, batch->seqs, batch->n_seqs);
	return r;
}

int outbox_replay(struct engine *engine)
{
	int64_t waiting, parked, after = 0, started_ms = clock_mono_ms();
	size_t n = BATCH;
	int r = 0;

	engine->next_write_ms = INT64_MAX;
	journal_outbox_count(engine->journal, &waiting, &parked);
	while (waiting > 0 && r == 0 && n == BATCH) {
		_cleanup_(batch_done) struct batch batch = { 0 };

		r = journal_outbox_read(engine->journal, after, BATCH, false, &batch.rows,
					&batch.n);
		n = batch.n;
		if (r < 0 || n == 0)
			break;
		after = batch.rows[n - 1].seq;
		qsort(batch.rows, n, sizeof(*batch.rows), compare_rows);
		r = replay_batch(engine, &batch, started_ms);
	}
	return r;
}
