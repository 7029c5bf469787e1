/*
 * HTTP for providers: one blocking request at a time per thread, connections kept and shared by a pool. The one place
 * that knows curl. It knows no service: no retry, no login, no meaning of a status.
 *
 * HTTP/1.1 only (several connections instead of streams on one), certificates verified, proxies as the environment
 * says, redirects never followed. Any thread. URLs and headers may hold secrets: they appear in no error text.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/base/buf.h"
#include "sync/base/cleanup.h"
#include "sync/base/error.h"

/* Without an answer. Positive, must be handled. */
enum http_outcome {
	HTTP_UNREACHABLE =
		1, /* no name, no connection, no valid certificate: nothing was sent */
	HTTP_BROKEN, /* the connection broke, or stood still: what arrived there is unknown */
};

struct http;

struct http_setup {
	int64_t connect_ms; /* 0: 15 s */
	int64_t stall_ms;   /* without a byte in either direction; 0: 60 s */
};
/* 0 or -ENOMEM. SETUP may be NULL. Proxies are those of the environment (https_proxy, no_proxy); CAs those of the system,
 * or of the file that SSL_CERT_FILE names. */
int http_new(const struct http_setup *setup, struct http **ret);
/* After the last request. */
void http_free(struct http *http);
DEFINE_CLEANUP(struct http *, http_free);

/* Gives up to LEN bytes of the body: bytes given, or a negative errno, which ends the request. */
typedef ssize_t http_source(void *context, void *data, size_t len);
/* Takes LEN bytes of an answer's body: 0 or a negative errno, which ends the request. */
typedef int http_sink(void *context, const void *data, size_t len);

struct http_request {
	const char *method, *url;
	const char *const *headers; /* "Name: value" */
	size_t n_headers;
	/* The body: BODY_LEN bytes of BODY, or where there is a SOURCE that many of it. -1: no body. */
	int64_t body_len;
	const void *body;
	http_source *source;
	/* Bodies of 200 and 206 go here; others, and all where it is NULL, into the answer. */
	http_sink *sink;
	void *context;      /* of both */
	size_t max_body;    /* of what is kept; more is HTTP_BROKEN. 0: 64 KiB */
	const bool *cancel; /* or NULL; set by anyone */
};

struct http_answer {
	int status;
	struct buf body;
	char *location, *range, *content_range; /* headers; NULL: not there */
	int64_t retry_after_ms;                 /* -1: not there */
	int64_t date_ms;                        /* the peer's clock; 0: not there */
};
void http_answer_done(struct http_answer *answer);

/* 0: there is an answer, whatever its status; an http_outcome; or a negative errno (-ECANCELED, -ENOMEM, what source
 * or sink returned). RET is zeroed first and is the caller's to end, whatever comes. */
_must_check_ int http_run(struct http *http, const struct http_request *request,
			  struct http_answer *ret, struct error *error);

/* Adds TEXT so that it can stand in a query. */
int http_escape(struct buf *buf, const char *text);
/* "https://host", or "http://" where the host is this machine (tests, gateways): a place that may be told secrets. */
bool http_is_safe_url(const char *url);
