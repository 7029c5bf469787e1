/*
 * One call's stay at a Drive: what the whole site shares, the root and path that the call is about, and how it speaks of
 * what goes wrong.
 */
#pragma once

#include "providers/gdrive/anchor.h"
#include "providers/gdrive/auth.h"
#include "providers/gdrive/governor.h"
#include "providers/http.h"

#define ABSENT_KEPT 64
#define SEEN_KEPT 64
#define CENSUSES_KEPT 16

/* A name at which nothing was found. */
struct absent {
	uint64_t hash;
	int64_t seen_ms;
};

/* An object that was found to be of that revision. */
struct seen {
	uint64_t hash; /* of id and revision */
	int64_t size, seen_ms;
};

/* All of a site. */
struct drive {
	struct provider base;
	const struct config_site *site;
	char *endpoint; /* "https://www.googleapis.com" */
	struct http *http;
	struct auth **auths;
	char **lane_names; /* of each identity, for the count of what it sent */
	size_t n_auths;
	struct governor governor;
	struct anchor *roots;
	size_t n_roots;
	int depth; /* of the deepest root, the drive counted */
	struct mutex lock;
	struct cond changed;
	char **ids GUARDED_BY(&lock); /* generated, not used yet */
	size_t n_ids GUARDED_BY(&lock);
	struct absent absent[ABSENT_KEPT] GUARDED_BY(&lock);
	size_t next_absent GUARDED_BY(&lock);
	struct seen seen[SEEN_KEPT] GUARDED_BY(&lock);
	size_t next_seen GUARDED_BY(&lock);
	struct claim *claims GUARDED_BY(&lock); /* names at which somebody works */
	struct map trails GUARDED_BY(&lock);    /* folder id -> struct trail */
	struct census *censuses[CENSUSES_KEPT] GUARDED_BY(&lock); /* census.h */
	bool has_no_storage GUARDED_BY(
		&lock); /* the account owns none: it cannot keep a file in My Drive */
};

struct errand {
	struct drive *drive;
	struct anchor *root;
	const char *path; /* below the root; "" where it is about the site */
	const char *
		ids; /* brought along, of what is made at the path: as in struct provider_put; or NULL */
	struct provider_call *call;
};

/* Sets "site 'S': PATH " and the rest as the text, and evaluates to OUTCOME. A rest that begins with ": " is about what
 * was tried there. */
int errand_say(const struct errand *errand, int outcome, const char *fmt, ...)
	_printf_(3, 4);

/* The id that was brought for the folder DEPTH below the root (0: the first), or ERRAND_FILE. NULL: none, or -ENOMEM. */
#define ERRAND_FILE SIZE_MAX
char *errand_id(const struct errand *errand, size_t depth);

static inline bool errand_is_canceled(const struct errand *errand)
{
	return __atomic_load_n(&errand->call->cancel, __ATOMIC_RELAXED);
}

/* Nothing is at PATH of the errand's root. For a moment a store need not ask the same again: two at once are noticed after. */
#define ABSENT_MS 2000
void absent_note(const struct errand *errand, const char *path);
bool absent_is_known(const struct errand *errand, const char *path, int64_t max_age_ms);

/* An object was looked at just now, and may be read. */
void seen_note(const struct errand *errand, const char *id, const char *revision,
	       int64_t size);
/* It was that revision as lately as the call asks for; its size. */
bool seen_recall(const struct errand *errand, const char *id, const char *revision,
		 int64_t *ret_size);

/* A claim on a name of the site, so that threads of this process do one after another what Drive would let them do
 * twice. Waits for whoever has it: 0, -ECANCELED, -ENOMEM. */
struct claim;
int claim_take(const struct errand *errand, const char *key, struct claim **ret);
void claim_drop(struct drive *drive, struct claim *claim);
