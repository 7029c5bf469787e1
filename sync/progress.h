/*
 * How far transfers are, in the documents: `progress` of the entry that the transfer is for, 0 to 1, as Pype's queue shows
 * it. Written straight to the store every timing.progress, all files of a representation together; it is no result, so
 * nothing of it is kept where the store is away. The key goes with success or failure, or when a transfer is held.
 */
#pragma once

#include <stdint.h>

struct engine;

/* Writes what is due. Sync thread. */
void progress_write(struct engine *engine);
/* A transfer of the path was held back: nothing is under way. Sync thread. */
void progress_clear(struct engine *engine, int root, const char *rel);
