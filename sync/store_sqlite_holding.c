/* The embedded store: what sites hold without entries that say so. */
#include <errno.h>
#include <string.h>

#include "sync/store_sqlite.h"

struct telling {
	const char *site;
	const struct holding *holdings;
	size_t n;
};

static int put_one(struct store_sqlite *s, const char *site,
		   const struct holding *holding)
{
	_cleanup_(buf_done) struct buf files = { 0 };

	for (size_t i = 0; i < holding->n_files; i++)
		buf_add(&files, holding->files[i], strlen(holding->files[i]) + 1);
	if (files.has_failed)
		return -ENOMEM;
	if (!files.len)
		return db_run(s->db,
			      "DELETE FROM holding WHERE site = ? AND project = ?"
			      " AND repre = ?",
			      "sss", site, holding->project, holding->repre);
	return db_run(s->db, "INSERT OR REPLACE INTO holding VALUES (?, ?, ?, ?)", "sssb",
		      site, holding->project, holding->repre, (const void *)files.data,
		      files.len);
}

static int put(struct store_sqlite *s, void *context)
{
	const struct telling *telling = context;
	int r = 0;

	for (size_t i = 0; r == 0 && i < telling->n; i++)
		r = put_one(s, telling->site, &telling->holdings[i]);
	return r;
}

int store_sqlite_put_holdings(struct store *store, const char *site,
			      const struct holding *holdings, size_t n)
{
	struct telling telling = { site, holdings, n };

	return n ? store_sqlite_change(store_sqlite_of(store), put, &telling) : 0;
}

/* A row of: project, repre, files. */
static int give(struct sqlite3_stmt *rows, store_holding_fn *fn, void *context)
{
	struct holding holding = { db_text(rows, 0), db_text(rows, 1), NULL, 0 };
	_cleanup_(freep) const char **files = NULL;
	size_t len, n = 0;
	const char *data = db_blob(rows, 2, &len);

	/* what another hand wrote there */
	if (!data || !len || data[len - 1])
		return 0;
	for (size_t at = 0; at < len; at += strlen(data + at) + 1)
		n++;
	files = calloc(n, sizeof(*files));
	if (!files)
		return -ENOMEM;
	for (size_t at = 0; at < len; at += strlen(data + at) + 1)
		files[holding.n_files++] = data + at;
	holding.files = files;
	return fn(context, &holding);
}

int store_sqlite_holdings(struct store *store, const char *site, const char *project,
			  const char *repre, store_holding_fn *fn, void *context)
{
	struct store_sqlite *s = store_sqlite_of(store);
	DB_ROWS *rows = NULL;
	int r = store_sqlite_ready(s);

	if (r == 0)
		r = db_query(s->db, &rows,
			     "SELECT project, repre, files FROM holding WHERE site = ?1"
			     " AND (?2 IS NULL OR project = ?2)"
			     " AND (?3 IS NULL OR repre = ?3) ORDER BY project, repre",
			     "sss", site, project, repre);
	while (r == 0 && (r = db_step(rows)) > 0)
		r = give(rows, fn, context);
	return r;
}
