/*
 * Sending one object: small ones by one request, others through a session. Before the last byte goes out the caller is
 * asked once more; when it has, there is a file. Decides nothing about what lies at the name.
 */
#pragma once

#include "providers/gdrive/feed.h"
#include "providers/gdrive/session.h"

#define DELIVER_SMALL (5 << 20) /* bytes; by one request up to here, as Google advises */

struct delivery {
	const struct errand *errand;
	const struct provider_put *put;
	const char *parent;     /* folder of a new file */
	const char *replace_id; /* or: the file that gets the content; NULL: a new one */
	char *id;               /* of the new file, generated; NULL: not yet */
	bool has_used_id; /* the one that was brought along: what came of it is known */
	size_t lane;
	struct feed feed;
	struct session session; /* its uri NULL: none */
	bool was_resumed;
	bool was_taken; /* FILE is what another made with the same id: it may hold other bytes */
	struct digest sent;
	struct wire_file file; /* what Drive made of it */
	/* Asked when all but the last bytes are there and the source was the same. 0: go on. */
	int (*before_last)(void *context);
	void *context;
};
int delivery_init(struct delivery *delivery, const struct errand *errand,
		  const struct provider_put *put);
void delivery_done(struct delivery *delivery);

/* 0: FILE is there, SENT is the digest of what was sent; else an outcome. What BEFORE_LAST returned is passed up. */
_must_check_ int deliver(struct delivery *delivery);
/* The same, by a copy of that file made there, whose content the caller has compared with the source's digest. */
_must_check_ int deliver_copy(struct delivery *delivery, const char *id);
/* Gives up what was sent so far, at the other end too; the next deliver() begins anew. */
void deliver_discard(struct delivery *delivery);
