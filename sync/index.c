/* The index: opening, identity, transactions, tokens and totals. What it holds is in index_*.c. */
#include "sync/index.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sync/base/log.h"
#include "sync/columns.h"
#include "sync/index_private.h"

/* Part of the identity: another number empties the index. */
#define INDEX_VERSION "3"
#define BUSY_MS 10000
#define CHECKPOINT_PAGES \
	"4000" /* 16 MiB of log, so that loading does not sync all the time */

static const char *schema =
	"CREATE TABLE IF NOT EXISTS fact("
	"	name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS node("
	"	parent INTEGER, name BLOB, id INTEGER NOT NULL, children INTEGER NOT NULL,"
	"	shown_children INTEGER NOT NULL, records INTEGER NOT NULL,"
	"	shown INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,"
	"	project INTEGER NOT NULL, PRIMARY KEY(parent, name)) WITHOUT ROWID;"
	"CREATE UNIQUE INDEX IF NOT EXISTS node_id ON node(id);"
	"CREATE INDEX IF NOT EXISTS node_unsized ON node(id)"
	"	WHERE shown<>0 AND size<0 AND children=0;"
	"CREATE INDEX IF NOT EXISTS node_conflict ON node(id)"
	"	WHERE children>0 AND records>0;"
	"CREATE TABLE IF NOT EXISTS project("
	"	id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	"	is_inactive INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS repre("
	"	id INTEGER PRIMARY KEY, project INTEGER NOT NULL, ident TEXT NOT NULL,"
	"	asset TEXT, subset TEXT, version TEXT, name TEXT,"
	"	flags INTEGER NOT NULL, refused TEXT, sum INTEGER NOT NULL,"
	"	UNIQUE(project, ident));"
	"CREATE INDEX IF NOT EXISTS repre_ident ON repre(ident);"
	"CREATE INDEX IF NOT EXISTS repre_refused ON repre(id) WHERE refused IS NOT NULL;"
	"CREATE TABLE IF NOT EXISTS record("
	"	id INTEGER PRIMARY KEY, repre INTEGER NOT NULL, node INTEGER,"
	"	file TEXT NOT NULL, path TEXT NOT NULL, key TEXT," /* NULL: as path */
	"	size INTEGER NOT NULL, mtime INTEGER NOT NULL, first_seen INTEGER NOT NULL,"
	"	refused TEXT, sum INTEGER NOT NULL,"
	"	o_presence INTEGER NOT NULL, o_created INTEGER, o_failed INTEGER,"
	"	o_id TEXT, o_error TEXT, o_tries INTEGER, o_priority INTEGER,"
	"	o_paused INTEGER, o_progress REAL,"
	"	r_presence INTEGER NOT NULL, r_created INTEGER, r_failed INTEGER,"
	"	r_id TEXT, r_error TEXT, r_tries INTEGER, r_priority INTEGER,"
	"	r_paused INTEGER, r_progress REAL);"
	"CREATE INDEX IF NOT EXISTS record_remote ON record(r_id)"
	"	WHERE r_presence=2 AND r_id IS NOT NULL;"
	"CREATE INDEX IF NOT EXISTS record_repre ON record(repre);"
	"CREATE INDEX IF NOT EXISTS record_node ON record(node);"
	/* ours + remote -, or ours - remote +: the one sum of 1 and 2 */
	"CREATE INDEX IF NOT EXISTS record_pending ON record(node)"
	"	WHERE o_presence+r_presence=3;"
	"CREATE TABLE IF NOT EXISTS truth("
	"	project INTEGER, key TEXT, size INTEGER NOT NULL, mtime INTEGER NOT NULL,"
	"	sha256 BLOB, md5 BLOB, remotes BLOB, files BLOB, PRIMARY KEY(project, key))"
	"	WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS truth_size ON truth(size);"
	"CREATE TABLE IF NOT EXISTS object("
	"	node INTEGER PRIMARY KEY, state INTEGER NOT NULL, ident TEXT,"
	"	revision TEXT, document TEXT, size INTEGER NOT NULL,"
	"	mtime INTEGER NOT NULL, seen INTEGER NOT NULL,"
	"	fate INTEGER NOT NULL, who TEXT, at INTEGER NOT NULL);"
	"CREATE INDEX IF NOT EXISTS object_trouble ON object(node) WHERE state>=2";

static int get_fact(struct db *db, const char *name, char **ret)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt, "SELECT value FROM fact WHERE name=?", "s", name);
	char *value;

	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : INDEX_NONE;
	r = 0;
	value = column_text(stmt, 0, &r);
	if (r == 0)
		*ret = value;
	return r;
}

