/*
 * What asking for files at a site amounts to, by their documents: bytes, items that a remote will hold more, days at
 * Google Drive's daily limit, and what is there. A file that several records name counts once.
 */
#pragma once

#include "sync/base/hash_set.h"
#include "sync/doc.h"

/* What one user may send to Google Drive in a day. */
#define ESTIMATE_BYTES_A_DAY INT64_C(750000000000)

struct estimate {
	const char *site;      /* borrowed */
	struct hash_set paths; /* of files and folders seen */
	int64_t n_files;       /* to be brought, each once */
	int64_t n_folders;     /* that they lie in */
	int64_t n_bytes;       /* by the documents */
	int64_t n_unknown;     /* files of which no document tells the size */
	int64_t n_there;       /* records that say: there */
	int64_t n_asked;       /* ... asked for */
};

void estimate_done(struct estimate *estimate);
/* 0 or -ENOMEM. */
int estimate_add(struct estimate *estimate, const struct doc_file *file);
/* Days that sending takes at least. */
double estimate_days(const struct estimate *estimate);
