/* What an upload to Drive leaves behind to be resumed by. */
#include "providers/gdrive/ticket.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/buf.h"

/* VERSION ID PARENT SESSION PREVIOUS SIZE MTIME SOURCE STATE CHECK; "-" where there is none */
#define VERSION "2"
#define N_FIELDS 10
#define CHECK_DIGITS 16
#define FIELD_MAX 4096

void ticket_done(struct ticket *token)
{
	free(token->id);
	free(token->parent);
	free(token->session);
	free(token->previous);
	*token = (struct ticket){ 0 };
}

/* Over what stands before it. 0 or -ENOMEM. */
static int check_of(const char *text, size_t len, char ret[DIGEST_HEX_SIZE])
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct digest digest;

	if (hasher_new(&hasher) < 0)
		return -ENOMEM;
	hasher_add(hasher, text, len);
	hasher_take(hasher, &digest);
	hex_encode(digest.sha256, DIGEST_SHA256_SIZE, ret);
	ret[CHECK_DIGITS] = '\0';
	return 0;
}

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

char *ticket_format(const struct ticket *token)
{
	char source[DIGEST_HEX_SIZE] = "-", state[2 * HASHER_STATE_SIZE + 1];
	char check[DIGEST_HEX_SIZE];
	_cleanup_(buf_done) struct buf text = { 0 };

	if (token->source.has_sha256)
		hex_encode(token->source.sha256, DIGEST_SHA256_SIZE, source);
	hex_encode(token->state, HASHER_STATE_SIZE, state);
	buf_addf(&text, VERSION " %s %s %s %s %" PRId64 " %" PRId64 " %s %s ", token->id,
		 or_dash(token->parent), or_dash(token->session),
		 or_dash(token->previous), token->size, token->mtime_ns, source, state);
	if (text.has_failed || check_of(text.data, text.len, check) < 0)
		return NULL;
	buf_adds(&text, check);
	return buf_take(&text);
}

/* Cuts TEXT at its blanks. -EINVAL: another number of fields, or an empty one. */
static int split(char *text, const char *fields[N_FIELDS])
{
	size_t n = 0;
	char *field;

	while ((field = strsep(&text, " "))) {
		if (n == N_FIELDS || !field[0] || strlen(field) > FIELD_MAX)
			return -EINVAL;
		fields[n++] = field;
	}
	return n == N_FIELDS ? 0 : -EINVAL;
}

static int take_number(const char *text, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno || *end ? -EINVAL : 0;
}

static int take_text(const char *text, char **ret)
{
	if (strcmp(text, "-") == 0)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int take_fields(const char *const fields[N_FIELDS], struct ticket *ret)
{
	int r = take_text(fields[1], &ret->id);

	if (r == 0)
		r = take_text(fields[2], &ret->parent);
	if (r == 0)
		r = take_text(fields[3], &ret->session);
	if (r == 0)
		r = take_text(fields[4], &ret->previous);
	if (r == 0)
		r = take_number(fields[5], &ret->size);
	if (r == 0)
		r = take_number(fields[6], &ret->mtime_ns);
	if (r == 0 && strcmp(fields[7], "-") != 0) {
		r = hex_decode(fields[7], ret->source.sha256, DIGEST_SHA256_SIZE);
		ret->source.has_sha256 = r == 0;
	}
	if (r == 0)
		r = hex_decode(fields[8], ret->state, HASHER_STATE_SIZE);
	return r == 0 && (!ret->id || ret->size < 0) ? -EINVAL : r;
}

int ticket_parse(const char *text, struct ticket *ret)
{
	_cleanup_(freep) char *copy = strdup(text);
	_cleanup_(ticket_done) struct ticket token = { 0 };
	const char *fields[N_FIELDS], *last = strrchr(text, ' ');
	char check[DIGEST_HEX_SIZE];
	int r;

	if (!copy)
		return -ENOMEM;
	r = split(copy, fields);
	if (r < 0 || !last || strcmp(fields[0], VERSION) != 0)
		return -EINVAL;
	r = check_of(text, (size_t)(last - text) + 1, check);
	if (r < 0)
		return r;
	if (strcmp(fields[N_FIELDS - 1], check) != 0)
		return -EINVAL;
	r = take_fields(fields, &token);
	if (r < 0)
		return r;
	*ret = token;
	token = (struct ticket){ 0 };
	return 0;
}

bool ticket_is_of(const struct ticket *token, const struct provider_put *put,
		  const char *parent)
{
	return token->size == put->size && token->mtime_ns == put->mtime_ns &&
	       str_is_same(token->previous, put->previous) &&
	       str_is_same(token->parent, parent) &&
	       !digest_differs(&token->source, &put->digest);
}
