/*
 * What a case is played on: a new remote, a probed provider of it, and shorthands for calls as the cases make them. A
 * helper that fails ends the test.
 */
#pragma once

#include "sync/base/buf.h"
#include "tests/contract/provider/hand.h"
#include "tests/contract/provider/source.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct stage {
	const struct hand *hand;
	void *remote;
	struct provider *provider; /* probed */
};

/* cmocka fixtures; the initial state is the hand. */
int stage_open(void **state);
int stage_close(void **state);
/* One more provider, probed or not. */
struct provider *stage_provider(const struct stage *stage, bool is_probed);

/* Ends the test as skipped, naming WHAT, unless the hand CAN play it with that kind of remote. */
void stage_need(const struct stage *stage, bool can, const char *what);
/* Plays what SET does, from now on. Skipped as above where SET is NULL; where it cannot be played on this machine, too,
 * but a failure with SITEFS_REQUIRE=1. */
void stage_set(const struct stage *stage, bool (*set)(void *remote, bool is_on),
	       const char *what);
void stage_unset(const struct stage *stage, bool (*set)(void *remote, bool is_on));

/* As the port has them, with a call of their own; what the call said goes to stage_error(). */
int do_probe(struct provider *provider, bool create_root);
int do_stat(struct provider *provider, const char *path, struct provider_object *ret);
int do_fetch(struct provider *provider, const char *path, const char *revision,
	     uint64_t offset, uint64_t length, struct sink *sink);
int do_digest(struct provider *provider, const char *path, const char *revision,
	      struct digest *ret);
int do_trash(struct provider *provider, const char *path, const char *revision);
int do_trace(struct provider *provider, const char *path, const char *id,
	     const char *revision, struct provider_trace *ret);
int do_untrash(struct provider *provider, const char *path, const char *id,
	       const struct provider_object *wanted, struct provider_object *ret);
int do_merge(struct provider *provider, const char *path, const char *id, int *ret);
int do_store(struct provider *provider, const char *path, struct source *source,
	     const char *previous, struct provider_object *ret);
const char *stage_error(void);

/* The put of a source, for the cases that want more than do_store(). */
struct provider_put put_of(const char *path, struct source *source);

/* Names in a folder, each with '/' after a folder's, sorted, one a line; "gone" where it is. */
char *list_names(struct provider *provider, const char *folder);

/* Stores and checks what came back. The revision is the caller's. */
char *store_ok(const struct stage *stage, const char *path, struct source *source,
	       const char *previous);
/* The object has exactly the bytes of the source, by another hand and by fetch. */
void assert_holds(const struct stage *stage, const char *path,
		  const struct source *source);
void assert_nothing_at(const struct stage *stage, const char *path);
/* The object has exactly that text. */
void assert_text(const struct stage *stage, const char *path, const char *text);
/* No upload is left half-way. */
void assert_no_parts(const struct stage *stage);
/* An outcome by its name, so that a failure says it. */
void assert_outcome(int outcome, int wanted);

/* A table of cases; each file has one. */
struct cases {
	const char *name;
	const struct CMUnitTest *tests;
	size_t n;
};
#define CASE(f) cmocka_unit_test_setup_teardown(f, stage_open, stage_close)

extern const struct cases cases_read, cases_list, cases_store, cases_names, cases_source,
	cases_resume, cases_site, cases_many, cases_trouble, cases_fate, cases_changes,
	cases_twins, cases_large;
