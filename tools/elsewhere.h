/*
 * How published files stand at another site than this machine's, by the store: its records, and what that site's daemons
 * tell of files that are there without one. For `--site S` of status, ls and info. Reads the store itself, needs no daemon,
 * and changes nothing.
 */
#pragma once

#include <stdint.h>

#include "sync/doc.h"
#include "sync/file_state.h"
#include "tools/cli.h"
#include "tools/json.h"

/* One file, borrowed. */
struct elsewhere_file {
	const struct doc *doc;
	const struct doc_file *file;
	const char *
		path; /* below a root of the active site where that has one, else as in the document */
	enum file_state state;
};

/* A non-zero result ends the walk and is returned by it. */
typedef int elsewhere_fn(void *context, const struct elsewhere_file *file);

/* What a walk came to. */
struct elsewhere {
	const char *site, *frames; /* the caller's; frames may be NULL */
	int64_t n_files, bytes;    /* bytes: of those whose size the documents tell */
	int64_t n_state[FILE_N_STATES];
	int64_t seen_ms; /* wall time at which a daemon of the site was seen last; 0: never */
	struct json *hosts; /* each with "host" and "last_seen"; NULL before the walk */
};
void elsewhere_done(struct elsewhere *elsewhere);

/* Calls FN for each file that the arguments of CLI mean (every published one without any). 0 where all of them are on
 * the site's disk, EXIT_PARTLY where not; EXIT_NOT_OURS where none is meant; another exit code, said; or FN's result. */
int elsewhere_each(struct cli *cli, struct elsewhere *elsewhere, elsewhere_fn *fn,
		   void *context) _must_check_;
/* "last_seen": a time, or null. */
void elsewhere_set_seen(struct json *json, const struct elsewhere *elsewhere);
/* "path", "state", "size". */
struct json *elsewhere_json(const struct elsewhere_file *file);
