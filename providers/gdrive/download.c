/*
 * Content of one object. An answer of Drive carries no revision, so the file is looked at before the first byte and
 * after the last: bytes of two revisions never pass for one object. A caller who looks by itself in the end
 * (max_age_ms) has one look for many ranges; one that shows another revision fails the range that comes next.
 */
#include "providers/gdrive/download.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "providers/gdrive/api.h"
#include "providers/gdrive/find.h"
#include "providers/gdrive/item.h"

#define TRIES 4 /* of a range whose connection broke after some bytes */

struct range {
	const struct errand *errand;
	const struct download *download;
	struct api_answer *answer;
	int64_t size;    /* of the object */
	uint64_t taken;  /* bytes that the sink has, from the offset */
	bool is_checked; /* the answer is about the range that was asked for */
};

/* The answer begins where we asked it to, and belongs to an object of that size. */
static bool is_ours(const struct range *range)
{
	const struct http_answer *http = &range->answer->http;
	struct wire_range told;

	if (http->status == 200)
		return range->download->offset + range->taken == 0;
	if (!http->content_range || wire_parse_range(http->content_range, &told) < 0)
		return false;
	return told.first == range->download->offset + range->taken &&
	       told.size == (uint64_t)range->size;
}

static int take(void *context, const void *data, size_t len)
{
	struct range *range = context;
	const struct download *download = range->download;
	struct provider_call *call = range->errand->call;
	uint64_t left = download->length - range->taken;
	int r;

	if (!range->is_checked && !is_ours(range))
		return -EBADMSG;
	range->is_checked = true;
	if (len > left)
		return -EBADMSG;
	if (errand_is_canceled(range->errand))
		return -ECANCELED;
	r = download->sink(download->context, data, len, download->offset + range->taken);
	if (r != 0)
		return r;
	range->taken += len;
	if (call->progress)
		call->progress(call->progress_context, range->taken);
	return 0;
}

/* The rest of the range by one request. */
static int load(struct range *range, const char *id)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(freep) char *target = strf("/drive/v3/files/%s?alt=media", id);
	_cleanup_(freep) char *header =
		strf("Range: bytes=%" PRIu64 "-%" PRIu64,
		     range->download->offset + range->taken,
		     range->download->offset + range->download->length - 1);
	struct api_request request = { .method = "GET",
				       .target = target,
				       .what = "read it",
				       .header = header,
				       .sink = take,
				       .context = range,
				       .lane = API_ANY_LANE,
				       .units = UNITS_MEDIA };
	int r;

	if (!target || !header)
		return -ENOMEM;
	range->answer = &answer;
	range->is_checked = false;
	r = api_run(range->errand, &request, &answer);
	if (r == -EBADMSG)
		return errand_say(
			range->errand, PROVIDER_TORN,
			"cannot be read: Drive sent other bytes than were asked "
			"for");
	if (r == 0 && range->taken < range->download->length)
		return errand_say(
			range->errand, PROVIDER_BUSY,
			"cannot be read: Drive sent fewer bytes than were asked "
			"for");
	return r;
}

/* All of it. A connection that broke is gone on with as long as something comes. */
static int load_all(struct range *range, const char *id)
{
	for (int i = 0;; i++) {
		uint64_t taken = range->taken;
		int r = load(range, id);

		if (r != PROVIDER_BUSY || range->taken == taken || i == TRIES)
			return r;
	}
}

/* After the last byte: the object is still the revision that it was. */
static int check_after(const struct errand *errand, const char *id,
		       const struct wire_file *before)
{
	_cleanup_(wire_file_done) struct wire_file after = { .size = -1 };
	int r = find_by_id(errand, id, &after);

	if (r == 0 && !wire_is_object(&after))
		return errand_say(errand, PROVIDER_GONE,
				  "is no file with bytes any more");
	return r == 0 ? item_check(errand, &after, before->revision) : r;
}

static int load_checked(const struct errand *errand, const struct download *download,
			const struct wire_file *file)
{
	struct range range = { .errand = errand,
			       .download = download,
			       .size = file->size };
	struct error said;
	int r, after;

	if (!download->length)
		return 0;
	r = load_all(&range, file->id);
	if (r < 0)
		return r;
	if (errand->call->max_age_ms)
		return r;
	said = errand->call->error;
	after = check_after(errand, file->id, file);
	if (after == 0)
		errand->call->error = said;
	return after ? after : r;
}

/* The object as it is, or as it was seen to be lately. */
static int look(const struct errand *errand, const struct download *download,
		struct wire_file *ret)
{
	int64_t size;
	int r;

	*ret = (struct wire_file){ .size = -1 };
	if (download->id && download->revision &&
	    seen_recall(errand, download->id, download->revision, &size)) {
		ret->id = strdup(download->id);
		ret->revision = strdup(download->revision);
		ret->size = size;
		ret->can_download = true;
		return ret->id && ret->revision ? 0 : -ENOMEM;
	}
	r = item_find(errand, download->id, ret);
	if (r == 0)
		r = item_check(errand, ret, download->revision);
	if (r == 0 && ret->can_download)
		seen_note(errand, ret->id, ret->revision, ret->size);
	return r;
}

int download_fetch(const struct errand *errand, const struct download *download)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	int r = look(errand, download, &file);

	if (r != 0)
		return r;
	if (!file.can_download)
		return errand_say(errand, PROVIDER_REFUSED,
				  "may not be downloaded: its owner disabled that for "
				  "viewers");
	if (download->offset > (uint64_t)file.size ||
	    download->length > (uint64_t)file.size - download->offset)
		return errand_say(
			errand, PROVIDER_TORN,
			"has %jd bytes, %" PRIu64 " from %" PRIu64 " were wanted",
			(intmax_t)file.size, download->length, download->offset);
	return load_checked(errand, download, &file);
}

static int add(void *context, const void *data, size_t len, uint64_t offset)
{
	hasher_add(context, data, len);
	return 0;
}

int download_digest(const struct errand *errand, const char *id, const char *revision,
		    struct digest *ret)
{
	_cleanup_(wire_file_done) struct wire_file file = { .size = -1 };
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct download download = { .sink = add };
	int r = item_find(errand, id, &file);

	if (r == 0)
		r = item_check(errand, &file, revision);
	if (r != 0)
		return r;
	if (file.digest.has_sha256 || file.digest.has_md5) {
		*ret = file.digest;
		return 0;
	}
	r = hasher_new(&hasher);
	if (r < 0)
		return r;
	download.length = (uint64_t)file.size;
	download.context = hasher;
	r = load_checked(errand, &download, &file);
	if (r == 0)
		hasher_take(hasher, ret);
	return r;
}
