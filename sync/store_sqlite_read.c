/* The embedded store: documents read. */
#include <errno.h>
#include <string.h>

#include "sync/store_sqlite.h"

/* A walk copies so much at a time: no statement is open while the caller's function runs. */
#define PAGE_ROWS 256
#define PAGE_BYTES (4 * 1024 * 1024)

struct page_row {
	int64_t k;
	size_t project, body, len; /* offsets into the page's bytes */
};

struct page {
	struct buf bytes;
	struct page_row rows[PAGE_ROWS];
	size_t n;
};

int store_sqlite_projects(struct store *store, store_name_fn *fn, void *context)
{
	struct store_sqlite *s = store_sqlite_of(store);
	_cleanup_(buf_done) struct buf names = { 0 };
	int r;

	r = store_sqlite_ready(s);
	if (r == 0) {
		DB_ROWS *rows = NULL;

		r = db_query(s->db, &rows, "SELECT name FROM project ORDER BY name", "");
		while (r == 0 && (r = db_step(rows)) > 0)
			r = buf_add(&names, db_text(rows, 0),
				    strlen(db_text(rows, 0)) + 1);
	}
	for (size_t at = 0; r == 0 && at < names.len; at += strlen(names.data + at) + 1)
		r = fn(context, names.data + at);
	return r;
}

/* Which documents a walk gives. */
struct choice {
	const char *project; /* or NULL */
	bool all;            /* not representations only */
	const char *id;      /* or NULL */
};

#define OF_CHOICE                                               \
	"SELECT doc.k, project.name, body FROM doc"             \
	" JOIN project ON project.k = doc.project"              \
	" WHERE doc.k > ?1 AND (?2 OR type = 'representation')" \
	" AND (?3 IS NULL OR project.name = ?3)"

/* The next rows after K. */
static int read_page(struct store_sqlite *s, const struct choice *choice, int64_t k,
		     struct page *page)
{
	int64_t all = choice->all;
	DB_ROWS *rows = NULL;
	int r;

	buf_clear(&page->bytes);
	page->n = 0;
	r = choice->id ? db_query(s->db, &rows, OF_CHOICE " AND id = ?4 ORDER BY doc.k",
				  "iiss", k, all, choice->project, choice->id)
		       : db_query(s->db, &rows, OF_CHOICE " ORDER BY doc.k", "iis", k,
				  all, choice->project);
	while (r == 0 && page->n < PAGE_ROWS && page->bytes.len < PAGE_BYTES &&
	       (r = db_step(rows)) > 0) {
		struct page_row *row = &page->rows[page->n++];
		const char *name = db_text(rows, 1);
		const void *body = db_blob(rows, 2, &row->len);

		row->k = db_int(rows, 0);
		row->project = page->bytes.len;
		buf_add(&page->bytes, name, strlen(name) + 1);
		row->body = page->bytes.len;
		r = buf_add(&page->bytes, body, row->len);
	}
	return r;
}

static int walk(struct store_sqlite *s, const struct choice *choice, store_doc_fn *fn,
		void *context)
{
	_cleanup_(freep) struct page *page = calloc(1, sizeof(*page));
	int64_t k = 0;
	int r = page ? 0 : -ENOMEM;

	/* Rows keep their place and new ones come behind: what changes meanwhile is in the feed. */
	while (r == 0) {
		r = store_sqlite_ready(s);
		if (r == 0)
			r = read_page(s, choice, k, page);
		if (r < 0 || page->n == 0)
			break;
		for (size_t i = 0; r == 0 && i < page->n; i++) {
			const char *bytes = page->bytes.data;
			const struct page_row *row = &page->rows[i];

			r = fn(context, bytes + row->project, bytes + row->body,
			       row->len);
		}
		k = page->rows[page->n - 1].k;
	}
	if (page)
		buf_done(&page->bytes);
	return r;
}

int store_sqlite_scan(struct store *store, const char *project, bool all,
		      store_doc_fn *fn, void *context)
{
	struct choice choice = { .project = project, .all = all };

	return walk(store_sqlite_of(store), &choice, fn, context);
}

