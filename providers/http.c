/* HTTP through curl: each running request has a multi handle of its own, so that it can be cancelled while it waits. */
#include "providers/http.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "sync/base/clock.h"
#include "sync/base/lock.h"

#define CONNECT_MS 15000
#define STALL_MS 60000
#define POLL_MS 50 /* a cancelled request ends within this */
#define MAX_BODY ((size_t)64 << 10)
#define BUFFER (512L << 10)
#define MAX_IDLE 32
#define HEADER_MAX 4096 /* bytes of a header's value that we keep */
#define RETRY_AFTER_MAX_MS (24 * 3600 * 1000LL)

/* A connection, or a few, and the handle that uses them. */
struct line {
	CURLM *multi;
	CURL *easy;
	struct line *next; /* idle */
};

struct http {
	struct http_setup setup;
	struct mutex lock;
	struct line *idle GUARDED_BY(&lock);
	unsigned n_idle GUARDED_BY(&lock);
	char *ca_file;               /* or NULL: the system's */
	pid_t pid GUARDED_BY(&lock); /* connections are not shared with a forked child */
};

/* One request under way. */
struct run {
	const struct http_request *request;
	struct http_answer *answer;
	CURL *easy;
	int64_t given;           /* of the source */
	int64_t moved_ms, moved; /* when something moved last, and how much had */
	int64_t stall_ms;
	int status;
	int error; /* negative: what ended it from inside */
};

static void line_free(struct line *line)
{
	if (!line)
		return;
	if (line->easy)
		curl_easy_cleanup(line->easy);
	if (line->multi)
		curl_multi_cleanup(line->multi);
	free(line);
}
DEFINE_CLEANUP(struct line *, line_free);

static int line_new(struct line **ret)
{
	_cleanup_(line_freep) struct line *line = calloc(1, sizeof(*line));

	if (!line)
		return -ENOMEM;
	line->multi = curl_multi_init();
	line->easy = curl_easy_init();
	if (!line->multi || !line->easy)
		return -ENOMEM;
	*ret = steal(line);
	return 0;
}

static void begin_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

int http_new(const struct http_setup *setup, struct http **ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const char *ca_file = getenv("SSL_CERT_FILE");
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return -ENOMEM;
	if (ca_file && *ca_file) {
		http->ca_file = strdup(ca_file);
		if (!http->ca_file) {
			free(http);
			return -ENOMEM;
		}
	}
	pthread_once(&once, begin_curl);
	if (setup)
		http->setup = *setup;
	if (!http->setup.connect_ms)
		http->setup.connect_ms = CONNECT_MS;
	if (!http->setup.stall_ms)
		http->setup.stall_ms = STALL_MS;
	mutex_init(&http->lock);
	mutex_lock(&http->lock);
	http->pid = getpid();
	mutex_unlock(&http->lock);
	*ret = http;
	return 0;
}

void http_free(struct http *http)
{
	struct line *line;

	if (!http)
		return;
	mutex_lock(&http->lock);
	line = http->idle;
	http->idle = NULL;
	mutex_unlock(&http->lock);
	while (line) {
		struct line *next = line->next;

		line_free(line);
		line = next;
	}
	mutex_done(&http->lock);
	free(http->ca_file);
	free(http);
}

static int take_line(struct http *http, struct line **ret)
{
	struct line *line;

	mutex_lock(&http->lock);
	if (http->pid != getpid()) {
		/* the parent's connections: even to close them would speak on them */
		http->idle = NULL;
		http->n_idle = 0;
		http->pid = getpid();
	}
	line = http->idle;
	if (line) {
		http->idle = line->next;
		http->n_idle--;
	}
	mutex_unlock(&http->lock);
	if (line) {
		*ret = line;
		return 0;
	}
	return line_new(ret);
}

static void give_line(struct http *http, struct line *line)
{
	mutex_lock(&http->lock);
	if (http->n_idle < MAX_IDLE) {
		line->next = http->idle;
		http->idle = line;
		http->n_idle++;
		line = NULL;
	}
	mutex_unlock(&http->lock);
	line_free(line);
}

/* ---- callbacks of curl ---- */

static size_t give_body(char *data, size_t size, size_t n, void *context)
{
	struct run *run = context;
	int64_t left = run->request->body_len - run->given;
	size_t want = size * n;
	ssize_t got;

	if ((uint64_t)left < want)
		want = (size_t)left;
	if (!want)
		return 0;
	got = run->request->source(run->request->context, data, want);
	if (got <= 0) {
		run->error = got ? (int)got : -EIO;
		return CURL_READFUNC_ABORT;
	}
	run->given += got;
	return (size_t)got;
}

/* What curl asks of a body in memory that has to be sent a second time. */
static int rewind_body(void *context, curl_off_t offset, int origin)
{
	struct run *run = context;

	return offset == run->given && origin == SEEK_SET ? CURL_SEEKFUNC_OK
							  : CURL_SEEKFUNC_CANTSEEK;
}

