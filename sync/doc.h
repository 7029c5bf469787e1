/*
 * A representation document as sitefs understands it, parsed from BSON in every form that real
 * databases hold (C2 of the origin study). The one place that reads raw documents; fuzzed. A value
 * once parsed; any thread may read it.
 *
 * Ids are text here: 24 lower-case hex digits for an ObjectId, "=" + the string for a string id.
 * Other types of _id are refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "sync/config.h"

/* Column of STATES.md: no entry, entry without created_dt, entry with it. */
enum doc_presence {
	DOC_ABSENT = 0,
	DOC_WANTED = 1,  /* "-" */
	DOC_PRESENT = 2, /* "+" */
};

#define DOC_PRIORITY_DEFAULT 50

/* One element of files[].sites. */
struct doc_site {
	char *name;
	enum doc_presence presence; /* never DOC_ABSENT */
	int64_t created_ms; /* 0 without created_dt; fuzzy (C17): existence only */
	char *id;           /* remote id, or NULL */
	char *error;        /* or NULL */
	int64_t failed_ms;  /* last_failed_dt, 0 = none */
	int tries;          /* 0 = none */
	int priority;       /* DOC_PRIORITY_DEFAULT where the key is missing */
	bool is_paused;     /* the key exists, whatever its value */
	double progress;    /* 0..1; -1 where missing or not a number of that range */
};

/* Form of a file's `sites` in the document. Anything but LIST is converted when first written. */
enum doc_form {
	DOC_FORM_LIST,    /* [{name: ...}] */
	DOC_FORM_STRINGS, /* ["studio"]: each present, without a date */
	DOC_FORM_OBJECT,  /* {"studio": {...}} */
	DOC_FORM_MISSING,
};

/* One element of files[]. */
struct doc_file {
	char *id;   /* NULL only where refused */
	char *path; /* as in the document */
	char *root; /* root name: "work", "" for {root}; NULL: an absolute path or refused */
	char *rel;  /* below the root, normalised; the absolute path where root is NULL */
	char *key;  /* of truth records: "{root[work]}/a/b", "{root}/a/b"; NULL as root */
	char *hash; /* or NULL */
	int64_t size;     /* a hint; -1 where missing, negative or not a number */
	int64_t mtime_ns; /* from hash, else the id's time; -1 unknown */
	enum doc_form form;
	struct doc_site *sites;
	size_t n_sites;
	char *refused; /* why this file takes no part ("path has a '..' component"), or NULL */
};

struct doc {
	char *project; /* collection */
	char *id;
	char *parent;         /* version's id, or NULL */
	char *name;           /* representation name: "exr" */
	char *asset, *subset; /* from context; "" where missing */
	char *version;        /* "v003", "hero", "" */
	struct doc_file *files;
	size_t n_files;
};

enum doc_outcome {
	DOC_OTHER = 1, /* a document, but not a representation */
};

/* -EBADMSG with text where it is a representation that cannot be used as a whole (no _id, files
 * not an array); -ENOMEM. A bad single file is in the result, refused. */
int doc_parse(const void *bson, size_t len, const char *project, struct doc **ret,
	      struct error *error) _must_check_;
void doc_free(struct doc *doc);
DEFINE_CLEANUP(struct doc *, doc_free);

/* The entry of SITE, or NULL. */
const struct doc_site *doc_find_site(const struct doc_file *file, const char *site);
/* The file with that id, or NULL. */
const struct doc_file *doc_find_file(const struct doc *doc, const char *file_id);

/* Splits a document's path into root name and path below it (C2: back-slashes, "//", glued and
 * doubled placeholders, braces in names, absolute). Fills path.. fields' meanings as in struct
 * doc_file. -EINVAL with the reason in ret_refused (static or allocated by the caller's free). */
int doc_path_parse(const char *path, char **ret_root, char **ret_rel, char **ret_refused);
/* Where an absolute path lies under a root of any local site of CONFIG: root name and rest.
 * -ENOENT if under none. */
int doc_path_resolve_absolute(const struct config *config, const char *absolute,
			      char **ret_root, char **ret_rel);
