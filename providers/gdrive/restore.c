/* Putting back what a file held before, a piece at a time. */
#include "providers/gdrive/restore.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "providers/gdrive/api.h"
#include "providers/gdrive/session.h"

#define PIECE ((uint64_t)8 << 20) /* a multiple of SESSION_GRAIN */

static int load_piece(const struct errand *errand, const struct wire_file *old,
		      uint64_t offset, uint64_t length, struct api_answer *ret)
{
	_cleanup_(freep) char *target =
		strf("/drive/v3/files/%s/revisions/%s?alt=media", old->id, old->revision);
	_cleanup_(freep) char *range =
		strf("Range: bytes=%" PRIu64 "-%" PRIu64, offset, offset + length - 1);
	struct api_request request = { .method = "GET",
				       .target = target,
				       .what = "read its old version",
				       .header = range,
				       .max_body = PIECE,
				       .lane = API_ANY_LANE,
				       .units = UNITS_MEDIA };
	int r;

	if (!target || !range)
		return -ENOMEM;
	r = api_run(errand, &request, ret);
	if (r == 0 && ret->http.body.len != length)
		return errand_say(errand, PROVIDER_BUSY,
				  "has an old version of another size");
	return r;
}

static int send_pieces(const struct errand *errand, const struct wire_file *old,
		       struct session *session)
{
	while (session->state == SESSION_OPEN) {
		_cleanup_(api_answer_done) struct api_answer answer = { 0 };
		uint64_t left = session->total - session->kept;
		struct session_chunk chunk = { .length = left < PIECE ? left : PIECE };
		uint64_t kept = session->kept;
		int r;

		if (!left)
			break;
		r = load_piece(errand, old, kept, chunk.length, &answer);
		if (r != 0)
			return r;
		chunk.data = answer.http.body.data;
		r = session_put(errand, session, &chunk);
		if (r == 0 && session->state == SESSION_OPEN && session->kept <= kept)
			break;
		if (r != 0)
			return r;
	}
	return session->state == SESSION_DONE
		       ? 0
		       : errand_say(errand, PROVIDER_BUSY,
				    "cannot be put back: Drive does not take it");
}

/* No bytes: a session wants some. */
static int send_nothing(const struct errand *errand, const struct wire_file *old)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(freep) char *target =
		strf("/upload/drive/v3/files/%s?uploadType=media", old->id);
	struct api_request request = { .method = "PATCH",
				       .target = target,
				       .what = "put back its old version",
				       .type = "application/octet-stream",
				       .body = "",
				       .lane = API_ANY_LANE,
				       .units = UNITS_EDIT,
				       .is_writing = true };

	return target ? api_run(errand, &request, &answer) : -ENOMEM;
}

int restore_file(const struct errand *errand, const struct wire_file *old)
{
	_cleanup_(session_done) struct session session = { .file.size = -1 };
	struct wire_meta meta = { .has_mtime = true, .mtime_ns = old->mtime_ns };
	_cleanup_(freep) char *text = wire_format_meta(&meta);
	struct session_start start = { .meta = text,
				       .replace_id = old->id,
				       .total = (uint64_t)old->size,
				       .lane = API_ANY_LANE };
	int r;

	if (!text)
		return -ENOMEM;
	if (old->size == 0)
		return send_nothing(errand, old);
	r = session_open(errand, &start, &session);
	if (r == 0)
		r = send_pieces(errand, old, &session);
	if (r == 0 && digest_differs(&session.file.digest, &old->digest))
		return errand_say(errand, PROVIDER_TORN, "arrived damaged once more");
	return r;
}
