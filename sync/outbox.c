/*
 * The outbox: results on their way to the store.
 *
 *   job: success ──► rows durable in the journal (law 7) ──► sync thread: store->record/put_truth
 *        ──► 0: the document is read again into the index, then the row goes
 *        ──► conflict, gone: the store wins, the row goes, the path is decided anew
 *        ──► negative: the store is away: the row stays, order holds
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/engine_private.h"

#define BATCH 256

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

static int replay_records(struct engine *engine, const struct outbox_row *rows, size_t n)
{
	struct record records[BATCH];
	int results[BATCH] = { 0 };
	size_t n_records = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		if (rows[i].has_record)
			records[n_records++] = rows[i].record;
	r = n_records ? engine->store->ops->record(engine->store, records, n_records,
						   results)
		      : 0;
	if (r < 0)
		return r;
	for (size_t i = 0, k = 0; i < n; i++)
		if (rows[i].has_record)
			settle(&rows[i].record, results[k++]);
	for (size_t i = 0; i < n_records; i++) {
		bool is_last = i + 1 == n_records ||
			       strcmp(records[i].repre, records[i + 1].repre) != 0;

		if (is_last)
			r = reload(engine, &records[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int replay_batch(struct engine *engine, const struct outbox_row *rows, size_t n)
{
	int64_t seqs[BATCH];
	int r = 0;

	for (size_t i = 0; i < n; i++)
		seqs[i] = rows[i].seq;
	for (size_t i = 0; i < n && r == 0; i++)
		if (rows[i].has_truth)
			r = put_truth(engine, &rows[i]);
	if (r == 0)
		r = replay_records(engine, rows, n);
	if (r == 0)
		r = journal_outbox_drop(engine->journal, seqs, n);
	return r;
}

int outbox_replay(struct engine *engine)
{
	int64_t waiting, parked;
	int r = 0;

	journal_outbox_count(engine->journal, &waiting, &parked);
	while (waiting > 0 && r == 0) {
		struct outbox_row *rows = NULL;
		size_t n = 0;

		r = journal_outbox_read(engine->journal, 0, BATCH, false, &rows, &n);
		if (r == 0 && n == 0)
			break;
		if (r == 0)
			r = replay_batch(engine, rows, n);
		for (size_t i = 0; i < n; i++)
			outbox_row_done(&rows[i]);
		free(rows);
		journal_outbox_count(engine->journal, &waiting, &parked);
	}
	return r;
}
