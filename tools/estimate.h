/*
 * What asking for files at a site amounts to, by their documents: bytes, items that a remote will hold more, days at
 * Google Drive's daily limit, and what is there by records and, where asked, by a look at the site. A file that several records name counts once.
 */
#pragma once

#include "sync/base/buf.h"
#include "sync/base/hash_set.h"
#include "sync/config.h"
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

	struct hash_set
		sizes; /* of files to be brought, with their size where it is known */
	struct buf
		holders; /* folders that hold files to be brought: "ROOT" NUL "PATH" NUL */
	/* by estimate_look() */
	bool is_looked;
	int64_t n_present, n_present_bytes; /* of them lie at the site already */
	int64_t n_different;                /* ... with another size */
};

void estimate_done(struct estimate *estimate);
/* 0 or -ENOMEM. */
int estimate_add(struct estimate *estimate, const struct doc_file *file);
/* An object that lies at the site. */
void estimate_heed(struct estimate *estimate, const char *root, const char *rel,
		   int64_t size);
/* Lists the folders at SITE (tools/estimate_look.c), DRAW from time to time. 0; -ECANCELED; else what stands in ERROR. */
typedef void estimate_draw_fn(void *context, size_t n, size_t total);
int estimate_look(struct estimate *estimate, const struct config_site *site,
		  estimate_draw_fn *draw, void *context, struct error *error);
/* Days that sending takes at least. */
double estimate_days(const struct estimate *estimate);
