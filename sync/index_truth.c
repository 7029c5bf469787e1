/* Facts beside the documents: truth records, objects seen at the remote, whether a project is active. */
#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"

#include "sync/columns.h"
#include "sync/index_private.h"

int read_truth(struct db *db, int64_t project, const char *key, struct truth *ret)
{
	_cleanup_(truth_done) struct truth truth = { 0 };
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt,
			 "SELECT size, mtime, sha256, md5, remotes, files FROM truth"
			 " WHERE project=? AND key=?",
			 "is", project, key);

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : INDEX_NONE;
	truth.size = db_int(stmt, 0);
	truth.mtime_ns = db_int(stmt, 1);
	column_digest(stmt, 2, &truth.digest);
	r = column_remotes(stmt, 4, &truth);
	if (r == 0)
		r = column_files(stmt, 5, &truth.files);
	if (r < 0)
		return r;
	*ret = truth;
	truth = (struct truth){ 0 };
	return 0;
}

/* What names a node: texts of its own. */
struct names {
	struct truth_name *items;
	size_t n;
};

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		free((void *)(uintptr_t)names->items[i].repre);
		free((void *)(uintptr_t)names->items[i].file);
	}
	free(names->items);
}

static int add_name(struct names *names, struct sqlite3_stmt *stmt)
{
	struct truth_name *more = reallocarray(names->items, names->n + 1, sizeof(*more));
	int r = 0;

	if (!more)
		return -ENOMEM;
	names->items = more;
	more[names->n].repre = column_text(stmt, 0, &r);
	more[names->n].file = column_text(stmt, 1, &r);
	more[names->n].is_there = db_int(stmt, 2) == DOC_PRESENT;
	names->n++;
	return r;
}

int read_is_former(struct db *db, int64_t node, const struct truth *truth)
{
	_cleanup_(names_done) struct names names = { 0 };
	DB_ROWS *stmt = NULL;
	int r;

	if (!truth->files.n)
		return 0;
	r = db_query(db, &stmt,
		     "SELECT p.ident, r.file, r.r_presence FROM record r"
		     " JOIN repre p ON p.id=r.repre WHERE r.node=?",
		     "i", node);
	while (r == 0 && (r = db_step(stmt)) > 0)
		r = add_name(&names, stmt);
	return r < 0 ? r : truth_is_former(truth, names.items, names.n);
}

#define SAME_SIZE_MAX 1000 /* looked through: sizes of frames are often the same */

/* 1: it is one. */
static int take_bytes(struct sqlite3_stmt *stmt, const char *site,
		      const struct digest *digest, struct truth *ret)
{
	_cleanup_(truth_done) struct truth truth = { .size = db_int(stmt, 0) };
	const struct truth_remote *remote;
	int r;

	column_digest(stmt, 1, &truth.digest);
	r = column_remotes(stmt, 3, &truth);
	if (r < 0)
		return r;
	remote = truth_find_remote(&truth, site);
	if (!remote || !remote->id || !remote->revision ||
	    (digest && !digest_equal(digest, &truth.digest)))
		return 0;
	*ret = truth;
	truth = (struct truth){ 0 };
	return 1;
}

int index_find_bytes(struct index *index, const char *site, int64_t size,
		     const struct digest *digest, struct truth *ret)
{
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	int r = db_pool_take_snapshot(index->readers, &loan), found = 0;

	if (r == 0)
		r = db_query(loan.db, &stmt,
			     "SELECT size, sha256, md5, remotes FROM truth WHERE size=?"
			     " LIMIT ?",
			     "ii", size, (int64_t)SAME_SIZE_MAX);
	while (r >= 0 && found == 0 && (r = db_step(stmt)) > 0)
		found = take_bytes(stmt, site, digest, ret);
	if (r < 0 || found < 0)
		return r < 0 ? r : found;
	return found ? 0 : INDEX_NONE;
}

static bool is_same_digest(const struct digest *a, const struct digest *b)
{
	return a->has_sha256 == b->has_sha256 && a->has_md5 == b->has_md5 &&
	       !digest_differs(a, b);
}

static bool is_same_files(const struct truth_files *a, const struct truth_files *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->refs[i], b->refs[i]) != 0)
			return false;
	return true;
}

