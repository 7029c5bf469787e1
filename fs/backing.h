/*
 * A backing: the file on the disk behind one inode, as the kernel has it for passthrough: its id, and an O_PATH descriptor
 * by which we find the same file again whatever its name is. One per inode, shared by its handles, and kept for the
 * next open (fs/inode.h bounds how many).
 *
 * Counted; any thread.
 */
#pragma once

#include <stdatomic.h>

#include "fs/passthrough.h"

struct backing {
	struct backing *next; /* in the list of those to be freed */
	struct passthrough *passthrough;
	atomic_uint n_refs;
	int id;
	int fd; /* O_PATH */
};

/* Of a regular file; FD is O_PATH and taken on success. A negative errno where the kernel does not take it. */
int backing_new(struct passthrough *passthrough, int fd, struct backing **ret);
/* An O_PATH descriptor of the open file FD, or a negative errno: one for writing would keep others from executing it. */
int backing_path_fd(int fd);
void backing_ref(struct backing *backing);
/* The last one gives the id back: call it without a lock. NULL is fine. */
void backing_unref(struct backing *backing);
/* A new descriptor of the file; FLAGS as open(2). Or a negative errno. */
int backing_open(const struct backing *backing, int flags);