static int set_fact(struct db *db, const char *name, const char *value)
{
	return db_run(db, "INSERT OR REPLACE INTO fact VALUES(?, ?)", "ss", name, value);
}

/* ---- opening ---- */

/* Of what the rows were made: with anything else they mean nothing. */
static char *make_identity(const struct index_setup *setup, struct index *index)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	buf_addf(&buf, "version %s\nstore %s\nsite %s\nremote %s\n", INDEX_VERSION,
		 setup->store_identity, index->config->active_site,
		 index->config->remote_site);
	for (size_t i = 0; index->active && i < index->active->n_roots; i++)
		buf_addf(&buf, "root %s=%s\n", index->active->roots[i].name,
			 index->active->roots[i].path);
	return buf_take(&buf);
}

static int remove_file(const char *path, const char *suffix)
{
	_cleanup_(freep) char *name = strf("%s%s", path, suffix);

	if (!name)
		return -ENOMEM;
	return unlink(name) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_files(const char *path)
{
	int r = remove_file(path, "");

	if (r == 0)
		r = remove_file(path, "-wal");
	if (r == 0)
		r = remove_file(path, "-shm");
	if (r == 0)
		r = remove_file(path, ".damaged");
	return r;
}

/* -EUCLEAN where somebody met damage in it. */
static int check_mark(const char *path)
{
	_cleanup_(freep) char *name = strf("%s.damaged", path);

	if (!name)
		return -ENOMEM;
	return access(name, F_OK) == 0 ? -EUCLEAN : 0;
}

/* INDEX_FRESH where the rows are another's; INDEX_NONE where there are none at all. */
static int check_identity(struct db *db, const char *identity)
{
	_cleanup_(freep) char *found = NULL;
	int r = get_fact(db, "identity", &found);

	if (r)
		return r;
	return strcmp(found, identity) == 0 ? 0 : INDEX_FRESH;
}

static int add_roots(struct index *index)
{
	size_t n = index->active ? index->active->n_roots : 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		_cleanup_(freep) char *name = strf("%zu", i);

		if (!name)
			return -ENOMEM;
		r = db_run(index->db,
			   "INSERT INTO node VALUES(0, ?, ?, 0, 0, 0, 0, -1, -1, ?)",
			   "bii", (const void *)name, strlen(name), (int64_t)i + 1,
			   (int64_t)PROJECT_NONE);
	}
	return r;
}

static int make_tables(struct index *index, const char *identity)
{
	int r = db_begin(index->db);

	if (r < 0)
		return r;
	r = db_exec(index->db, schema);
	if (r == 0)
		r = add_roots(index);
	if (r == 0)
		r = set_fact(index->db, "identity", identity);
	if (r == 0)
		return db_commit(index->db);
	db_rollback(index->db);
	return r;
}

/* 0, INDEX_FRESH with the file emptied, or -EUCLEAN where it is damaged. */
static int open_file(struct index *index, const char *identity, struct error *error)
{
	int r = check_mark(index->path);

	if (r == 0)
		r = db_open(index->path, 0, BUSY_MS, &index->db, error);
	if (r == 0)
		r = db_exec(index->db, "PRAGMA wal_autocheckpoint=" CHECKPOINT_PAGES);
	if (r == 0)
		r = db_exec(index->db, "CREATE TABLE IF NOT EXISTS fact("
				       "name TEXT PRIMARY KEY, value TEXT NOT NULL)"
				       " WITHOUT ROWID");
	if (r == 0)
		r = check_identity(index->db, identity);
	if (r == INDEX_NONE) {
		r = make_tables(index, identity);
		return r < 0 ? r : INDEX_FRESH;
	}
	return r;
}

