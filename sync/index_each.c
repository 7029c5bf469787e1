/* Walks over the index in slices, counts, and what takes no part. Any thread. */
#include <errno.h>
#include <string.h>

#include "sync/base/path.h"
#include "sync/columns.h"
#include "sync/index_private.h"

#define SLICE 256

/* ---- paths by node id ---- */

/* Names of siblings share their folder's path. */
struct paths {
	struct db *db;
	int64_t parent; /* of the path kept; 0: none */
	int root;
	char *folder;
};

static void paths_done(struct paths *paths)
{
	free(paths->folder);
}

static int read_row(struct db *db, int64_t id, int64_t *ret_parent, char **ret_name)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt, "SELECT parent, name FROM node WHERE id=?", "i", id);

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : INDEX_NONE;
	r = 0;
	*ret_parent = db_int(stmt, 0);
	*ret_name = column_text(stmt, 1, &r);
	return r;
}

/* Up to the root; INDEX_NONE where a folder is gone. */
static int read_folder(struct paths *paths, int64_t id)
{
	char *rel = strdup("");
	int64_t at = id, up;
	int r = rel ? 0 : -ENOMEM;

	while (r == 0) {
		_cleanup_(freep) char *name = NULL;
		char *longer;

		r = read_row(paths->db, at, &up, &name);
		if (r || !up)
			break;
		longer = rel[0] ? strf("%s/%s", name, rel) : strdup(name);
		free(rel);
		rel = longer;
		r = rel ? 0 : -ENOMEM;
		at = up;
	}
	if (r) {
		free(rel);
		return r;
	}
	free(paths->folder);
	paths->folder = rel;
	paths->parent = id;
	paths->root = (int)at - 1;
	return 0;
}

static int read_path(struct paths *paths, int64_t id, int *ret_root, char **ret_rel)
{
	_cleanup_(freep) char *name = NULL;
	int64_t parent;
	int r = read_row(paths->db, id, &parent, &name);

	if (r == 0 && parent != paths->parent)
		r = read_folder(paths, parent);
	if (r)
		return r;
	*ret_root = paths->root;
	*ret_rel = path_join(paths->folder, name);
	return *ret_rel ? 0 : -ENOMEM;
}

/* ---- slices ---- */

struct slice {
	struct {
		int root;
		char *rel;
	} rows[SLICE];
	size_t n;
	int64_t last; /* id */
	bool is_end;
};

static void slice_done(struct slice *slice)
{
	while (slice->n > 0)
		free(slice->rows[--slice->n].rel);
}

static const char *select_sql(enum index_select select)
{
	switch (select) {
	case SELECT_ALL:
		return "SELECT id FROM node WHERE id>? AND records>0 AND children=0"
		       " ORDER BY id LIMIT ?";
	case SELECT_RECORDED:
		return "SELECT DISTINCT r.node FROM record r JOIN node n ON n.id=r.node"
		       " WHERE r.node>? AND r.o_presence=2 AND n.children=0"
		       " ORDER BY r.node LIMIT ?";
	case SELECT_PENDING:
		return "SELECT DISTINCT r.node FROM record r INDEXED BY record_pending"
		       " JOIN node n ON n.id=r.node WHERE r.node>?"
		       " AND r.o_presence+r.r_presence=3 AND n.children=0"
		       " ORDER BY r.node LIMIT ?";
	case SELECT_LISTABLE:
		return "SELECT id FROM node INDEXED BY node_unsized WHERE id>?"
		       " AND shown<>0 AND size<0 AND children=0 ORDER BY id LIMIT ?";
	case SELECT_TROUBLE:
		return "SELECT o.node FROM object o INDEXED BY object_trouble"
		       " JOIN node n ON n.id=o.node WHERE o.node>? AND o.state>=2"
		       " AND n.records>0 AND n.children=0 ORDER BY o.node LIMIT ?";
	case SELECT_PROJECT:
		return "SELECT DISTINCT r.node FROM record r JOIN repre p ON p.id=r.repre"
		       " JOIN node n ON n.id=r.node WHERE r.node>? AND n.children=0"
		       " AND p.project=(SELECT id FROM project WHERE name=?3)"
		       " ORDER BY r.node LIMIT ?2";
	}
	return NULL;
}

