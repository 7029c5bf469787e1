/*
 * What `sitefs doctor` looks at: a list of checks, each one noun in a file tools/doctor_NOUN.c that defines `const struct
 * doctor_check doctor_NOUN`, listed in tools/doctor.c in the order in which one builds on the other. A check looks at
 * one thing, says what it found, and where it offers to put that right does so only through doctor_offer(). It finds, it
 * never ends the run: the next check says what it can whatever this one met. One thread; the daemon need not run.
 */
#pragma once

#include "sync/config.h"
#include "sync/provider.h"
#include "sync/store.h"
#include "tools/cli.h"

struct json;

struct doctor {
	struct cli *cli;
	const struct config *config;
	struct store *store; /* NULL: it cannot be opened, which check "store" has said */
	struct provider *
		provider; /* of the remote site; NULL: none, or check "remote" has said why */
	bool wants_fix; /* --fix */
	bool is_dry;    /* --dry-run: says what --fix would do */

	const char *check;  /* the one that runs */
	struct json *found; /* with --json */
	enum cli_exit code; /* of the first fault */
	int n_faults, n_offers;
};

struct doctor_check {
	const char *name; /* one word, as people and scripts see it */
	void (*run)(struct doctor *doctor);
};

/* In the order of their running; NULL at the end. */
extern const struct doctor_check *const doctor_checks[];

extern const struct doctor_check doctor_clock;
extern const struct doctor_check doctor_forms;
extern const struct doctor_check doctor_index;
extern const struct doctor_check doctor_lost;
extern const struct doctor_check doctor_mount;
extern const struct doctor_check doctor_remote;
extern const struct doctor_check doctor_roots;
extern const struct doctor_check doctor_store;
extern const struct doctor_check doctor_twins;

/* One finding, a line each. All is well with it. */
void doctor_good(struct doctor *doctor, const char *fmt, ...) _printf_(2, 3);
/* Worth knowing, and no fault. */
void doctor_note(struct doctor *doctor, const char *fmt, ...) _printf_(2, 3);
/* Wrong, with what a person can do about it; the command ends with CODE, that of the first fault. */
void doctor_fault(struct doctor *doctor, enum cli_exit code, const char *fmt, ...)
	_printf_(3, 4);
/* What --fix does about a finding that was said before: "create the index". True where it is to be done now; the check
 * does it and says doctor_fixed() or doctor_fault(). Else it was said what would be done. */
bool doctor_offer(struct doctor *doctor, const char *fmt, ...) _printf_(2, 3)
_must_check_;
void doctor_fixed(struct doctor *doctor, const char *fmt, ...) _printf_(2, 3);

/* Runs every check. The exit code. What it has opened is the caller's. */
int doctor_run(struct doctor *doctor);
