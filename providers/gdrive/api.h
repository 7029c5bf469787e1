/*
 * One request to Drive: address, login, quota, and what the answer means. Repeats what may be repeated at once: after a
 * 401 with a new token, a GET whose connection broke. Everything else is for whoever knows what was asked.
 */
#pragma once

#include "providers/gdrive/errand.h"
#include "providers/gdrive/verdict.h"

#define API_ANY_LANE SIZE_MAX

struct api_request {
	const char *method;
	const char *target; /* "/drive/v3/files?…", after the endpoint */
	const char *
		session; /* instead of it: an upload session's URI, which is its own login */
	const char *what;             /* for people: "look up" */
	const char *type;             /* Content-Type, or NULL */
	const char *header, *header2; /* further ones, or NULL */
	int64_t body_len;             /* as in http_request; 0 with BODY NULL: none */
	const void *body;
	http_source *source;
	http_sink *sink;
	void *context;
	size_t max_body;
	size_t lane; /* the identity that asks */
	int units;
	bool is_writing;
	bool is_cleanup; /* goes out after a cancel too */
};

struct api_answer {
	struct http_answer http;
	enum verdict verdict;
	bool is_lost; /* whether it arrived is not known: the connection broke, or the other end did */
};
void api_answer_done(struct api_answer *answer);

/* 0 (2xx, 308), a provider_outcome with the text set, or a negative errno. RET is the caller's to end, whatever
 * comes. */
_must_check_ int api_run(const struct errand *errand, const struct api_request *request,
			 struct api_answer *ret);
/* GET of "files?q=…" and the like: the target is taken as it is, the body kept. */
_must_check_ int api_get(const struct errand *errand, const char *target, int units,
			 const char *what, struct api_answer *ret);

/* A file id that nobody has, the caller's: what is made with it is not made twice. */
_must_check_ int api_new_id(const struct errand *errand, char **ret);
/* N of those in stock, the caller's, without asking: -EAGAIN where they are too few, and api_restock() is to be called. */
int api_take_ids(struct drive *drive, size_t n, char **ret);
_must_check_ int api_restock(const struct errand *errand);
