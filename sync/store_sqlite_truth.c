/* The embedded store: truth records. */
#include <errno.h>
#include <string.h>

#include "sync/store_sqlite.h"

#define PAGE_ROWS 256

static int copy_digest(struct sqlite3_stmt *rows, int column, uint8_t *digest,
		       size_t size, bool *ret_has)
{
	size_t len;
	const void *data = db_blob(rows, column, &len);

	*ret_has = data && len == size;
	if (*ret_has)
		memcpy(digest, data, size);
	else if (data)
		return -EUCLEAN;
	return 0;
}

/* A row of: k, project, key, size, mtime_ns, sha256, md5. */
static int read_row(struct sqlite3_stmt *rows, struct truth *ret)
{
	struct digest *digest = &ret->digest;
	int r;

	*ret = (struct truth){ .size = db_int(rows, 3), .mtime_ns = db_int(rows, 4) };
	r = copy_digest(rows, 5, digest->sha256, sizeof(digest->sha256),
			&digest->has_sha256);
	if (r == 0)
		r = copy_digest(rows, 6, digest->md5, sizeof(digest->md5),
				&digest->has_md5);
	if (r < 0)
		return r;
	ret->project = strdup(db_text(rows, 1));
	ret->key = strdup(db_text(rows, 2));
	if (ret->project && ret->key)
		return 0;
	truth_done(ret);
	return -ENOMEM;
}

static int read_remotes(struct store_sqlite *s, int64_t k, struct truth *truth)
{
	DB_ROWS *rows = NULL;
	int r;

	r = db_query(s->db, &rows,
		     "SELECT site, id, revision FROM truth_remote WHERE truth = ?"
		     " ORDER BY site",
		     "i", k);
	while (r == 0 && (r = db_step(rows)) > 0)
		r = truth_set_remote(truth, db_text(rows, 0), db_text(rows, 1),
				     db_text(rows, 2));
	return r;
}

static int read_files(struct store_sqlite *s, int64_t k, struct truth *truth)
{
	DB_ROWS *rows = NULL;
	int r;

	r = db_query(s->db, &rows, "SELECT ref FROM truth_file WHERE truth = ?", "i", k);
	while (r == 0 && (r = db_step(rows)) > 0)
		r = truth_files_add_ref(&truth->files, db_text(rows, 0));
	return r;
}

/* What lies in rows of their own. */
static int read_lists(struct store_sqlite *s, int64_t k, struct truth *truth)
{
	int r = read_remotes(s, k, truth);

	return r == 0 ? read_files(s, k, truth) : r;
}

/* 0 with the record and its row, STORE_GONE. */
static int find_truth(struct store_sqlite *s, const char *project, const char *key,
		      int64_t *ret_k, struct truth *ret)
{
	_cleanup_(truth_done) struct truth truth = { 0 };
	DB_ROWS *rows = NULL;
	int r;

	r = db_query(s->db, &rows,
		     "SELECT k, project, key, size, mtime_ns, sha256, md5 FROM truth"
		     " WHERE project = ? AND key = ?",
		     "ss", project, key);
	if (r == 0)
		r = db_step(rows);
	if (r <= 0)
		return r < 0 ? r : STORE_GONE;
	*ret_k = db_int(rows, 0);
	r = read_row(rows, &truth);
	if (r == 0)
		r = read_lists(s, *ret_k, &truth);
	if (r < 0)
		return r;
	*ret = truth;
	truth = (struct truth){ 0 };
	return 0;
}

int store_sqlite_load_truth(struct store *store, const char *project, const char *key,
			    struct truth *ret)
{
	struct store_sqlite *s = store_sqlite_of(store);
	int64_t k;
	int r;

	r = store_sqlite_ready(s);
	return r < 0 ? r : find_truth(s, project, key, &k, ret);
}

/* ---- scan ---- */

struct page {
	struct truth list[PAGE_ROWS];
	size_t n;
	int64_t k; /* of the last one */
};

static void page_done(struct page *page)
{
	for (size_t i = 0; i < page->n; i++)
		truth_done(&page->list[i]);
	page->n = 0;
}

