/* Everything about one path, in one snapshot. */
#include <errno.h>
#include <string.h>

#include "sync/columns.h"
#include "sync/index_private.h"
#include "sync/republish.h"

static void entry_done(struct index_entry *entry)
{
	free(entry->id);
	free(entry->error);
}

static void record_clear(struct index_record *record)
{
	free(record->project);
	free(record->repre);
	free(record->file);
	free(record->path);
	free(record->key);
	free(record->asset);
	free(record->subset);
	free(record->version);
	free(record->name);
	entry_done(&record->ours);
	entry_done(&record->remote);
}

void index_path_done(struct index_path *path)
{
	for (size_t i = 0; i < path->n_records; i++)
		record_clear(&path->records[i]);
	free(path->records);
	truth_done(&path->truth);
	truth_done(&path->former);
	free(path->object.id);
	free(path->object.revision);
	free(path->object.document_id);
	free(path->object.who);
	*path = (struct index_path){ 0 };
}

static void load_entry(struct sqlite3_stmt *stmt, int first, struct index_entry *ret,
		       int *r)
{
	ret->presence = (enum doc_presence)db_int(stmt, first);
	ret->created_ms = db_int(stmt, first + 1);
	ret->failed_ms = db_int(stmt, first + 2);
	ret->id = column_text(stmt, first + 3, r);
	ret->error = column_text(stmt, first + 4, r);
	ret->tries = (int)db_int(stmt, first + 5);
	ret->priority = (int)db_int(stmt, first + 6);
	ret->is_paused = db_int(stmt, first + 7) != 0;
	ret->progress = db_double(stmt, first + 8);
}

/* Columns before those of the entries. */
#define RECORD_COLUMNS                                                                 \
	"j.name, p.ident, r.file, r.path, coalesce(r.key, r.path), p.asset, p.subset," \
	" p.version, p.name, r.size, r.mtime, r.first_seen, p.flags, j.is_inactive,"   \
	" p.project"
#define ENTRY_COLUMNS(x)                                                      \
	", " x "presence, " x "created, " x "failed, " x "id, " x "error, " x \
	"tries, " x "priority, " x "paused, " x "progress"

static int load_record(struct sqlite3_stmt *stmt, struct index_record *ret)
{
	int r = 0;

	ret->project = column_text(stmt, 0, &r);
	ret->repre = column_text(stmt, 1, &r);
	ret->file = column_text(stmt, 2, &r);
	ret->path = column_text(stmt, 3, &r);
	ret->key = column_text(stmt, 4, &r);
	ret->asset = column_text(stmt, 5, &r);
	ret->subset = column_text(stmt, 6, &r);
	ret->version = column_text(stmt, 7, &r);
	ret->name = column_text(stmt, 8, &r);
	ret->size_hint = db_int(stmt, 9);
	ret->mtime_ns = db_int(stmt, 10);
	ret->first_seen_ms = db_int(stmt, 11);
	ret->is_arriving = !(db_int(stmt, 12) & REPRE_WHOLE);
	ret->is_inactive = db_int(stmt, 13) != 0;
	load_entry(stmt, 15, &ret->ours, &r);
	load_entry(stmt, 24, &ret->remote, &r);
	return r;
}

static int add_record(struct index_path *path, struct sqlite3_stmt *stmt)
{
	struct index_record *more =
		reallocarray(path->records, path->n_records + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	path->records = more;
	more[path->n_records] = (struct index_record){ 0 };
	return load_record(stmt, &more[path->n_records++]);
}

/* The truth is the first one that a record has: the one that the node's size and time are of. */
static int find_truth(struct db *db, struct index_path *path, int64_t project)
{
	const struct index_record *record = &path->records[path->n_records - 1];
	int r;

	if (path->truth.size >= 0)
		return 0;
	truth_done(&path->truth);
	path->truth.size = path->truth.mtime_ns = -1;
	r = read_truth(db, project, record->key, &path->truth);
	if (r)
		return r < 0 ? r : 0;
	path->truth.project = strdup(record->project);
	path->truth.key = strdup(record->key);
	return path->truth.project && path->truth.key ? 0 : -ENOMEM;
}

/* A record of a publish before is set apart. */
static int judge_truth(struct index_path *path)
{
	_cleanup_(freep) struct truth_name *names = NULL;

	if (path->truth.size < 0 || !path->truth.files.n)
		return 0;
	names = republish_names(path);
	if (!names)
		return -ENOMEM;
	if (!truth_is_former(&path->truth, names, path->n_records))
		return 0;
	path->former = path->truth;
	path->truth = (struct truth){ .size = -1, .mtime_ns = -1 };
	return 0;
}

static int read_records(struct db *db, struct index_path *path)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(
		db, &stmt,
		"SELECT " RECORD_COLUMNS ENTRY_COLUMNS("r.o_") ENTRY_COLUMNS(
			"r.r_") " FROM record r JOIN repre p ON p.id=r.repre"
				" JOIN project j ON j.id=p.project WHERE r.node=? ORDER BY r.id",
		"i", path->node.id);

	while (r == 0 && (r = db_step(stmt)) > 0) {
		r = add_record(path, stmt);
		if (r == 0)
			r = find_truth(db, path, db_int(stmt, 14));
	}
	return r < 0 ? r : judge_truth(path);
}

static int read_object(struct db *db, int64_t node, struct index_object *ret)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt,
			 "SELECT state, ident, revision, document, size, mtime, seen,"
			 " fate, who, at FROM object WHERE node=?",
			 "i", node);

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r;
	r = 0;
	ret->state = (enum index_object_state)db_int(stmt, 0);
	ret->id = column_text(stmt, 1, &r);
	ret->revision = column_text(stmt, 2, &r);
	ret->document_id = column_text(stmt, 3, &r);
	ret->size = db_int(stmt, 4);
	ret->mtime_ns = db_int(stmt, 5);
	ret->seen_ms = db_int(stmt, 6);
	ret->fate = (enum provider_fate)db_int(stmt, 7);
	ret->who = column_text(stmt, 8, &r);
	ret->at_ms = db_int(stmt, 9);
	return r;
}

/* A folder's records are refused. */
static int read_path_facts(struct db *db, int root, const char *rel,
			   struct index_path *ret)
{
	int r = read_node(db, root, rel, &ret->node);

	if (r == 0 && !ret->node.is_folder)
		r = read_records(db, ret);
	if (r == 0)
		r = read_object(db, ret->node.id, &ret->object);
	return r;
}

int index_find_path(struct index *index, int root, const char *rel,
		    struct index_path *ret)
{
	_cleanup_(index_path_done) struct index_path path = {
		.truth = { .size = -1, .mtime_ns = -1 },
		.object = { .size = -1, .mtime_ns = -1 },
	};
	DB_LOAN loan = { 0 };
	int r = db_pool_take_snapshot(index->readers, &loan);

	if (r == 0)
		r = read_path_facts(loan.db, root, rel, &path);
	if (r == 0) {
		*ret = path;
		path = (struct index_path){ 0 };
	}
	return index_judge(index, r);
}
