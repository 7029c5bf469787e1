/* A journal in a temporary folder, for one test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/journal.h"
#include "tests/unit/scratch.h"

struct bed {
	struct scratch scratch;
	char *path;
	struct journal *journal;
};

static inline void reopen(struct bed *bed)
{
	journal_free(bed->journal);
	bed->journal = NULL;
	assert_int_equal(journal_open(bed->path, &bed->journal, NULL), 0);
}

static inline void bed_init(struct bed *bed)
{
	bed->scratch = scratch_new();
	bed->path = strf("%s/journal", bed->scratch.dir);
	bed->journal = NULL;
	reopen(bed);
}

static inline void bed_done(struct bed *bed)
{
	journal_free(bed->journal);
	free(bed->path);
	scratch_done(&bed->scratch);
}

#define BED(name)                            \
	_cleanup_(bed_done) struct bed name; \
	bed_init(&(name))
