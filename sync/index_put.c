/*
 * Putting a representation: its documents' facts become rows of records. What is as before is not written,
 * which is what happens most: every poll and every start reads all documents again.
 */
#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sync/base/clock.h"
#include "sync/base/path.h"
#include "sync/columns.h"
#include "sync/index_private.h"

/* A files[] element as it is to be kept. */
struct incoming {
	const struct doc_file *file;
	const struct doc_site *ours, *remote; /* or NULL */
	char *refused;                        /* or NULL */
	char *key;                            /* NULL where it is the document's path */
	char *rel;
	int root;
	uint64_t sum; /* of all that is kept */
};

/* A record as it is in its row. */
struct old {
	int64_t id, node, first_seen; /* node 0: refused */
	uint64_t sum;
	char *file, *path;
	bool is_kept, is_there; /* the latter: recorded at the remote */
};

struct put {
	struct index *index;
	const struct doc *doc; /* NULL: refused as a whole, or dropped */
	const char *refused;   /* or NULL */
	int64_t project, repre;
	uint64_t sum;
	bool is_new;
	struct incoming *incoming;
	size_t n_incoming;
	struct old *old;
	size_t n_old;
	struct map by_file; /* struct old */
};

static void put_done(struct put *put)
{
	for (size_t i = 0; i < put->n_incoming; i++) {
		free(put->incoming[i].refused);
		free(put->incoming[i].key);
		free(put->incoming[i].rel);
	}
	free(put->incoming);
	for (size_t i = 0; i < put->n_old; i++) {
		free(put->old[i].file);
		free(put->old[i].path);
	}
	free(put->old);
	map_done(&put->by_file, NULL);
}

/* ---- what is to be kept ---- */

static int refuse(struct incoming *in, char *why)
{
	in->refused = why;
	return why ? 0 : -ENOMEM;
}

static int place(struct index *index, struct incoming *in, const char *root_name,
		 const char *rel)
{
	_cleanup_(freep) char *key = NULL;
	const char *why = path_refusal(rel);

	if (why)
		return refuse(in, strf("path %s", why));
	in->root = index->active ? config_site_root(index->active, root_name) : -1;
	if (in->root < 0)
		return refuse(in,
			      strf("site '%s' has no root '%s': add it to the presets",
				   index->config->active_site, root_name));
	key = doc_path_key(root_name, rel);
	in->rel = strdup(rel);
	if (!key || !in->rel)
		return -ENOMEM;
	if (strcmp(key, in->file->path) != 0)
		in->key = steal(key);
	return 0;
}

static int place_absolute(struct index *index, struct incoming *in)
{
	_cleanup_(freep) char *root = NULL, *rel = NULL;
	int r = doc_path_resolve_absolute(index->config, in->file->rel, &root, &rel);

	if (r == -ENOENT)
		return refuse(in, strdup("path is absolute and lies under no root of a"
					 " site of this machine"));
	return r < 0 ? r : place(index, in, root, rel);
}

static int place_file(struct index *index, struct incoming *in)
{
	const struct doc_file *file = in->file;

	if (file->refused)
		return refuse(in, strdup(file->refused));
	if (!file->root)
		return place_absolute(index, in);
	return place(index, in, file->root, file->rel);
}

static void sum_site(struct buf *buf, const struct doc_site *site)
{
	if (!site) {
		buf_addc(buf, '-');
		return;
	}
	buf_add(buf, &site->presence, sizeof(site->presence));
	buf_add(buf, &site->created_ms, sizeof(site->created_ms));
	buf_add(buf, &site->failed_ms, sizeof(site->failed_ms));
	buf_add(buf, &site->tries, sizeof(site->tries));
	buf_add(buf, &site->priority, sizeof(site->priority));
	buf_add(buf, &site->is_paused, sizeof(site->is_paused));
	buf_add(buf, &site->progress, sizeof(site->progress));
	buf_addc(buf, site->id ? '+' : '-');
	pack_text(buf, site->id);
	buf_addc(buf, site->error ? '+' : '-');
	pack_text(buf, site->error);
}

