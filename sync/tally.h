/*
 * How many published files are in which state, kept as decisions fall, so that status answers at once with a
 * million files. A path that was never decided counts as the index shows it. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/base/lock.h"
#include "sync/base/map.h"
#include "sync/file_state.h"

struct tally {
	struct mutex lock;
	struct map map GUARDED_BY(
		lock); /* path hash -> state and shown, packed into the pointer */
	int64_t n[FILE_N_STATES] GUARDED_BY(&lock);
	int64_t n_shown GUARDED_BY(&lock), n_paths GUARDED_BY(&lock);
};

void tally_init(struct tally *tally);
void tally_done(struct tally *tally);
/* True where the state is another one than before. */
bool tally_put(struct tally *tally, int root, const char *rel, enum file_state state,
	       bool is_shown);
void tally_drop(struct tally *tally, int root, const char *rel);
/* RET gets the counts by state of N_FILES published files of which N_SHOWN are shown by the index. */
void tally_count(struct tally *tally, int64_t n_files, int64_t n_shown,
		 int64_t ret[FILE_N_STATES]);
