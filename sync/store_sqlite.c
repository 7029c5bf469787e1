/* The embedded store: its file, its schema, its transactions. */
#include "sync/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "sync/base/digest.h"
#include "sync/base/log.h"
#include "sync/base/netfs.h"
#include "sync/base/path.h"

/* How long another process's lock is waited for: its transactions take milliseconds. */
#define BUSY_MS 1500
/* "SITF", in the file's header, and the number of the schema below. */
#define APPLICATION_ID 0x53495446
#define FORMAT 1
/* So many changes back the feed can be taken up again. */
#define OPLOG_KEPT 100000

#define AS_TEXT(x) #x
#define TEXT(x) AS_TEXT(x)

static const char schema[] =
	"CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE project (k INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
	/* id, parent: as in sync/bson_id.h; name: a text or an integer's digits; body: BSON */
	"CREATE TABLE doc (k INTEGER PRIMARY KEY AUTOINCREMENT,"
	" project INTEGER NOT NULL REFERENCES project, id TEXT NOT NULL,"
	" type TEXT, parent TEXT, name TEXT, number INTEGER, body BLOB NOT NULL,"
	" UNIQUE (project, id));"
	"CREATE INDEX doc_by_name ON doc (project, type, parent, name);"
	"CREATE TABLE truth (k INTEGER PRIMARY KEY AUTOINCREMENT,"
	" project TEXT NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL,"
	" mtime_ns INTEGER NOT NULL, sha256 BLOB, md5 BLOB, UNIQUE (project, key));"
	"CREATE TABLE truth_remote (truth INTEGER NOT NULL REFERENCES truth,"
	" site TEXT NOT NULL, id TEXT, revision TEXT,"
	" PRIMARY KEY (truth, site)) WITHOUT ROWID;"
	"CREATE TABLE lease (key TEXT PRIMARY KEY, boot TEXT NOT NULL,"
	" pid INTEGER NOT NULL, start INTEGER NOT NULL) WITHOUT ROWID;"
	/* kind: enum store_event_kind; mark: tells this row from one of the same number in a
	 * database that was restored and went another way */
	"CREATE TABLE oplog (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	" mark INTEGER NOT NULL DEFAULT (random()), kind INTEGER NOT NULL,"
	" project TEXT NOT NULL, id TEXT NOT NULL);"
	"CREATE TRIGGER doc_inserted AFTER INSERT ON doc BEGIN"
	" INSERT INTO oplog (kind, project, id)"
	" SELECT 1, name, NEW.id FROM project WHERE k = NEW.project; END;"
	"CREATE TRIGGER doc_updated AFTER UPDATE ON doc BEGIN"
	" INSERT INTO oplog (kind, project, id)"
	" SELECT 1, name, NEW.id FROM project WHERE k = NEW.project; END;"
	"CREATE TRIGGER doc_deleted AFTER DELETE ON doc BEGIN"
	" INSERT INTO oplog (kind, project, id)"
	" SELECT 2, name, OLD.id FROM project WHERE k = OLD.project; END;"
	"CREATE TRIGGER truth_inserted AFTER INSERT ON truth BEGIN"
	" INSERT INTO oplog (kind, project, id) VALUES (3, NEW.project, NEW.key); END;"
	"CREATE TRIGGER truth_updated AFTER UPDATE ON truth BEGIN"
	" INSERT INTO oplog (kind, project, id) VALUES (3, NEW.project, NEW.key); END;"
	"CREATE TRIGGER truth_deleted AFTER DELETE ON truth BEGIN"
	" DELETE FROM truth_remote WHERE truth = OLD.k;"
	" INSERT INTO oplog (kind, project, id) VALUES (3, OLD.project, OLD.key); END;"
	"PRAGMA user_version = " TEXT(FORMAT) ";"
					      "PRAGMA application_id = " TEXT(
						      APPLICATION_ID) ";";

