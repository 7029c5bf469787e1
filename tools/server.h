/*
 * The daemon's side of the control socket (tools/control.h): accepts, checks who asks, reads requests within limits,
 * and has them answered. What an answer says is not known here.
 *
 * One thread accepts; each connection has a short-lived thread of its own, at most SERVER_CLIENTS of them. A client
 * that does not read or finish its line is dropped after SERVER_PATIENCE_MS. Nothing that comes in
 * ends the daemon.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "tools/control.h"
#include "tools/runtime.h"

#define SERVER_CLIENTS 32
#define SERVER_PATIENCE_MS 30000

struct server;
struct server_call; /* one request being answered, on its connection's thread */

typedef void server_answer_fn(void *context, const struct control_request *request,
			      struct server_call *call);

struct server_setup {
	const char *runtime_dir;
	const struct daemon_facts *facts; /* borrowed during the start */
	server_answer_fn *answer;         /* may block; ends with server_finish() */
	void *context;
	int64_t patience_ms; /* 0: SERVER_PATIENCE_MS */
};

int server_start(const struct server_setup *setup, struct server **ret,
		 struct error *error);
/* No further requests; ends waits of running ones (server_is_stopping()), waits for their threads, withdraws socket and
 * facts. */
void server_free(struct server *server);
DEFINE_CLEANUP(struct server *, server_free);

/* One line of the answer. Borrows JSON. Negative where the client is gone or the server stops: give up. */
int server_send(struct server_call *call, const struct json *json);
/* The last line: JSON (taken; NULL: an empty object) with "exit" CODE, and "error" TEXT where it is not NULL. */
void server_finish(struct server_call *call, struct json *json, int code,
		   const char *text);
/* True when the answer should end: the server stops, or the client has closed. */
bool server_is_over(struct server_call *call);
/* Waits until FD (an eventfd of the answer's) is readable: 1, or 0 when the answer should end. */
int server_wait(struct server_call *call, int fd);
