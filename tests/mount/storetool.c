/*
 * Another hand on the studio's documents, for the stories: changes the embedded store behind sitefs' back, as a person
 * with a database client would. The one test program that knows the store's tables.
 *
 *   storetool STORE put PROJECT     replaces documents by those on stdin, extended JSON, one a line
 *   storetool STORE drop PROJECT    removes documents, likewise
 *   storetool STORE truth           prints the truth records, one JSON object a line
 *   storetool STORE drop-truths     removes them all
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bson/bson.h>

#include "sync/base/db.h"
#include "sync/base/digest.h"
#include "sync/bson_id.h"

#define BUSY_MS 10000

DEFINE_CLEANUP(bson_t *, bson_destroy);

static int put(struct db *db, const char *project, const char *id, const bson_t *doc)
{
	return db_run(db,
		      "UPDATE doc SET body = ?3 WHERE id = ?2 AND project ="
		      " (SELECT k FROM project WHERE name = ?1)",
		      "ssb", project, id, bson_get_data(doc), (size_t)doc->len);
}

static int drop(struct db *db, const char *project, const char *id)
{
	return db_run(db,
		      "DELETE FROM doc WHERE id = ?2 AND project ="
		      " (SELECT k FROM project WHERE name = ?1)",
		      "ss", project, id);
}

static int change_one(struct db *db, bool is_put, const char *project, const char *line)
{
	_cleanup_(bson_destroyp) bson_t *doc = NULL;
	_cleanup_(freep) char *id = NULL;
	bson_error_t error;
	bson_iter_t iter;
	int r;

	doc = bson_new_from_json((const uint8_t *)line, -1, &error);
	if (!doc) {
		fprintf(stderr, "storetool: %s\n", error.message);
		return -EINVAL;
	}
	if (bson_iter_init_find(&iter, doc, "_id"))
		id = bson_id_text(&iter);
	if (!id) {
		fprintf(stderr, "storetool: a document without _id\n");
		return -EINVAL;
	}
	r = is_put ? put(db, project, id, doc) : drop(db, project, id);
	if (r == 0 && db_changes(db) != 1) {
		fprintf(stderr, "storetool: no document %s in %s\n", id, project);
		return -ENOENT;
	}
	return r;
}

/* All lines in one transaction: another hand's bulk write. */
static int change(struct db *db, bool is_put, const char *project)
{
	_cleanup_(freep) char *line = NULL;
	size_t size = 0;
	int r;

	r = db_begin(db);
	while (r == 0 && getline(&line, &size, stdin) > 0)
		r = change_one(db, is_put, project, line);
	if (r == 0)
		return db_commit(db);
	db_rollback(db);
	return r;
}

static int print_truth(struct db *db)
{
	char hex[DIGEST_HEX_SIZE];
	DB_ROWS *rows = NULL;
	const void *digest;
	size_t len;
	int r;

	r = db_query(db, &rows,
		     "SELECT project, key, size, mtime_ns, sha256,"
		     " (SELECT group_concat(site, ' ') FROM truth_remote WHERE truth = k)"
		     " FROM truth ORDER BY project, key",
		     "");
	while (r == 0 && (r = db_step(rows)) == 1) {
		digest = db_blob(rows, 4, &len);
		hex_encode(digest, digest ? len : 0, hex);
		printf("{\"project\": \"%s\", \"key\": \"%s\", \"size\": %" PRId64
		       ", \"mtime_ns\": %" PRId64
		       ", \"sha256\": \"%s\", \"remotes\": \"%s\"}\n",
		       db_text(rows, 0), db_text(rows, 1), db_int(rows, 2),
		       db_int(rows, 3), hex, db_is_null(rows, 5) ? "" : db_text(rows, 5));
		r = 0;
	}
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(db_freep) struct db *db = NULL;
	const char *verb = argc > 2 ? argv[2] : "";
	struct error error = { 0 };
	int r;

	if (argc < 3) {
		fprintf(stderr,
			"usage: storetool STORE put|drop|truth|drop-truths [PROJECT]\n");
		return 2;
	}
	r = db_open(argv[1], DB_EXISTING, BUSY_MS, &db, &error);
	if (r == 0 && strcmp(verb, "truth") == 0)
		r = print_truth(db);
	else if (r == 0 && strcmp(verb, "drop-truths") == 0)
		r = db_exec(db, "DELETE FROM truth");
	else if (r == 0 && argc == 4)
		r = change(db, strcmp(verb, "put") == 0, argv[3]);
	if (r < 0)
		fprintf(stderr, "storetool: %s\n", error_text(&error, r));
	return r < 0 ? 1 : 0;
}