static int get_number(struct db *db, const char *sql, int64_t *ret)
{
	DB_ROWS *rows = NULL;
	int r;

	r = db_query(db, &rows, sql, "");
	if (r == 0)
		r = db_step(rows);
	if (r < 0)
		return r;
	*ret = r > 0 ? db_int(rows, 0) : 0;
	return 0;
}

/* ---- opening ---- */

/* 0: a store of ours; 1: an empty database, which may become one; -EMEDIUMTYPE: anything else. */
static int identify(struct db *db, const char *path, struct error *error)
{
	int64_t application, format = 0, n_tables = 0;
	int r;

	r = get_number(db, "PRAGMA application_id", &application);
	if (r == 0)
		r = get_number(db, "PRAGMA user_version", &format);
	if (r == 0)
		r = get_number(db, "SELECT count(*) FROM sqlite_master", &n_tables);
	if (r < 0)
		return error_set(error, r, "cannot read store %s: %s", path,
				 db_message(db));
	if (application == APPLICATION_ID && format == FORMAT)
		return 0;
	if (application == APPLICATION_ID)
		return error_set(error, -EMEDIUMTYPE,
				 "store %s has format %d, this sitefs knows %d only: use "
				 "the sitefs that made it, or a newer one",
				 path, (int)format, FORMAT);
	if (application == 0 && n_tables == 0)
		return 1;
	return error_set(error, -EMEDIUMTYPE,
			 "store %s is a SQLite database of another program: name another "
			 "file",
			 path);
}

/* Looks without writing: opening it for good would turn another program's database to WAL. */
static int probe(const char *path, struct error *error)
{
	_cleanup_(db_freep) struct db *db = NULL;
	int r;

	r = db_open(path, DB_READ_ONLY, BUSY_MS, &db, error);
	if (r == 0)
		r = identify(db, path, error);
	if (r == -EUCLEAN)
		return error_set(error, -EMEDIUMTYPE,
				 "store %s is no SQLite database, or a damaged one: name "
				 "another file, or restore it from a backup",
				 path);
	return r;
}

static int make_schema(struct db *db)
{
	uint8_t random[(STORE_ID_SIZE - 1) / 2];
	char id[STORE_ID_SIZE];
	int64_t n_tables;
	int r;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	hex_encode(random, sizeof(random), id);
	r = db_begin(db);
	if (r < 0)
		return r;
	/* Another process may have been faster. */
	r = get_number(db, "SELECT count(*) FROM sqlite_master", &n_tables);
	if (r == 0 && n_tables == 0)
		r = db_exec(db, schema);
	if (r == 0 && n_tables == 0)
		r = db_run(db, "INSERT INTO meta VALUES ('id', ?)", "s", id);
	if (r < 0) {
		db_rollback(db);
		return r;
	}
	return db_commit(db);
}

static int read_id(struct store_sqlite *s)
{
	DB_ROWS *rows = NULL;
	int r;

	r = db_query(s->db, &rows, "SELECT value FROM meta WHERE name = 'id'", "");
	if (r == 0)
		r = db_step(rows);
	if (r < 0)
		return r;
	if (r == 0 || strlen(db_text(rows, 0)) != STORE_ID_SIZE - 1)
		return -EUCLEAN;
	memcpy(s->id, db_text(rows, 0), STORE_ID_SIZE);
	return 0;
}

