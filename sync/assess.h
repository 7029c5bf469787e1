/*
 * Assessing a path: what lies on the disk now, its stamp, the records, the whiteouts, put together into one
 * decision per record. Reads the local disk, index and journal only; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "sync/config.h"
#include "sync/decide.h"
#include "sync/index.h"
#include "sync/journal.h"
#include "sync/lost_projects.h"
#include "sync/pauses.h"
#include "sync/plan.h"
#include "sync/roots.h"

struct assess_setup {
	const struct config *config;
	struct index *index;
	struct journal *journal;
	struct roots *roots;
	struct pauses *pauses;      /* or NULL: nothing is held */
	struct lost_projects *lost; /* or NULL: none is */
	struct plans *plans;        /* or NULL: nothing is under way here */
	bool is_mirror;
};

/* One path as it is now. End with assessment_done(). */
struct assessment {
	int root;
	const char *rel;        /* borrowed from the caller */
	struct index_path path; /* n_records 0: not published */
	enum decide_disk disk;
	struct stat st; /* where something lies on the disk */
	struct stamp stamp;
	bool has_stamp;             /* a row exists, matching or not */
	bool needs_rehash;          /* only ctime differs from the stamp */
	bool is_truth_of_others;    /* the truth record: other bytes than the stamp's */
	bool is_hidden;             /* every record is hidden by a whiteout */
	bool is_lost;               /* a project that names it was dropped or emptied */
	struct decision *decisions; /* one per record, in their order */
	struct decision whole; /* what the path is for people: the most telling of them */
};

/* STOOD_MS: how long record and disk have been as they are, as far as the caller knows (0 = just seen). */
int assess(const struct assess_setup *setup, int root, const char *rel, int64_t stood_ms,
	   struct assessment *ret);
void assessment_done(struct assessment *assessment);
/* The digest of the disk file, if what was read is what was assessed: else -EAGAIN. The number of bytes read goes to ret_n
 * (may be NULL). *cancel (may be NULL) turning true ends it: -ECANCELED. */
int assess_hash(struct roots *roots, const struct assessment *a, const bool *cancel,
		struct digest *ret, uint64_t *ret_n);
/* Something is to be done or waited for. */
bool assessment_has_action(const struct assessment *assessment);
/* A number that changes when a record's entries or the disk file change. */
uint64_t assessment_signature(const struct assessment *assessment);
/* "PROJECT/REPRE/FILE" of a record, as stamps list it; allocated. */
char *assess_file_ref(const struct index_record *record);
/* The same of all records, sorted, into STAMP. 0 or -ENOMEM. */
int assess_stamp_files(const struct index_path *path, struct stamp *stamp);
/* How the remote's entry counts: a remote of always_accessible_on is asked for what is recorded here without one. */
enum doc_presence assess_presence_there(const struct config *config,
					const struct index_record *record);
/* The record's age is under timing.young. */
bool assess_is_young(const struct config *config, const struct index_record *record);