static bool is_same_truth(const struct truth *a, const struct truth *b)
{
	if (a->size != b->size || a->mtime_ns != b->mtime_ns ||
	    a->n_remotes != b->n_remotes || !is_same_digest(&a->digest, &b->digest) ||
	    !is_same_files(&a->files, &b->files))
		return false;
	for (size_t i = 0; i < a->n_remotes; i++) {
		const struct truth_remote *x = &a->remotes[i];
		const struct truth_remote *y = &b->remotes[i];

		if (!str_is_same(x->site, y->site) || !str_is_same(x->id, y->id) ||
		    !str_is_same(x->revision, y->revision))
			return false;
	}
	return true;
}

static int write_truth(struct index *index, int64_t project, const struct truth *truth)
{
	_cleanup_(buf_done) struct buf remotes = { 0 }, files = { 0 };
	int r = pack_remotes(&remotes, truth);

	if (r == 0)
		r = pack_files(&files, &truth->files);
	if (r < 0)
		return r;
	index->has_written = true;
	return db_run(
		index->db, "INSERT OR REPLACE INTO truth VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
		"isii" DIGEST_TYPES "bb", project, truth->key, truth->size,
		truth->mtime_ns, DIGEST_BIND(&truth->digest), (const void *)remotes.data,
		remotes.len, (const void *)files.data, files.len);
}

/* INDEX_NONE where no document names that file, or under another project. */
static int find_node_of(struct index *index, int64_t project, const char *key,
			struct node **ret)
{
	_cleanup_(freep) char *name = NULL, *rel = NULL, *refused = NULL;
	DB_ROWS *stmt = NULL;
	int root;
	int r = doc_path_parse(key, &name, &rel, &refused);

	if (r < 0 || !name)
		return r == -ENOMEM ? r : INDEX_NONE;
	root = index->active ? config_site_root(index->active, name) : -1;
	if (root < 0)
		return INDEX_NONE;
	r = tree_find(index, root, rel, ret);
	if (r)
		return r;
	r = db_query(index->db, &stmt,
		     "SELECT 1 FROM record r JOIN repre p ON p.id=r.repre"
		     " WHERE r.node=? AND p.project=? AND coalesce(r.key, r.path)=?",
		     "iis", (*ret)->id, project, key);
	if (r == 0)
		r = db_step(stmt);
	return r > 0 ? 0 : r < 0 ? r : INDEX_NONE;
}

int index_put_truth(struct index *index, const struct truth *truth, index_touched_fn *fn,
		    void *context)
{
	_cleanup_(truth_done) struct truth old = { 0 };
	struct node *node = NULL;
	int64_t project;
	int r = put_project(index, truth->project, true, &project);

	if (r == 0)
		r = read_truth(index->db, project, truth->key, &old);
	if (r == 0 && is_same_truth(&old, truth))
		return 0;
	if (r >= 0)
		r = write_truth(index, project, truth);
	if (r == 0)
		r = find_node_of(index, project, truth->key, &node);
	if (r == 0)
		r = work_add_node(index, node, true);
	return index_judge(index, r < 0 ? r : work_settle(index, fn, context));
}

/* 1: the representation is known, and that file of it is not. */
static int is_unread(struct index *index, int64_t project, const char *repre,
		     const char *file)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(index->db, &stmt,
			 "SELECT EXISTS(SELECT 1 FROM record WHERE repre=p.id AND file=?)"
			 " FROM repre p WHERE p.project=? AND p.ident=?",
			 "sis", file, project, repre);

	if (r == 0)
		r = db_step(stmt);
	return r > 0 ? !db_int(stmt, 0) : r;
}

int index_find_unread(struct index *index, const struct truth *truth, char **ret_repre)
{
	int64_t project;
	int r = put_project(index, truth->project, false, &project), is_found = 0;

	for (size_t i = 0; r == 0 && !is_found && i < truth->files.n; i++) {
		const char *ref = truth->files.refs[i], *end = strchr(ref, '/');
		_cleanup_(freep) char *repre =
			strndup(ref, end ? (size_t)(end - ref) : strlen(ref));

		is_found = repre ? is_unread(index, project, repre, end ? end + 1 : "")
				 : -ENOMEM;
		if (is_found > 0)
			*ret_repre = steal(repre);
	}
	if (r < 0 || is_found < 0)
		return index_judge(index, r < 0 ? r : is_found);
	return is_found ? 0 : INDEX_NONE;
}

