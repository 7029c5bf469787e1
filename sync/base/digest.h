/* Content digests: SHA-256 is our truth, MD5 is what Drive can compare, both in one pass. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/cleanup.h"

#define DIGEST_SHA256_SIZE 32
#define DIGEST_MD5_SIZE 16
#define DIGEST_HEX_SIZE (DIGEST_SHA256_SIZE * 2 + 1)

struct digest {
	uint8_t sha256[DIGEST_SHA256_SIZE];
	uint8_t md5[DIGEST_MD5_SIZE];
	bool has_sha256, has_md5;
};

struct hasher;

/* 0 or -ENOMEM. One hasher, one thread at a time. */
int hasher_new(struct hasher **ret);
void hasher_free(struct hasher *hasher);
DEFINE_CLEANUP(struct hasher *, hasher_free);
void hasher_add(struct hasher *hasher, const void *data, size_t len);
/* Ends the run; the hasher starts anew with the next addition. */
void hasher_take(struct hasher *hasher, struct digest *ret);
/* The digest so far; the run goes on. 0 or -ENOMEM. */
int hasher_peek(const struct hasher *hasher, struct digest *ret);

#define HASHER_STATE_SIZE 56
/* Where the run stands, so that another process can go on with it: only after a multiple of 64 bytes, else
 * -EINVAL. It tells of the content as much as a digest does. */
int hasher_save(const struct hasher *hasher, uint8_t ret[HASHER_STATE_SIZE]);
/* Goes on from there: RET is the number of bytes that were added. -EINVAL: saved by nobody. */
int hasher_load(struct hasher *hasher, const uint8_t state[HASHER_STATE_SIZE],
		uint64_t *ret);

/* Digests LEN bytes of FD from OFFSET (LEN < 0: to the end) through pread; the number of bytes
 * read goes to ret_len if not NULL. *cancel (may be NULL) turning true ends it: -ECANCELED. */
int digest_fd(int fd, int64_t offset, int64_t len, const bool *cancel, struct digest *ret,
	      uint64_t *ret_len);

/* True only where both have a SHA-256 (else both an MD5) and they agree. */
bool digest_equal(const struct digest *a, const struct digest *b);
/* True where a digest that both have differs. */
bool digest_differs(const struct digest *a, const struct digest *b);

void hex_encode(const uint8_t *data, size_t len, char *ret); /* ret: 2 * len + 1 bytes */
/* Exactly LEN bytes from 2 * LEN hex digits and a NUL. 0 or -EINVAL. */
int hex_decode(const char *hex, uint8_t *ret, size_t len);
