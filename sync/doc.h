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

/* Of an entry that has none: 0; of a transfer where neither entry has one: 50. */
#define DOC_PRIORITY_NONE 0
#define DOC_PRIORITY_DEFAULT 50
#define DOC_PRIORITY_MAX 1000

/* One element of files[].sites. */
struct doc_site {
	char *name;
	enum doc_presence presence; /* never DOC_ABSENT; a created_dt of null is none */
	int64_t created_ms; /* 0 where there is no date; fuzzy (C17): existence only */
	char *id;           /* remote id, or NULL */
	char *error;        /* or NULL */
	int64_t failed_ms;  /* last_failed_dt, 0 = none */
	int tries;          /* 0 = none */
	int priority;       /* DOC_PRIORITY_NONE where the key is missing */
	bool is_paused;     /* the key exists, whatever its value (C6) */
	double progress;    /* 0..1; -1 where missing or not a number of that range */
};

/* Form of a file's `sites` in the document. Anything but LIST is converted when first written. In every
 * form the first entry of a name counts; entries without a name, and what is neither an object nor (in
 * a list) a string, are passed over. */
enum doc_form {
	DOC_FORM_LIST, /* [{name: ...}] */
	DOC_FORM_STRINGS, /* ["studio"]: each present, without a date; objects may stand between */
	DOC_FORM_OBJECT,  /* {"studio": {...}}; null counts as {} */
	DOC_FORM_MISSING, /* no key, null, or another type */
};

/* One element of files[]. */
struct doc_file {
	char *id;   /* NULL only where refused */
	char *path; /* as in the document; NULL where it is no text (then refused) */
	char *root; /* root name: "work", "a.b" for {root[a][b]}, "" for {root}; NULL: an absolute
		       path or refused */
	char *rel; /* below the root, normalised; where root is NULL the absolute path ("/a/b",
		       "C:/a/b", "//server/share/a") or, if refused, NULL */
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
	char *version; /* "v003"; "hero" where context has none; "" without context */
	struct doc_file *files;
	size_t n_files;
};

enum doc_outcome {
	DOC_OTHER = 1, /* a document, but not a representation */
};

/* -EBADMSG with text where it is damaged, or a representation that cannot be used as a whole (no
 * _id, files not an array); -ENOMEM. No `files` at all is a representation of none. A bad single
 * file is in the result, refused. */
int doc_parse(const void *bson, size_t len, const char *project, struct doc **ret,
	      struct error *error) _must_check_;
void doc_free(struct doc *doc);
DEFINE_CLEANUP(struct doc *, doc_free);

/* The entry of SITE, or NULL. */
const struct doc_site *doc_find_site(const struct doc_file *file, const char *site);
/* The file with that id, or NULL. */
const struct doc_file *doc_find_file(const struct doc *doc, const char *file_id);

/* Splits a document's path into root name and path below it (C2: back-slashes, "//", glued and
 * doubled placeholders, braces in names, absolute). The results are root and rel of struct
 * doc_file, allocated. -EINVAL with the reason, allocated, in ret_refused; -ENOMEM. */
int doc_path_parse(const char *path, char **ret_root, char **ret_rel, char **ret_refused);
/* "{root[work]}/a/b" or "{root}/a/b": the key of truth records. NULL on -ENOMEM. */
char *doc_path_key(const char *root, const char *rel);
/* Where an absolute path lies under a root of any local site of CONFIG (the deepest one; the
 * active site's first): root name and rest. -ENOENT if under none, or where no file can be. */
int doc_path_resolve_absolute(const struct config *config, const char *absolute,
			      char **ret_root, char **ret_rel);

/* The modification time in `hash` ("name,ext|1701075384,4640148|52085"; the comma is a decimal
 * point), in ns; -1 where there is none. */
int64_t doc_hash_mtime_ns(const char *hash);