static int read_slice(struct db *db, enum index_select select, const char *project,
		      struct slice *slice)
{
	_cleanup_(paths_done) struct paths paths = { .db = db };
	DB_ROWS *stmt = NULL;
	size_t n_rows = 0;
	int r;

	if (select == SELECT_PROJECT)
		r = db_query(db, &stmt, select_sql(select), "iis", slice->last,
			     (int64_t)SLICE, project);
	else
		r = db_query(db, &stmt, select_sql(select), "ii", slice->last,
			     (int64_t)SLICE);
	while (r == 0 && (r = db_step(stmt)) > 0) {
		slice->last = db_int(stmt, 0);
		n_rows++;
		r = read_path(&paths, slice->last, &slice->rows[slice->n].root,
			      &slice->rows[slice->n].rel);
		slice->n += r == 0;
		if (r == INDEX_NONE)
			r = 0;
	}
	slice->is_end = n_rows < SLICE;
	return r;
}

int index_each(struct index *index, enum index_select select, const char *project,
	       index_path_fn *fn, void *context)
{
	int64_t last = 0;
	bool is_end = false;

	while (!is_end) {
		_cleanup_(slice_done) struct slice slice = { .last = last };
		int r;
		{
			DB_LOAN loan = { 0 };

			r = db_pool_take_snapshot(index->readers, &loan);
			if (r == 0)
				r = read_slice(loan.db, select, project, &slice);
		}
		for (size_t i = 0; r == 0 && i < slice.n; i++)
			r = fn(context, slice.rows[i].root, slice.rows[i].rel);
		if (r)
			return index_judge(index, r);
		last = slice.last;
		is_end = slice.is_end;
	}
	return 0;
}

int index_each_of_repre(struct index *index, const char *project, const char *repre,
			index_path_fn *fn, void *context)
{
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	int r = db_pool_take_snapshot(index->readers, &loan);
	_cleanup_(paths_done) struct paths paths = { .db = loan.db };

	if (r == 0)
		r = db_query(loan.db, &stmt,
			     "SELECT DISTINCT r.node FROM record r JOIN node n"
			     " ON n.id=r.node WHERE n.children=0 AND r.repre=("
			     "SELECT p.id FROM repre p JOIN project j ON j.id=p.project"
			     " WHERE j.name=? AND p.ident=?)",
			     "ss", project, repre);
	while (r == 0 && (r = db_step(stmt)) > 0) {
		_cleanup_(freep) char *rel = NULL;
		int root;

		r = read_path(&paths, db_int(stmt, 0), &root, &rel);
		if (r == 0)
			r = fn(context, root, rel);
		else if (r == INDEX_NONE)
			r = 0;
	}
	return index_judge(index, r);
}

static int read_ids(struct db *db, const char *id, int64_t **ret, size_t *ret_n)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt,
			 "SELECT DISTINCT r.node FROM record r INDEXED BY record_remote"
			 " WHERE r.r_presence=2 AND r.r_id=? AND r.node IS NOT NULL",
			 "s", id);

	while (r == 0 && (r = db_step(stmt)) > 0) {
		int64_t *grown = reallocarray(*ret, *ret_n + 1, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*ret = grown;
		grown[(*ret_n)++] = db_int(stmt, 0);
		r = 0;
	}
	return r;
}

int index_each_of_remote_id(struct index *index, const char *id, index_path_fn *fn,
			    void *context)
{
	_cleanup_(freep) int64_t *nodes = NULL;
	size_t n = 0;
	DB_LOAN loan = { 0 };
	int r = db_pool_take_snapshot(index->readers, &loan);
	_cleanup_(paths_done) struct paths paths = { .db = loan.db };

	if (r == 0)
		r = read_ids(loan.db, id, &nodes, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		_cleanup_(freep) char *rel = NULL;
		int root;

		r = read_path(&paths, nodes[i], &root, &rel);
		if (r == 0)
			r = fn(context, root, rel);
		else if (r == INDEX_NONE)
			r = 0;
	}
	return index_judge(index, r);
}

static int read_next_folder(struct db *db, int64_t after, int64_t *ret)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt,
			 "SELECT parent FROM node WHERE parent>? AND records>0"
			 " AND children=0 ORDER BY parent LIMIT 1",
			 "i", after);

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : INDEX_NONE;
	*ret = db_int(stmt, 0);
	return 0;
}

