/* The journal: opening, the pen, small facts. Its tables live in journal_*.c, one noun each. */
#include "sync/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sync/base/path.h"
#include "sync/columns.h"
#include "sync/journal_private.h"

#define JOURNAL_VERSION 1
/* Nobody else writes here (the state folder is locked), but a person may look with sqlite3. */
#define BUSY_MS 10000

static const char *schema =
	"CREATE TABLE IF NOT EXISTS fact("
	"	name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS outbox("
	"	seq INTEGER PRIMARY KEY AUTOINCREMENT, parked TEXT,"
	"	op INTEGER NOT NULL," /* 0: no record */
	"	project TEXT, repre TEXT, file TEXT, path TEXT, site TEXT,"
	"	had_presence INTEGER, had_created INTEGER, had_id TEXT,"
	"	id TEXT, created INTEGER, tries INTEGER, error TEXT, failed INTEGER,"
	"	progress REAL,"
	"	truth_project TEXT," /* NULL: no truth record */
	"	truth_key TEXT, size INTEGER, mtime INTEGER, sha256 BLOB, md5 BLOB,"
	"	remotes BLOB, is_replacing INTEGER NOT NULL, files BLOB, before BLOB);"
	"CREATE TABLE IF NOT EXISTS stamp("
	"	root INTEGER, rel TEXT, kind INTEGER NOT NULL,"
	"	dev INTEGER NOT NULL, ino INTEGER NOT NULL, size INTEGER NOT NULL,"
	"	mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, sha256 BLOB, md5 BLOB,"
	"	remote_id TEXT, revision TEXT, files BLOB, PRIMARY KEY(root, rel))"
	"	WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS stamp_kind ON stamp(kind, root, rel);"
	"CREATE TABLE IF NOT EXISTS whiteout("
	"	root INTEGER, rel TEXT, kind INTEGER NOT NULL, created INTEGER NOT NULL,"
	"	hashes BLOB, PRIMARY KEY(root, rel)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS alias("
	"	root INTEGER, target TEXT, source TEXT NOT NULL,"
	"	created INTEGER NOT NULL, hashes BLOB, PRIMARY KEY(root, target))"
	"	WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS staged("
	"	root INTEGER, rel TEXT, name TEXT NOT NULL, remote_id TEXT, revision TEXT,"
	"	size INTEGER NOT NULL, mtime INTEGER NOT NULL, PRIMARY KEY(root, rel))"
	"	WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS staged_block("
	"	root INTEGER, rel TEXT, start INTEGER, length INTEGER NOT NULL,"
	"	xxh3 INTEGER NOT NULL, PRIMARY KEY(root, rel, start)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS upload("
	"	root INTEGER, rel TEXT, site TEXT, dev INTEGER NOT NULL,"
	"	ino INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,"
	"	token TEXT, bytes INTEGER NOT NULL, PRIMARY KEY(root, rel, site))"
	"	WITHOUT ROWID;"
	"PRAGMA user_version=1";

/* Upload tokens are secrets, and SQLite's side files take the mode of this one. The folder is synced
 * so that the file outlives a power cut right after its first row. */
static int create_file(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_(closep) int dir = -1;
	_cleanup_(freep) char *parent = path_parent(path);

	if (fd < 0)
		return -errno;
	if (!parent)
		return -ENOMEM;
	dir = open(parent[0]        ? parent
		   : path[0] == '/' ? "/"
				    : ".",
		   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fsync(dir) < 0)
		return -errno;
	return 0;
}

static int read_version(struct db *db, int64_t *ret)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt, "PRAGMA user_version", "");

	if (r == 0)
		r = db_step(stmt);
	if (r == 1)
		*ret = db_int(stmt, 0);
	return r < 0 ? r : 0;
}

static int check_pages(struct db *db)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt, "PRAGMA quick_check(1)", "");

	if (r == 0)
		r = db_step(stmt);
	if (r == 1 && strcmp(db_text(stmt, 0), "ok") != 0)
		return -EUCLEAN;
	return r < 0 ? r : 0;
}

/* Columns younger than the version, which they do not change. */
static int add_columns(struct db *db)
{
	DB_ROWS *stmt = NULL;
	int r = db_query(db, &stmt,
			 "SELECT 1 FROM pragma_table_info('outbox') WHERE name='before'",
			 "");

	if (r == 0)
		r = db_step(stmt);
	if (r != 0)
		return r < 0 ? r : 0;
	db_end(steal(stmt));
	return db_exec(db, "BEGIN; ALTER TABLE outbox ADD COLUMN files BLOB;"
			   "ALTER TABLE outbox ADD COLUMN before BLOB; COMMIT");
}

