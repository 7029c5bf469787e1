/* A thin face of SQLite. */
#include "sync/base/db.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include <sqlite3.h>

#include "sync/base/map.h"

struct db {
	sqlite3 *handle;
	struct map statements; /* address of the SQL text -> sqlite3_stmt */
};

static int errno_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_IOERR:
		return -EIO;
	default:
		return -EINVAL;
	}
}

int db_open(const char *path, unsigned flags, int busy_ms, struct db **ret,
	    struct error *error)
{
	_cleanup_(db_freep) struct db *db = calloc(1, sizeof(*db));
	int mode = SQLITE_OPEN_NOMUTEX;
	int r;

	if (!db)
		return -ENOMEM;
	if (flags & DB_READ_ONLY)
		mode |= SQLITE_OPEN_READONLY;
	else if (flags & DB_EXISTING)
		mode |= SQLITE_OPEN_READWRITE;
	else
		mode |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	r = errno_of(sqlite3_open_v2(path, &db->handle, mode, NULL));
	if (r == 0) {
		sqlite3_busy_timeout(db->handle, busy_ms);
		r = db_exec(db, flags & DB_READ_ONLY ? "PRAGMA query_only=1"
						     : "PRAGMA journal_mode=WAL");
	}
	if (r == 0)
		r = db_exec(db, flags & DB_FULL ? "PRAGMA synchronous=FULL"
						: "PRAGMA synchronous=NORMAL");
	if (r < 0)
		return error_set(error, r, "cannot open database %s: %s", path,
				 db->handle ? sqlite3_errmsg(db->handle) : "no memory");
	*ret = steal(db);
	return 0;
}

static void finalize(void *stmt)
{
	sqlite3_finalize(stmt);
}

void db_free(struct db *db)
{
	if (!db)
		return;
	map_done(&db->statements, finalize);
	sqlite3_close(db->handle);
	free(db);
}

int db_exec(struct db *db, const char *sql)
{
	return errno_of(sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

static int find_statement(struct db *db, const char *sql, sqlite3_stmt **ret)
{
	sqlite3_stmt *stmt = map_get_n(&db->statements, &sql, sizeof(sql));
	int r;

	if (!stmt) {
		r = errno_of(sqlite3_prepare_v3(db->handle, sql, -1,
						SQLITE_PREPARE_PERSISTENT, &stmt, NULL));
		if (r < 0)
			return r;
		r = map_put_n(&db->statements, &sql, sizeof(sql), stmt, NULL);
		if (r < 0) {
			sqlite3_finalize(stmt);
			return r;
		}
	}
	*ret = stmt;
	return 0;
}

static int bind(sqlite3_stmt *stmt, const char *types, va_list ap)
{
	int code = SQLITE_OK;

	for (int i = 0; types[i] && code == SQLITE_OK; i++) {
		const void *data;
		const char *text;

		switch (types[i]) {
		case 'i':
			code = sqlite3_bind_int64(stmt, i + 1, va_arg(ap, int64_t));
			break;
		case 'd':
			code = sqlite3_bind_double(stmt, i + 1, va_arg(ap, double));
			break;
		case 's':
			text = va_arg(ap, const char *);
			code = sqlite3_bind_text(stmt, i + 1, text, -1, SQLITE_STATIC);
			break;
		case 'b':
			data = va_arg(ap, const void *);
			code = sqlite3_bind_blob64(stmt, i + 1, data, va_arg(ap, size_t),
						   SQLITE_STATIC);
			break;
		case 'n':
			code = sqlite3_bind_null(stmt, i + 1);
			break;
		default:
			return -EINVAL;
		}
	}
	return errno_of(code);
}

static int query(struct db *db, sqlite3_stmt **ret, const char *sql, const char *types,
		 va_list ap)
{
	DB_ROWS *stmt = NULL;
	int r;

	r = find_statement(db, sql, &stmt);
	if (r == 0)
		r = bind(stmt, types, ap);
	if (r < 0)
		return r;
	*ret = steal(stmt);
	return 0;
}

int db_query(struct db *db, struct sqlite3_stmt **ret, const char *sql, const char *types,
	     ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = query(db, ret, sql, types, ap);
	va_end(ap);
	return r;
}

int db_step(struct sqlite3_stmt *stmt)
{
	int code = sqlite3_step(stmt);

	return code == SQLITE_ROW ? 1 : errno_of(code);
}

void db_end(struct sqlite3_stmt *stmt)
{
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
}

int db_run(struct db *db, const char *sql, const char *types, ...)
{
	DB_ROWS *stmt = NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	r = query(db, &stmt, sql, types, ap);
	va_end(ap);
	if (r < 0)
		return r;
	do
		r = db_step(stmt);
	while (r > 0);
	return r;
}

int64_t db_int(struct sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_int64(stmt, column);
}

double db_double(struct sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_double(stmt, column);
}

bool db_is_null(struct sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_type(stmt, column) == SQLITE_NULL;
}

const char *db_text(struct sqlite3_stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt, column);
}

const void *db_blob(struct sqlite3_stmt *stmt, int column, size_t *ret_len)
{
	const void *data = sqlite3_column_blob(stmt, column);

	*ret_len = (size_t)sqlite3_column_bytes(stmt, column);
	return data;
}

int db_begin(struct db *db)
{
	return db_exec(db, "BEGIN IMMEDIATE");
}

int db_commit(struct db *db)
{
	int r = db_exec(db, "COMMIT");

	if (r < 0)
		db_rollback(db);
	return r;
}

void db_rollback(struct db *db)
{
	if (!sqlite3_get_autocommit(db->handle))
		db_exec(db, "ROLLBACK");
}

int64_t db_last_id(struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

int64_t db_changes(struct db *db)
{
	return sqlite3_changes64(db->handle);
}

const char *db_message(struct db *db)
{
	return sqlite3_errmsg(db->handle);
}
