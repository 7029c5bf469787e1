/*
 * Handles: what an OPEN, CREATE or OPENDIR gave to the kernel. A handle is on the disk (it has a descriptor), of a
 * remote-only file (it has a hydration) or of a folder (it gets a listing at the first READDIR).
 *
 * Whoever uses one holds a reference: a request for its time, a read that waits, fstat of a file without a name.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sync/base/cleanup.h"

struct hydration;
struct inode;
struct inodes;
struct listing;

struct handle {
	struct handle *next, *prev; /* of the inode; guarded by the inodes' lock */
	struct inode *inode;        /* held */
	atomic_uint n_refs;
	int fd;                      /* -1: not on the disk */
	bool is_writing;             /* fd can be written */
	atomic_bool is_dirty;        /* written since the engine was told */
	struct hydration *hydration; /* or NULL */
	int64_t size;                /* of the hydration's file */
	struct listing *
		listing; /* of a folder; used by one READDIR at a time (the kernel's f_pos lock) */
};

/* What a handle is made of; FD and HYDRATION are taken, also on failure. */
struct handle_setup {
	int fd; /* -1: none */
	bool is_writing;
	struct hydration *hydration;
	int64_t size;
};

/* A handle on INODE with one reference, listed there. 0 or -ENOMEM. */
int handle_new(struct inodes *inodes, struct inode *inode,
	       const struct handle_setup *setup, struct handle **ret) _must_check_;
void handle_ref(struct handle *handle);
/* The last one closes: call it without a lock. */
void handle_unref(struct handle *handle);
DEFINE_CLEANUP(struct handle *, handle_unref);
/* The handle of a request, with a reference of its own: that RELEASE comes after the answer is the kernel's order, which
 * neither the compiler nor a checker of threads can see. */
static inline struct handle *handle_hold(uint64_t fh)
{
	struct handle *handle = (struct handle *)(uintptr_t)fh;

	handle_ref(handle);
	return handle;
}
/* Off the inode's list, and one reference less: RELEASE. */
void handle_release(struct inodes *inodes, struct handle *handle);