static int sum_file(struct incoming *in, struct buf *buf)
{
	const struct doc_file *file = in->file;

	buf_clear(buf);
	pack_text(buf, file->id);
	pack_text(buf, file->path);
	pack_text(buf, in->key);
	pack_text(buf, in->refused);
	buf_add(buf, &file->size, sizeof(file->size));
	buf_add(buf, &file->mtime_ns, sizeof(file->mtime_ns));
	sum_site(buf, in->ours);
	sum_site(buf, in->remote);
	if (buf->has_failed)
		return -ENOMEM;
	in->sum = XXH3_64bits(buf->data, buf->len);
	return 0;
}

/* What is recorded at another name of the same place is there, too; the site's own entry counts before. */
static const struct doc_site *find_site(const struct doc_file *file, const char *name,
					const struct config_names *aliases)
{
	const struct doc_site *site = doc_find_site(file, name);

	for (size_t i = 0; !site && i < aliases->n; i++) {
		const struct doc_site *other = doc_find_site(file, aliases->items[i]);

		if (other && other->presence == DOC_PRESENT)
			site = other;
	}
	return site;
}

static int prepare_file(struct put *put, const struct doc_file *file, struct buf *buf)
{
	struct incoming *in = &put->incoming[put->n_incoming++];
	const struct config *config = put->index->config;
	int r;

	*in = (struct incoming){ .file = file };
	if (!file->refused) {
		in->ours = find_site(file, config->active_site, &config->active_aliases);
		if (config->remote_site[0])
			in->remote = find_site(file, config->remote_site,
					       &config->remote_aliases);
	}
	r = place_file(put->index, in);
	return r < 0 ? r : sum_file(in, buf);
}

static int prepare(struct put *put)
{
	_cleanup_(buf_done) struct buf head = { 0 }, buf = { 0 };
	const struct doc *doc = put->doc;
	size_t n = doc ? doc->n_files : 0;
	int r = 0;

	put->incoming = calloc(n ? n : 1, sizeof(*put->incoming));
	if (!put->incoming)
		return -ENOMEM;
	pack_text(&head, put->refused);
	if (doc) {
		pack_text(&head, doc->name);
		pack_text(&head, doc->asset);
		pack_text(&head, doc->subset);
		pack_text(&head, doc->version);
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = prepare_file(put, &doc->files[i], &buf);
		buf_add(&head, &put->incoming[i].sum, sizeof(uint64_t));
	}
	if (r == 0 && head.has_failed)
		r = -ENOMEM;
	if (r == 0)
		put->sum = XXH3_64bits(head.data, head.len);
	return r;
}

/* ---- rows ---- */

int put_project(struct index *index, const char *name, bool can_make, int64_t *ret)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(index->db, &stmt, "SELECT id FROM project WHERE name=?", "s",
			 name);

	if (r == 0)
		r = db_step(stmt);
	if (r > 0)
		*ret = db_int(stmt, 0);
	if (r)
		return r < 0 ? r : 0;
	if (!can_make)
		return INDEX_NONE;
	r = db_run(index->db, "INSERT INTO project(name, is_inactive) VALUES(?, 0)", "s",
		   name);
	*ret = db_last_id(index->db);
	index->has_written = true;
	return r;
}

/* INDEX_NONE. */
static int find_repre(struct index *index, int64_t project, const char *ident,
		      struct put *put)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(index->db, &stmt,
			 "SELECT id, sum FROM repre WHERE project=? AND ident=?", "is",
			 project, ident);

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : INDEX_NONE;
	put->repre = db_int(stmt, 0);
	put->sum = (uint64_t)db_int(stmt, 1);
	return 0;
}

