/* What an answer of Drive means to the port. Pure. The classes are those of Google's guide "Resolve errors". */
#pragma once

#include <stdbool.h>

#include "providers/gdrive/wire.h"

enum verdict {
	VERDICT_NONE,    /* it is a success */
	VERDICT_LOGIN,   /* the token was refused: get another one, once */
	VERDICT_RATE,    /* too many requests: wait, all of us */
	VERDICT_SERVER,  /* trouble at the other end: later */
	VERDICT_GONE,    /* no such thing, or none that we may see */
	VERDICT_TAKEN,   /* the id that we brought is in use: it is done already */
	VERDICT_FULL,    /* no room, or a quota of hours */
	VERDICT_DENIED,  /* we may not */
	VERDICT_HELD,    /* the file's own download quota */
	VERDICT_RANGE,   /* it has no such bytes */
	VERDICT_REFUSED, /* this object cannot be had or held, ever */
};
enum verdict verdict_of(int status, const struct wire_error *error);
/* A provider_outcome for it; 0 for VERDICT_NONE. VERDICT_DENIED concerns the site only where writing: what we may not read
 * is one object. */
int verdict_outcome(enum verdict verdict, bool is_writing);