static size_t take_body(char *data, size_t size, size_t n, void *context)
{
	struct run *run = context;
	const struct http_request *request = run->request;
	size_t len = size * n, max = request->max_body ? request->max_body : MAX_BODY;

	if (request->sink && (run->status == 200 || run->status == 206)) {
		run->error = request->sink(request->context, data, len);
		return run->error ? 0 : len;
	}
	if (len > max - run->answer->body.len)
		return 0;
	run->error = buf_add(&run->answer->body, data, len);
	return run->error ? 0 : len;
}

/* The value of the header NAME, which ends where LEN says; NULL: another header. */
static const char *value_of(const char *name, const char *line, size_t *len)
{
	size_t skip = strlen(name);

	if (*len <= skip || strncasecmp(line, name, skip) != 0 || line[skip] != ':')
		return NULL;
	skip++;
	while (skip < *len && (line[skip] == ' ' || line[skip] == '\t'))
		skip++;
	while (*len > skip && (line[*len - 1] == '\r' || line[*len - 1] == '\n'))
		--*len;
	*len -= skip;
	return line + skip;
}

static int keep(char **field, const char *value, size_t len)
{
	char *copy;

	if (len > HEADER_MAX)
		return 0;
	copy = strndup(value, len);
	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

/* Seconds, or a date. */
static int64_t parse_retry_after(const char *text)
{
	char *end;
	int64_t ms;

	errno = 0;
	ms = strtoll(text, &end, 10);
	if (end != text && !*end && errno == 0 && ms >= 0)
		ms = ms > RETRY_AFTER_MAX_MS / 1000 ? RETRY_AFTER_MAX_MS : ms * 1000;
	else
		ms = curl_getdate(text, NULL) * 1000LL - clock_wall_ms();
	if (ms < 0)
		return 0;
	return ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : ms;
}

static int keep_header(struct http_answer *answer, const char *line, size_t len)
{
	const struct {
		const char *name;
		char **field;
	} kept[] = {
		{ "location", &answer->location },
		{ "range", &answer->range },
		{ "content-range", &answer->content_range },
	};
	char text[64];
	const char *value;
	size_t n = len;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		n = len;
		value = value_of(kept[i].name, line, &n);
		if (value)
			return keep(kept[i].field, value, n);
	}
	n = len;
	value = value_of("retry-after", line, &n);
	if (value && n < sizeof(text)) {
		str_cut(text, n + 1, value);
		answer->retry_after_ms = parse_retry_after(text);
	}
	n = len;
	value = value_of("date", line, &n);
	if (value && n < sizeof(text)) {
		time_t date;

		str_cut(text, n + 1, value);
		date = curl_getdate(text, NULL);
		answer->date_ms = date > 0 ? date * 1000LL : 0;
	}
	return 0;
}

static size_t take_header(char *line, size_t size, size_t n, void *context)
{
	struct run *run = context;
	size_t len = size * n;
	long status = 0;

	/* of a 100 and of a proxy's answer nothing is kept: the last one counts */
	if (len > 5 && strncmp(line, "HTTP/", 5) == 0) {
		curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
		run->status = (int)status;
		return len;
	}
	run->error = keep_header(run->answer, line, len);
	return run->error ? 0 : len;
}

/* ---- a request ---- */

static int add_headers(const struct http_request *request, struct curl_slist **list)
{
	/* no wait for "100 Continue": what is refused is refused after a few packets */
	struct curl_slist *grown = curl_slist_append(NULL, "Expect:");

	for (size_t i = 0; grown && i < request->n_headers; i++) {
		*list = grown;
		grown = curl_slist_append(*list, request->headers[i]);
	}
	if (!grown)
		return -ENOMEM;
	*list = grown;
	return 0;
}

static void set_body(const struct http_request *request, struct run *run)
{
	CURL *easy = run->easy;

	if (request->body_len < 0) {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	} else if (request->source) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
		curl_easy_setopt(easy, CURLOPT_READDATA, run);
		curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_body);
		curl_easy_setopt(easy, CURLOPT_SEEKDATA, run);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)request->body_len);
	} else {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
				 request->body_len ? (const char *)request->body : "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)request->body_len);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_options(const struct http *http, const struct http_request *request,
			struct run *run, struct curl_slist *headers)
{
	CURL *easy = run->easy;

	curl_easy_reset(easy);
	set_body(request, run);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, http->setup.connect_ms);
	if (http->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
	/* Google compresses only for agents that say gzip; ranges of content are wanted as they are */
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "sitefs/" SITEFS_VERSION " (gzip)");
	if (!request->sink)
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, run);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, run);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

static bool is_canceled(const struct http_request *request)
{
	return request->cancel && __atomic_load_n(request->cancel, __ATOMIC_RELAXED);
}

