/* Reading of single paths and folders: any thread, each call on a connection of its own. */
#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sync/base/path.h"
#include "sync/columns.h"
#include "sync/index_private.h"

#define COLUMNS "id, parent, children, shown, size, mtime, project"

static void load_node(struct sqlite3_stmt *stmt, struct index_node *ret)
{
	*ret = (struct index_node){
		.id = db_int(stmt, 0),
		.is_folder = db_int(stmt, 2) > 0 || db_int(stmt, 1) == 0,
		.shown = (enum index_shown)db_int(stmt, 3),
		.size = db_int(stmt, 4),
		.mtime_ns = db_int(stmt, 5),
		.project = db_int(stmt, 6),
	};
}

static int read_child(struct db *db, int64_t parent, const char *name, size_t len,
		      struct index_node *ret)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt,
			 "SELECT " COLUMNS " FROM node WHERE parent=? AND name=?", "ib",
			 parent, (const void *)name, len);

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : INDEX_NONE;
	load_node(stmt, ret);
	return 0;
}

static int read_root(struct db *db, int root, struct index_node *ret)
{
	char name[16];
	int n = snprintf(name, sizeof(name), "%d", root);

	return read_child(db, 0, name, (size_t)n, ret);
}

int read_node(struct db *db, int root, const char *rel, struct index_node *ret)
{
	struct index_node node;
	int r = read_root(db, root, &node);

	for (const char *p = rel; r == 0 && *p;) {
		size_t len = strcspn(p, "/");

		r = read_child(db, node.id, p, len, &node);
		p += len;
		p += *p == '/';
	}
	if (r == 0)
		*ret = node;
	return r;
}

int index_find(struct index *index, int root, const char *rel, struct index_node *ret)
{
	DB_LOAN loan = { 0 };
	int r = db_pool_take_snapshot(index->readers, &loan);

	if (r == 0)
		r = read_node(loan.db, root, rel, ret);
	return index_judge(index, r);
}

/* ---- folders ---- */

static int find_folder(struct db *db, int root, const char *rel, int64_t *ret)
{
	struct index_node node;
	int r = read_node(db, root, rel, &node);

	if (r == 0)
		*ret = node.id;
	return r == 0 && !node.is_folder ? INDEX_NONE : r;
}

/* The one range scan behind readdir. */
static int query_children(struct db *db, int64_t folder, const char *after, bool all,
			  struct sqlite3_stmt **ret)
{
	return db_query(db, ret,
			all ? "SELECT " COLUMNS ", name FROM node"
			      " WHERE parent=? AND name>? ORDER BY name"
			    : "SELECT " COLUMNS ", name FROM node"
			      " WHERE parent=? AND name>? AND shown<>0 ORDER BY name",
			"ib", folder, (const void *)(after ? after : ""),
			after ? strlen(after) : (size_t)0);
}

int index_list(struct index *index, int root, const char *rel, const char *after,
	       bool all, index_list_fn *fn, void *context)
{
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	int64_t folder;
	int r = db_pool_take_snapshot(index->readers, &loan);

	if (r == 0)
		r = find_folder(loan.db, root, rel, &folder);
	if (r == 0)
		r = query_children(loan.db, folder, after, all, &stmt);
	while (r == 0 && (r = db_step(stmt)) > 0) {
		struct index_node node;

		load_node(stmt, &node);
		r = fn(context, db_text(stmt, 7), &node);
	}
	return index_judge(index, r);
}

/* A child with the hashes gathered so far; rows of one child follow each other. */
struct gathering {
	struct index_node node;
	char name[PATH_COMPONENT_MAX + 1];
	uint64_t *hashes;
	size_t n, cap;
	bool is_any;
};

static void gathering_done(struct gathering *g)
{
	free(g->hashes);
}

static int add_hash(struct gathering *g, uint64_t hash)
{
	if (g->n == g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 16;
		uint64_t *hashes = reallocarray(g->hashes, cap, sizeof(*hashes));

		if (!hashes)
			return -ENOMEM;
		g->hashes = hashes;
		g->cap = cap;
	}
	g->hashes[g->n++] = hash;
	return 0;
}

static int give(struct gathering *g, index_hashes_fn *fn, void *context)
{
	return g->is_any ? fn(context, g->name, &g->node, g->hashes, g->n) : 0;
}

static void gather_next(struct gathering *g, struct sqlite3_stmt *stmt)
{
	load_node(stmt, &g->node);
	snprintf(g->name, sizeof(g->name), "%s", db_text(stmt, 7));
	g->n = 0;
	g->is_any = true;
}

int index_list_hashes(struct index *index, int root, const char *rel, const char *after,
		      index_hashes_fn *fn, void *context)
{
	_cleanup_(gathering_done) struct gathering g = { 0 };
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	int64_t folder;
	int r = db_pool_take_snapshot(index->readers, &loan);

	if (r == 0)
		r = find_folder(loan.db, root, rel, &folder);
	if (r == 0)
		r = db_query(loan.db, &stmt,
			     "SELECT n.id, n.parent, n.children, n.shown, n.size,"
			     " n.mtime, n.project, n.name, r.file"
			     " FROM node n LEFT JOIN record r ON r.node=n.id"
			     " WHERE n.parent=? AND n.name>? AND n.shown<>0"
			     " ORDER BY n.name",
			     "ib", folder, (const void *)(after ? after : ""),
			     after ? strlen(after) : (size_t)0);
	while (r == 0 && (r = db_step(stmt)) > 0) {
		r = 0;
		if (!g.is_any || g.node.id != db_int(stmt, 0)) {
			r = give(&g, fn, context);
			gather_next(&g, stmt);
		}
		if (r == 0 && !db_is_null(stmt, 8) && !g.node.is_folder)
			r = add_hash(&g, index_file_hash(db_text(stmt, 8)));
	}
	if (r == 0)
		r = give(&g, fn, context);
	return index_judge(index, r);
}

uint64_t index_file_hash(const char *file_id)
{
	return XXH3_64bits(file_id, strlen(file_id));
}

static int read_hashes(struct db *db, int64_t node, struct gathering *g)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt,
			 "WITH RECURSIVE below(id) AS (VALUES(?) UNION ALL"
			 " SELECT n.id FROM below b JOIN node n ON n.parent=b.id)"
			 " SELECT r.file FROM below b JOIN record r ON r.node=b.id",
			 "i", node);

	while (r == 0 && (r = db_step(stmt)) > 0)
		r = add_hash(g, index_file_hash(db_text(stmt, 0)));
	return r;
}

int index_file_hashes(struct index *index, int root, const char *rel, uint64_t **ret,
		      size_t *ret_n)
{
	_cleanup_(gathering_done) struct gathering g = { 0 };
	struct index_node node;
	DB_LOAN loan = { 0 };
	int r = db_pool_take_snapshot(index->readers, &loan);

	if (r == 0)
		r = read_node(loan.db, root, rel, &node);
	if (r == 0)
		r = read_hashes(loan.db, node.id, &g);
	if (r == 0) {
		*ret_n = hashes_sort(g.hashes, g.n);
		*ret = steal(g.hashes);
	}
	return index_judge(index, r);
}
