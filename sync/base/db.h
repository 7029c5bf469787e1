/*
 * A thin face of SQLite for the index, the journal and the embedded store: typed binding, a cache
 * of prepared statements, errno for result codes. Not a query language. One connection belongs to
 * one thread at a time (SQLite is opened without its own mutexes).
 *
 * Result codes: BUSY, LOCKED -EBUSY; FULL -ENOSPC; CORRUPT, NOTADB -EUCLEAN; IOERR -EIO;
 * CANTOPEN -ENOENT; READONLY -EROFS; PERM, AUTH -EACCES; CONSTRAINT -EEXIST; NOMEM -ENOMEM.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"

struct db;
struct sqlite3_stmt;

enum db_flags {
	DB_FULL =
		1
		<< 0, /* synchronous=FULL: each commit is on the platter (else NORMAL) */
	DB_READ_ONLY = 1 << 1, /* must exist */
	DB_EXISTING = 1 << 2,  /* read and write, must exist */
};

/* Opens or creates PATH in WAL mode with BUSY_MS of patience for other processes' locks. */
int db_open(const char *path, unsigned flags, int busy_ms, struct db **ret,
	    struct error *error);
void db_free(struct db *db);
DEFINE_CLEANUP(struct db *, db_free);

/* Runs one or more statements that give no rows. */
int db_exec(struct db *db, const char *sql);

/*
 * Readies SQL (a string literal or other string that outlives DB: the cache keys by address) and
 * binds by TYPES: 'i' int64_t, 'd' double, 's' const char * (NULL = NULL), 'b' const void * and
 * size_t, 'n' nothing (NULL). Text and blobs must outlive the statement's use. End with db_end()
 * (the guard DB_ROWS does). One statement text is not used twice at once.
 */
int db_query(struct db *db, struct sqlite3_stmt **ret, const char *sql, const char *types,
	     ...);
/* 1: a row is there; 0: no more; or a negative errno. */
int db_step(struct sqlite3_stmt *stmt);
void db_end(struct sqlite3_stmt *stmt);
DEFINE_CLEANUP(struct sqlite3_stmt *, db_end);
#define DB_ROWS _cleanup_(db_endp) struct sqlite3_stmt

/* db_query, step to the end, db_end: for statements without rows. */
int db_run(struct db *db, const char *sql, const char *types, ...);

int64_t db_int(struct sqlite3_stmt *stmt, int column);
double db_double(struct sqlite3_stmt *stmt, int column);
bool db_is_null(struct sqlite3_stmt *stmt, int column);
/* Borrowed until the next step; NULL for NULL. */
const char *db_text(struct sqlite3_stmt *stmt, int column);
const void *db_blob(struct sqlite3_stmt *stmt, int column, size_t *ret_len);

/* BEGIN IMMEDIATE / COMMIT / ROLLBACK. A failed commit is rolled back. */
int db_begin(struct db *db);
int db_commit(struct db *db);
void db_rollback(struct db *db);
int64_t db_last_id(struct db *db);
int64_t db_changes(struct db *db); /* rows that the last statement changed */
/* SQLite's own words on the last failure. */
const char *db_message(struct db *db);