/* ---- search ---- */

struct search {
	const struct store_where *where;
	size_t n;
	store_doc_fn *fn;
	void *context;
};

/* Looked for in the bytes of a document: what is not in them it does not say. */
static bool may_mean(const struct store_where *where, const void *bson, size_t len)
{
	const char *name = where->path ? strrchr(where->path, '/') : NULL;

	name = name ? name + 1 : where->path;
	if (name && !memmem(bson, len, name, strlen(name)))
		return false;
	for (size_t i = 0; i < where->n_equals; i++)
		if (!memmem(bson, len, where->equals[i].text,
			    strlen(where->equals[i].text)))
			return false;
	return true;
}

static int give_meant(void *context, const char *project, const void *bson, size_t len)
{
	const struct search *search = context;

	for (size_t i = 0; i < search->n; i++)
		if (may_mean(&search->where[i], bson, len))
			return search->fn(search->context, project, bson, len);
	return search->n ? 0 : search->fn(search->context, project, bson, len);
}

/* Its parameters are the port's. */
int store_sqlite_search(struct store *store, const char *project,
			const struct store_where *where, size_t n, store_doc_fn *fn,
			void *context)
{
	struct search search = { where, n, fn, context };
	size_t n_ids = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		n_ids += where[i].id != NULL;
	if (n_ids < n || !n)
		return store_sqlite_scan(store, project, false, give_meant, &search);
	for (size_t i = 0; i < n && r == 0; i++)
		r = walk(store_sqlite_of(store),
			 &(struct choice){ .project = project, .id = where[i].id }, fn,
			 context);
	return r;
}

/* The first row's first column into RET. STORE_GONE where there is no row. */
static int take_body(struct sqlite3_stmt *rows, struct buf *ret)
{
	const void *body;
	size_t len;
	int r;

	r = db_step(rows);
	if (r <= 0)
		return r < 0 ? r : STORE_GONE;
	body = db_blob(rows, 0, &len);
	buf_clear(ret);
	return buf_add(ret, body, len);
}

int store_sqlite_load(struct store *store, const char *project, const char *id,
		      struct buf *ret)
{
	struct store_sqlite *s = store_sqlite_of(store);
	DB_ROWS *rows = NULL;
	int r;

	r = store_sqlite_ready(s);
	if (r == 0)
		r = db_query(s->db, &rows,
			     "SELECT body FROM doc"
			     " WHERE project = (SELECT k FROM project WHERE name = ?)"
			     " AND id = ?",
			     "ss", project, id);
	return r < 0 ? r : take_body(rows, ret);
}

/* Its parameters are the port's. */
int store_sqlite_find(struct store *store, const char *project, const char *type,
		      const char *parent, const char *name, struct buf *ret)
{
	struct store_sqlite *s = store_sqlite_of(store);
	DB_ROWS *rows = NULL;
	int r;

	r = store_sqlite_ready(s);
	if (r < 0)
		return r;
	if (name)
		r = db_query(s->db, &rows,
			     "SELECT body FROM doc"
			     " WHERE project = (SELECT k FROM project WHERE name = ?1)"
			     " AND type = ?2 AND (?3 IS NULL OR parent = ?3)"
			     " AND name = ?4 ORDER BY k LIMIT 1",
			     "ssss", project, type, parent, name);
	else
		r = db_query(s->db, &rows,
			     "SELECT body FROM doc"
			     " WHERE project = (SELECT k FROM project WHERE name = ?1)"
			     " AND type = ?2 AND (?3 IS NULL OR parent = ?3)"
			     " AND number IS NOT NULL ORDER BY number DESC, k LIMIT 1",
			     "sss", project, type, parent);
	return r < 0 ? r : take_body(rows, ret);
}

/* OpenPype has none here. */
int store_sqlite_settings(struct store *store, const char *machine, store_doc_fn *fn,
			  void *context)
{
	return 0;
}
