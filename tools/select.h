/*
 * Which representations and files a person means, straight from the store: for verbs that change records and need no
 * daemon. By PATH arguments (in a root of the active site, in a running daemon's mount, pub:, repre:, a sequence), by a
 * query, or all of a project.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sync/config.h"
#include "sync/doc.h"
#include "sync/store.h"
#include "tools/cli.h"

struct selection {
	struct cli *cli; /* its arguments are the PATHs */
	const struct config *config;
	struct store *store;
	const char *project; /* or NULL: every project */
	const char *query;   /* JSON object of "dotted.key": value, all equal; or NULL */
	const char *frames;  /* of sequences, or NULL */
	bool is_all;         /* every representation of PROJECT */
	bool is_everything; /* every representation there is: no PATH, query or project is asked for */
};

/* FILES: the numbers of doc->files that are meant; N_FILES is doc->n_files where it is the whole document. Refused files
 * are never among them. A non-zero result ends the walk and is returned by it. */
typedef int select_fn(void *context, const struct doc *doc, const size_t *files,
		      size_t n_files);

/* Calls FN for each representation that is meant, in which the store must not be changed. 0; an exit code that was said;
 * or FN's result. */
int select_each(const struct selection *selection, select_fn *fn, void *context)
	_must_check_;
