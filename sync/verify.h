/*
 * Verifying, because a person asked: files on the disk against the truth records, by reading them; or what lies at the
 * remote against records and documents. Every finding is told; with WANTS_FIX what can be put right is:
 *
 *   disk     a damaged copy is moved aside where the remote was seen to have the right bytes
 *   remote   out of the trash first; else the remote's entry is reset, where a copy is known: a site that has one sends
 *            it again, and what lies there now stays recoverable
 *
 * It blocks on disk, remote and (for a reset) the store: on a thread of its own.
 */
#pragma once

#include "sync/engine.h"

enum verify_kind {
	VERIFY_DAMAGED = 1, /* on the disk, under its stamp, with other bytes */
	VERIFY_MODIFIED,    /* on the disk, replaced or edited here */
	VERIFY_ABSENT,      /* recorded here, not on the disk */
	VERIFY_UNREADABLE,  /* on the disk */
	VERIFY_MISSING,     /* at the remote */
	VERIFY_DIFFERENT,   /* at the remote */
	VERIFY_TWINS,       /* several of the name at the remote */
	VERIFY_ORPHAN,      /* at the remote, and no document names it: no fault */
};
/* "damaged", "modified", ... */
const char *verify_kind_name(enum verify_kind kind);

/* Borrowed. */
struct verify_finding {
	enum verify_kind kind;
	int root;
	const char *rel;
	int64_t size; /* -1: not known */
	/* what became of an object at the remote, as far as that tells */
	enum provider_fate fate;
	const char *who; /* or NULL */
	int64_t at_ms;   /* 0: not known */
	const char *id;  /* of an orphan; or NULL */
	bool is_fixed;
	const char
		*fix; /* what was done, would be done, or why nothing can be; or NULL */
};
typedef int verify_fn(void *context, const struct verify_finding *finding);

struct verify_setup {
	bool is_remote, wants_orphans; /* neither: the disk */
	bool wants_fix, is_dry;
	verify_fn *fn;                  /* a non-zero result ends it and is returned */
	bool (*is_over)(void *context); /* asked now and then: true ends it */
	void *context;
};

struct verify_result {
	int64_t n_checked, n_bytes; /* files; bytes read */
	int64_t n_unknown;          /* that nothing is known of to compare with */
	int64_t n_bad, n_fixed, n_orphans;
};

/* At and below REL. 0, INDEX_NONE, FN's result, -ECANCELED, a provider_outcome of the remote with ERROR, or a
 * negative errno with ERROR. */
int engine_verify(struct engine *engine, int root, const char *rel,
		  const struct verify_setup *setup, struct verify_result *ret,
		  struct error *error);
