/*
 * What every verb of the command shares: global options, exit codes, how a result or error is said. A verb is one
 * file tools/verb_NAME.c with one function in the table of tools/main.c.
 */
#pragma once

#include <stdbool.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "sync/config.h"

/* Exit codes (INTERFACE, "Exit"). */
enum cli_exit {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_OURS = 3, /* not under the mount or not in the database */
	EXIT_PARTLY = 4,
	EXIT_TIMED_OUT = 5, /* work goes on */
	EXIT_NO_DAEMON = 6,
	EXIT_CREDENTIALS = 7,
	EXIT_QUOTA = 8,
	EXIT_NO_SPACE = 9,
	EXIT_NO_STORE = 10,
};

/* Global options, before or after the verb. */
struct cli {
	const char *config_dir, *state_dir, *store_uri;
	bool is_json, is_verbose, is_quiet, has_bytes;
	int argc; /* of the verb: argv[0] is its name, options of its own and arguments follow */
	char **argv;
};

struct verb {
	const char *name;
	const char *usage;           /* after "sitefs NAME " */
	const char *summary;         /* one line */
	const char *help;            /* the body of --help: options and what it does */
	int (*run)(struct cli *cli); /* an exit code */
};

/* One line on stderr: "sitefs VERB: ..."; evaluates to CODE. */
int cli_fail(const struct cli *cli, enum cli_exit code, const char *fmt, ...)
	_printf_(3, 4);
/* The configuration for this call; on failure said and an exit code returned through the positive result. */
int cli_load_config(struct cli *cli, const char *project, struct config **ret)
	_must_check_;
