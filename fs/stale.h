/*
 * Stale: what the kernel holds and is no longer so. On the notifier's thread: compares what is known of a name with
 * the disk and the view, takes the name from an inode that cannot serve it any more, and says so.
 */
#pragma once

#include "fs/fs.h"

/* For notifier_new(); CONTEXT is the struct fs. */
void stale_tell(void *context, const struct notice *notice);
/* For watch_new(); CONTEXT is the struct fs. Never waits. */
void stale_see(void *context, int root, const char *rel);
/* For engine_set_listener(); CONTEXT is the struct fs. Never waits. */
void stale_hear(void *context, int root, const char *rel, enum engine_change change);