static bool is_stalled(struct run *run)
{
	curl_off_t up = 0, down = 0;
	int64_t now_ms = clock_mono_ms();

	curl_easy_getinfo(run->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	curl_easy_getinfo(run->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	if (up + down != run->moved) {
		run->moved = up + down;
		run->moved_ms = now_ms;
	}
	return now_ms - run->moved_ms > run->stall_ms;
}

/* Moves bytes until the request has ended. A CURLcode, or -1 where it was cancelled or stood still. */
static int drive(struct run *run, CURLM *multi)
{
	int n_running = 1, n_left;
	CURLMsg *message;

	while (n_running) {
		if (curl_multi_perform(multi, &n_running) != CURLM_OK)
			return CURLE_OUT_OF_MEMORY;
		if (is_canceled(run->request)) {
			run->error = -ECANCELED;
			return -1;
		}
		if (!n_running)
			break;
		if (is_stalled(run))
			return -1;
		if (curl_multi_poll(multi, NULL, 0, POLL_MS, NULL) != CURLM_OK)
			return CURLE_OUT_OF_MEMORY;
	}
	while ((message = curl_multi_info_read(multi, &n_left))) {
		if (message->msg == CURLMSG_DONE)
			return message->data.result;
	}
	return CURLE_RECV_ERROR;
}

/* What curl's result means. Its texts hold no URL but where the URL itself is wrong. */
static int outcome_of(const struct run *run, int code, struct error *error)
{
	long connected = 0;

	if (run->error)
		return run->error;
	switch (code) {
	case CURLE_OK:
		return 0;
	case -1:
		return error_set(error, HTTP_BROKEN,
				 "nothing moved for %lld seconds on the connection",
				 (long long)run->stall_ms / 1000);
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return error_set(error, -EINVAL, "an address is no URL");
	case CURLE_PEER_FAILED_VERIFICATION:
		return error_set(
			error, HTTP_UNREACHABLE,
			"its certificate is not trusted; where a proxy ends TLS, "
			"name its CA in SSL_CERT_FILE");
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_PROXY:
		return error_set(error, HTTP_UNREACHABLE, "%s",
				 curl_easy_strerror((CURLcode)code));
	default:
		curl_easy_getinfo(run->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
		return error_set(error, connected ? HTTP_BROKEN : HTTP_UNREACHABLE, "%s",
				 curl_easy_strerror((CURLcode)code));
	}
}

int http_run(struct http *http, const struct http_request *request,
	     struct http_answer *ret, struct error *error)
{
	struct run run = { .request = request,
			   .answer = ret,
			   .moved_ms = clock_mono_ms(),
			   .stall_ms = http->setup.stall_ms };
	struct curl_slist *headers = NULL;
	struct line *line = NULL;
	int code, r;

	*ret = (struct http_answer){ .retry_after_ms = -1 };
	if (is_canceled(request))
		return -ECANCELED;
	r = take_line(http, &line);
	if (r == 0)
		r = add_headers(request, &headers);
	if (r < 0) {
		line_free(line);
		curl_slist_free_all(headers);
		return r;
	}
	run.easy = line->easy;
	set_options(http, request, &run, headers);
	curl_multi_add_handle(line->multi, line->easy);
	code = drive(&run, line->multi);
	r = outcome_of(&run, code, error);
	/* one that has not ended takes its connection along */
	curl_multi_remove_handle(line->multi, line->easy);
	ret->status = run.status;
	curl_slist_free_all(headers);
	if (r == 0)
		give_line(http, line);
	else
		line_free(line);
	return r;
}

void http_answer_done(struct http_answer *answer)
{
	buf_done(&answer->body);
	free(answer->location);
	free(answer->range);
	free(answer->content_range);
	*answer = (struct http_answer){ .retry_after_ms = -1 };
}

/* ---- URLs ---- */

int http_escape(struct buf *buf, const char *text)
{
	int r = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p && r == 0; p++) {
		bool is_plain = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
				(*p >= 'A' && *p <= 'Z') || strchr("-_.~", *p);

		r = is_plain ? buf_addc(buf, (char)*p) : buf_addf(buf, "%%%02X", *p);
	}
	return r;
}

static bool is_host(const char *rest, const char *host)
{
	size_t len = strlen(host);

	return strncasecmp(rest, host, len) == 0 &&
	       (!rest[len] || rest[len] == ':' || rest[len] == '/');
}

bool http_is_safe_url(const char *url)
{
	const char *host = strstr(url, "://");

	/* "http://127.0.0.1:80@elsewhere/" leads elsewhere */
	if (!host || host[3 + strcspn(host + 3, "/@\\?#")] == '@')
		return false;
	if (strncasecmp(url, "https://", 8) == 0)
		return url[8] && url[8] != '/';
	if (strncasecmp(url, "http://", 7) != 0)
		return false;
	return is_host(url + 7, "127.0.0.1") || is_host(url + 7, "localhost") ||
	       is_host(url + 7, "[::1]");
}