static int open_or_replace(struct index *index, const char *identity, struct error *error)
{
	int r = open_file(index, identity, error);

	if (r != INDEX_FRESH && r != -EUCLEAN)
		return r;
	if (r == INDEX_FRESH && check_identity(index->db, identity) == 0)
		return r;
	if (r == -EUCLEAN)
		log_warning("index %s is damaged: it is made anew from the store",
			    index->path);
	db_free(index->db);
	index->db = NULL;
	r = remove_files(index->path);
	return r < 0 ? r : open_file(index, identity, error);
}

static int read_totals(struct index *index)
{
	_cleanup_(freep) char *text = NULL;
	const char *p;
	int r = get_fact(index->db, "totals", &text);

	if (r)
		return r == INDEX_NONE ? 0 : r;
	p = text;
	for (size_t i = 0; i < ARRAY_SIZE(index->totals.n); i++) {
		char *end;

		index->totals.n[i] = strtoll(p, &end, 10);
		p = end;
	}
	return 0;
}

static int write_totals(struct index *index)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(index->totals.n); i++)
		buf_addf(&text, "%s%lld", i ? " " : "", (long long)index->totals.n[i]);
	if (text.has_failed)
		return -ENOMEM;
	return set_fact(index->db, "totals", buf_str(&text));
}

/* What decides whether a name is shown, beside the documents. Another rule needs no new reading. */
static int heed_rule(struct index *index)
{
	_cleanup_(freep) char *rule =
		strf("retry_cnt %d, partial %d", index->config->retry_cnt,
		     index->is_partial_shown);
	_cleanup_(freep) char *old = NULL;
	int r;

	if (!rule)
		return -ENOMEM;
	r = get_fact(index->db, "rule", &old);
	if (r < 0 || (r == 0 && strcmp(old, rule) == 0))
		return r;
	r = index_begin(index);
	if (r < 0)
		return r;
	r = work_settle_all(index);
	if (r == 0)
		r = set_fact(index->db, "rule", rule);
	if (r == 0)
		return index_commit(index);
	index_rollback(index);
	return r;
}

static int read_complete(struct index *index)
{
	_cleanup_(freep) char *value = NULL;
	int r = get_fact(index->db, "complete", &value);

	if (r < 0)
		return r;
	mutex_lock(&index->lock);
	index->is_complete = r == 0;
	index->shared_totals = index->totals;
	mutex_unlock(&index->lock);
	return r == 0 ? 0 : INDEX_FRESH;
}

static int start(struct index *index)
{
	int r = db_pool_new(index->path, &index->readers);

	if (r == 0)
		r = tree_start(index);
	if (r == 0)
		r = read_totals(index);
	if (r == 0)
		r = heed_rule(index);
	return r < 0 ? r : read_complete(index);
}

/* Damage that only shows when the first rows are read: once more, with what is there removed. */
static int start_or_replace(struct index *index, const char *identity,
			    struct error *error)
{
	int r = start(index);

	if (r != -EUCLEAN)
		return r;
	index_judge(index, r);
	tree_clear(index);
	db_pool_free(steal(index->readers));
	db_free(steal(index->db));
	index->totals = (struct index_totals){ 0 };
	r = open_or_replace(index, identity, error);
	return r < 0 ? r : start(index);
}

static struct index *index_new(const struct index_setup *setup)
{
	struct index *index = calloc(1, sizeof(*index));

	if (!index)
		return NULL;
	index->path = strdup(setup->path);
	if (!index->path) {
		free(index);
		return NULL;
	}
	index->config = setup->config;
	index->active = config_find_site(setup->config, setup->config->active_site);
	index->is_partial_shown = setup->is_partial_shown;
	mutex_init(&index->lock);
	return index;
}

int index_open(const struct index_setup *setup, struct index **ret, struct error *error)
{
	_cleanup_(index_freep) struct index *index = index_new(setup);
	_cleanup_(freep) char *identity = NULL;
	int r = -ENOMEM;

	if (index)
		identity = make_identity(setup, index);
	if (identity)
		r = open_or_replace(index, identity, error);
	if (r >= 0)
		r = start_or_replace(index, identity, error);
	if (r < 0)
		return error_set(error, r, "cannot open index %s: %s", setup->path,
				 strerror(-r));
	*ret = steal(index);
	return r;
}