static int attach_new(struct store_sqlite *s, unsigned flags, struct error *error)
{
	struct stat st;
	int r;

	r = db_open(s->path, DB_FULL | flags, BUSY_MS, &s->db, error);
	if (r < 0)
		return r;
	r = identify(s->db, s->path, error);
	if (r < 0)
		return r;
	if (r > 0)
		r = make_schema(s->db);
	/* younger than the format, which it does not change */
	if (r == 0)
		r = db_exec(
			s->db,
			"CREATE TABLE IF NOT EXISTS reserved (key TEXT PRIMARY KEY,"
			" id TEXT NOT NULL) WITHOUT ROWID;"
			"CREATE TABLE IF NOT EXISTS host (site TEXT NOT NULL,"
			" name TEXT NOT NULL, seen_ms INTEGER NOT NULL,"
			" PRIMARY KEY (site, name)) WITHOUT ROWID;"
			/* files: their ids, each with its NUL */
			"CREATE TABLE IF NOT EXISTS holding (site TEXT NOT NULL,"
			" project TEXT NOT NULL, repre TEXT NOT NULL,"
			" files BLOB NOT NULL,"
			" PRIMARY KEY (site, project, repre)) WITHOUT ROWID;"
			"CREATE TABLE IF NOT EXISTS truth_file (truth INTEGER NOT NULL"
			" REFERENCES truth, ref TEXT NOT NULL,"
			" PRIMARY KEY (truth, ref)) WITHOUT ROWID;"
			"CREATE TRIGGER IF NOT EXISTS truth_file_deleted"
			" AFTER DELETE ON truth BEGIN"
			" DELETE FROM truth_file WHERE truth = OLD.k; END");
	if (r == 0)
		r = read_id(s);
	if (r < 0)
		return error_set(error, r, "cannot open store %s: %s", s->path,
				 db_message(s->db));
	if (stat(s->path, &st) < 0)
		return error_set(error, -errno, "cannot open store %s: %m", s->path);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

/* Opens the file under s->path. On failure s->db is NULL. */
static int attach(struct store_sqlite *s, bool must_exist, struct error *error)
{
	unsigned flags = 0;
	struct stat st;
	int r = 1;

	if (stat(s->path, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			return error_set(error, -EMEDIUMTYPE,
					 "store %s is no file: name one", s->path);
		if (access(s->path, R_OK | W_OK) < 0)
			return error_set(error, -errno, "cannot open store %s: %m",
					 s->path);
		flags = DB_EXISTING;
		r = probe(s->path, error);
	}
	if (r < 0)
		return r;
	if (r > 0 && must_exist)
		return error_set(error, flags ? -EMEDIUMTYPE : -ENOENT,
				 "there is no store %s: make one with sitefs init or "
				 "sitefs import, or name another",
				 s->path);
	r = attach_new(s, flags, error);
	if (r < 0) {
		db_free(s->db);
		s->db = NULL;
	}
	return r;
}

int store_sqlite_ready(struct store_sqlite *s)
{
	struct stat st;

	if (stat(s->path, &st) < 0)
		return -errno;
	if (s->db && st.st_dev == s->dev && st.st_ino == s->ino)
		return 0;
	/* Writing to a file that has lost its name would be lost with it. */
	db_free(s->db);
	s->db = NULL;
	return attach(s, true, NULL);
}

/* ---- transactions ---- */

/* Tells the watchers in all processes, after the change can be seen: see watch(). */
static void notify(struct store_sqlite *s)
{
	if (utimensat(AT_FDCWD, s->path, NULL, 0) < 0)
		log_debug("cannot touch %s: %m", s->path);
}

int store_sqlite_change(struct store_sqlite *s,
			int (*fn)(struct store_sqlite *s, void *context), void *context)
{
	int r;

	r = store_sqlite_ready(s);
	if (r == 0)
		r = db_begin(s->db);
	if (r < 0)
		return r;
	r = fn(s, context);
	if (r == 0)
		r = db_run(s->db,
			   "DELETE FROM oplog WHERE seq <= "
			   "(SELECT max(seq) FROM oplog) - " TEXT(OPLOG_KEPT),
			   "");
	if (r != 0) {
		db_rollback(s->db);
		return r;
	}
	r = db_commit(s->db);
	if (r == 0)
		notify(s);
	return r;
}

/* ---- the handle ---- */

static int identity(struct store *store, char **ret)
{
	struct store_sqlite *s = store_sqlite_of(store);
	int r;

	r = store_sqlite_ready(s);
	if (r < 0)
		return r;
	*ret = strdup(s->id);
	return *ret ? 0 : -ENOMEM;
}

static int facts(struct store *store, struct store_facts *ret)
{
	struct store_sqlite *s = store_sqlite_of(store);
	int r = store_sqlite_ready(s);

	if (r < 0)
		return r;
	ret->has_feed = true;
	ret->kind = strf("embedded store %s, for this machine alone", s->path);
	return ret->kind ? 0 : -ENOMEM;
}

static void sqlite_free(struct store *store)
{
	struct store_sqlite *s = store_sqlite_of(store);

	db_free(s->db);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	if (s->inotify_fd >= 0)
		close(s->inotify_fd);
	free(s->path);
	free(s);
}

static const struct store_ops sqlite_ops = {
	.name = "sqlite",
	.identity = identity,
	.facts = facts,
	.projects = store_sqlite_projects,
	.now = store_sqlite_now,
	.scan = store_sqlite_scan,
	.settings = store_sqlite_settings,
	.search = store_sqlite_search,
	.scan_truth = store_sqlite_scan_truth,
	.load = store_sqlite_load,
	.load_truth = store_sqlite_load_truth,
	.watch = store_sqlite_watch,
	.wake = store_sqlite_wake,
	.record = store_sqlite_record,
	.edit = store_sqlite_edit,
	.put_truth = store_sqlite_put_truth,
	.insert = store_sqlite_insert,
	.publish = store_sqlite_publish,
	.find = store_sqlite_find,
	.lease = store_sqlite_lease,
	.release = store_sqlite_release,
	.reserve = store_sqlite_reserve,
	.forget = store_sqlite_forget,
	.greet = store_sqlite_greet,
	.hosts = store_sqlite_hosts,
	.put_holdings = store_sqlite_put_holdings,
	.holdings = store_sqlite_holdings,
	.free = sqlite_free,
};

/* Absolute and without symlinks: the folder is watched, and the process may go elsewhere. */
static int resolve(const char *path, char **ret, struct error *error)
{
	_cleanup_(freep) char *file = realpath(path, NULL);
	_cleanup_(freep) char *parent = NULL;
	_cleanup_(freep) char *folder = NULL;

	if (file) {
		*ret = steal(file);
		return 0;
	}
	if (errno != ENOENT)
		return error_set(error, -errno, "cannot open store %s: %m", path);
	parent = path_parent(path);
	if (!parent)
		return -ENOMEM;
	folder = realpath(parent[0] ? parent : path[0] == '/' ? "/" : ".", NULL);
	if (!folder)
		return error_set(error, -errno, "cannot open store %s: its folder: %m",
				 path);
	*ret = path_join(folder, path_name(path));
	return *ret ? 0 : -ENOMEM;
}

static int check_place(const char *path, struct error *error)
{
	_cleanup_(freep) char *folder = path_parent(path);
	const char *kind = NULL;
	int r;

	if (!folder)
		return -ENOMEM;
	r = netfs_check(folder[0] ? folder : "/", &kind);
	if (r == -EREMOTE)
		return error_set(error, r,
				 "store %s lies on a network file system (%s), where its "
				 "locks do not hold: name a file on a local disk",
				 path, kind);
	if (r < 0)
		return error_set(error, r, "cannot open store %s: %s", path,
				 strerror(-r));
	return 0;
}

int store_sqlite_open(const char *path, bool must_exist, struct store **ret,
		      struct error *error)
{
	struct store_sqlite *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->store.ops = &sqlite_ops;
	s->store.takeover_ms = STORE_TAKEOVER_MS;
	s->inotify_fd = -1;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = s->wake_fd < 0 ? -errno : 0;
	if (r == 0 && (path[0] == 0 || path[strlen(path) - 1] == '/'))
		r = error_set(error, -EINVAL, "sqlite:%s names no file: use sqlite:PATH",
			      path);
	if (r == 0)
		r = resolve(path, &s->path, error);
	if (r == 0)
		r = check_place(s->path, error);
	if (r == 0)
		r = attach(s, must_exist, error);
	if (r < 0) {
		store_free(&s->store);
		return r;
	}
	*ret = &s->store;
	return 0;
}
