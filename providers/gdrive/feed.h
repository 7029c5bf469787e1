/*
 * The source of one upload, read once and hashed on the way. What is sent and what is hashed may stand at different
 * bytes: the other end may have kept less, or more, than an earlier process had hashed.
 */
#pragma once

#include "providers/gdrive/errand.h"

#define FEED_STEP ((uint64_t)8 << 20) /* the state is offered at multiples of it */

struct feed {
	const struct errand *errand;
	const struct provider_put *put;
	struct hasher *hasher;
	uint64_t hashed; /* bytes that are in it */
	uint64_t next;   /* that goes out next */
	uint64_t limit;  /* end of the chunk that is sent */
	uint64_t offered;
	uint64_t told; /* by progress */
	/* At a step: what is before it was given to the kernel. 0 or a negative errno. */
	int (*step)(void *context);
	void *context;
	bool is_short; /* the source ended before its time: why feed_give() failed */
};

/* 0 or -ENOMEM. */
int feed_init(struct feed *feed, const struct errand *errand,
	      const struct provider_put *put);
void feed_done(struct feed *feed);

bool feed_is_source_same(const struct feed *feed);
int feed_source_changed(const struct feed *feed, const char *how);

/* An http_source: the bytes from NEXT on. */
ssize_t feed_give(void *context, void *data, size_t len);
/* Reads all that is not hashed up to END. 0, PROVIDER_SOURCE_CHANGED, or as the source. */
_must_check_ int feed_hash_to(struct feed *feed, uint64_t end);
/* Reads exactly [NEXT, size) into DATA, asking before the last piece and after the end whether the source is the same, and
 * ends with the digest of all. 0, PROVIDER_SOURCE_CHANGED, or as the source. */
_must_check_ int feed_end(struct feed *feed, char *data, struct digest *ret);
/* Progress: so many bytes are there. */
void feed_tell(struct feed *feed, uint64_t bytes);
/* Begins anew. */
void feed_restart(struct feed *feed);
