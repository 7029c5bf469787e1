/*
 * The outbox: changes of documents and truth records that the store has not acknowledged yet. Which
 * files and sites, and which truth records, have a row waiting is kept in memory, by key, with a count.
 */
#include <errno.h>
#include <string.h>

#include "sync/columns.h"
#include "sync/journal_private.h"

void outbox_row_done(struct outbox_row *row)
{
	record_done(&row->record);
	truth_done(&row->truth);
	free(row->parked);
	*row = (struct outbox_row){ 0 };
}

/* Ids hold no NUL, so it parts them. */
static int make_key(struct buf *key, const char *project, const char *repre,
		    const char *file, const char *site)
{
	pack_text(key, project);
	pack_text(key, repre);
	pack_text(key, file);
	pack_text(key, site);
	return key->has_failed ? -ENOMEM : 0;
}

/* Two texts where a file's key has four: none is taken for the other. */
static int make_truth_key(struct buf *key, const char *project, const char *truth)
{
	pack_text(key, project);
	pack_text(key, truth);
	return key->has_failed ? -ENOMEM : 0;
}

static int count_key(struct journal *journal, const struct buf *key, int step)
	REQUIRES(&journal->lock)
{
	int64_t *n = map_get_n(&journal->outbox, key->data, key->len);

	if (n) {
		*n += step;
		if (!*n)
			free(map_remove_n(&journal->outbox, key->data, key->len));
		return 0;
	}
	if (step < 0)
		return 0;
	n = malloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = step;
	if (map_put_n(&journal->outbox, key->data, key->len, n, NULL) == 0)
		return 0;
	free(n);
	return -ENOMEM;
}

/* Ahead of the commit: a moment too early is harmless, and nothing can fail after it. */
static int note_waiting(struct journal *journal, const struct outbox_row *row, int step)
{
	const struct record *record = &row->record;
	_cleanup_(buf_done) struct buf key = { 0 }, truth = { 0 };
	int r = 0;

	if (row->has_record)
		r = make_key(&key, record->project, record->repre, record->file,
			     record->site);
	if (r == 0 && row->has_truth)
		r = make_truth_key(&truth, row->truth.project, row->truth.key);
	if (r < 0)
		return r;
	mutex_lock(&journal->lock);
	if (row->has_record)
		r = count_key(journal, &key, step);
	if (r == 0 && row->has_truth) {
		r = count_key(journal, &truth, step);
		if (r < 0 && row->has_record)
			count_key(journal, &key, -step);
	}
	if (r == 0)
		journal->n_waiting += step;
	mutex_unlock(&journal->lock);
	return r;
}

static int insert_row(struct journal *journal, const struct outbox_row *row)
{
	const struct record *record = &row->record;
	const struct truth *truth = &row->truth;
	_cleanup_(buf_done) struct buf remotes = { 0 }, files = { 0 }, before = { 0 };
	int r = row->has_truth ? pack_remotes(&remotes, truth) : 0;

	if (r == 0 && row->has_truth)
		r = pack_files(&files, &truth->files);
	if (r == 0 && row->has_truth)
		r = pack_files(&before, &truth->before);
	if (r < 0)
		return r;
	return db_run(
		journal->db,
		"INSERT INTO outbox(op, project, repre, file, path, site, had_presence,"
		" had_created, had_id, id, created, tries, error, failed, progress,"
		" truth_project, truth_key, size, mtime, sha256, md5, remotes,"
		" is_replacing, files, before) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
		" ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"isssssiissiisidssii" DIGEST_TYPES "bibb",
		(int64_t)(row->has_record ? record->op : 0), record->project,
		record->repre, record->file, record->path, record->site,
		(int64_t)record->had_presence, record->had_created_ms, record->had_id,
		record->id, record->created_ms, (int64_t)record->tries, record->error,
		record->failed_ms, record->progress,
		row->has_truth ? truth->project : NULL, truth->key, truth->size,
		truth->mtime_ns, DIGEST_BIND(&truth->digest), (const void *)remotes.data,
		remotes.len, (int64_t)row->is_replacing, (const void *)files.data,
		files.len, (const void *)before.data, before.len);
}

/* RET: the numbers of those of the N rows that are added. */
static int add_rows(struct journal *journal, const struct outbox_row *rows, size_t n,
		    size_t *ret, size_t *ret_n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct record *record = &rows[i].record;

		if (rows[i].is_once &&
		    journal_outbox_has(journal, record->project, record->repre,
				       record->file, record->site))
			continue;
		r = note_waiting(journal, &rows[i], 1);
		if (r < 0)
			break;
		ret[(*ret_n)++] = i;
		r = insert_row(journal, &rows[i]);
	}
	return r;
}

