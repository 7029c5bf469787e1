/* The embedded store: documents changed and inserted. */
#include <errno.h>
#include <string.h>

#include "sync/base/path.h"
#include "sync/bson_check.h"
#include "sync/bson_id.h"
#include "sync/bson_walk.h"
#include "sync/store_sites.h"
#include "sync/store_sqlite.h"

/* ---- one document in the transaction ---- */

/* The one that was read last: records of one publish follow each other. */
struct open_doc {
	int64_t k; /* 0: none */
	const char *project, *id;
	struct buf body;
	bool is_changed;
};

static int flush_doc(struct store_sqlite *s, struct open_doc *doc)
{
	if (!doc->is_changed)
		return 0;
	doc->is_changed = false;
	return db_run(s->db, "UPDATE doc SET body = ?1 WHERE k = ?2", "bi",
		      doc->body.data, doc->body.len, doc->k);
}

/* STORE_GONE: there is none. -EBADMSG: it is no BSON (a hand was here). */
static int load_doc(struct store_sqlite *s, struct open_doc *doc, const char *project,
		    const char *id)
{
	DB_ROWS *rows = NULL;
	const void *body;
	size_t len;
	int r;

	if (doc->k && strcmp(doc->project, project) == 0 && strcmp(doc->id, id) == 0)
		return 0;
	r = flush_doc(s, doc);
	doc->k = 0;
	if (r == 0)
		r = db_query(s->db, &rows,
			     "SELECT k, body FROM doc"
			     " WHERE project = (SELECT k FROM project WHERE name = ?)"
			     " AND id = ?",
			     "ss", project, id);
	if (r == 0)
		r = db_step(rows);
	if (r <= 0)
		return r < 0 ? r : STORE_GONE;
	body = db_blob(rows, 1, &len);
	buf_clear(&doc->body);
	r = buf_add(&doc->body, body, len);
	if (r == 0)
		r = bson_check(doc->body.data, doc->body.len);
	if (r < 0)
		return r;
	doc->k = db_int(rows, 0);
	doc->project = project;
	doc->id = id;
	return 0;
}

/* ---- record ---- */

struct record_call {
	const struct record *records;
	size_t n;
	int *results;
};

static int change_records(struct store_sqlite *s, void *context)
{
	const struct record_call *call = context;
	struct open_doc doc = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < call->n; i++) {
		const struct record *record = &call->records[i];
		bool is_changed = false;

		r = load_doc(s, &doc, record->project, record->repre);
		if (r == 0)
			r = store_sites_record(&doc.body, record, &is_changed);
		doc.is_changed |= is_changed;
		if (r == -EBADMSG)
			r = STORE_CONFLICT;
		call->results[i] = r;
	}
	if (r >= 0)
		r = flush_doc(s, &doc);
	buf_done(&doc.body);
	return r;
}

int store_sqlite_record(struct store *store, const struct record *records, size_t n,
			int *results)
{
	struct record_call call = { records, n, results };

	return store_sqlite_change(store_sqlite_of(store), change_records, &call);
}

/* ---- edit ---- */

struct edit_call {
	const struct site_edit *edits;
	size_t n;
	struct site_edited *results;
};

static int change_sites(struct store_sqlite *s, void *context)
{
	const struct edit_call *call = context;
	struct open_doc doc = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < call->n; i++) {
		const struct site_edit *edit = &call->edits[i];
		struct site_edited *result = &call->results[i];

		*result = (struct site_edited){ 0 };
		r = load_doc(s, &doc, edit->project, edit->repre);
		if (r == 0)
			r = store_sites_edit(&doc.body, edit, &result->n_changed);
		doc.is_changed |= result->n_changed > 0;
		result->result = r;
		/* that one document's trouble */
		if (r == -EFBIG || r == -EBADMSG)
			r = 0;
	}
	if (r >= 0)
		r = flush_doc(s, &doc);
	buf_done(&doc.body);
	return r;
}

int store_sqlite_edit(struct store *store, const struct site_edit *edits, size_t n,
		      struct site_edited *results)
{
	struct edit_call call = { edits, n, results };

	return n ? store_sqlite_change(store_sqlite_of(store), change_sites, &call) : 0;
}

/* ---- insert, publish ---- */

/* What stands beside a document's body. */
struct columns {
	char *id, *type, *parent, *name;
	int64_t number;
	bool has_number;
};

static void columns_done(struct columns *columns)
{
	free(columns->id);
	free(columns->type);
	free(columns->parent);
	free(columns->name);
}

