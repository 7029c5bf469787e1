/* Content digests through OpenSSL's EVP interface. */
#include "sync/base/digest.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <openssl/evp.h>

#define CHUNK (256 * 1024)

struct hasher {
	EVP_MD_CTX *sha256, *md5;
};

static void restart(struct hasher *hasher)
{
	int r = EVP_DigestInit_ex(hasher->sha256, EVP_sha256(), NULL) &&
		EVP_DigestInit_ex(hasher->md5, EVP_md5(), NULL);

	assert(r);
}

int hasher_new(struct hasher **ret)
{
	_cleanup_(hasher_freep) struct hasher *hasher = calloc(1, sizeof(*hasher));

	if (!hasher)
		return -ENOMEM;
	hasher->sha256 = EVP_MD_CTX_new();
	hasher->md5 = EVP_MD_CTX_new();
	if (!hasher->sha256 || !hasher->md5)
		return -ENOMEM;
	restart(hasher);
	*ret = steal(hasher);
	return 0;
}

void hasher_free(struct hasher *hasher)
{
	if (!hasher)
		return;
	EVP_MD_CTX_free(hasher->sha256);
	EVP_MD_CTX_free(hasher->md5);
	free(hasher);
}

void hasher_add(struct hasher *hasher, const void *data, size_t len)
{
	EVP_DigestUpdate(hasher->sha256, data, len);
	EVP_DigestUpdate(hasher->md5, data, len);
}

void hasher_take(struct hasher *hasher, struct digest *ret)
{
	EVP_DigestFinal_ex(hasher->sha256, ret->sha256, NULL);
	EVP_DigestFinal_ex(hasher->md5, ret->md5, NULL);
	ret->has_sha256 = ret->has_md5 = true;
	restart(hasher);
}

int hasher_peek(const struct hasher *hasher, struct digest *ret)
{
	_cleanup_(hasher_freep) struct hasher *copy = NULL;
	int r = hasher_new(&copy);

	if (r < 0)
		return r;
	if (!EVP_MD_CTX_copy_ex(copy->sha256, hasher->sha256) ||
	    !EVP_MD_CTX_copy_ex(copy->md5, hasher->md5))
		return -ENOMEM;
	hasher_take(copy, ret);
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
