/*
 * Becoming a daemon, and being one: the fork with a line to the waiting command, the log file, signals, and what the
 * service manager hears. Knows nothing of the engine.
 *
 *   command                        daemon
 *     daemon_begin() ── fork ──►     daemon_begin() returns -1
 *        waits          ◄── progress ──  daemon_progress()
 *        exits with 0   ◄── ready ──     daemon_ready()
 *        or with code   ◄── failed ──    daemon_fail()
 *
 * In the foreground there is no fork, and the words go to stderr.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sync/base/cleanup.h"
#include "tools/cli.h"

struct daemon;

struct daemon_setup {
	struct cli *cli;
	const char *state_dir; /* made where missing; the log file is in it */
	bool is_foreground;
};

/* What signals and time ask of a running daemon. */
struct daemon_hooks {
	/* SIGTERM, SIGINT: called once, on the signal thread. A second signal ends the process at once. */
	void (*stop)(void *context);
	/* One line for the service manager, every few seconds; proves that the daemon lives. */
	void (*status)(void *context, char *ret, size_t size);
	void *context;
};

/* To be called before any thread exists. -1: this process is the daemon, *ret is set. Else the exit code of the command,
 * which has heard how the daemon fares. */
int daemon_begin(const struct daemon_setup *setup, struct daemon **ret) _must_check_;
/* Starts the signal thread; before daemon_begin()'s return the signals are blocked already. 0 or a negative errno. */
int daemon_watch_signals(struct daemon *daemon, const struct daemon_hooks *hooks);
/* "read 12000 documents": to whoever waits, now and then. */
void daemon_progress(struct daemon *daemon, const char *fmt, ...) _printf_(2, 3);
/* The command returns now. */
void daemon_ready(struct daemon *daemon);
/* The command fails with these words and CODE, to which it evaluates. After daemon_ready() it is logged. */
int daemon_fail(struct daemon *daemon, enum cli_exit code, const char *fmt, ...)
	_printf_(3, 4);
/* The signal that stopped it: SIGTERM, SIGINT, or 0. */
int daemon_signal(struct daemon *daemon);
/* Ends the signal thread: no hook runs any more. */
void daemon_end_signals(struct daemon *daemon);
void daemon_free(struct daemon *daemon);
DEFINE_CLEANUP(struct daemon *, daemon_free);