static int read_page(struct store_sqlite *s, struct page *page)
{
	DB_ROWS *rows = NULL;
	int r;

	r = db_query(s->db, &rows,
		     "SELECT k, project, key, size, mtime_ns, sha256, md5 FROM truth"
		     " WHERE k > ? ORDER BY k",
		     "i", page->k);
	while (r == 0 && page->n < PAGE_ROWS && (r = db_step(rows)) > 0) {
		struct truth *truth = &page->list[page->n];

		page->k = db_int(rows, 0);
		r = read_row(rows, truth);
		if (r < 0)
			break;
		page->n++;
		r = read_lists(s, page->k, truth);
	}
	return r;
}

int store_sqlite_scan_truth(struct store *store, store_truth_fn *fn, void *context)
{
	struct store_sqlite *s = store_sqlite_of(store);
	_cleanup_(freep) struct page *page = calloc(1, sizeof(*page));
	int r = page ? 0 : -ENOMEM;

	while (r == 0) {
		r = store_sqlite_ready(s);
		if (r == 0)
			r = read_page(s, page);
		if (r < 0 || page->n == 0)
			break;
		for (size_t i = 0; r == 0 && i < page->n; i++)
			r = fn(context, &page->list[i]);
		page_done(page);
	}
	if (page)
		page_done(page);
	return r;
}

/* ---- put ---- */

struct put_call {
	const struct truth *truth;
	bool replace;
};

static const void *blob(const uint8_t *data, bool has)
{
	return has ? data : NULL;
}

static int write_files(struct store_sqlite *s, int64_t k, const struct truth *truth)
{
	int r = db_run(s->db, "DELETE FROM truth_file WHERE truth = ?", "i", k);

	for (size_t i = 0; r == 0 && i < truth->files.n; i++)
		r = db_run(s->db, "INSERT OR IGNORE INTO truth_file VALUES (?, ?)", "is",
			   k, truth->files.refs[i]);
	return r;
}

/* Writes the whole record; the row's trigger makes the event, also where only its lists changed. */
static int write_truth(struct store_sqlite *s, int64_t k, const struct truth *truth)
{
	const struct digest *digest = &truth->digest;
	int r;

	r = db_run(s->db,
		   "INSERT INTO truth (k, project, key, size, mtime_ns, sha256, md5)"
		   " VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (k) DO"
		   " UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns,"
		   " sha256 = excluded.sha256, md5 = excluded.md5",
		   "issiibb", k, truth->project, truth->key, truth->size, truth->mtime_ns,
		   blob(digest->sha256, digest->has_sha256), sizeof(digest->sha256),
		   blob(digest->md5, digest->has_md5), sizeof(digest->md5));
	if (r < 0)
		return r;
	if (k == 0)
		k = db_last_id(s->db);
	r = db_run(s->db, "DELETE FROM truth_remote WHERE truth = ?", "i", k);
	for (size_t i = 0; r == 0 && i < truth->n_remotes; i++) {
		const struct truth_remote *remote = &truth->remotes[i];

		r = db_run(s->db, "INSERT INTO truth_remote VALUES (?, ?, ?, ?)", "isss",
			   k, remote->site, remote->id, remote->revision);
	}
	return r == 0 ? write_files(s, k, truth) : r;
}

static int put(struct store_sqlite *s, void *context)
{
	const struct put_call *call = context;
	_cleanup_(truth_done) struct truth old = { 0 };
	bool is_changed;
	int64_t k = 0;
	int r;

	r = find_truth(s, call->truth->project, call->truth->key, &k, &old);
	if (r < 0)
		return r;
	if (r == STORE_GONE)
		return write_truth(s, 0, call->truth);
	if (!truth_same_bytes(&old, call->truth))
		return call->replace || truth_follows(call->truth, &old)
			       ? write_truth(s, k, call->truth)
			       : STORE_CONFLICT;
	r = truth_complete(&old, call->truth, call->replace, &is_changed);
	return r == 0 && is_changed ? write_truth(s, k, &old) : r;
}

int store_sqlite_put_truth(struct store *store, const struct truth *truth, bool replace)
{
	struct put_call call = { truth, replace };

	if (truth->size < 0 || !truth->project || !truth->key)
		return -EINVAL;
	return store_sqlite_change(store_sqlite_of(store), put, &call);
}