/* ---- objects ---- */

static int is_same_object(struct index *index, int64_t node,
			  const struct index_object *object)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(index->db, &stmt,
			 "SELECT state, ident, revision, document, size, mtime, fate,"
			 " who, at FROM object WHERE node=?",
			 "i", node);

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r;
	return db_int(stmt, 0) == (int64_t)object->state &&
	       str_is_same(db_text(stmt, 1), object->id) &&
	       str_is_same(db_text(stmt, 2), object->revision) &&
	       str_is_same(db_text(stmt, 3), object->document_id) &&
	       db_int(stmt, 4) == object->size && db_int(stmt, 5) == object->mtime_ns &&
	       db_int(stmt, 6) == (int64_t)object->fate &&
	       str_is_same(db_text(stmt, 7), object->who) &&
	       db_int(stmt, 8) == object->at_ms;
}

/* Some record says that the remote has it. 0, 1, or a negative errno. */
static int is_recorded_there(struct index *index, int64_t node)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(index->db, &stmt,
			 "SELECT 1 FROM record WHERE node=? AND r_presence=2 LIMIT 1",
			 "i", node);

	return r == 0 ? db_step(stmt) : r;
}

/* When it was seen is always noted; a node that was only seen again is not told of. What no record names yet may still be
 * written by another program, at its final name: its size says nothing. */
int index_put_object(struct index *index, int root, const char *rel,
		     const struct index_object *object, index_touched_fn *fn,
		     void *context)
{
	struct index_object noted = *object; /* borrows */
	struct node *node;
	int is_same, is_recorded;
	int r = tree_find(index, root, rel, &node);

	if (r || node_is_folder(node))
		return r < 0 ? index_judge(index, r) : INDEX_NONE;
	is_recorded = is_recorded_there(index, node->id);
	if (is_recorded < 0)
		return index_judge(index, is_recorded);
	if (!is_recorded)
		noted.size = noted.mtime_ns = -1;
	is_same = is_same_object(index, node->id, &noted);
	if (is_same < 0)
		return index_judge(index, is_same);
	index->has_written = true;
	r = db_run(index->db,
		   "INSERT OR REPLACE INTO object VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
		   " ?)",
		   "iisssiiiisi", node->id, (int64_t)object->state, object->id,
		   object->revision, object->document_id, noted.size, noted.mtime_ns,
		   object->seen_ms, (int64_t)object->fate, object->who, object->at_ms);
	if (r == 0 && !is_same)
		r = work_add_node(index, node, true);
	return index_judge(index, r < 0 ? r : work_settle(index, fn, context));
}

/* ---- projects ---- */

static int set_inactive(struct index *index, int64_t project, bool is_inactive)
{
	int r = db_run(
		index->db,
		"UPDATE project SET is_inactive=?1 WHERE id=?2 AND is_inactive<>?1", "ii",
		(int64_t)is_inactive, project);

	if (r < 0)
		return r;
	index->has_written |= db_changes(index->db) > 0;
	return db_changes(index->db) > 0;
}

/* Slices, as there may be a million and the cache of nodes is to stay small. */
static int touch_project(struct index *index, int64_t project, int64_t *after, bool *more)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(index->db, &stmt,
			 "SELECT DISTINCT r.node FROM record r JOIN repre p"
			 " ON p.id=r.repre WHERE r.node>? AND p.project=?"
			 " ORDER BY r.node LIMIT 1000",
			 "ii", *after, project);

	*more = false;
	while (r == 0 && (r = db_step(stmt)) > 0) {
		struct node *node;

		*more = true;
		*after = db_int(stmt, 0);
		r = tree_load(index, *after, &node);
		if (r == 0)
			r = work_add_node(index, node, true);
		else if (r == INDEX_NONE)
			r = -EUCLEAN;
	}
	return r;
}

int index_set_project(struct index *index, const char *project, bool is_inactive,
		      index_touched_fn *fn, void *context)
{
	int64_t id, after = 0;
	bool more;
	int r = put_project(index, project, true, &id);

	if (r == 0)
		r = set_inactive(index, id, is_inactive);
	more = r > 0;
	while (r >= 0 && more) {
		r = touch_project(index, id, &after, &more);
		if (r == 0)
			r = work_settle(index, fn, context);
	}
	return index_judge(index, r < 0 ? r : 0);
}
