/*
 * Content for the cases: bytes that follow from a seed and their offset, given out by a source and checked by a sink,
 * which count, and do something at a certain byte. Neither allocates.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sync/base/digest.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

struct source {
	uint64_t seed; /* 0: zeros */
	uint64_t size; /* as it is said to be */
	int64_t mtime_ns;
	/* how it behaves; 0: well */
	uint64_t actual_size;        /* it has in truth that many bytes */
	size_t most;                 /* gives at most that many at once */
	uint64_t zero_from, zero_to; /* a stretch of zeros */
	int error;                   /* given from fail_at on */
	uint64_t fail_at;
	unsigned
		same_for; /* the question whether it is the same is answered with no after that many */
	/* once, before a byte at HOOK_AT or after is given (UINT64_MAX: when asked whether it is the same) */
	uint64_t hook_at;
	void (*hook)(void *context);
	void *hook_context;
	/* counted */
	uint64_t n_given, n_asked_same;
};

#define SOURCE(s, n) { .seed = (s), .size = (n), .mtime_ns = 1600000000123456789 }

void source_bytes(const struct source *source, void *data, size_t len, uint64_t offset);
void source_digest(const struct source *source, struct digest *ret);
ssize_t source_read(void *source, void *data, size_t len, uint64_t offset);
bool source_is_same(void *source);

struct sink {
	const struct source *wanted; /* what should come, or NULL */
	uint64_t next; /* the offset that should come next; set to the first one */
	uint64_t n_taken;
	bool is_wrong; /* something else came, or in another order */
	int error;     /* returned after fail_after bytes */
	uint64_t fail_after;
	uint64_t hook_after; /* once, when more than that many have come */
	void (*hook)(void *context);
	void *hook_context;
};

int sink_take(void *sink, const void *data, size_t len, uint64_t offset);
