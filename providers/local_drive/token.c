/* What an upload leaves behind to be resumed by. */
#include "providers/local_drive/token.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/buf.h"

#define HEX "0123456789abcdef"
#define VERSION "1"
#define HASH_DIGITS 32
#define RANDOM_DIGITS 16

static void encode_sha256(const struct digest *digest, char ret[DIGEST_HEX_SIZE])
{
	if (digest->has_sha256)
		hex_encode(digest->sha256, DIGEST_SHA256_SIZE, ret);
	else
		snprintf(ret, DIGEST_HEX_SIZE, "-");
}

static int decode_sha256(const char *text, struct digest *ret)
{
	*ret = (struct digest){ 0 };
	if (strcmp(text, "-") == 0)
		return 0;
	ret->has_sha256 = true;
	return hex_decode(text, ret->sha256, DIGEST_SHA256_SIZE);
}

char *token_format(const struct token *token)
{
	char prefix[DIGEST_HEX_SIZE], source[DIGEST_HEX_SIZE];

	encode_sha256(&token->prefix, prefix);
	encode_sha256(&token->source, source);
	return strf(VERSION " %s %" PRIu64 " %" PRId64 " %" PRId64 " %s %s", token->part,
		    token->offset, token->size, token->mtime_ns, prefix, source);
}

/* The next field, which ends at a blank or at the end; false where it is empty or longer than SIZE - 1. */
static bool take_field(const char **text, char *ret, size_t size)
{
	size_t len = strcspn(*text, " ");

	if (!len || len >= size)
		return false;
	memcpy(ret, *text, len);
	ret[len] = '\0';
	*text += len;
	*text += **text == ' ';
	return true;
}

static bool take_number(const char **text, int64_t *ret)
{
	char field[24], *end;

	if (!take_field(text, field, sizeof(field)))
		return false;
	errno = 0;
	*ret = strtoll(field, &end, 10);
	return errno == 0 && !*end;
}

int token_parse(const char *text, struct token *ret)
{
	char version[8], prefix[DIGEST_HEX_SIZE], source[DIGEST_HEX_SIZE];
	struct token token;
	int64_t offset;

	if (!take_field(&text, version, sizeof(version)) ||
	    strcmp(version, VERSION) != 0 ||
	    !take_field(&text, token.part, sizeof(token.part)) ||
	    !take_number(&text, &offset) || !take_number(&text, &token.size) ||
	    !take_number(&text, &token.mtime_ns) ||
	    !take_field(&text, prefix, sizeof(prefix)) ||
	    !take_field(&text, source, sizeof(source)) || *text)
		return -EINVAL;
	if (!token_is_part(token.part, NULL) || offset < 0 || offset > token.size)
		return -EINVAL;
	token.offset = (uint64_t)offset;
	if (decode_sha256(prefix, &token.prefix) < 0 || !token.prefix.has_sha256 ||
	    decode_sha256(source, &token.source) < 0)
		return -EINVAL;
	*ret = token;
	return 0;
}

bool token_is_of(const struct token *token, const struct provider_put *put)
{
	return token->size == put->size && token->mtime_ns == put->mtime_ns &&
	       !digest_differs(&token->source, &put->digest);
}

char *token_part_prefix(const struct provider_put *put)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	char hash[2 * DIGEST_MD5_SIZE + 1];
	struct digest digest;

	if (hasher_new(&hasher) < 0)
		return NULL;
	hasher_add(hasher, put->ref.path, strlen(put->ref.path));
	hasher_take(hasher, &digest);
	hex_encode(digest.md5, DIGEST_MD5_SIZE, hash);
	return strf("%s.%" PRId64 ".", hash, put->size);
}

/* Steps over N hex digits, or to NULL. */
static const char *skip_hex(const char *p, size_t n)
{
	return strspn(p, HEX) == n ? p + n : NULL;
}

bool token_is_part(const char *name, const char *prefix)
{
	const char *p = name;
	size_t digits;

	if (prefix) {
		if (strncmp(name, prefix, strlen(prefix)) != 0)
			return false;
		p += strlen(prefix);
	} else {
		p = skip_hex(p, HASH_DIGITS);
		if (!p || *p != '.')
			return false;
		digits = strspn(++p, "0123456789");
		if (!digits || digits > 19 || p[digits] != '.')
			return false;
		p += digits + 1;
	}
	p = skip_hex(p, RANDOM_DIGITS);
	return p && !*p;
}