int journal_outbox_add(struct journal *journal, const struct outbox_row *rows, size_t n)
{
	_cleanup_(freep) size_t *added = calloc(n ? n : 1, sizeof(*added));
	size_t n_added = 0;
	int r = added ? journal_begin(journal) : -ENOMEM;

	if (r < 0)
		return r;
	r = journal_end(journal, add_rows(journal, rows, n, added, &n_added));
	while (r < 0 && n_added > 0)
		note_waiting(journal, &rows[added[--n_added]], -1);
	journal_give_pen(journal);
	return r;
}

static int load_record(struct sqlite3_stmt *stmt, struct record *ret)
{
	int r = 0;

	ret->op = (enum record_op)db_int(stmt, 2);
	ret->project = column_text(stmt, 3, &r);
	ret->repre = column_text(stmt, 4, &r);
	ret->file = column_text(stmt, 5, &r);
	ret->path = column_text(stmt, 6, &r);
	ret->site = column_text(stmt, 7, &r);
	ret->had_presence = (int)db_int(stmt, 8);
	ret->had_created_ms = db_int(stmt, 9);
	ret->had_id = column_text(stmt, 10, &r);
	ret->id = column_text(stmt, 11, &r);
	ret->created_ms = db_int(stmt, 12);
	ret->tries = (int)db_int(stmt, 13);
	ret->error = column_text(stmt, 14, &r);
	ret->failed_ms = db_int(stmt, 15);
	ret->progress = db_double(stmt, 16);
	return r;
}

static int load_truth(struct sqlite3_stmt *stmt, struct truth *ret)
{
	int r = 0;

	ret->project = column_text(stmt, 17, &r);
	ret->key = column_text(stmt, 18, &r);
	ret->size = db_int(stmt, 19);
	ret->mtime_ns = db_int(stmt, 20);
	column_digest(stmt, 21, &ret->digest);
	if (r == 0)
		r = column_remotes(stmt, 23, ret);
	if (r == 0)
		r = column_files(stmt, 25, &ret->files);
	return r < 0 ? r : column_files(stmt, 26, &ret->before);
}

static int load_row(struct sqlite3_stmt *stmt, struct outbox_row *ret)
{
	int r = 0;

	ret->seq = db_int(stmt, 0);
	ret->parked = column_text(stmt, 1, &r);
	ret->has_record = db_int(stmt, 2) != 0;
	ret->has_truth = !db_is_null(stmt, 17);
	ret->is_replacing = db_int(stmt, 24) != 0;
	if (r == 0 && ret->has_record)
		r = load_record(stmt, &ret->record);
	if (r == 0 && ret->has_truth)
		r = load_truth(stmt, &ret->truth);
	return r;
}

static const char *select_rows(bool parked)
{
	return parked ? "SELECT * FROM outbox WHERE seq>? AND parked IS NOT NULL"
			" ORDER BY seq LIMIT ?"
		      : "SELECT * FROM outbox WHERE seq>? AND parked IS NULL"
			" ORDER BY seq LIMIT ?";
}

/* Rows grow in powers of two: LIMIT may be SIZE_MAX. */
static int read_rows(struct sqlite3_stmt *stmt, struct outbox_row **rows, size_t *n)
{
	int r;

	while ((r = db_step(stmt)) > 0) {
		if ((*n & (*n - 1)) == 0) {
			size_t cap = *n ? *n * 2 : 1;
			struct outbox_row *more =
				reallocarray(*rows, cap, sizeof(**rows));

			if (!more)
				return -ENOMEM;
			*rows = more;
		}
		(*rows)[*n] = (struct outbox_row){ 0 };
		r = load_row(stmt, &(*rows)[(*n)++]);
		if (r < 0)
			break;
	}
	return r;
}

int journal_outbox_read(struct journal *journal, int64_t after, size_t limit, bool parked,
			struct outbox_row **ret, size_t *ret_n)
{
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	struct outbox_row *rows = NULL;
	size_t n = 0;
	int r;

