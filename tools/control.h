/*
 * The control socket's protocol: newline-delimited JSON over a Unix stream socket, so that a script needs
 * nothing but a socket and a JSON parser. The socket is $XDG_RUNTIME_DIR/sitefs/NAME.sock (or
 * /run/sitefs/NAME.sock); NAME.json beside it tells pid, state_dir, mountpoint and roots of the daemon.
 * Only the daemon's own user and root are answered.
 *
 *   client                                         daemon
 *     {"verb": "info", "paths": ["/mnt/a.exr"]}\n  ──►
 *                 ◄── {"path": "/mnt/a.exr", "state": "remote", ...}\n      any number of lines
 *                 ◄── {"exit": 0, ...}\n                       the last line of an answer has "exit"
 *     the next request on the same connection, or close; closing in between cancels a watch
 *
 * A request is an object on one line of at most CONTROL_LINE_MAX bytes:
 *   verb     "status", "ls", "info", "explain", "retry", "pause", "resume", "release", "restore", "scan", "verify",
 *            "watch", "drain", "version"
 *   paths    list of PATH arguments (tools/pathspec.h), absolute where they are paths
 *   frames   as --frames
 *   accept, failed, awaited, uploads, downloads, remote, orphans, fix, dry_run   true or missing: the verb's options of
 *            that name
 *   project  as --project; for_ms: as --for, in milliseconds
 * Anything else in it is ignored. The exit code is that of the command; where it is not 0, "error" says why in
 * one line. Names are bytes: decode with Python's errors="surrogateescape". A connection that says nothing for
 * half a minute is closed.
 *
 * Lines before the last: ls one {"path", "state", "size"} per file, info and explain one object per file, verify one
 * per finding, watch one per event (the first is "watching": from then on nothing is missed), drain now and then what is
 * left. All else is in the last line.
 *
 *   import json, socket
 *   s = socket.socket(socket.AF_UNIX); s.connect(path); f = s.makefile("rw", errors="surrogateescape")
 *   f.write('{"verb": "status"}\n'); f.flush(); print(json.loads(f.readline())["files"])
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/buf.h"
#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "tools/json.h"

#define CONTROL_LINE_MAX (1 << 20) /* bytes of one request */
#define CONTROL_PATHS_MAX 10000
#define CONTROL_FOR_MAX_MS (INT64_C(100) * 366 * 24 * 3600 * 1000)

struct control_request {
	char *verb;
	char **paths;
	size_t n_paths;
	char *frames;   /* or NULL */
	char *project;  /* or NULL */
	int64_t for_ms; /* 0: for ever */
	bool is_accepting, is_failed, is_awaited, is_uploads, is_downloads;
	bool is_remote, is_orphans, is_fix, is_dry; /* verify */
};

/* One line without its newline. -EBADMSG with the reason. Fuzzed. */
int control_request_parse(const char *line, size_t len, struct control_request *ret,
			  struct error *error) _must_check_;
void control_request_done(struct control_request *request);
/* The line, with newline. 0 or -ENOMEM. */
int control_request_format(const struct control_request *request, struct buf *ret);

/* ---- lines on a socket, either side ---- */

struct control_line {
	int fd; /* borrowed */
	struct buf in;
	size_t scanned; /* of IN that holds no newline */
};

enum control_outcome {
	CONTROL_CLOSED = 1, /* the peer closed between two lines */
};

/* The next line without newline into an empty RET; TIMEOUT_MS (-1: for ever) is for all of it. STOP_FD (-1: none)
 * turning readable ends the wait. CONTROL_CLOSED; -ETIMEDOUT, -ECANCELED (STOP_FD), -EMSGSIZE (longer than MAX),
 * -ECONNRESET (closed within a line). */
int control_read(struct control_line *line, size_t max, int64_t timeout_ms, int stop_fd,
		 struct buf *ret) _must_check_;
void control_line_done(struct control_line *line);
/* All of it, each wait at most TIMEOUT_MS and while STOP_FD (-1: none) is not readable. Never SIGPIPE. */
int control_write(int fd, const void *data, size_t len, int64_t timeout_ms, int stop_fd);
/* JSON on one line with newline. */
int control_send(int fd, const struct json *json, int64_t timeout_ms, int stop_fd);
