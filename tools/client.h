/*
 * The command's side of the control socket: finds the daemon that a call means, sends one request and reads the answer.
 * Everything that goes wrong has been said (cli_fail) when a function here returns an exit code.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/cli.h"
#include "tools/control.h"
#include "tools/runtime.h"

struct client {
	struct cli *cli;
	struct daemon_facts facts; /* of the daemon that was found */
	struct control_request
		request;     /* its paths are set; verb and flags are the caller's */
	int64_t patience_ms; /* for one line of the answer; -1: for ever */
	int fd;
	struct control_line line;
};

/* Makes the verb's PATH arguments absolute and checks them, finds the daemon (by --state, else by the mount or root
 * that holds the first path, else by $SITEFS_STATE, else the only one running) and connects. FRAMES: the
 * value of --frames or NULL. 0 or an exit code. End with client_done(), also then. */
int client_open(struct cli *cli, const char *frames, struct client *ret) _must_check_;
/* The same for the daemon that serves this mount point, no arguments; nothing is said: 0, or 1 where there is none that
 * runs. */
int client_open_mount(struct cli *cli, const char *mountpoint, struct client *ret)
	_must_check_;
/* ... for the one with this state folder. */
int client_open_state(struct cli *cli, const char *state_dir, struct client *ret)
	_must_check_;
void client_done(struct client *client);

/* A line of an answer that is not the last. Borrowed. A non-zero result ends the answer and is handed on. */
typedef int client_item_fn(void *context, const struct json *item);

/* Sends client->request as VERB and gives each line but the last to FN (may be NULL). The last one goes to *ret (may be
 * NULL) for the caller to free. The answer's exit code, its error said; EXIT_TIMED_OUT; EXIT_NO_DAEMON where it went
 * away meanwhile; or FN's result. */
int client_ask(struct client *client, const char *verb, client_item_fn *fn, void *context,
	       struct json **ret) _must_check_;

/* Every daemon that may be asked: the user's own and the machine's. For the caller to end with daemon_list_free(). */
int client_list(struct daemon_facts **list, size_t *n);
/* Prints the last line of an answer as --json has it: without "exit" and "error". JSON is changed. An exit code. */
int client_print(struct cli *cli, struct json *json);

/* PATH as an absolute one, symlinks resolved up to the last component that exists; IS_WHOLE: that one too, -ENOENT where
 * it does not exist. -ENOENT too where it climbs with ".." out of what does not exist. */
int client_absolute(const char *path, bool is_whole, char **ret);
/* PATH lies in the daemon's mount or in a root of its site. */
bool client_holds(const struct daemon_facts *facts, const char *path);
