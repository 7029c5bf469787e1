/*
 * What every verb of the command shares: global options, exit codes, how a result or error is said. A verb is one
 * file tools/verb_NAME.c that defines `const struct verb verb_NAME`, listed in tools/verbs.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

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
	EXIT_INTERRUPTED = 130,
};

struct verb;

/* One call of the command. Global options may stand before or after the verb. */
struct cli {
	const struct verb *verb;
	const char *config_dir, *state_dir, *store_uri;
	bool is_json, is_verbose, is_quiet, has_bytes;
	char **args; /* what is left beside the options; NULL at the end */
	int n_args;
};

enum cli_option_kind {
	CLI_FLAG = 1, /* bool */
	CLI_TEXT,     /* const char *: the last one given; NULL = none */
	CLI_LIST,     /* struct cli_list: every one given */
};

struct cli_list {
	const char **items;
	size_t n;
};

struct cli_option {
	const char *name;  /* without dashes; NULL ends a table */
	const char *value; /* what --help calls the value: "FILE"; NULL for a flag */
	const char *help;  /* a few words, wrapped by --help */
	size_t offset;     /* of the field, by kind, in the verb's own struct */
	enum cli_option_kind kind;
	char letter; /* 'f', or 0 */
};

struct verb {
	const char *name;
	const char *usage;                /* after "sitefs NAME " */
	const char *summary;              /* one line, under 50 columns */
	const char *help;                 /* what it does, lines of at most 79 columns */
	const struct cli_option *options; /* or NULL */
	size_t options_size;    /* of the struct that they fill, zeroed before */
	int min_args, max_args; /* max_args -1: any number */
	/* OPTIONS: the verb's own struct, NULL where options_size is 0. An exit code. */
	int (*run)(struct cli *cli, const void *options);
};

/* One line on stderr: "sitefs VERB: ..."; evaluates to CODE. */
int cli_fail(const struct cli *cli, enum cli_exit code, const char *fmt, ...)
	_printf_(3, 4);
/* Finds the verb and its options in ARGV, runs it. An exit code. */
int cli_main(int argc, char **argv);
/* The same for one verb's share of the arguments, for tests: fills CLI and OPTIONS (options_size bytes, zeroed).
 * 0 or an exit code, said. The lists in OPTIONS are the caller's to free with cli_options_done(). */
int cli_parse(struct cli *cli, int argc, char **argv, void *options);
void cli_options_done(const struct verb *verb, void *options);