static int write_repre(struct put *put, const char *ident)
{
	const struct doc *doc = put->doc;
	struct db *db = put->index->db;
	int r;

	put->index->has_written = true;
	if (!put->is_new)
		return db_run(db,
			      "UPDATE repre SET asset=?, subset=?, version=?, name=?,"
			      " refused=?, sum=? WHERE id=?",
			      "sssssii", doc ? doc->asset : NULL,
			      doc ? doc->subset : NULL, doc ? doc->version : NULL,
			      doc ? doc->name : NULL, put->refused, (int64_t)put->sum,
			      put->repre);
	r = db_run(db,
		   "INSERT INTO repre(project, ident, asset, subset, version, name,"
		   " flags, refused, sum) VALUES(?, ?, ?, ?, ?, ?, 0, ?, ?)",
		   "issssssi", put->project, ident, doc ? doc->asset : NULL,
		   doc ? doc->subset : NULL, doc ? doc->version : NULL,
		   doc ? doc->name : NULL, put->refused, (int64_t)put->sum);
	put->repre = db_last_id(db);
	return r;
}

static int load_old_row(struct put *put, struct sqlite3_stmt *stmt)
{
	struct old *old = &put->old[put->n_old++];
	int r = 0;

	*old = (struct old){
		.id = db_int(stmt, 0),
		.node = db_int(stmt, 1),
		.first_seen = db_int(stmt, 2),
		.sum = (uint64_t)db_int(stmt, 3),
	};
	old->file = column_text(stmt, 4, &r);
	old->path = column_text(stmt, 5, &r);
	old->is_there = db_int(stmt, 6) == DOC_PRESENT;
	return r;
}

static int load_old(struct put *put)
{
	DB_ROWS *stmt = NULL;
	size_t cap = 0;
	int r = db_query(
		put->index->db, &stmt,
		"SELECT id, node, first_seen, sum, file, path, r_presence FROM record"
		" WHERE repre=?",
		"i", put->repre);

	while (r == 0 && (r = db_step(stmt)) > 0) {
		if (put->n_old == cap) {
			struct old *more;

			cap = cap ? cap * 2 : 16;
			more = reallocarray(put->old, cap, sizeof(*more));
			if (!more)
				return -ENOMEM;
			put->old = more;
		}
		r = load_old_row(put, stmt);
	}
	for (size_t i = 0; r == 0 && i < put->n_old; i++)
		r = map_put(&put->by_file, put->old[i].file, &put->old[i], NULL);
	return r;
}

#define SITE_TYPES "iiissiiid"
#define SITE_BIND(s)                                                                     \
	(int64_t)((s) ? (s)->presence : DOC_ABSENT), (s) ? (s)->created_ms : (int64_t)0, \
		(s) ? (s)->failed_ms : (int64_t)0, (s) ? (s)->id : NULL,                 \
		(s) ? (s)->error : NULL, (int64_t)((s) ? (s)->tries : 0),                \
		(int64_t)((s) ? (s)->priority : DOC_PRIORITY_NONE),                      \
		(int64_t)((s) ? (s)->is_paused : 0), (s) ? (s)->progress : -1.0

/* NODE 0: refused. OLD: the row to be replaced, or NULL. */
static int write_record(struct put *put, const struct incoming *in, const struct old *old,
			int64_t node)
{
	const struct doc_file *file = in->file;
	const char *path = file->path ? file->path : "";
	bool is_same = old && strcmp(old->path, path) == 0;

	put->index->has_written = true;
	return db_run(
		put->index->db,
		"INSERT OR REPLACE INTO record(id, repre, node, file, path, key, size,"
		" mtime, first_seen, refused, sum, o_presence, o_created, o_failed, o_id,"
		" o_error, o_tries, o_priority, o_paused, o_progress, r_presence,"
		" r_created, r_failed, r_id, r_error, r_tries, r_priority, r_paused,"
		" r_progress) VALUES(nullif(?, 0), ?, nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?,"
		" ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"iiisssiiisi" SITE_TYPES SITE_TYPES, old ? old->id : (int64_t)0,
		put->repre, node, file->id ? file->id : "", path, in->key, file->size,
		file->mtime_ns, is_same ? old->first_seen : clock_wall_ms(), in->refused,
		(int64_t)in->sum, SITE_BIND(in->ours), SITE_BIND(in->remote));
}

static int leave_node(struct index *index, int64_t id)
{
	struct node *node;
	int r = id ? tree_load(index, id, &node) : INDEX_NONE;

	if (r)
		return r < 0 ? r : id ? -EUCLEAN : 0;
	tree_detach(node);
	return work_add_node(index, node, true);
}

