/*
 * What the tests do in a MongoDB server past sitefs. Exit 1 with the server's words where it fails.
 *
 *   mongo-command URI DATABASE                     database commands: one a line on stdin as extended JSON, one reply
 *                                                  a line on stdout
 *   mongo-command URI DATABASE dump COLLECTION     its documents by _id, to stdout as they are: BSON, as mongodump
 *   mongo-command URI DATABASE restore COLLECTION  inserts such documents from stdin, as mongorestore
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mongoc/mongoc.h>

static int fail(const bson_error_t *error)
{
	fprintf(stderr, "mongo-command: %s\n", error->message);
	return 1;
}

static int run(mongoc_client_t *client, const char *database, const char *line)
{
	bson_error_t error;
	bson_t *command = bson_new_from_json((const uint8_t *)line, -1, &error);
	bson_t reply;
	char *text;
	int r = 0;

	if (!command)
		return fail(&error);
	if (mongoc_client_command_simple(client, database, command, NULL, &reply,
					 &error)) {
		text = bson_as_canonical_extended_json(&reply, NULL);
		puts(text);
		fflush(stdout);
		bson_free(text);
	} else {
		r = fail(&error);
	}
	bson_destroy(command);
	bson_destroy(&reply);
	return r;
}

static int run_lines(mongoc_client_t *client, const char *database)
{
	char *line = NULL;
	size_t size = 0;
	int r = 0;

	while (r == 0 && getline(&line, &size, stdin) > 0)
		r = run(client, database, line);
	free(line);
	return r;
}

static int dump(mongoc_collection_t *collection)
{
	bson_t *all = bson_new(),
	       *opts = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
	mongoc_cursor_t *cursor =
		mongoc_collection_find_with_opts(collection, all, opts, NULL);
	bson_error_t error;
	const bson_t *doc;
	int r = 0;

	while (mongoc_cursor_next(cursor, &doc))
		fwrite(bson_get_data(doc), 1, doc->len, stdout);
	if (mongoc_cursor_error(cursor, &error))
		r = fail(&error);
	mongoc_cursor_destroy(cursor);
	bson_destroy(opts);
	bson_destroy(all);
	return r;
}

static int restore(mongoc_collection_t *collection)
{
	bson_t *opts = BCON_NEW("validate", BCON_BOOL(false));
	bson_reader_t *reader = bson_reader_new_from_fd(fileno(stdin), false);
	bool is_at_end = false;
	bson_error_t error;
	const bson_t *doc;
	int r = 0;

	while (r == 0 && (doc = bson_reader_read(reader, &is_at_end)))
		if (!mongoc_collection_insert_one(collection, doc, opts, NULL, &error))
			r = fail(&error);
	if (r == 0 && !is_at_end) {
		fprintf(stderr, "mongo-command: no BSON on stdin\n");
		r = 1;
	}
	bson_reader_destroy(reader);
	bson_destroy(opts);
	return r;
}

static int work(mongoc_client_t *client, char **args, int n)
{
	mongoc_collection_t *collection;
	int r;

	if (n == 1)
		return run_lines(client, args[0]);
	collection = mongoc_client_get_collection(client, args[0], args[2]);
	r = strcmp(args[1], "dump") == 0 ? dump(collection) : restore(collection);
	mongoc_collection_destroy(collection);
	return r;
}

static void be_silent(mongoc_log_level_t level, const char *domain, const char *message,
		      void *context)
{
}

int main(int argc, char **argv)
{
	mongoc_client_t *client;
	int r;

	if (argc != 3 && (argc != 5 || (strcmp(argv[3], "dump") != 0 &&
					strcmp(argv[3], "restore") != 0))) {
		fprintf(stderr,
			"usage: mongo-command URI DATABASE [dump|restore COLLECTION]\n");
		return 2;
	}
	mongoc_init();
	mongoc_log_set_handler(be_silent, NULL);
	client = mongoc_client_new(argv[1]);
	if (!client) {
		fprintf(stderr, "mongo-command: %s is no URI of a server\n", argv[1]);
		return 2;
	}
	mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
	r = work(client, argv + 2, argc - 2);
	mongoc_client_destroy(client);
	mongoc_cleanup();
	return r;
}
