/* Sending one object. */
#include "providers/gdrive/deliver.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "providers/gdrive/api.h"
#include "providers/gdrive/find.h"
#include "providers/gdrive/ticket.h"
#include "sync/base/path.h"

#define CHUNK ((uint64_t)512 << 20) /* of a session: a request each */
#define IDLE_MAX 3                  /* answers without a byte more */
#define SESSIONS_MAX 3              /* that may get lost in one call */
#define FIELDS "fields=" WIRE_FILE_FIELDS

int delivery_init(struct delivery *delivery, const struct errand *errand,
		  const struct provider_put *put)
{
	*delivery = (struct delivery){
		.errand = errand, .put = put, .file.size = -1, .session.file.size = -1
	};
	return feed_init(&delivery->feed, errand, put);
}

void delivery_done(struct delivery *delivery)
{
	feed_done(&delivery->feed);
	session_done(&delivery->session);
	wire_file_done(&delivery->file);
	free(delivery->id);
}

/* ---- what the next process would go on with ---- */

static void drop_token(struct delivery *delivery)
{
	struct provider_resume *resume = delivery->put->resume;

	if (!resume)
		return;
	free(resume->token);
	resume->token = NULL;
}

static int save(struct delivery *delivery)
{
	const struct provider_put *put = delivery->put;
	struct provider_resume *resume = put->resume;
	struct ticket token = { .id = delivery->replace_id ? strdup(delivery->replace_id)
							   : strdup(delivery->id),
				.previous = put->previous ? strdup(put->previous) : NULL,
				.parent = strdup(delivery->parent),
				.size = put->size,
				.mtime_ns = put->mtime_ns,
				.source = put->digest };
	char *text = NULL;

	if (delivery->session.uri)
		token.session = strdup(delivery->session.uri);
	if (hasher_save(delivery->feed.hasher, token.state) < 0)
		memset(token.state, 0, sizeof(token.state));
	if (token.id && token.parent && (!put->previous || token.previous) &&
	    (!delivery->session.uri || token.session))
		text = ticket_format(&token);
	ticket_done(&token);
	if (!text)
		return -ENOMEM;
	free(resume->token);
	resume->token = text;
	return resume->save ? resume->save(resume->context, text, delivery->feed.hashed)
			    : 0;
}

static int save_step(void *context)
{
	struct delivery *delivery = context;

	return delivery->put->resume ? save(delivery) : 0;
}

void deliver_discard(struct delivery *delivery)
{
	if (delivery->session.uri && delivery->session.state == SESSION_OPEN)
		session_cancel(delivery->errand, delivery->session.uri);
	session_done(&delivery->session);
	drop_token(delivery);
	feed_restart(&delivery->feed);
	free(steal(delivery->id));
	delivery->was_resumed = false;
}

/* ---- metadata ---- */

static int need_id(struct delivery *delivery)
{
	if (delivery->id || delivery->replace_id)
		return 0;
	if (!delivery->has_used_id)
		delivery->id = errand_id(delivery->errand, ERRAND_FILE);
	delivery->has_used_id = true;
	return delivery->id ? 0 : api_new_id(delivery->errand, &delivery->id);
}

static char *meta_of(const struct delivery *delivery)
{
	struct wire_meta meta = { .has_mtime = true,
				  .mtime_ns = delivery->put->mtime_ns };

	if (!delivery->replace_id) {
		meta.id = delivery->id;
		meta.name = path_name(delivery->errand->path);
		meta.parent = delivery->parent;
	}
	return wire_format_meta(&meta);
}

/* ---- did it arrive after all? ---- */

/* After an answer that was lost. 0: FILE is it; PROVIDER_GONE: it did not come. */
static int look_after(struct delivery *delivery)
{
	const struct errand *errand = delivery->errand;
	const char *id = delivery->replace_id ? delivery->replace_id : delivery->id;
	struct wire_file file;
	int r = find_trashed(errand, id, &file);

	if (r == 0 && delivery->replace_id && delivery->put->previous && file.revision &&
	    strcmp(file.revision, delivery->put->previous) == 0)
		r = PROVIDER_GONE;
	if (r != 0) {
		wire_file_done(&file);
		return r;
	}
	wire_file_done(&delivery->file);
	delivery->file = file;
	return 0;
}