void index_free(struct index *index)
{
	if (!index)
		return;
	work_clear(index);
	tree_clear(index);
	hash_set_done(&index->work.seen);
	hash_set_done(&index->swept);
	db_pool_free(index->readers);
	db_free(index->db);
	mutex_done(&index->lock);
	free(index->path);
	free(index);
}

int index_judge(struct index *index, int r)
{
	_cleanup_(freep) char *mark = NULL;
	int fd;

	if (r != -EUCLEAN)
		return r;
	mark = strf("%s.damaged", index->path);
	fd = mark ? open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd >= 0)
		close(fd);
	return r;
}

/* ---- transactions ---- */

int index_begin(struct index *index)
{
	int r = db_begin(index->db);

	if (r == 0)
		index->is_writing = true;
	return index_judge(index, r);
}

static void share(struct index *index)
{
	mutex_lock(&index->lock);
	index->shared_totals = index->totals;
	index->is_complete |= index->is_completing;
	index->generation += index->has_written;
	mutex_unlock(&index->lock);
	index->is_completing = index->has_written = index->is_writing = false;
}

int index_commit(struct index *index)
{
	int r = tree_flush(index);

	if (r == 0 && index->has_written)
		r = write_totals(index);
	if (r == 0)
		r = db_commit(index->db);
	if (r < 0)
		index_rollback(index);
	else
		share(index);
	return index_judge(index, r);
}

void index_rollback(struct index *index)
{
	db_rollback(index->db);
	work_clear(index);
	tree_clear(index);
	mutex_lock(&index->lock);
	index->totals = index->shared_totals;
	mutex_unlock(&index->lock);
	index->is_completing = index->has_written = index->is_writing = false;
}

int index_begin_own(struct index *index, bool *ret_is_own)
{
	*ret_is_own = !index->is_writing;
	return *ret_is_own ? index_begin(index) : 0;
}

int index_end_own(struct index *index, bool is_own, int r)
{
	int committed;

	if (!is_own)
		return r;
	if (r < 0) {
		index_rollback(index);
		return r;
	}
	committed = index_commit(index);
	return committed < 0 ? committed : r;
}

/* ---- facts ---- */

bool index_is_complete(struct index *index)
{
	bool is_complete;

	mutex_lock(&index->lock);
	is_complete = index->is_complete;
	mutex_unlock(&index->lock);
	return is_complete;
}

/* What could not be written is set again after the next reading. */
void index_set_complete(struct index *index)
{
	bool is_own;
	int r = index_begin_own(index, &is_own);

	if (r == 0) {
		r = set_fact(index->db, "complete", "1");
		index->is_completing = r == 0;
		r = index_end_own(index, is_own, r);
	}
	if (r < 0)
		log_debug("index: not marked complete: %s", strerror(-r));
}

int index_get_token(struct index *index, char **ret)
{
	DB_LOAN loan = { 0 };
	int r = db_pool_take(index->readers, &loan);

	if (r == 0)
		r = get_fact(loan.db, "token", ret);
	return index_judge(index, r);
}

int index_set_token(struct index *index, const char *token)
{
	bool is_own;
	int r = index_begin_own(index, &is_own);

	if (r == 0)
		r = index_end_own(index, is_own, set_fact(index->db, "token", token));
	return index_judge(index, r);
}

int index_get_remote_fact(struct index *index, const char *name, char **ret)
{
	_cleanup_(freep) char *fact = strf("remote:%s", name);
	DB_LOAN loan = { 0 };
	int r = fact ? db_pool_take(index->readers, &loan) : -ENOMEM;

	if (r == 0)
		r = get_fact(loan.db, fact, ret);
	return index_judge(index, r);
}

int index_set_remote_fact(struct index *index, const char *name, const char *value)
{
	_cleanup_(freep) char *fact = strf("remote:%s", name);
	bool is_own;
	int r = fact ? index_begin_own(index, &is_own) : -ENOMEM;

	if (r == 0)
		r = index_end_own(index, is_own, set_fact(index->db, fact, value));
	return index_judge(index, r);
}

uint64_t index_generation(struct index *index)
{
	uint64_t generation;

	mutex_lock(&index->lock);
	generation = index->generation;
	mutex_unlock(&index->lock);
	return generation;
}
