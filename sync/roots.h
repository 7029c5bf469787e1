/*
 * The active site's roots: opened before mounting and reached by descriptor, with their identity
 * (`.sitefs/root-id`) and the claims on names below them.
 *
 * A lost root (missing, another identity, or at first use holding none of the files that the store
 * records here) stops everything for the site and is probed until it is back.
 *
 * Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "sync/config.h"
#include "sync/journal.h"

struct roots;

/* Opens every root of the active site; one that cannot be opened is lost, not an error. ADOPT takes what
 * is there as the site's: writes a new identity where it differs. */
int roots_open(const struct config *config, struct journal *journal, bool adopt,
	       struct roots **ret, struct error *error);
/* A look at one root without opening the site: its identity (NULL: none given yet, as in a folder that nobody used),
 * allocated. -ENOENT, -EACCES ... with the reason. */
int roots_examine(const struct config_root *root, char **ret_identity,
		  bool *ret_is_writable, struct error *error);
void roots_free(struct roots *roots);
DEFINE_CLEANUP(struct roots *, roots_free);

size_t roots_count(const struct roots *roots);
const char *roots_name(const struct roots *roots, int root);
const char *roots_path(const struct roots *roots, int root);
/* O_PATH descriptor of the root folder, or -1 while it could never be opened as ours; borrowed, lives as long
 * as ROOTS (a lost root keeps its old descriptor: open files go on). Another one after a lost root came
 * back: ask anew for each use. */
int roots_fd(const struct roots *roots, int root);
/* O_PATH descriptor of `.sitefs/NAME` of the root ("staged", "superseded"), made with 0700; a
 * new descriptor, or a negative errno: -ESTALE while the root is lost or not accepted. */
int roots_private(struct roots *roots, int root, const char *name);
/* True where the root's folder can be written by us, from the last look. Where not: "staged" is a folder in the state
 * folder, "superseded" is -EROFS, and the identity is the folder's device and inode. */
bool roots_is_writable(struct roots *roots, int root);

/* Looks again (identity, mount away); true while every root is there. Cheap: one open, one read each. */
bool roots_check(struct roots *roots);
/* From the last check: any root lost? Why goes to ERROR. */
bool roots_are_lost(struct roots *roots, struct error *error);
/* First use found none of the recorded files: lost until accepted, or until another folder is there. */
void roots_set_lost(struct roots *roots, int root, const char *why);
/* The identity that the site's root has here, allocated; NULL: none yet, none that another host could compare (a root that
 * cannot be written), or no memory. */
char *roots_identity(struct roots *roots, int root);
bool roots_is_first_use(struct roots *roots, int root);
/* First use was fine: the identity is written (one that is there already is taken). -ESTALE: not there. */
int roots_accept(struct roots *roots, int root);
/* Our own mount lies over the open root, or does so no longer: meanwhile it is looked at by its descriptor, for its path
 * leads into the mount. */
void roots_cover(struct roots *roots, int root, bool is_covered);

/* Claim on a name: whoever moves something onto, away from or over it holds it meanwhile. Waits while
 * another thread has it (short: the holder does a rename and two fsyncs, no network). Not recursive; who
 * needs two names takes them in the byte order of their paths. */
void roots_claim(struct roots *roots, int root, const char *rel);
void roots_unclaim(struct roots *roots, int root, const char *rel);
