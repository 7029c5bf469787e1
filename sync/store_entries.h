/*
 * A file's `sites` taken out of a document as a list of objects, and put back with every other byte
 * of the document as it was. What is changed, and when, is sync/store_sites' business.
 * The document has passed bson_check(). Values of one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/buf.h"
#include "sync/base/cleanup.h"

/* Where in the document the `sites` of a file lies. Offsets, valid until the document changes. */
struct store_place {
	size_t files, file; /* of the array and of the file: their lengths change along */
	size_t start,
		end; /* the element `sites`; both at the file's end where it is missing */
	uint8_t type;  /* BSON type of it; 0 where it is missing */
	int64_t id_ms; /* the time in the file's _id; 0 if that is no ObjectId */
};

/* Which file of a representation. */
struct store_wanted {
	const char *id;   /* or NULL: any */
	const char *path; /* or NULL: any */
	size_t skip;      /* so many that fit are passed over */
};

bool store_is_representation(const struct buf *doc);
/* 0; STORE_GONE: no representation, or no such file; STORE_CONFLICT (with a path only): there is a
 * file with that id or path, but none with both. */
int store_place_find(const struct buf *doc, const struct store_wanted *wanted,
		     struct store_place *ret);

struct store_entry {
	uint8_t type;     /* BSON type; no document: nothing of ours, kept as it is */
	char *name;       /* of the site; NULL where it has none */
	struct buf value; /* the element's bytes */
};

struct store_entries {
	struct store_entry *list;
	size_t n, cap;
};

void store_entries_done(struct store_entries *entries);
/* Into an empty RET, old forms converted. 0 or -ENOMEM. */
int store_entries_load(const struct buf *doc, const struct store_place *place,
		       struct store_entries *ret);
/* As a list of objects, in place of what was there. 0; -EFBIG or -ENOMEM with DOC as it was. */
int store_entries_save(struct buf *doc, const struct store_place *place,
		       const struct store_entries *entries);
/* A file of the walk below. */
struct store_file {
	char *id; /* as in sync/bson_id.h; NULL where it has none */
	struct store_entries entries;
	bool is_old_form; /* its `sites` is an object, or a list with texts */
};
/* 1: the entries were changed, 0: not; or a negative errno, which ends the walk. */
typedef int store_file_fn(void *context, struct store_file *file);
/* Calls FN for each file and puts back what it changes, all with one copy of DOC. 0; STORE_GONE: no representation;
 * -EFBIG or -ENOMEM or FN's errno with DOC as it was. */
int store_entries_each(struct buf *doc, store_file_fn *fn, void *context);
/* The first of that name, or NULL. */
struct store_entry *store_entries_find(const struct store_entries *entries,
				       const char *name);
/* A new one at the end with an empty value, NAME copied. NULL: no memory. */
struct store_entry *store_entries_add(struct store_entries *entries, uint8_t type,
				      const char *name);
void store_entries_remove(struct store_entries *entries, size_t i);

enum store_field_kind {
	STORE_FIELD_UNSET,
	STORE_FIELD_TEXT,
	STORE_FIELD_DATE,
	STORE_FIELD_INT32,
	STORE_FIELD_DOUBLE,
	STORE_FIELD_TRUE,
};

struct store_field {
	const char *key;
	enum store_field_kind kind;
	const char *text;
	int64_t number; /* INT32; DATE: milliseconds */
	double real;
};

/* VALUE becomes the entry's, the old bytes VALUE's; true where they differ. */
bool store_entry_replace(struct store_entry *entry, struct buf *value);
/* At most 32 fields, sorted by key as MongoDB adds the new ones of a $set: those that the entry has
 * are set or unset in their place, new ones follow at its end. 0 or -ENOMEM. */
int store_entry_set(struct store_entry *entry, const struct store_field *fields, size_t n,
		    bool *ret_changed);