	r = db_pool_take(journal->readers, &loan);
	if (r == 0)
		r = db_query(loan.db, &stmt, select_rows(parked), "ii", after,
			     limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
	if (r == 0)
		r = read_rows(stmt, &rows, &n);
	if (r < 0) {
		while (n > 0)
			outbox_row_done(&rows[--n]);
		free(rows);
		return r;
	}
	*ret = rows;
	*ret_n = n;
	return 0;
}

/* What a row that leaves means for what is in memory. */
struct leaving {
	struct outbox_row *rows; /* ids only */
	size_t n;
};

static void leaving_done(struct leaving *leaving)
{
	for (size_t i = 0; i < leaving->n; i++)
		outbox_row_done(&leaving->rows[i]);
	free(leaving->rows);
}

static int note_leaving(struct journal *journal, int64_t seq, struct leaving *leaving)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(journal->db, &stmt, "SELECT * FROM outbox WHERE seq=?", "i",
			 seq);

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r;
	leaving->rows[leaving->n] = (struct outbox_row){ 0 };
	return load_row(stmt, &leaving->rows[leaving->n++]);
}

/* After the commit. Counting down needs no memory, making the key does: without it the file seems to
 * wait until the next start, and the store's word on it is heeded later. */
static void forget_leaving(struct journal *journal, const struct leaving *leaving,
			   bool is_parking)
{
	for (size_t i = 0; i < leaving->n; i++) {
		bool was_parked = leaving->rows[i].parked;

		if (!was_parked)
			note_waiting(journal, &leaving->rows[i], -1);
		mutex_lock(&journal->lock);
		journal->n_parked += is_parking - was_parked;
		mutex_unlock(&journal->lock);
	}
}

int journal_outbox_drop(struct journal *journal, const int64_t *seqs, size_t n)
{
	_cleanup_(leaving_done) struct leaving leaving = {
		.rows = calloc(n ? n : 1, sizeof(*leaving.rows)),
	};
	int r = leaving.rows ? journal_begin(journal) : -ENOMEM;

	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r == 0; i++) {
		r = note_leaving(journal, seqs[i], &leaving);
		if (r == 0)
			r = db_run(journal->db, "DELETE FROM outbox WHERE seq=?", "i",
				   seqs[i]);
	}
	r = journal_end(journal, r);
	if (r == 0)
		forget_leaving(journal, &leaving, false);
	journal_give_pen(journal);
	return r;
}

int journal_outbox_park(struct journal *journal, int64_t seq, const char *why)
{
	_cleanup_(leaving_done) struct leaving leaving = {
		.rows = calloc(1, sizeof(*leaving.rows)),
	};
	int r = leaving.rows ? journal_begin(journal) : -ENOMEM;

	if (r < 0)
		return r;
	r = note_leaving(journal, seq, &leaving);
	if (r == 0)
		r = db_run(journal->db, "UPDATE outbox SET parked=? WHERE seq=?", "si",
			   why, seq);
	r = journal_end(journal, r);
	if (r == 0)
		forget_leaving(journal, &leaving, true);
	journal_give_pen(journal);
	return r;
}

void journal_outbox_count(struct journal *journal, int64_t *ret_waiting,
			  int64_t *ret_parked)
{
	mutex_lock(&journal->lock);
	*ret_waiting = journal->n_waiting;
	*ret_parked = journal->n_parked;
	mutex_unlock(&journal->lock);
}

/* Without memory the answer is yes: the cautious one. */
bool journal_outbox_has(struct journal *journal, const char *project, const char *repre,
			const char *file, const char *site)
{
	_cleanup_(buf_done) struct buf key = { 0 };
	bool has;

	if (make_key(&key, project, repre, file, site) < 0)
		return true;
	mutex_lock(&journal->lock);
	has = map_get_n(&journal->outbox, key.data, key.len);
	mutex_unlock(&journal->lock);
	return has;
}

bool journal_outbox_has_truth(struct journal *journal, const char *project,
			      const char *key)
{
	_cleanup_(buf_done) struct buf packed = { 0 };
	bool has;

	if (make_truth_key(&packed, project, key) < 0)
		return true;
	mutex_lock(&journal->lock);
	has = map_get_n(&journal->outbox, packed.data, packed.len);
	mutex_unlock(&journal->lock);
	return has;
}

int journal_load_outbox(struct journal *journal)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(journal->db, &stmt, "SELECT * FROM outbox", "");

	if (r < 0)
		return r;
	while ((r = db_step(stmt)) > 0) {
		struct outbox_row row = { 0 };

		r = load_row(stmt, &row);
		if (r == 0 && !row.parked)
			r = note_waiting(journal, &row, 1);
		if (row.parked) {
			mutex_lock(&journal->lock);
			journal->n_parked++;
			mutex_unlock(&journal->lock);
		}
		outbox_row_done(&row);
		if (r < 0)
			return r;
	}
	return r;
}