static int load(struct journal *journal)
{
	int r = journal_load_outbox(journal);

	if (r == 0)
		r = journal_load_copies(journal);
	if (r == 0)
		r = journal_load_laid(journal);
	return r;
}

static int open_tables(struct journal *journal, const char *path, struct error *error)
{
	int64_t version = 0;
	int r;

	r = db_open(path, DB_FULL, BUSY_MS, &journal->db, error);
	if (r == 0)
		r = check_pages(journal->db);
	if (r == 0)
		r = read_version(journal->db, &version);
	if (r == 0 && version > JOURNAL_VERSION)
		return error_set(error, -EOPNOTSUPP,
				 "journal %s was written by a newer sitefs: use that one",
				 path);
	if (r == 0 && version < JOURNAL_VERSION)
		r = db_exec(journal->db, schema);
	if (r == 0)
		r = add_columns(journal->db);
	if (r == 0)
		r = db_pool_new(path, &journal->readers);
	if (r == 0)
		r = load(journal);
	return r;
}

int journal_open(const char *path, struct journal **ret, struct error *error)
{
	_cleanup_(journal_freep) struct journal *journal = calloc(1, sizeof(*journal));
	int r;

	if (!journal)
		return -ENOMEM;
	mutex_init(&journal->lock);
	cond_init(&journal->pen_is_free);
	r = create_file(path);
	if (r < 0)
		return error_set(error, r, "cannot create journal %s: %s", path,
				 strerror(-r));
	r = open_tables(journal, path, error);
	if (r == -EUCLEAN)
		return error_set(
			error, r,
			"journal %s is damaged, and it cannot be rebuilt: save what is left "
			"with \"sqlite3 %s .recover\", or move it away to start a new one "
			"(what waited to be recorded is lost then, files are not)",
			path, path);
	if (r < 0)
		return error && error->text[0]
			       ? r
			       : error_set(error, r, "cannot open journal %s: %s", path,
					   strerror(-r));
	*ret = steal(journal);
	return 0;
}

static void free_whiteout(void *value)
{
	whiteout_free(value);
}

static void free_alias(void *value)
{
	alias_free(value);
}

void journal_free(struct journal *journal) NO_THREAD_SAFETY
{
	if (!journal)
		return;
	path_list_done(&journal->whiteouts, free_whiteout);
	path_list_done(&journal->aliases, free_alias);
	hash_set_done(&journal->copies);
	map_done(&journal->outbox, free);
	db_pool_free(journal->readers);
	db_free(journal->db);
	cond_done(&journal->pen_is_free);
	mutex_done(&journal->lock);
	free(journal);
}

void journal_take_pen(struct journal *journal)
{
	mutex_lock(&journal->lock);
	while (journal->is_pen_taken)
		cond_wait(&journal->pen_is_free, &journal->lock);
	journal->is_pen_taken = true;
	mutex_unlock(&journal->lock);
}

void journal_give_pen(struct journal *journal)
{
	mutex_lock(&journal->lock);
	journal->is_pen_taken = false;
	cond_signal(&journal->pen_is_free);
	mutex_unlock(&journal->lock);
}

int journal_begin(struct journal *journal)
{
	int r;

	journal_take_pen(journal);
	r = db_begin(journal->db);
	if (r < 0)
		journal_give_pen(journal);
	return r;
}

int journal_end(struct journal *journal, int r)
{
	if (r == 0)
		return db_commit(journal->db);
	db_rollback(journal->db);
	return r;
}

uint64_t path_hash(int root, const char *rel)
{
	return XXH3_64bits_withSeed(rel, strlen(rel), (XXH64_hash_t)root);
}

int journal_get(struct journal *journal, const char *name, char **ret)
{
	DB_LOAN loan = { 0 };
	DB_ROWS *stmt = NULL;
	char *value;
	int r;

	r = db_pool_take(journal->readers, &loan);
	if (r == 0)
		r = db_query(loan.db, &stmt, "SELECT value FROM fact WHERE name=?", "s",
			     name);
	if (r == 0)
		r = db_step(stmt);
	if (r <= 0)
		return r < 0 ? r : JOURNAL_NONE;
	r = 0;
	value = column_text(stmt, 0, &r);
	if (r == 0)
		*ret = value;
	return r;
}

int journal_set(struct journal *journal, const char *name, const char *value)
{
	int r = journal_begin(journal);

	if (r < 0)
		return r;
	r = db_run(journal->db, "INSERT OR REPLACE INTO fact VALUES(?, ?)", "ss", name,
		   value);
	r = journal_end(journal, r);
	journal_give_pen(journal);
	return r;
}
