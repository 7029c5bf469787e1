/*
 * What an upload leaves behind to be resumed by, as text: the part file's name, how far it was written and synced, and
 * of what source. Pure.
 */
#pragma once

#include <stdint.h>

#include "sync/provider.h"

#define TOKEN_PART_SIZE 80 /* of a part's name, with its NUL */

struct token {
	char part[TOKEN_PART_SIZE]; /* "HASH.SIZE.RANDOM" */
	uint64_t offset;            /* bytes that are safe in it */
	int64_t size, mtime_ns;     /* of the source */
	struct digest prefix;       /* of those bytes */
	struct digest
		source; /* of the whole source where it was known before, else empty */
};

/* NULL on -ENOMEM. */
char *token_format(const struct token *token);
/* 0 or -EINVAL: written by something else. */
int token_parse(const char *text, struct token *ret);
/* True where the token is about this very source. */
bool token_is_of(const struct token *token, const struct provider_put *put);

/* A part's name: "HASH.SIZE." of the object that PUT is about. NULL on -ENOMEM. */
char *token_part_prefix(const struct provider_put *put);
/* True where NAME is PREFIX and 16 hex digits; PREFIX NULL: where it is any part's name. */
bool token_is_part(const char *name, const char *prefix);
