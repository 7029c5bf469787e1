/*
 * What the contract of the store port is played on: an open store by URI, documents as JSON, and
 * "another hand" that reaches into the database behind the port's back. Nothing here but hand_*.c
 * knows which implementation it is.
 */
#pragma once

#include <stdbool.h>

#include <bson/bson.h>

#include "sync/base/buf.h"
#include "sync/store.h"

/* What another program does to the database, by kind of store. 0 or a negative errno. */
struct hand {
	const char *scheme; /* of its URIs: "sqlite:" */
	int (*remove)(const char *uri, const char *project, const char *id);
	/* Writes the document as it is. */
	int (*touch)(const char *uri, const char *project, const char *id);
	/* Drops the feed's oldest events, all but the last. NULL: not to be done. */
	int (*prune)(const char *uri);
	/* Nobody is held by another in this kind of store where it is NULL. Holds the database so that nobody can write, until FD reads its end. Prints a dot. */
	int (*hold)(const char *uri, int fd);
};

extern const struct hand hand_sqlite;
extern const struct hand hand_mongo;
/* NULL: we have none for that kind of store. */
const struct hand *hand_of(const char *uri);

#define WAIT_MS 30000 /* a broken feed shows as a failure, not as a hang */

struct stage {
	char *folder; /* a temporary one of our own, or NULL */
	char *uri;
	const struct hand *hand; /* NULL: we have none for this kind of store */
	struct store *store;
};

/* Of this run: the URI on the command line, or a new sqlite store in a temporary folder. */
extern struct stage stage;

int stage_open(const char *uri);
void stage_close(void);
/* Ends the calling test as skipped where the kind of store has no hand for it. */
void stage_need_hand(void);
/* The same for what only some hands can do, and for a store that sees another program's changes seldom. */
void stage_need(bool has_it, const char *what);
bool stage_has_feed(void);
/* A new name of a project with each call; static. */
const char *stage_project(void);

/* A document from JSON with single quotes for double ones. Fails the test where it is none. */
bson_t *json_document(const char *json);
/* An array of them; ended with json_list_done(). */
struct buf *json_list(const char *json, size_t *ret_n);
void json_list_done(struct buf *list, size_t n);

/* Inserts the array's documents; each must be new. */
void stage_insert(const char *project, const char *json);
/* The document is there and has exactly the bytes that JSON stands for. */
void assert_document(const char *project, const char *id, const char *json);
void assert_bson(const void *got, size_t len, const char *json);

/* The feed's position now. */
char *stage_now(void);
/* The events after *TOKEN that were before this call: "doc ID;gone ID;truth KEY;" of that project only, in the order
 * of the feed; allocated, "" where none came. A feed may come after a while: a change of our own marks its end. */
char *stage_events(char **token, const char *project);
/* The next events of that project, waited for as long as TIMEOUT_MS. */
char *stage_wait(char **token, const char *project, int64_t timeout_ms);

/* A process of its own that does VERB (tests/contract/store/child.c), and speaks through two pipes. */
struct child {
	pid_t pid;
	int in, out;
};
void child_start(struct child *child, const char *verb, const char *a, const char *b);
/* Waits for the line that the child prints when it is ready. */
void child_wait_ready(struct child *child);
/* Lets it go on: its stdin ends. */
void child_go(struct child *child);
/* Its exit status, after child_go(). */
int child_end(struct child *child);
/* SIGKILL, not waited for yet: a zombie until child_end(). */
void child_kill(struct child *child);
/* The other side: what the program does as a child. An exit status. */
int child_main(int argc, char **argv);