/* R was met by a request whose effect is unknown: 0 where it had it, else R with what was said of it. */
static int settle(struct delivery *delivery, int r)
{
	struct provider_call *call = delivery->errand->call;
	struct error said = call->error;
	int found = look_after(delivery);

	if (found == 0 || found == -ENOMEM || found == -ECANCELED)
		return found;
	/* it may be there still, if that cannot be asked either: the id is kept for the next try */
	if (found != PROVIDER_GONE && delivery->put->resume && !delivery->session.uri) {
		int saved = save(delivery);

		if (saved < 0)
			return saved;
	}
	call->error = said;
	return r;
}

/* The id is somebody's: of another host that had the same lease, or ours by an answer that was lost. */
static int take_taken(struct delivery *delivery)
{
	int r = look_after(delivery);

	delivery->was_taken = r == 0 && !delivery->file.is_trashed;
	if (delivery->was_taken || (r != 0 && r != PROVIDER_GONE))
		return r;
	/* it was, and is no more */
	free(steal(delivery->id));
	return errand_say(delivery->errand, PROVIDER_BUSY,
			  "cannot be stored: its id is used up; another one is taken");
}

/* ---- one request ---- */

static int add_parts(struct buf *body, const char *boundary, const char *meta,
		     const char *data, size_t len)
{
	buf_addf(body, "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n",
		 boundary);
	buf_addf(body, "%s\r\n--%s\r\nContent-Type: application/octet-stream\r\n\r\n",
		 meta, boundary);
	buf_add(body, data, len);
	buf_addf(body, "\r\n--%s--\r\n", boundary);
	return body->has_failed ? -ENOMEM : 0;
}

static int boundary_of(char ret[33])
{
	uint8_t random[16];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	hex_encode(random, sizeof(random), ret);
	return 0;
}

static int post_parts(struct delivery *delivery, const char *data, size_t len,
		      struct api_answer *answer)
{
	const char *replace = delivery->replace_id;
	_cleanup_(freep) char *target =
		strf("/upload/drive/v3/files%s%s?uploadType=multipart&" FIELDS,
		     replace ? "/" : "", replace ? replace : "");
	_cleanup_(freep) char *meta = meta_of(delivery);
	_cleanup_(buf_done) struct buf body = { 0 };
	_cleanup_(freep) char *type = NULL;
	struct api_request request = { .method = replace ? "PATCH" : "POST",
				       .target = target,
				       .what = "store it",
				       .lane = delivery->lane,
				       .units = UNITS_EDIT,
				       .is_writing = true };
	char boundary[33];
	int r = boundary_of(boundary);

	if (r < 0)
		return r;
	type = strf("multipart/related; boundary=%s", boundary);
	if (!target || !meta || !type)
		return -ENOMEM;
	r = add_parts(&body, boundary, meta, data, len);
	if (r < 0)
		return r;
	request.type = type;
	request.body = body.data;
	request.body_len = (int64_t)body.len;
	return api_run(delivery->errand, &request, answer);
}

static int deliver_small(struct delivery *delivery)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	size_t size = (size_t)delivery->put->size;
	_cleanup_(freep) char *data = malloc(size + 1);
	int r;

	if (!data)
		return -ENOMEM;
	r = feed_end(&delivery->feed, data, &delivery->sent);
	if (r == 0)
		r = delivery->before_last(delivery->context);
	if (r == 0)
		r = need_id(delivery);
	if (r == 0)
		r = post_parts(delivery, data, size, &answer);
	if (answer.verdict == VERDICT_TAKEN)
		return take_taken(delivery);
	if (r != 0)
		return answer.is_lost ? settle(delivery, r) : r;
	r = wire_parse_file(buf_str(&answer.http.body), answer.http.body.len,
			    &delivery->file);
	return r == -EINVAL ? settle(delivery, PROVIDER_BUSY) : r;
}

/* ---- by a copy ---- */

