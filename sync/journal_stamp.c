/* Stamps: of what a disk file is a copy. That copies exist is kept in memory, by path hash. */
#include <errno.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/columns.h"
#include "sync/journal_private.h"

#define SLICE 256 /* rows read at once by journal_stamp_each() */

void stamp_done(struct stamp *stamp)
{
	free(stamp->remote_id);
	free(stamp->revision);
	for (size_t i = 0; i < stamp->n_files; i++)
		free(stamp->files[i]);
	free(stamp->files);
	*stamp = (struct stamp){ 0 };
}

enum stamp_match stamp_compare(const struct stamp *stamp, const struct stat *st)
{
	if (stamp->dev != st->st_dev || stamp->ino != st->st_ino ||
	    stamp->size != st->st_size || stamp->mtime_ns != timespec_ns(st->st_mtim))
		return STAMP_OTHER;
	return stamp->ctime_ns == timespec_ns(st->st_ctim) ? STAMP_SAME : STAMP_REHASH;
}

void stamp_take_stat(struct stamp *stamp, const struct stat *st)
{
	stamp->dev = st->st_dev;
	stamp->ino = st->st_ino;
	stamp->size = st->st_size;
	stamp->mtime_ns = timespec_ns(st->st_mtim);
	stamp->ctime_ns = timespec_ns(st->st_ctim);
}

static int load_files(struct sqlite3_stmt *stmt, int column, struct stamp *ret)
{
	size_t len, pos = 0, n = 0;
	const char *data = db_blob(stmt, column, &len);

	while (unpack_text(data, len, &pos))
		n++;
	if (!n)
		return 0;
	ret->files = calloc(n, sizeof(*ret->files));
	if (!ret->files)
		return -ENOMEM;
	pos = 0;
	while (ret->n_files < n) {
		char *file = strdup(unpack_text(data, len, &pos));

		if (!file)
			return -ENOMEM;
		ret->files[ret->n_files++] = file;
	}
	return 0;
}

static int load_stamp(struct sqlite3_stmt *stmt, struct stamp *ret)
{
	int r = 0;

	ret->kind = (enum stamp_kind)db_int(stmt, 0);
	ret->dev = (uint64_t)db_int(stmt, 1);
	ret->ino = (uint64_t)db_int(stmt, 2);
	ret->size = db_int(stmt, 3);
	ret->mtime_ns = db_int(stmt, 4);
	ret->ctime_ns = db_int(stmt, 5);
	column_digest(stmt, 6, &ret->digest);
	ret->remote_id = column_text(stmt, 8, &r);
	ret->revision = column_text(stmt, 9, &r);
	return r < 0 ? r : load_files(stmt, 10, ret);
}

int journal_stamp_get(struct journal *journal, int root, const char *rel,
		      struct stamp *ret)
{
	_cleanup_(stamp_done) struct stamp stamp = { 0 };
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	int r;

	r = db_pool_take(journal->readers, &loan);
	if (r == 0)
		r = db_query(loan.db, &stmt,
			     "SELECT kind, dev, ino, size, mtime, ctime, sha256, md5,"
			     " remote_id, revision, files FROM stamp"
			     " WHERE root=? AND rel=?",
			     "is", (int64_t)root, rel);
	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : JOURNAL_NONE;
	r = load_stamp(stmt, &stamp);
	if (r < 0)
		return r;
	*ret = stamp;
	stamp = (struct stamp){ 0 };
	return 0;
}

static int insert_stamp(struct db *db, int root, const char *rel,
			const struct stamp *stamp)
{
	_cleanup_(buf_done) struct buf files = { 0 };

	for (size_t i = 0; i < stamp->n_files; i++)
		pack_text(&files, stamp->files[i]);
	if (files.has_failed)
		return -ENOMEM;
	return db_run(db,
		      "INSERT OR REPLACE INTO stamp(root, rel, kind, dev, ino, size,"
		      " mtime, ctime, sha256, md5, remote_id, revision, files)"
		      " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		      "isiiiiii" DIGEST_TYPES "ssb", (int64_t)root, rel,
		      (int64_t)stamp->kind, (int64_t)stamp->dev, (int64_t)stamp->ino,
		      stamp->size, stamp->mtime_ns, stamp->ctime_ns,
		      DIGEST_BIND(&stamp->digest), stamp->remote_id, stamp->revision,
		      (const void *)files.data, files.len);
}

static int reserve_copy(struct journal *journal)
{
	int r;

	mutex_lock(&journal->lock);
	r = hash_set_reserve(&journal->copies);
	mutex_unlock(&journal->lock);
	return r;
}

