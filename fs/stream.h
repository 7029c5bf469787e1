/*
 * Requests that wait for the network: READ of a remote-only file, OPEN of one whose size is unknown. They are put
 * aside here, with no thread held, until the hydrator has an answer or the caller is interrupted; each is answered
 * exactly once.
 *
 *   submit ──► waiting ──► done by the hydrator (any thread, maybe before submit returns) ──► answer
 *                 │
 *                 └ INTERRUPT ──► cancel ──► done with -EINTR ──► answer
 *
 * The kernel's INTERRUPT may come before, during and after "done". It carries a number, not a pointer: what is
 * answered is no longer found by it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sync/base/lock.h"

struct fs;
struct fuse_req;
struct handle;
struct wait;

struct streams {
	struct mutex lock;
	struct cond empty;
	struct wait *first GUARDED_BY(&lock);
	uint64_t last_id GUARDED_BY(&lock);
	size_t n_waits GUARDED_BY(&lock); /* not freed yet, their replies included */
};

void streams_init(struct streams *streams);
void streams_done(struct streams *streams);
/* Cancels whatever waits and returns when all of it is answered. No request may be submitted any more. */
void streams_end(struct streams *streams);

/* HANDLE has a hydration. Answers with the bytes, all of them up to the end of the file, or an error. */
void stream_read(struct fs *fs, struct fuse_req *req, struct handle *handle, off_t offset,
		 size_t size);
/* REL is the name in the mount. Answers -ESTALE when the size is known (the kernel looks up and opens again), or an
 * error; never with a handle. */
void stream_learn(struct fs *fs, struct fuse_req *req, int root, const char *rel);
