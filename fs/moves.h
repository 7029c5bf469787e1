/*
 * Moves: folders that are being renamed through the mount. A request that composed a path meanwhile may have looked
 * in the wrong entry; it finds that out here and looks again. Waiting is for the end of a rename on the local disk and
 * the journal's fsync.
 *
 *   reader: mark = moves_mark() ... path, look ... moves_is_same(mark)?  no: again
 *   mover:  moves_begin() ... disk, names, view ... moves_end()
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/base/lock.h"

struct moves {
	struct mutex lock;
	struct cond ended;
	uint64_t n_begun GUARDED_BY(&lock), n_ended GUARDED_BY(&lock);
};

void moves_init(struct moves *moves);
void moves_done(struct moves *moves);
/* Waits until no folder is on its way. */
uint64_t moves_mark(struct moves *moves);
/* No move has begun since. */
bool moves_is_same(struct moves *moves, uint64_t mark);
void moves_begin(struct moves *moves);
void moves_end(struct moves *moves);
