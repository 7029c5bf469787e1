/*
 * Another hand in the embedded store: what a person or script with SQLite's own tools does to the
 * file, past our code.
 */
#include <errno.h>
#include <string.h>

#include <sqlite3.h>

#include "tests/contract/store/stage.h"

static sqlite3 *open_file(const char *uri)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(uri + strlen("sqlite:"), &db, SQLITE_OPEN_READWRITE, NULL) !=
	    SQLITE_OK) {
		sqlite3_close(db);
		return NULL;
	}
	sqlite3_busy_timeout(db, 10000);
	return db;
}

static int run(const char *uri, const char *sql, const char *project, const char *id)
{
	sqlite3 *db = open_file(uri);
	sqlite3_stmt *stmt = NULL;
	int code;

	if (!db)
		return -ENOENT;
	code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (code == SQLITE_OK && project)
		code = sqlite3_bind_text(stmt, 1, project, -1, SQLITE_STATIC);
	if (code == SQLITE_OK && id)
		code = sqlite3_bind_text(stmt, 2, id, -1, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return code == SQLITE_DONE ? 0 : -EIO;
}

static int hand_remove(const char *uri, const char *project, const char *id)
{
	return run(uri,
		   "DELETE FROM doc WHERE id = ?2 AND project ="
		   " (SELECT k FROM project WHERE name = ?1)",
		   project, id);
}

static int hand_touch(const char *uri, const char *project, const char *id)
{
	return run(uri,
		   "UPDATE doc SET body = body WHERE id = ?2 AND project ="
		   " (SELECT k FROM project WHERE name = ?1)",
		   project, id);
}

static int hand_prune(const char *uri)
{
	return run(uri, "DELETE FROM oplog WHERE seq < (SELECT max(seq) FROM oplog)",
		   NULL, NULL);
}

static int hand_hold(const char *uri, int fd)
{
	sqlite3 *db = open_file(uri);
	char c;

	if (!db || sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return -EIO;
	if (write(1, ".", 1) != 1)
		return -EIO;
	while (read(fd, &c, 1) > 0)
		;
	sqlite3_close(db);
	return 0;
}

const struct hand hand_sqlite = {
	.scheme = "sqlite:",
	.remove = hand_remove,
	.touch = hand_touch,
	.prune = hand_prune,
	.hold = hand_hold,
};
