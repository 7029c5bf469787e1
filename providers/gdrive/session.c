/* A resumable upload session of Drive. */
#include "providers/gdrive/session.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "providers/gdrive/api.h"

#define FIELDS "fields=" WIRE_FILE_FIELDS
#define TYPE_JSON "application/json; charset=UTF-8"
#define TYPE_BYTES "application/octet-stream"

void session_done(struct session *session)
{
	free(session->uri);
	wire_file_done(&session->file);
	*session = (struct session){ .file.size = -1 };
}

/* A place that may get the content: where we asked for it, or Google's. */
static bool is_trusted(const struct drive *drive, const char *uri)
{
	size_t len = strlen(drive->endpoint);

	if (strncmp(uri, drive->endpoint, len) == 0 && uri[len] == '/')
		return true;
	return strncmp(uri, "https://", 8) == 0 && http_is_safe_url(uri) &&
	       !strpbrk(uri, " \r\n");
}

int session_open(const struct errand *errand, const struct session_start *start,
		 struct session *session)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(freep) char *target = strf(
		"/upload/drive/v3/files%s%s?uploadType=resumable&" FIELDS,
		start->replace_id ? "/" : "", start->replace_id ? start->replace_id : "");
	_cleanup_(freep) char *length =
		strf("X-Upload-Content-Length: %" PRIu64, start->total);
	struct api_request request = {
		.method = start->replace_id ? "PATCH" : "POST",
		.target = target,
		.what = "begin to store it",
		.type = TYPE_JSON,
		.header = length,
		.header2 = "X-Upload-Content-Type: " TYPE_BYTES,
		.body = start->meta,
		.body_len = (int64_t)strlen(start->meta),
		.lane = start->lane,
		.units = UNITS_EDIT,
		.is_writing = true,
	};
	int r;

	if (!target || !length)
		return -ENOMEM;
	r = api_run(errand, &request, &answer);
	session->is_taken = answer.verdict == VERDICT_TAKEN;
	if (r != 0)
		return r;
	if (!answer.http.location || !is_trusted(errand->drive, answer.http.location))
		return errand_say(errand, PROVIDER_BUSY,
				  "cannot be stored: Drive named no place to send it to");
	session->uri = steal(answer.http.location);
	session->total = start->total;
	session->state = SESSION_OPEN;
	session->kept = 0;
	return 0;
}

/* "bytes=0-N": N + 1 bytes are kept, always from 0; no header: none. */
static int take_range(const struct errand *errand, const char *range,
		      struct session *session)
{
	struct wire_range kept;

	session->state = SESSION_OPEN;
	session->kept = 0;
	if (!range)
		return 0;
	if (wire_parse_range(range, &kept) < 0 || kept.first ||
	    kept.last >= session->total)
		return errand_say(errand, PROVIDER_BUSY,
				  "cannot be stored: Drive says that it kept other bytes "
				  "than were sent");
	session->kept = kept.last + 1;
	return 0;
}

static int take_answer(const struct errand *errand, int r,
		       const struct api_answer *answer, struct session *session)
{
	session->is_lost_answer = answer->is_lost;
	session->is_taken = answer->verdict == VERDICT_TAKEN;
	/* the guide: any 4xx but for rates ends a session */
	if (r == PROVIDER_GONE || r == PROVIDER_UNAUTHORIZED ||
	    (r == PROVIDER_REFUSED && answer->http.status >= 400 &&
	     answer->http.status < 500)) {
		session->state = SESSION_LOST;
		return 0;
	}
	if (r != 0)
		return r;
	if (answer->http.status == 308)
		return take_range(errand, answer->http.range, session);
	wire_file_done(&session->file);
	r = wire_parse_file(buf_str(&answer->http.body), answer->http.body.len,
			    &session->file);
	if (r == -EINVAL)
		return errand_say(errand, PROVIDER_BUSY,
				  "may be stored: the answer makes no sense");
	session->state = SESSION_DONE;
	session->kept = session->total;
	return r;
}

int session_query(const struct errand *errand, struct session *session)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(freep) char *range =
		strf("Content-Range: bytes */%" PRIu64, session->total);
	struct api_request request = {
		.method = "PUT",
		.session = session->uri,
		.what = "ask how far it was stored",
		.header = range,
		.is_writing = true,
	};
	int r;

	if (!range)
		return -ENOMEM;
	r = api_run(errand, &request, &answer);
	return take_answer(errand, r, &answer, session);
}

int session_put(const struct errand *errand, struct session *session,
		const struct session_chunk *chunk)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(freep) char *range =
		strf("Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
		     session->kept, session->kept + chunk->length - 1, session->total);
	struct api_request request = {
		.method = "PUT",
		.session = session->uri,
		.what = "store it",
		.type = TYPE_BYTES,
		.header = range,
		.body = chunk->data,
		.source = chunk->source,
		.context = chunk->context,
		.body_len = (int64_t)chunk->length,
		.is_writing = true,
	};
	int r;

	if (!range)
		return -ENOMEM;
	r = api_run(errand, &request, &answer);
	return take_answer(errand, r, &answer, session);
}

void session_cancel(const struct errand *errand, const char *uri)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	struct error said = errand->call->error;
	struct api_request request = { .method = "DELETE",
				       .session = uri,
				       .what = "drop what was sent",
				       .is_writing = true,
				       .is_cleanup = true };

	/* an abandoned one leaves nothing visible, and ends by itself in a week */
	(void)!api_run(errand, &request, &answer);
	errand->call->error = said;
}