/* Room was reserved by the holder of the pen, so adding cannot fail. */
static void note_copy(struct journal *journal, int root, const char *rel, bool is_copy)
{
	uint64_t hash = path_hash(root, rel);

	mutex_lock(&journal->lock);
	if (is_copy)
		hash_set_add(&journal->copies, hash);
	else
		hash_set_remove(&journal->copies, hash);
	mutex_unlock(&journal->lock);
}

int journal_stamp_put(struct journal *journal, int root, const char *rel,
		      const struct stamp *stamp)
{
	int r = journal_begin(journal);

	if (r < 0)
		return r;
	r = reserve_copy(journal);
	if (r == 0)
		r = insert_stamp(journal->db, root, rel, stamp);
	r = journal_end(journal, r);
	if (r == 0)
		note_copy(journal, root, rel, stamp->kind == STAMP_COPY);
	journal_give_pen(journal);
	return r;
}

int journal_stamp_drop(struct journal *journal, int root, const char *rel)
{
	int r = journal_begin(journal);

	if (r < 0)
		return r;
	r = db_run(journal->db, "DELETE FROM stamp WHERE root=? AND rel=?", "is",
		   (int64_t)root, rel);
	r = journal_end(journal, r);
	if (r == 0)
		note_copy(journal, root, rel, false);
	journal_give_pen(journal);
	return r;
}

bool journal_has_copy(struct journal *journal, int root, const char *rel)
{
	uint64_t hash = path_hash(root, rel);
	bool has;

	mutex_lock(&journal->lock);
	has = hash_set_has(&journal->copies, hash);
	mutex_unlock(&journal->lock);
	return has;
}

/* Rows after the last one of the slice before; read and let go before FN hears of them. */
struct slice {
	struct {
		int root;
		char *rel;
	} rows[SLICE];
	size_t n;
};

static void slice_done(struct slice *slice)
{
	while (slice->n > 0)
		free(slice->rows[--slice->n].rel);
}

static int read_slice(struct journal *journal, enum stamp_kind kind, int root,
		      const char *rel, struct slice *ret)
{
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	int r;

	r = db_pool_take(journal->readers, &loan);
	if (r == 0)
		r = db_query(loan.db, &stmt,
			     "SELECT root, rel FROM stamp WHERE kind=?"
			     " AND (root, rel)>(?, ?) ORDER BY root, rel LIMIT ?",
			     "iisi", (int64_t)kind, (int64_t)root, rel, (int64_t)SLICE);
	while (r == 0 && (r = db_step(stmt)) > 0) {
		r = 0;
		ret->rows[ret->n].root = (int)db_int(stmt, 0);
		ret->rows[ret->n].rel = column_text(stmt, 1, &r);
		ret->n += r == 0;
	}
	return r;
}

int journal_stamp_each(struct journal *journal, enum stamp_kind kind,
		       int (*fn)(void *context, int root, const char *rel), void *context)
{
	_cleanup_(freep) char *last = NULL;
	int last_root = -1;
	bool is_end = false;

	while (!is_end) {
		_cleanup_(slice_done) struct slice slice = { 0 };
		int r = read_slice(journal, kind, last_root, last ? last : "", &slice);

		for (size_t i = 0; r == 0 && i < slice.n; i++)
			r = fn(context, slice.rows[i].root, slice.rows[i].rel);
		if (r)
			return r;
		is_end = slice.n < SLICE;
		if (is_end)
			break;
		free(last);
		last_root = slice.rows[slice.n - 1].root;
		last = steal(slice.rows[slice.n - 1].rel);
	}
	return 0;
}

int journal_stamp_bytes(struct journal *journal, enum stamp_kind kind, int64_t *ret)
{
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	int r;

	r = db_pool_take(journal->readers, &loan);
	if (r == 0)
		r = db_query(loan.db, &stmt, "SELECT sum(size) FROM stamp WHERE kind=?",
			     "i", (int64_t)kind);
	if (r == 0)
		r = db_step(stmt);
	if (r < 0)
		return r;
	*ret = r > 0 ? db_int(stmt, 0) : 0;
	return 0;
}

int journal_load_copies(struct journal *journal)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(journal->db, &stmt, "SELECT root, rel FROM stamp WHERE kind=?",
			 "i", (int64_t)STAMP_COPY);

	while (r == 0 && (r = db_step(stmt)) > 0) {
		r = reserve_copy(journal);
		if (r == 0)
			note_copy(journal, (int)db_int(stmt, 0), db_text(stmt, 1), true);
	}
	return r;
}
