/*
 * A resumable upload session of Drive (developers.google.com/workspace/drive/api/guides/manage-uploads). What counts is
 * what the other end says it kept, never what was sent. No file exists until the last byte has come.
 */
#pragma once

#include "providers/gdrive/errand.h"
#include "providers/gdrive/wire.h"

#define SESSION_GRAIN ((uint64_t)256 << 10) /* chunks but the last are multiples of it */

enum session_state {
	SESSION_OPEN, /* `kept` bytes are there */
	SESSION_DONE, /* all came, and there is a file */
	SESSION_LOST, /* the other end knows nothing of it: begin anew */
};

struct session {
	char *uri; /* secret */
	uint64_t total;
	enum session_state state;
	uint64_t kept;
	struct wire_file file; /* once done */
	bool is_lost_answer;   /* the last request failed, and may have arrived: query */
	bool is_taken;         /* the id that was brought is somebody's already */
};
void session_done(struct session *session);

struct session_start {
	const char *meta; /* JSON */
	const char
		*replace_id; /* of the file whose content it becomes; NULL: a new one */
	uint64_t total;
	size_t lane;
};
/* SESSION is zeroed; it is open where this returns 0. */
_must_check_ int session_open(const struct errand *errand,
			      const struct session_start *start, struct session *session);
/* Where it stands: 0 with the state. */
_must_check_ int session_query(const struct errand *errand, struct session *session);

struct session_chunk {
	uint64_t length;  /* from what was kept on */
	const void *data; /* or */
	http_source *source;
	void *context;
};
/* 0 with the state. */
_must_check_ int session_put(const struct errand *errand, struct session *session,
			     const struct session_chunk *chunk);
/* Drops what was kept. Best effort, after a cancel too. */
void session_cancel(const struct errand *errand, const char *uri);
