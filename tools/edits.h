/*
 * Changes of one site's entries that a person asks for: which files are meant is read from the store (tools/select), the
 * changes are counted, made some thousands at a time, and told. Verbs add-site, remove-site, reset, priority, pause,
 * resume and retry stand on it; none needs a daemon.
 */
#pragma once

#include "sync/base/buf.h"
#include "sync/config.h"
#include "sync/store.h"
#include "tools/cli.h"
#include "tools/estimate.h"
#include "tools/json.h"
#include "tools/select.h"

/* Options that such verbs share; a member EDITS of the verb's own struct, its rows first in the verb's table. */
struct edits_options {
	const char *project, *query, *frames;
	bool is_all, is_dry;
};

#define EDITS_OPTIONS(type)                                                         \
	{                                                                           \
		"project", "P", "only this project", offsetof(type, edits.project), \
		CLI_TEXT,  0                                                        \
	},                                                                          \
		{ "all",                                                            \
		  NULL,                                                             \
		  "every representation of the project",                            \
		  offsetof(type, edits.is_all),                                     \
		  CLI_FLAG,                                                         \
		  0 },                                                              \
		{ "query",                                                          \
		  "JSON",                                                           \
		  "those whose fields are equal: {\"context.asset\": \"sh0010\"}",  \
		  offsetof(type, edits.query),                                      \
		  CLI_TEXT,                                                         \
		  0 },                                                              \
		{ "frames",                                                         \
		  "RANGE",                                                          \
		  "frames of a sequence: 1001-1100x2",                              \
		  offsetof(type, edits.frames),                                     \
		  CLI_TEXT,                                                         \
		  0 },                                                              \
		{ "dry-run",                                                        \
		  NULL,                                                             \
		  "only count what would be changed",                               \
		  offsetof(type, edits.is_dry),                                     \
		  CLI_FLAG,                                                         \
		  0 }

/* Which files are changed, of those that were named. */
enum edits_which {
	EDITS_ALL = 0,
	EDITS_UPLOADS,   /* here by their record: what moves of them is sent */
	EDITS_DOWNLOADS, /* not here by their record */
};

struct edits_setup {
	struct cli *cli; /* its arguments are the PATHs */
	const struct edits_options *options;
	struct config *config; /* by edits_begin(), as the store */
	struct store *store;
	enum site_edit_op op;
	const char *sites
		[2]; /* whose entries; NULL: the active site's. The second one may be NULL */
	int priority;
	enum edits_which which; /* by the entries of the active site */
	const char *done;       /* what is said of changed files: "reset" */
	struct buf *
		paths; /* filled in with the places of the files in our roots, each with its NUL; or NULL */
	struct estimate *estimate; /* add-site --dry-run: filled in; or NULL */
};

struct edits_result {
	int64_t n_repres, n_files; /* that were meant */
	int64_t n_without; /* files of them without an entry of the (first) site */
	int64_t n_changed; /* entries; with --dry-run: that would be */
	int64_t n_failed;  /* representations that could not be changed */
};

/* Opens what SETUP stands on, with cli, options and sites filled in; warns where no preset describes the site that was
 * named. 0 or an exit code, said. End with edits_setup_done(), also then. */
int edits_begin(struct edits_setup *setup) _must_check_;
void edits_setup_done(struct edits_setup *setup);
/* What is meant; borrows from SETUP. */
struct selection edits_selection(const struct edits_setup *setup);
/* Selects and changes. 0 or an exit code, said: EXIT_NOT_OURS where no file is meant; EXIT_PARTLY and EXIT_FAILED where
 * representations could not be changed, RET is filled in then. */
int edits_run(const struct edits_setup *setup, struct edits_result *ret) _must_check_;
/* Tells the result: a line, or with --json an object with what EXTRA (taken, may be NULL) holds already. An exit code. */
int edits_say(const struct edits_setup *setup, const struct edits_result *result,
	      struct json *extra);
/* edits_run() and edits_say(), where nothing goes between. An exit code. */
int edits_apply(const struct edits_setup *setup);
