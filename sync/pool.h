/*
 * Worker threads that run jobs in order of rank, then priority (higher first), then age. Two pools
 * exist: reads that people wait for, and background transfers. Jobs are blocking code.
 *
 * Any thread, but pool_stop() and pool_free() not from a job of the same pool.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/cleanup.h"

struct pool;

enum pool_rank {
	POOL_READ = 0, /* a person waits */
	POOL_PREFETCH,
	POOL_CHECK, /* small questions to the remote: stat, list, hash */
	POOL_DOWNLOAD,
	POOL_UPLOAD,
	POOL_N_RANKS,
};

/* Embedded in the caller's own struct, zero-initialised but for RUN. */
struct job {
	void (*run)(
		struct job *job); /* on a pool thread; the job is its own from then on */
	enum pool_rank rank;
	int priority; /* 1..1000 */
	/* private */
	uint64_t
		age; /* 0 = given at the next submission; a job that is submitted again keeps
			 its place, so that what was begun is finished first */
	struct job *child, *next, *prev;
	bool is_queued;
};

int pool_new(const char *name, int n_threads, struct pool **ret);
/* Runs no further job, waits for those that run, drops the queued ones through DROP (may be NULL), as well
 * as each one submitted from then on. */
void pool_stop(struct pool *pool, void (*drop)(struct job *job));
void pool_free(struct pool *pool);
DEFINE_CLEANUP(struct pool *, pool_free);

/* Queues (or, where it is queued already, moves to the given rank and priority). */
void pool_submit(struct pool *pool, struct job *job, enum pool_rank rank, int priority);
/* Moves a job that is still queued; false where it is not (it runs, or never was). */
bool pool_move(struct pool *pool, struct job *job, enum pool_rank rank, int priority);
/* True where it was still queued and is no longer. */
bool pool_remove(struct pool *pool, struct job *job);
size_t pool_queued(struct pool *pool, enum pool_rank rank);
