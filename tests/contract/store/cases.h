/* The table of the store's contract: one change of one file's `sites` each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/store.h"

#define CASE_REPRE "5fa2cf00aabbccddeeff0000"
#define CASE_FILE "5fa2cf00aabbccddeeff0001" /* its time: CASE_ID_MS */
#define CASE_FILE_2 "5fa2cf00aabbccddeeff0002"
#define CASE_ID_MS 1604505344000
#define CASE_PATH "{root[work]}/p/a.1001.exr"

/* struct record with const texts; NULL project .. path mean the document's own. */
struct case_record {
	enum record_op op;
	const char *repre, *file, *path, *site;
	int had_presence;
	int64_t had_created_ms;
	const char *had_id;
	const char *id;
	int64_t created_ms;
	int tries;
	const char *error;
	int64_t failed_ms;
	double progress;
};

struct store_case {
	const char *name;
	const char *
		before; /* `sites` of the first file, JSON with single quotes; NULL: no key */
	struct case_record record;
	struct site_edit
		edit; /* where record.op is 0; project is filled in, repre may be NULL */
	int want;     /* store_outcome */
	size_t changed;      /* entries, by edit */
	const char *after;   /* NULL: as before */
	const char *after_2; /* `sites` of the second file; NULL: as before */
};

extern const struct store_case store_cases[];
extern const size_t n_store_cases;

/* The whole document around these two; ended by the caller. IS_LATE: `sites` is the last key. */
char *case_document(const char *sites, const char *sites_2, bool is_late);