/* Into an empty *ret, which stays so where the value is of another type. */
static int take_text(const bson_iter_t *it, char **ret)
{
	const char *text = bson_get_text(it);

	if (*ret || !text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int take_id(const bson_iter_t *it, char **ret)
{
	if (*ret || !(BSON_ITER_HOLDS_OID(it) || bson_get_text(it)))
		return 0;
	*ret = bson_id_text(it);
	return *ret ? 0 : -ENOMEM;
}

static int take_name(const bson_iter_t *it, struct columns *ret)
{
	if (BSON_ITER_HOLDS_UTF8(it))
		return take_text(it, &ret->name);
	if (ret->name || !bson_get_int64(it, &ret->number))
		return 0;
	ret->has_number = true;
	ret->name = strf("%lld", (long long)ret->number);
	return ret->name ? 0 : -ENOMEM;
}

/* -EBADMSG: no document, or one without an id of ours. */
static int read_columns(const struct buf *doc, struct columns *ret)
{
	struct bson_walk walk;
	int r = 0;

	if (!doc->data || bson_check(doc->data, doc->len) < 0)
		return -EBADMSG;
	bson_walk_init(&walk, doc->data, doc->len);
	while (r == 0 && bson_walk_next(&walk)) {
		if (strcmp(walk.key, "_id") == 0)
			r = take_id(&walk.it, &ret->id);
		else if (strcmp(walk.key, "type") == 0)
			r = take_text(&walk.it, &ret->type);
		else if (strcmp(walk.key, "parent") == 0)
			r = take_id(&walk.it, &ret->parent);
		else if (strcmp(walk.key, "name") == 0)
			r = take_name(&walk.it, ret);
	}
	return r < 0 || ret->id ? r : -EBADMSG;
}

static int find_project(struct store_sqlite *s, const char *project, int64_t *ret)
{
	DB_ROWS *rows = NULL;
	int r;

	r = db_run(s->db, "INSERT INTO project (name) VALUES (?) ON CONFLICT DO NOTHING",
		   "s", project);
	if (r == 0)
		r = db_query(s->db, &rows, "SELECT k FROM project WHERE name = ?", "s",
			     project);
	if (r == 0)
		r = db_step(rows);
	if (r > 0)
		*ret = db_int(rows, 0);
	return r < 0 ? r : 0;
}

/* 0, STORE_EXISTS. */
static int insert_row(struct store_sqlite *s, int64_t project, const struct buf *doc,
		      const struct columns *columns)
{
	int r;

	r = db_run(s->db,
		   "INSERT INTO doc (project, id, type, parent, name, body, number)"
		   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, iif(?7, ?8, NULL))"
		   " ON CONFLICT DO NOTHING",
		   "issssbii", project, columns->id, columns->type, columns->parent,
		   columns->name, doc->data, doc->len, (int64_t)columns->has_number,
		   columns->number);
	if (r < 0)
		return r;
	return db_changes(s->db) > 0 ? 0 : STORE_EXISTS;
}

struct insert_call {
	const char *project;
	const struct buf *docs;
	size_t n;
	int *results;
};

static int insert_docs(struct store_sqlite *s, void *context)
{
	const struct insert_call *call = context;
	int64_t project = 0;
	int r;

	r = find_project(s, call->project, &project);
	for (size_t i = 0; r >= 0 && i < call->n; i++) {
		_cleanup_(columns_done) struct columns columns = { 0 };

		r = read_columns(&call->docs[i], &columns);
		if (r == 0)
			r = insert_row(s, project, &call->docs[i], &columns);
		if (r == -EBADMSG)
			r = STORE_REFUSED;
		call->results[i] = r;
	}
	return r < 0 ? r : 0;
}

static bool is_project_name(const char *project)
{
	return project[0] != 0 && path_is_utf8(project);
}

int store_sqlite_insert(struct store *store, const char *project, const struct buf *docs,
			size_t n, int *results)
{
	struct insert_call call = { project, docs, n, results };

	if (!is_project_name(project))
		return -EINVAL;
	return n ? store_sqlite_change(store_sqlite_of(store), insert_docs, &call) : 0;
}

/* 0, STORE_EXISTS: a document of that type and parent has the name. */
static int check_name(struct store_sqlite *s, int64_t project,
		      const struct columns *columns)
{
	DB_ROWS *rows = NULL;
	int r;

	r = db_query(s->db, &rows,
		     "SELECT 1 FROM doc WHERE project = ? AND type = ?"
		     " AND parent IS ? AND name = ?",
		     "isss", project, columns->type, columns->parent, columns->name);
	if (r == 0)
		r = db_step(rows);
	return r > 0 ? STORE_EXISTS : r;
}

static int publish_docs(struct store_sqlite *s, void *context)
{
	const struct insert_call *call = context;
	int64_t project = 0;
	int r;

	r = find_project(s, call->project, &project);
	for (size_t i = 0; r == 0 && i < call->n; i++) {
		_cleanup_(columns_done) struct columns columns = { 0 };

		r = read_columns(&call->docs[i], &columns);
		if (r == 0)
			r = check_name(s, project, &columns);
		if (r == 0)
			r = insert_row(s, project, &call->docs[i], &columns);
	}
	return r;
}

int store_sqlite_publish(struct store *store, const char *project, const struct buf *docs,
			 size_t n)
{
	struct insert_call call = { project, docs, n, NULL };

	if (!is_project_name(project))
		return -EINVAL;
	return store_sqlite_change(store_sqlite_of(store), publish_docs, &call);
}