static int post_copy(struct delivery *delivery, const char *id, struct api_answer *answer)
{
	_cleanup_(freep) char *target = strf("/drive/v3/files/%s/copy?" FIELDS, id);
	_cleanup_(freep) char *meta = meta_of(delivery);
	struct api_request request = { .method = "POST",
				       .target = target,
				       .what = "copy it there",
				       .type = "application/json; charset=UTF-8",
				       .body = meta,
				       .body_len = meta ? (int64_t)strlen(meta) : 0,
				       .lane = delivery->lane,
				       .units = UNITS_EDIT,
				       .is_writing = true };

	if (!target || !meta)
		return -ENOMEM;
	return api_run(delivery->errand, &request, answer);
}

int deliver_copy(struct delivery *delivery, const char *id)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	int r;

	if (!feed_is_source_same(&delivery->feed))
		return feed_source_changed(&delivery->feed, "changed at its source");
	r = need_id(delivery);
	if (r == 0)
		r = post_copy(delivery, id, &answer);
	delivery->sent = delivery->put->digest;
	if (r != 0)
		return answer.is_lost || answer.verdict == VERDICT_TAKEN
			       ? settle(delivery, r)
			       : r;
	r = wire_parse_file(buf_str(&answer.http.body), answer.http.body.len,
			    &delivery->file);
	return r == -EINVAL ? settle(delivery, PROVIDER_BUSY) : r;
}

/* ---- through a session ---- */

static int begin(struct delivery *delivery)
{
	_cleanup_(freep) char *meta = NULL;
	struct session_start start = { .replace_id = delivery->replace_id,
				       .total = (uint64_t)delivery->put->size,
				       .lane = delivery->lane };
	int r = need_id(delivery);

	if (r != 0)
		return r;
	meta = meta_of(delivery);
	if (!meta)
		return -ENOMEM;
	start.meta = meta;
	session_done(&delivery->session);
	r = session_open(delivery->errand, &start, &delivery->session);
	delivery->feed.next = 0;
	return r == 0 && delivery->put->resume ? save(delivery) : r;
}

/* The upload that an earlier process or call began, if it is of any use. */
static int resume(struct delivery *delivery)
{
	const struct provider_resume *old = delivery->put->resume;
	_cleanup_(ticket_done) struct ticket token = { 0 };
	int r = old && old->token ? ticket_parse(old->token, &token) : -EINVAL;

	if (r == -EINVAL)
		return 0;
	if (r < 0)
		return r;
	if (!ticket_is_of(&token, delivery->put, delivery->parent) ||
	    (delivery->replace_id && strcmp(delivery->replace_id, token.id) != 0)) {
		if (token.session)
			session_cancel(delivery->errand, token.session);
		return 0;
	}
	if (!delivery->replace_id)
		delivery->id = steal(token.id);
	delivery->session.uri = steal(token.session);
	delivery->session.total = (uint64_t)delivery->put->size;
	if (!delivery->session.uri)
		return 0;
	delivery->was_resumed = true;
	if (hasher_load(delivery->feed.hasher, token.state, &delivery->feed.hashed) < 0 ||
	    delivery->feed.hashed > (uint64_t)delivery->put->size ||
	    delivery->feed.hashed == 0)
		feed_restart(&delivery->feed);
	delivery->feed.offered = delivery->feed.hashed;
	return session_query(delivery->errand, &delivery->session);
}

/* What an answer to a chunk means for going on: 0: the state is known. */
static int go_on(struct delivery *delivery, int r, unsigned *n_idle, uint64_t kept)
{
	struct session *session = &delivery->session;

	if (delivery->feed.is_short)
		return feed_source_changed(&delivery->feed,
					   "became shorter at its source");
	if (r < 0)
		return r;
	/* broken off, or trouble at the other end: it knows how far it came */
	if (r == PROVIDER_BUSY && session->is_lost_answer) {
		struct error said = delivery->errand->call->error;
		int asked = session_query(delivery->errand, session);

		if (asked != 0)
			return asked;
		if (session->state == SESSION_OPEN && session->kept <= kept) {
			delivery->errand->call->error = said;
			return PROVIDER_BUSY;
		}
		r = 0;
	}
	if (r == 0 && session->state == SESSION_OPEN && session->kept <= kept &&
	    ++*n_idle >= IDLE_MAX)
		return errand_say(
			delivery->errand, PROVIDER_BUSY,
			"cannot be stored: Drive keeps nothing of what is sent");
	if (r == 0 && session->kept > kept)
		*n_idle = 0;
	return r;
}