static struct old *match(struct put *put, const struct incoming *in)
{
	const char *id = in->file->id ? in->file->id : "";
	struct old *old = map_get(&put->by_file, id);

	/* Two files with one id: the second is another row. */
	if (!old || old->is_kept)
		return NULL;
	old->is_kept = true;
	return old;
}

static int put_record(struct put *put, const struct incoming *in)
{
	struct index *index = put->index;
	const struct old *old = match(put, in);
	struct node *node = NULL;
	int64_t id;
	int r = 0;

	if (old && old->sum == in->sum)
		return 0;
	if (!in->refused)
		r = tree_make(index, in->root, in->rel, &node);
	if (r < 0)
		return r;
	id = node ? node->id : 0;
	r = write_record(put, in, old, id);
	if (r == 0 && old && old->node && old->node != id)
		r = leave_node(index, old->node);
	if (r == 0 && node && (!old || old->node != id))
		r = tree_attach(index, node, put->project);
	if (node && in->remote && in->remote->presence == DOC_PRESENT)
		node->is_sent_anew |= !old || old->node != id || !old->is_there;
	return r == 0 && node ? work_add_node(index, node, true) : r;
}

static int drop_record(struct index *index, const struct old *old)
{
	int r = db_run(index->db, "DELETE FROM record WHERE id=?", "i", old->id);

	index->has_written = true;
	return r < 0 ? r : leave_node(index, old->node);
}

static int put_records(struct put *put)
{
	int r = put->is_new ? 0 : load_old(put);

	for (size_t i = 0; r == 0 && i < put->n_incoming; i++)
		r = put_record(put, &put->incoming[i]);
	for (size_t i = 0; r == 0 && i < put->n_old; i++)
		if (!put->old[i].is_kept)
			r = drop_record(put->index, &put->old[i]);
	return r < 0 ? r : work_add_repre(put->index, put->repre);
}

static int put_repre(struct put *put, const char *project, const char *ident)
{
	struct index *index = put->index;
	struct put old = { 0 };
	int r = put_project(index, project, true, &put->project);

	if (r == 0)
		r = find_repre(index, put->project, ident, &old);
	put->is_new = r == INDEX_NONE;
	put->repre = old.repre;
	if (r >= 0)
		r = prepare(put);
	if (r == 0 && (put->is_new || old.sum != put->sum)) {
		r = write_repre(put, ident);
		if (r == 0)
			r = put_records(put);
	}
	if (r == 0 && index->is_sweeping)
		r = hash_set_add(&index->swept, (uint64_t)put->repre);
	return r;
}

int index_put_doc(struct index *index, const struct doc *doc, index_touched_fn *fn,
		  void *context)
{
	_cleanup_(put_done) struct put put = { .index = index, .doc = doc };
	int r = put_repre(&put, doc->project, doc->id);

	return index_judge(index, r < 0 ? r : work_settle(index, fn, context));
}

int index_refuse_doc(struct index *index, const char *project, const char *repre,
		     const char *reason, index_touched_fn *fn, void *context)
{
	_cleanup_(put_done) struct put put = { .index = index, .refused = reason };
	int r = put_repre(&put, project, repre);

	return index_judge(index, r < 0 ? r : work_settle(index, fn, context));
}

int put_drop(struct index *index, int64_t repre, index_touched_fn *fn, void *context)
{
	_cleanup_(put_done) struct put put = { .index = index, .repre = repre };
	int r = put_records(&put);

	if (r == 0)
		r = db_run(index->db, "DELETE FROM repre WHERE id=?", "i", repre);
	index->has_written = true;
	return index_judge(index, r < 0 ? r : work_settle(index, fn, context));
}

int index_drop_doc(struct index *index, const char *project, const char *repre,
		   index_touched_fn *fn, void *context)
{
	struct put put = { 0 };
	int64_t id;
	int r = put_project(index, project, false, &id);

	if (r == 0)
		r = find_repre(index, id, repre, &put);
	if (r)
		return r < 0 ? index_judge(index, r) : 0;
	return put_drop(index, put.repre, fn, context);
}
