/* One request to Drive. */
#include "providers/gdrive/api.h"

#include <errno.h>
#include <string.h>

#define ALL_DRIVES "supportsAllDrives=true&prettyPrint=false"
#define BODY_MAX ((size_t)16 << 20) /* a page of 1,000 entries is about 700 KiB */
#define N_IDS 1000                  /* the most at once */

void api_answer_done(struct api_answer *answer)
{
	http_answer_done(&answer->http);
}

/* ---- the request ---- */

static char *url_of(const struct drive *drive, const struct api_request *request)
{
	if (request->session)
		return strdup(request->session);
	return strf("%s%s%s" ALL_DRIVES, drive->endpoint, request->target,
		    strchr(request->target, '?') ? "&" : "?");
}

static int64_t body_len_of(const struct api_request *request)
{
	if (request->body || request->source || request->body_len > 0 ||
	    strcmp(request->method, "GET") != 0)
		return request->body_len;
	return -1;
}

/* Asks once, as the identity of LANE with TOKEN. */
static int send_once(const struct errand *errand, const struct api_request *request,
		     const char *token, struct http_answer *ret, struct error *why)
{
	_cleanup_(freep) char *url = url_of(errand->drive, request);
	_cleanup_(freep) char *login =
		token ? strf("Authorization: Bearer %s", token) : NULL;
	_cleanup_(freep) char *type =
		request->type ? strf("Content-Type: %s", request->type) : NULL;
	const char *headers[4];
	struct http_request http = {
		.method = request->method,
		.url = url,
		.headers = headers,
		.body = request->body,
		.body_len = body_len_of(request),
		.source = request->source,
		.sink = request->sink,
		.context = request->context,
		.max_body = request->max_body ? request->max_body : BODY_MAX,
		.cancel = request->is_cleanup ? NULL : &errand->call->cancel
	};
	int r;

	if (!url || (token && !login) || (request->type && !type))
		return -ENOMEM;
	if (login)
		headers[http.n_headers++] = login;
	if (type)
		headers[http.n_headers++] = type;
	if (request->header)
		headers[http.n_headers++] = request->header;
	if (request->header2)
		headers[http.n_headers++] = request->header2;
	r = http_run(errand->drive->http, &http, ret, why);
	if (login)
		explicit_bzero(login, strlen(login));
	return r;
}

/* ---- the answer ---- */

static void take_error(const struct http_answer *answer, struct wire_error *ret)
{
	if (wire_parse_error(buf_str(&answer->body), answer->body.len, ret) < 0)
		*ret = (struct wire_error){ 0 };
}

static int say_answer(const struct errand *errand, const struct api_request *request,
		      const struct wire_error *error, int status, int outcome)
{
	const char *more = "";

	if (wire_error_is(error, "storageQuotaExceeded"))
		more = "; a service account has no storage of its own: use a shared "
		       "drive, or act as a user (subject)";
	else if (wire_error_is(error, "cannotDownloadAbusiveFile"))
		more = "; Drive flagged it as malware or spam, only its owner may take "
		       "it from there";
	return errand_say(errand, outcome, ": cannot %s: Drive says \"%s\" (%d%s%s)%s",
			  request->what,
			  error->message[0] ? error->message : "no reason given", status,
			  error->reasons[0][0] ? " " : "", error->reasons[0], more);
}

/* Nothing came back. */
static int judge_silence(const struct errand *errand, const struct api_request *request,
			 int r, const struct error *why)
{
	if (r == HTTP_UNREACHABLE)
		return errand_say(errand, PROVIDER_UNREACHABLE,
				  ": cannot %s: Drive cannot be reached: %s",
				  request->what, why->text);
	return errand_say(errand, PROVIDER_BUSY, ": cannot %s: %s", request->what,
			  why->text);
}

static int judge(const struct errand *errand, const struct api_request *request,
		 size_t lane, struct api_answer *answer)
{
	struct provider_call *call = errand->call;
	struct wire_error error;
	int outcome;

	take_error(&answer->http, &error);
	answer->verdict = verdict_of(answer->http.status, &error);
	outcome = verdict_outcome(answer->verdict, request->is_writing);
	switch (answer->verdict) {
	case VERDICT_NONE:
		governor_went_well(&errand->drive->governor, lane, request->is_writing);
		return 0;
	case VERDICT_RATE:
		if (request->is_writing)
			governor_pace(&errand->drive->governor, lane);
		call->retry_after_ms = governor_refused(&errand->drive->governor, lane,
							answer->http.retry_after_ms);
		break;
	case VERDICT_SERVER:
		answer->is_lost = true;
		if (answer->http.retry_after_ms >= 0)
			call->retry_after_ms =
				governor_refused(&errand->drive->governor, lane,
						 answer->http.retry_after_ms);
		break;
	case VERDICT_HELD:
		call->retry_after_ms = 3600 * 1000;
		break;
	case VERDICT_LOGIN:
	case VERDICT_GONE:
	case VERDICT_TAKEN:
	case VERDICT_FULL:
	case VERDICT_DENIED:
	case VERDICT_RANGE:
	case VERDICT_REFUSED:
		break;
	}
	return say_answer(errand, request, &error, answer->http.status, outcome);
}

static int enter(const struct errand *errand, const struct api_request *request,
		 size_t *ret_lane)
{
	int64_t wait_ms = 0;
	int r;

	if (request->lane != API_ANY_LANE) {
		*ret_lane = request->lane;
		return 0;
	}
	r = governor_enter(&errand->drive->governor, request->units, ret_lane, &wait_ms);
	if (r == 0)
		return 0;
	errand->call->retry_after_ms = wait_ms;
	return errand_say(errand, PROVIDER_BUSY,
			  ": cannot %s: Drive's quota opens again in %lld s",
			  request->what, (long long)(wait_ms + 999) / 1000);
}

