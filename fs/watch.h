/*
 * Watch: names that others make, take away or change on the disk below, told by the kernel (fanotify on the whole file
 * system of each root, by folder and name; nothing is held per folder). With it the kernel's cache may keep names for
 * long. What it does not see: network file systems, what is mounted below a root, a file that somebody goes on
 * writing (only its close).
 *
 * Needs CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH; a root that cannot be watched is simply not covered.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/base/cleanup.h"
#include "sync/roots.h"

struct watch;

/* Called on the watch's thread, after the fact; REL, below the root, is borrowed. Must not wait. */
typedef void watch_fn(void *context, int root, const char *rel);

struct watch_setup {
	struct roots *roots; /* borrowed */
	watch_fn *changed;
	void *context;
};

/* Begins. A root that is lost and comes back on another file system is not covered then. -ENOMEM. */
int watch_new(const struct watch_setup *setup, struct watch **ret) _must_check_;
void watch_free(struct watch *watch);
DEFINE_CLEANUP(struct watch *, watch_free);

/* What lies below the root on the file system DEV (st_dev) is told of. NULL covers nothing. */
bool watch_covers(const struct watch *watch, int root, uint64_t dev);
