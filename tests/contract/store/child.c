/*
 * What the contract's program does as a process of its own: another host's daemon, a script, somebody
 * who dies. It prints a dot when it is ready, and goes on when its stdin ends.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/contract/store/stage.h"

static void wait_for_go(void)
{
	char c;

	if (write(1, ".", 1) != 1)
		exit(9);
	while (read(0, &c, 1) > 0)
		;
}

static bson_t *read_json(const char *json)
{
	bson_error_t error;
	bson_t *bson = bson_new_from_json((const uint8_t *)json, -1, &error);

	if (!bson)
		fprintf(stderr, "child: %s\n", error.message);
	return bson;
}

/* One document, by the port. */
static int insert(struct store *store, const char *project, const char *json)
{
	bson_t *bson = read_json(json);
	struct buf doc = { 0 };
	int result, r;

	wait_for_go();
	r = bson ? buf_add(&doc, bson_get_data(bson), bson->len) : -1;
	if (r == 0)
		r = store->ops->insert(store, project, &doc, 1, &result);
	buf_done(&doc);
	bson_destroy(bson);
	return r || result;
}

/* Takes the lease and holds it until told to go. */
static int lease(struct store *store, const char *key)
{
	_cleanup_(freep) char *ids = NULL;
	int r = store->ops->lease(store, key, "of the child", &ids);

	if (r == 0)
		wait_for_go();
	return r;
}

/* Pauses, and lets go on again, one document after the other of those that A names: "PROJECT N". */
static int pause_all(struct store *store, const char *project, int n)
{
	char id[32];
	struct site_edit edit = { .project = project, .repre = id, .site = "gdrive" };
	struct site_edited edited;
	int r = 0;

	wait_for_go();
	for (int i = 0; r == 0 && i < 2 * n; i++) {
		edit.op = i % 2 ? SITE_UNPAUSE : SITE_PAUSE;
		snprintf(id, sizeof(id), "=%d", i / 2);
		do
			r = store->ops->edit(store, &edit, 1, &edited);
		while (r == -EBUSY);
	}
	return r;
}

int child_main(int argc, char **argv)
{
	const char *uri = argv[2], *verb = argv[3], *a = argv[4], *b = argv[5];
	_cleanup_(store_freep) struct store *store = NULL;
	struct error error = { 0 };
	int r;

	if (argc != 6)
		return 9;
	if (strcmp(verb, "hold") == 0)
		return hand_of(uri)->hold(uri, 0) < 0;
	if (strcmp(verb, "touch") == 0) {
		wait_for_go();
		return hand_of(uri)->touch(uri, a, b) < 0;
	}
	r = store_open(uri, "avalon", true, &store, &error);
	if (r < 0) {
		fprintf(stderr, "child: %s\n", error_text(&error, r));
		return 8;
	}
	if (strcmp(verb, "insert") == 0)
		return insert(store, a, b);
	if (strcmp(verb, "pause") == 0)
		return pause_all(store, a, (int)strtol(b, NULL, 10)) != 0;
	if (strcmp(verb, "lease") == 0)
		return lease(store, a);
	return 9;
}
