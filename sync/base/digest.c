/*
 * Content digests. OpenSSL's older interface, since that alone lets a run be put aside and gone on with by another
 * process (the EVP interface keeps its state to itself); the code behind both is the same.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sync/base/digest.h"

#include <errno.h>
#include <string.h>

#include <openssl/md5.h>
#include <openssl/sha.h>

#define CHUNK (256 * 1024)
#define BLOCK 64

struct hasher {
	SHA256_CTX sha256;
	MD5_CTX md5;
	uint64_t len; /* bytes added */
};

static void restart(struct hasher *hasher)
{
	SHA256_Init(&hasher->sha256);
	MD5_Init(&hasher->md5);
	hasher->len = 0;
}

int hasher_new(struct hasher **ret)
{
	struct hasher *hasher = calloc(1, sizeof(*hasher));

	if (!hasher)
		return -ENOMEM;
	restart(hasher);
	*ret = hasher;
	return 0;
}

void hasher_free(struct hasher *hasher)
{
	free(hasher);
}

void hasher_add(struct hasher *hasher, const void *data, size_t len)
{
	SHA256_Update(&hasher->sha256, data, len);
	MD5_Update(&hasher->md5, data, len);
	hasher->len += len;
}

void hasher_take(struct hasher *hasher, struct digest *ret)
{
	SHA256_Final(ret->sha256, &hasher->sha256);
	MD5_Final(ret->md5, &hasher->md5);
	ret->has_sha256 = ret->has_md5 = true;
	restart(hasher);
}

int hasher_peek(const struct hasher *hasher, struct digest *ret)
{
	struct hasher copy = *hasher;

	hasher_take(&copy, ret);
	return 0;
}

/* ---- state: 8 words of SHA-256, 4 of MD5, the length; big-endian ---- */

static void put_word(uint8_t **p, uint64_t word, int bytes)
{
	for (int i = bytes; i-- > 0;)
		*(*p)++ = (uint8_t)(word >> 8 * i);
}

static uint64_t take_word(const uint8_t **p, int bytes)
{
	uint64_t word = 0;

	for (int i = 0; i < bytes; i++)
		word = word << 8 | *(*p)++;
	return word;
}

int hasher_save(const struct hasher *hasher, uint8_t ret[HASHER_STATE_SIZE])
{
	const MD5_CTX *md5 = &hasher->md5;

	if (hasher->len % BLOCK)
		return -EINVAL;
	for (int i = 0; i < 8; i++)
		put_word(&ret, hasher->sha256.h[i], 4);
	put_word(&ret, md5->A, 4);
	put_word(&ret, md5->B, 4);
	put_word(&ret, md5->C, 4);
	put_word(&ret, md5->D, 4);
	put_word(&ret, hasher->len, 8);
	return 0;
}

int hasher_load(struct hasher *hasher, const uint8_t state[HASHER_STATE_SIZE],
		uint64_t *ret)
{
	const uint8_t *length = state + HASHER_STATE_SIZE - 8;
	uint64_t len = take_word(&length, 8);
	MD5_CTX *md5 = &hasher->md5;

	if (len % BLOCK || len > INT64_MAX)
		return -EINVAL;
	restart(hasher);
	for (int i = 0; i < 8; i++)
		hasher->sha256.h[i] = (SHA_LONG)take_word(&state, 4);
	md5->A = (MD5_LONG)take_word(&state, 4);
	md5->B = (MD5_LONG)take_word(&state, 4);
	md5->C = (MD5_LONG)take_word(&state, 4);
	md5->D = (MD5_LONG)take_word(&state, 4);
	/* both count bits, in two words */
	hasher->sha256.Nl = md5->Nl = (SHA_LONG)(len << 3);
	hasher->sha256.Nh = md5->Nh = (SHA_LONG)(len >> 29);
	hasher->len = len;
	*ret = len;
	return 0;
}

int digest_fd(int fd, int64_t offset, int64_t len, const bool *cancel, struct digest *ret,
	      uint64_t *ret_len)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	_cleanup_(freep) char *chunk = malloc(CHUNK);
	uint64_t total = 0;
	int r;

	if (!chunk)
		return -ENOMEM;
	r = hasher_new(&hasher);
	if (r < 0)
		return r;
	while (len < 0 || total < (uint64_t)len) {
		size_t want = CHUNK;
		ssize_t n;

		if (cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED))
			return -ECANCELED;
		if (len >= 0 && (uint64_t)len - total < want)
			want = (size_t)((uint64_t)len - total);
		n = pread(fd, chunk, want, offset + (int64_t)total);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		hasher_add(hasher, chunk, (size_t)n);
		total += (uint64_t)n;
	}
	hasher_take(hasher, ret);
	if (ret_len)
		*ret_len = total;
	return 0;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	if (a->has_sha256 && b->has_sha256)
		return memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0;
	return a->has_md5 && b->has_md5 && memcmp(a->md5, b->md5, sizeof(a->md5)) == 0;
}

bool digest_differs(const struct digest *a, const struct digest *b)
{
	if (a->has_sha256 && b->has_sha256 &&
	    memcmp(a->sha256, b->sha256, sizeof(a->sha256)) != 0)
		return true;
	return a->has_md5 && b->has_md5 && memcmp(a->md5, b->md5, sizeof(a->md5)) != 0;
}

void hex_encode(const uint8_t *data, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		ret[2 * i] = digits[data[i] >> 4];
		ret[2 * i + 1] = digits[data[i] & 15];
	}
	ret[2 * len] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(const char *hex, uint8_t *ret, size_t len)
{
	if (strlen(hex) != 2 * len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}
