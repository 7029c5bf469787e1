/*
 * A listing: what a folder shows, taken once when somebody starts to read it, so that positions stay what they are
 * while names come and go. The disk's names first, then those that only the view has; no name twice, the
 * disk wins.
 *
 * Not thread-safe: it belongs to one handle.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/cleanup.h"
#include "sync/view.h"

struct listing;

struct listing_entry {
	const char *name; /* borrowed until the listing is freed */
	bool is_disk;
	unsigned char type;    /* DT_*; of the disk's */
	uint64_t ino;          /* disk: the disk's; view: to be shown */
	struct view_node node; /* where not is_disk: folder, size, time, ino */
};

/* VERSION: whatever tells later that names have changed since. */
int listing_new(uint64_t version, struct listing **ret) _must_check_;
void listing_free(struct listing *listing);
DEFINE_CLEANUP(struct listing *, listing_free);

/* First every name of the disk, then every one of the view. 0 or -ENOMEM. */
int listing_add_disk(struct listing *listing, const char *name, unsigned char type,
		     uint64_t ino);
int listing_add_view(struct listing *listing, const char *name,
		     const struct view_node *node);

uint64_t listing_version(const struct listing *listing);
size_t listing_count(const struct listing *listing);
/* The Ith entry, I < listing_count(). */
void listing_get(const struct listing *listing, size_t i, struct listing_entry *ret);
/* Files were added whose size is unknown. */
bool listing_has_unknown(const struct listing *listing);
/* Bytes in use, for tests. */
size_t listing_memory(const struct listing *listing);
