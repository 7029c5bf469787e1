/* What the two files of verifying share. */
#pragma once

#include "sync/engine_private.h"
#include "sync/survey.h"
#include "sync/verify.h"

struct verify {
	struct engine *engine;
	const struct verify_setup *setup;
	struct call call;
	struct map folders;  /* "ROOT:REL": still to be compared */
	struct store *store; /* of this thread; NULL: not opened yet */
	struct verify_result result;
};

/* ---- verify.c ---- */
/* The disk file's digest. -EAGAIN: it is written right now. */
int verify_hash(struct verify *verify, const struct assessment *a, struct digest *ret);

/* ---- verify_fix.c ---- */
/* A damaged file on the disk: sets fix and is_fixed. */
void verify_fix_disk(struct verify *verify, const struct assessment *a,
		     struct verify_finding *finding);
/* A missing or different object: sets fix and is_fixed. 0, or what ends the walk. */
int verify_fix_remote(struct verify *verify, const struct survey_finding *found,
		      struct verify_finding *finding);