int index_next_folder(struct index *index, int64_t *after, int *ret_root, char **ret_rel)
{
	DB_LOAN loan = { 0 };
	int r = db_pool_take_snapshot(index->readers, &loan);

	while (r == 0) {
		_cleanup_(paths_done) struct paths paths = { .db = loan.db };

		r = read_next_folder(loan.db, *after, after);
		if (r == 0)
			r = read_folder(&paths, *after);
		if (r == 0) {
			*ret_root = paths.root;
			*ret_rel = steal(paths.folder);
			break;
		}
	}
	return index_judge(index, r);
}

/* ---- representations by name ---- */

struct repres {
	char *ids[SLICE];
	size_t n;
	int64_t last; /* row */
	bool is_end;
};

static void repres_done(struct repres *repres)
{
	while (repres->n > 0)
		free(repres->ids[--repres->n]);
}

static int read_repres(struct db *db, const struct index_publish *p,
		       struct repres *repres)
{
	DB_ROWS *stmt = NULL;
	int r;

	r = db_query(
		db, &stmt,
		"SELECT p.id, p.ident FROM repre p"
		" WHERE p.project=(SELECT id FROM project WHERE name=?) AND p.id>?"
		" AND p.asset=coalesce(?, p.asset) AND p.subset=coalesce(?, p.subset)"
		" AND p.version=coalesce(?, p.version) AND p.name=coalesce(?, p.name)"
		" ORDER BY p.id LIMIT ?",
		"sissssi", p->project, repres->last, p->asset, p->subset, p->version,
		p->name, (int64_t)SLICE);
	while (r == 0 && (r = db_step(stmt)) > 0) {
		r = 0;
		repres->last = db_int(stmt, 0);
		repres->ids[repres->n] = column_text(stmt, 1, &r);
		repres->n += r == 0;
	}
	repres->is_end = repres->n < SLICE;
	return r;
}

int index_each_of_publish(struct index *index, const struct index_publish *publish,
			  index_path_fn *fn, void *context)
{
	int64_t last = 0;
	bool is_end = false;

	while (!is_end) {
		_cleanup_(repres_done) struct repres repres = { .last = last };
		int r;
		{
			DB_LOAN loan = { 0 };

			r = db_pool_take_snapshot(index->readers, &loan);
			if (r == 0)
				r = read_repres(loan.db, publish, &repres);
		}
		if (r)
			return index_judge(index, r);
		for (size_t i = 0; r == 0 && i < repres.n; i++)
			r = index_each_of_repre(index, publish->project, repres.ids[i],
						fn, context);
		if (r)
			return r;
		last = repres.last;
		is_end = repres.is_end;
	}
	return 0;
}

int index_find_repre(struct index *index, const char *repre, char **ret_project)
{
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	char *project;
	int r = db_pool_take(index->readers, &loan);

	if (r == 0)
		r = db_query(loan.db, &stmt,
			     "SELECT j.name FROM repre p JOIN project j"
			     " ON j.id=p.project WHERE p.ident=? ORDER BY j.name LIMIT 1",
			     "s", repre);
	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? index_judge(index, r) : INDEX_NONE;
	r = 0;
	project = column_text(stmt, 0, &r);
	if (r == 0)
		*ret_project = project;
	return r;
}

/* ---- projects ---- */

int index_find_project(struct index *index, const char *project, int64_t *ret)
{
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	int r = db_pool_take(index->readers, &loan);

	if (r == 0)
		r = db_query(loan.db, &stmt, "SELECT id FROM project WHERE name=?", "s",
			     project);
	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? index_judge(index, r) : INDEX_NONE;
	*ret = db_int(stmt, 0);
	return 0;
}

/* Down into what several projects name; all else answers by its row. 1 or 0. */
static int has_project(struct db *db, int64_t node, int64_t project)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt,
			 "WITH RECURSIVE below(id, project) AS ("
			 "SELECT id, project FROM node WHERE id=?1 UNION ALL"
			 " SELECT n.id, n.project FROM below b JOIN node n"
			 " ON n.parent=b.id WHERE b.project=0 AND n.project IN (0, ?2))"
			 " SELECT 1 FROM below b WHERE b.project=?2 OR (b.project=0 AND"
			 " EXISTS(SELECT 1 FROM record r JOIN repre p ON p.id=r.repre"
			 " WHERE r.node=b.id AND p.project=?2)) LIMIT 1",
			 "ii", node, project);

	return r < 0 ? r : db_step(stmt);
}

