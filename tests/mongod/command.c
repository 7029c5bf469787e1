/*
 * Sends database commands to a MongoDB server, for the tests: mongo-command URI DATABASE, one command a line on stdin
 * as extended JSON, one reply a line on stdout. Exit 1 with the server's words where one of them fails.
 */
#include <stdio.h>
#include <stdlib.h>

#include <mongoc/mongoc.h>

static int run(mongoc_client_t *client, const char *database, const char *line)
{
	bson_error_t error;
	bson_t *command = bson_new_from_json((const uint8_t *)line, -1, &error);
	bson_t reply;
	char *text;
	bool is_done;

	if (!command) {
		fprintf(stderr, "mongo-command: %s\n", error.message);
		return 1;
	}
	is_done = mongoc_client_command_simple(client, database, command, NULL, &reply,
					       &error);
	bson_destroy(command);
	if (is_done) {
		text = bson_as_canonical_extended_json(&reply, NULL);
		puts(text);
		fflush(stdout);
		bson_free(text);
	} else {
		fprintf(stderr, "mongo-command: %s\n", error.message);
	}
	bson_destroy(&reply);
	return is_done ? 0 : 1;
}

static void be_silent(mongoc_log_level_t level, const char *domain, const char *message,
		      void *context)
{
}

int main(int argc, char **argv)
{
	mongoc_client_t *client;
	char *line = NULL;
	size_t size = 0;
	int r = 0;

	if (argc != 3) {
		fprintf(stderr, "usage: mongo-command URI DATABASE <COMMANDS\n");
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
	while (r == 0 && getline(&line, &size, stdin) > 0)
		r = run(client, argv[2], line);
	free(line);
	mongoc_client_destroy(client);
	mongoc_cleanup();
	return r;
}
