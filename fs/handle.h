/*
 * Handles: what an OPEN, CREATE or OPENDIR gave to the kernel. A handle is on the disk (it has a descriptor, or a backing
 * that gives one when it is needed), of a remote-only file (it has a hydration) or of a folder (it gets a listing at the
 * first READDIR).
 *
 * Whoever uses one holds a reference: a request for its time, a read that waits, fstat of a file without a name.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "sync/base/cleanup.h"

struct backing;
struct hydration;
struct inode;
struct inodes;
struct listing;

struct handle {
	struct handle *next, *prev; /* of the inode; guarded by the inodes' lock */
	struct inode *inode;        /* held */
	atomic_uint n_refs;
	atomic_int fd;           /* -1: not on the disk, or not needed yet: handle_fd() */
	bool is_writing;         /* fd can be written */
	bool decides;            /* how the inode's bytes go: inodes_add_handle() */
	struct backing *backing; /* the kernel reads and writes by itself; or NULL */
	atomic_bool is_dirty;    /* written since the engine was told */
	atomic_uint_least64_t seen;  /* writing with a backing: sum of size and times */
	struct hydration *hydration; /* or NULL */
	int64_t size;                /* of the hydration's file */
	struct listing *
		listing; /* of a folder; used by one READDIR at a time (the kernel's f_pos lock) */
};

/* What a handle is made of; FD, BACKING and HYDRATION are taken, also on failure. */
struct handle_setup {
	int fd; /* -1: none */
	bool is_writing;
	bool decides; /* a regular file on the disk */
	struct backing *backing;
	struct hydration *hydration;
	int64_t size;
};

/* Closes them, where no handle is made. */
void handle_setup_done(const struct handle_setup *setup);
/* A handle on INODE with one reference, listed there. 0, -ENOMEM, -EIO as inodes_add_handle(). */
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
/* Its descriptor on the disk, opened now if there was none; it stays the handle's. -EBADF where it is not on the disk. */
int handle_fd(struct handle *handle);
/* Where the kernel writes by itself: notes whether the file has changed since the handle was made or asked last. */
void handle_look(struct handle *handle);
/* Off the inode's list, and one reference less: RELEASE. */
void handle_release(struct inodes *inodes, struct handle *handle);
