/*
 * What an upload to Drive leaves behind to be resumed by, as text: the id that the new file will have, the session, how
 * far the source was hashed, and of what source. A session's URI is a secret: whoever has it can write. Pure.
 */
#pragma once

#include <stdint.h>

#include "sync/provider.h"

struct ticket {
	char *id;      /* of the file: generated before, or of the one that is replaced */
	char *parent;  /* the folder that a new one goes to */
	char *session; /* NULL: one request, whose answer was lost */
	char *previous;         /* revision that it replaces; NULL: a new file */
	int64_t size, mtime_ns; /* of the source */
	struct digest source;   /* of all of it where it was known before, else empty */
	uint8_t state[HASHER_STATE_SIZE]; /* of a hasher; all zero: nothing was hashed */
};
void ticket_done(struct ticket *token);

/* NULL on -ENOMEM. */
char *ticket_format(const struct ticket *token);
/* 0; -EINVAL: written by something else, or damaged; -ENOMEM. RET is the caller's to end where it is 0. */
int ticket_parse(const char *text, struct ticket *ret);
/* True where the token is about this very source, for that folder. */
bool ticket_is_of(const struct ticket *token, const struct provider_put *put,
		  const char *parent);