static int login(const struct errand *errand, size_t lane, char **ret)
{
	struct error said;
	int r = auth_token(errand->drive->auths[lane], errand->drive->http, errand->call,
			   ret);

	if (r <= 0)
		return r;
	said = errand->call->error;
	return errand_say(errand, r, "cannot log in: %s", said.text);
}

/* Asks, and once more where that can help at once. An http_outcome goes to ret_silence. */
static int exchange(const struct errand *errand, const struct api_request *request,
		    size_t lane, struct http_answer *ret, int *ret_silence,
		    struct error *why)
/* parameters: one exchange */
{
	bool may_repeat = strcmp(request->method, "GET") == 0 && !request->sink;
	bool may_login = !request->session;

	for (;;) {
		_cleanup_(freep) char *token = NULL;
		int r = request->session ? 0 : login(errand, lane, &token);

		if (r != 0)
			return r;
		http_answer_done(ret);
		r = send_once(errand, request, token, ret, why);
		if (r == 0 && ret->status == 401 && may_login) {
			auth_refused(errand->drive->auths[lane], token);
			may_login = false;
			continue;
		}
		if (r == HTTP_BROKEN && may_repeat) {
			may_repeat = false;
			continue;
		}
		*ret_silence = r > 0 ? r : 0;
		return r < 0 ? r : 0;
	}
}

int api_run(const struct errand *errand, const struct api_request *request,
	    struct api_answer *ret)
{
	struct error why = { 0 };
	int silence = 0, r;
	size_t lane = 0;

	*ret = (struct api_answer){ .http.retry_after_ms = -1 };
	if (!request->is_cleanup && errand_is_canceled(errand))
		return -ECANCELED;
	r = request->session ? 0 : enter(errand, request, &lane);
	if (r == 0)
		r = exchange(errand, request, lane, &ret->http, &silence, &why);
	if (r != 0)
		return r;
	ret->is_lost = silence == HTTP_BROKEN;
	if (silence)
		return judge_silence(errand, request, silence, &why);
	return judge(errand, request, lane, ret);
}

int api_get(const struct errand *errand, const char *target, int units, const char *what,
	    struct api_answer *ret)
{
	struct api_request request = { .method = "GET",
				       .target = target,
				       .what = what,
				       .lane = API_ANY_LANE,
				       .units = units };

	return api_run(errand, &request, ret);
}

/* ---- ids ---- */

/* One of those that are left; NULL: none. */
static char *take_id(struct drive *drive)
{
	char *id = NULL;

	mutex_lock(&drive->lock);
	if (drive->n_ids)
		id = drive->ids[--drive->n_ids];
	mutex_unlock(&drive->lock);
	return id;
}

/* Keeps what was generated. */
static void keep_ids(struct drive *drive, struct wire_ids *ids)
{
	struct wire_ids old;

	mutex_lock(&drive->lock);
	old.ids = drive->ids;
	old.n = drive->n_ids;
	drive->ids = ids->ids;
	drive->n_ids = ids->n;
	mutex_unlock(&drive->lock);
	*ids = old;
}

/* Fills the stock. */
static int generate_ids(const struct errand *errand)
{
	_cleanup_(api_answer_done) struct api_answer answer = { 0 };
	_cleanup_(wire_ids_done) struct wire_ids ids = { 0 };
	_cleanup_(freep) char *target = NULL;
	int r;

	target = strf("/drive/v3/files/generateIds?count=%d&space=drive&type=files",
		      N_IDS);
	if (!target)
		return -ENOMEM;
	r = api_get(errand, target, UNITS_OTHER, "get ids for new files", &answer);
	if (r == 0)
		r = wire_parse_ids(buf_str(&answer.http.body), answer.http.body.len,
				   &ids);
	if (r == -EINVAL)
		return errand_say(errand, PROVIDER_BUSY,
				  "cannot get ids for new files: the answer makes no "
				  "sense");
	if (r != 0)
		return r;
	keep_ids(errand->drive, &ids);
	return 0;
}

int api_take_ids(struct drive *drive, size_t n, char **ret)
{
	int r = -EAGAIN;

	mutex_lock(&drive->lock);
	if (drive->n_ids >= n) {
		r = 0;
		for (size_t i = 0; i < n; i++)
			ret[i] = drive->ids[--drive->n_ids];
	}
	mutex_unlock(&drive->lock);
	return r;
}

int api_restock(const struct errand *errand)
{
	struct claim *claim = NULL;
	int r = claim_take(errand, "ids", &claim);

	if (r != 0)
		return r;
	r = generate_ids(errand);
	claim_drop(errand->drive, claim);
	return r;
}

int api_new_id(const struct errand *errand, char **ret)
{
	struct claim *claim = NULL;
	int r = 0;

	*ret = take_id(errand->drive);
	if (*ret)
		return 0;
	/* one thread asks, for all */
	r = claim_take(errand, "ids", &claim);
	if (r != 0)
		return r;
	*ret = take_id(errand->drive);
	if (!*ret)
		r = generate_ids(errand);
	if (r == 0 && !*ret)
		*ret = take_id(errand->drive);
	/* others took all of them at once */
	if (r == 0 && !*ret)
		r = errand_say(errand, PROVIDER_BUSY, "cannot get ids for new files");
	claim_drop(errand->drive, claim);
	return r;
}