/* All but the last bytes. */
static int send_body(struct delivery *delivery, uint64_t last, unsigned *n_idle)
{
	struct session *session = &delivery->session;
	struct feed *feed = &delivery->feed;

	while (session->state == SESSION_OPEN && session->kept < last) {
		uint64_t kept = session->kept, left = last - kept;
		struct session_chunk chunk = { .length = left < CHUNK ? left : CHUNK,
					       .source = feed_give,
					       .context = feed };
		int r = feed_hash_to(feed, kept);

		if (r != 0)
			return r;
		feed->next = kept;
		feed->limit = kept + chunk.length;
		r = go_on(delivery, session_put(delivery->errand, session, &chunk),
			  n_idle, kept);
		if (r != 0)
			return r;
	}
	return 0;
}

/* The last bytes: when they have come there is a file. */
static int send_last(struct delivery *delivery, char *tail, unsigned *n_idle)
{
	struct session *session = &delivery->session;
	struct feed *feed = &delivery->feed;
	uint64_t kept = session->kept;
	struct session_chunk chunk = { .length = session->total - kept, .data = tail };
	int r;

	if (!chunk.length)
		return errand_say(delivery->errand, PROVIDER_BUSY,
				  "may be stored: Drive has all of it and makes no file");
	r = feed_hash_to(feed, kept);
	if (r != 0)
		return r;
	feed->next = kept;
	r = feed_end(feed, tail, &delivery->sent);
	if (r == 0)
		r = delivery->before_last(delivery->context);
	if (r != 0)
		return r;
	return go_on(delivery, session_put(delivery->errand, session, &chunk), n_idle,
		     kept);
}

/* It was complete already, by an answer that was lost: what is it that arrived? */
static int hash_rest(struct delivery *delivery)
{
	char none;
	int r = feed_hash_to(&delivery->feed, (uint64_t)delivery->put->size);

	delivery->feed.next = (uint64_t)delivery->put->size;
	return r == 0 ? feed_end(&delivery->feed, &none, &delivery->sent) : r;
}

/* Sends until the session is done or lost. */
static int run_session(struct delivery *delivery, char *tail)
{
	struct session *session = &delivery->session;
	uint64_t last = (session->total - 1) / SESSION_GRAIN * SESSION_GRAIN;
	unsigned n_idle = 0;
	int r = 0;

	while (r == 0 && session->state == SESSION_OPEN) {
		if (session->kept < last)
			r = send_body(delivery, last, &n_idle);
		else
			r = send_last(delivery, tail, &n_idle);
	}
	return r;
}

static int deliver_large(struct delivery *delivery)
{
	_cleanup_(freep) char *tail = malloc(SESSION_GRAIN);
	struct session *session = &delivery->session;
	int r = 0;

	if (!tail)
		return -ENOMEM;
	for (int i = 0; r == 0; i++) {
		if (!session->uri)
			r = begin(delivery);
		if (r == 0)
			r = run_session(delivery, tail);
		if (r != 0 && session->is_taken)
			r = take_taken(delivery);
		if (delivery->was_taken)
			return hash_rest(delivery);
		if (r != 0)
			return r;
		if (session->state == SESSION_DONE)
			break;
		/* lost: perhaps since it was complete */
		r = look_after(delivery);
		if (r == 0)
			return hash_rest(delivery);
		if (r != PROVIDER_GONE)
			return r;
		if (i == SESSIONS_MAX)
			return errand_say(delivery->errand, PROVIDER_BUSY,
					  "cannot be stored: Drive loses what is sent");
		session_done(session);
		r = 0;
	}
	wire_file_done(&delivery->file);
	delivery->file = session->file;
	session->file = (struct wire_file){ .size = -1 };
	return delivery->sent.has_sha256 ? 0 : hash_rest(delivery);
}

int deliver(struct delivery *delivery)
{
	int r = delivery->session.uri ? 0 : resume(delivery);

	delivery->sent = (struct digest){ 0 };
	delivery->feed.step = save_step;
	delivery->feed.context = delivery;
	if (r != 0)
		return r;
	if (delivery->put->size <= DELIVER_SMALL && !delivery->session.uri)
		return deliver_small(delivery);
	return deliver_large(delivery);
}
