/*
 * The part file of one upload: `.sitefs/incoming/HASH.SIZE.RANDOM`, locked while somebody writes it.
 *
 *   part_create ─┐
 *   part_resume ─┴─► part_add … part_save … ─► part_finish ─► moved into place ─► part_done
 *                                          └─► part_discard
 *
 * A part that is not discarded stays for the token that was saved last; nobody's are swept after a week.
 */
#pragma once

#include "providers/local_drive/token.h"
#include "providers/local_drive/visit.h"

/* All zero but fd = -1: empty. */
struct part {
	int fd;
	char *path; /* below the root, wherever it was moved to; NULL: not our file */
	uint64_t offset;       /* bytes taken so far */
	uint64_t saved;        /* of them, by the last token */
	struct hasher *hasher; /* of them */
};

/* PART is empty, and empty again where it fails. */
int part_create(const struct visit *visit, const struct provider_put *put,
		struct part *part);
/* The same where the token of PUT left off, the bytes up to there compared with what was sent then. -ENOENT: it
 * cannot be; begin anew. */
int part_resume(const struct visit *visit, const struct provider_put *put,
		struct part *part);
void part_done(struct part *part);
/* Takes the next bytes: hashes and writes them; zeros become a hole. Without a file (fd -1) it hashes only. */
int part_add(struct part *part, const struct visit *visit, const void *data, size_t len);
/* Makes what was taken durable and replaces the token of PUT. */
int part_save(struct part *part, const struct visit *visit,
	      const struct provider_put *put);
/* Sets size and mtime and makes all durable; SENT is the digest of what was taken. */
int part_finish(struct part *part, const struct visit *visit,
		const struct provider_put *put, struct digest *ret_sent);
/* Reads all of it back: PROVIDER_TORN where it is not SENT. */
int part_verify(struct part *part, const struct visit *visit, const struct digest *sent);
/* Removes the file, and the token that stood for it. */
void part_discard(struct part *part, const struct visit *visit,
		  const struct provider_put *put);

/* Removes parts that nobody has touched for a week. Best effort. */
void part_sweep(int root_fd);