int index_has_project(struct index *index, int root, const char *rel, int64_t project)
{
	struct index_node node;
	DB_LOAN loan = { 0 };
	int r = db_pool_take_snapshot(index->readers, &loan);

	if (r == 0)
		r = read_node(loan.db, root, rel, &node);
	if (r)
		return r < 0 ? index_judge(index, r) : 0;
	if (node.project != 0)
		return node.project == project;
	return index_judge(index, has_project(loan.db, node.id, project));
}

/* ---- counts ---- */

static int count(struct db *db, const char *sql, int64_t *ret)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt, sql, "");

	if (r == 0)
		r = db_step(stmt);
	if (r > 0)
		*ret += db_int(stmt, 0);
	return r < 0 ? r : 0;
}

static int count_refused(struct db *db, int64_t *ret)
{
	int r = count(db, "SELECT count(*) FROM record WHERE node IS NULL", ret);

	if (r == 0)
		r = count(db, "SELECT count(*) FROM repre WHERE refused IS NOT NULL",
			  ret);
	if (r == 0)
		r = count(db,
			  "SELECT coalesce(sum(records), 0) FROM node"
			  " INDEXED BY node_conflict WHERE children>0 AND records>0",
			  ret);
	return r;
}

int index_count(struct index *index, struct index_counts *ret)
{
	struct index_counts counts = { 0 };
	struct index_totals totals;
	DB_LOAN loan = { 0 };
	int r = db_pool_take_snapshot(index->readers, &loan);

	mutex_lock(&index->lock);
	totals = index->shared_totals;
	mutex_unlock(&index->lock);
	counts.folders = totals.n[NODE_FOLDER];
	counts.awaited = totals.n[NODE_AWAITED];
	counts.shown = totals.n[NODE_SHOWN];
	counts.failed = totals.n[NODE_FAILED];
	counts.files = counts.awaited + counts.shown + counts.failed;
	if (r == 0)
		r = count(loan.db, "SELECT count(*) FROM repre", &counts.repres);
	if (r == 0)
		r = count(loan.db,
			  "SELECT count(*) FROM project WHERE EXISTS("
			  "SELECT 1 FROM repre WHERE project=project.id)",
			  &counts.projects);
	if (r == 0)
		r = count_refused(loan.db, &counts.refused);
	if (r == 0)
		r = count(loan.db,
			  "SELECT count(*) FROM object o INDEXED BY object_trouble"
			  " JOIN node n ON n.id=o.node WHERE o.state>=2"
			  " AND n.records>0 AND n.children=0",
			  &counts.trouble);
	if (r == 0)
		*ret = counts;
	return index_judge(index, r);
}

int index_each_refused(struct index *index, index_refused_fn *fn, void *context)
{
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	int r = db_pool_take(index->readers, &loan);

	if (r == 0)
		r = db_query(loan.db, &stmt,
			     "SELECT j.name, p.ident, '', p.refused FROM repre p"
			     " JOIN project j ON j.id=p.project WHERE p.refused NOTNULL"
			     " UNION ALL SELECT j.name, p.ident, r.path, r.refused"
			     " FROM record r JOIN repre p ON p.id=r.repre"
			     " JOIN project j ON j.id=p.project WHERE r.node IS NULL"
			     " UNION ALL SELECT j.name, p.ident, r.path, 'path is a"
			     " folder in which other published files lie'"
			     " FROM node n INDEXED BY node_conflict"
			     " JOIN record r ON r.node=n.id JOIN repre p ON p.id=r.repre"
			     " JOIN project j ON j.id=p.project"
			     " WHERE n.children>0 AND n.records>0",
			     "");
	while (r == 0 && (r = db_step(stmt)) > 0)
		r = fn(context, db_text(stmt, 0), db_text(stmt, 1), db_text(stmt, 2),
		       db_text(stmt, 3));
	return index_judge(index, r);
}
