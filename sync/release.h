/*
 * Giving local copies back: what sitefs fetched, and what the remote was found to hold in that minute, by id, size and
 * checksum, is unlinked (law 4). Originals stay, whatever is known of them; so does what somebody writes.
 */
#pragma once

#include "sync/engine.h"

/* Each published file at and below the path; waits for the remote. See engine_release(). */
int release_run(struct engine *engine, int root, const char *rel,
		struct engine_release *ret);
