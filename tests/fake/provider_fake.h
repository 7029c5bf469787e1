/*
 * A remote in memory and providers of it, for tests of what stands on the provider port: it counts calls and bytes,
 * fails when it is told to, and waits where a test wants to look. It passes the contract suite (remote "fake").
 *
 *   struct remote_fake *remote = remote_fake_new();
 *   engine gets provider_fake_new(remote);
 *   remote_fake_fail(remote, FAKE_STORE, 2, PROVIDER_BUSY);    the second store from now
 *   remote_fake_hold(remote, FAKE_FETCH, 100000);              each fetch waits when it moved that many bytes
 *   remote_fake_wait_held(remote, FAKE_FETCH, 1);              one does
 *   remote_fake_edit(remote, "", "a/b.exr");                   somebody edits the object meanwhile
 *   remote_fake_release(remote, FAKE_FETCH);
 *
 * Ids are opaque ("id-7", as Drive's are, and documents get them), revisions too. Folders are there once something was
 * put below them. One root, "work" or
 * "". Any thread; without memory it ends the test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/provider.h"

enum fake_op {
	FAKE_PROBE,
	FAKE_STAT,
	FAKE_LIST,
	FAKE_FETCH,
	FAKE_DIGEST,
	FAKE_STORE,
	FAKE_TRASH,
	FAKE_N_OPS, /* also: any of them */
};

struct remote_fake;

struct remote_fake *remote_fake_new(void);
void remote_fake_free(struct remote_fake *remote); /* after its providers */
DEFINE_CLEANUP(struct remote_fake *, remote_fake_free);
/* As another process has one. REMOTE is borrowed. */
struct provider *provider_fake_new(struct remote_fake *remote);

/* ---- another hand ---- */

void remote_fake_put(struct remote_fake *remote, const char *path, const void *data,
		     size_t len);
void remote_fake_put_folder(struct remote_fake *remote, const char *path);
/* Flips a bit: another revision of the same size. */
void remote_fake_edit(struct remote_fake *remote, const char *path);
void remote_fake_cut(struct remote_fake *remote, const char *path, size_t size);
/* The same bytes under a new id. */
void remote_fake_swap(struct remote_fake *remote, const char *path);
void remote_fake_remove(struct remote_fake *remote, const char *path);
/* NUL-terminated, the caller's; NULL: no object there. */
char *remote_fake_read(struct remote_fake *remote, const char *path, size_t *ret_len);
/* Objects and folders. */
size_t remote_fake_count(struct remote_fake *remote);
/* What a store replaced or trash() took, and has these bytes, is kept. */
bool remote_fake_has_kept(struct remote_fake *remote, const char *path, const void *data,
			  size_t len);
/* Uploads that were cut and can be gone on with. */
size_t remote_fake_count_parts(struct remote_fake *remote);
void remote_fake_drop_parts(struct remote_fake *remote);
/* A bit flips in what uploads brought so far; false: there is none. */
bool remote_fake_flip(struct remote_fake *remote);

/* ---- the site ---- */

/* The root is missing / an empty one lies in its place, until taken back. */
void remote_fake_set_away(struct remote_fake *remote, bool is_on);
void remote_fake_set_swapped(struct remote_fake *remote, bool is_on);
void remote_fake_set_readonly(struct remote_fake *remote, bool is_on);
/* Nothing can be stored that has more than BYTES; UINT64_MAX: no limit. */
void remote_fake_set_room(struct remote_fake *remote, uint64_t bytes);
/* Every call has that outcome; 0: no longer. */
void remote_fake_set_outcome(struct remote_fake *remote, int outcome);
/* stat and list tell digests, as Drive does. */
void remote_fake_set_tells_digest(struct remote_fake *remote, bool is_on);

/* ---- script ---- */

/* The Nth call of OP from now (1: the next) ends with OUTCOME (or a negative errno) before it does anything. */
void remote_fake_fail(struct remote_fake *remote, enum fake_op op, unsigned nth,
		      int outcome);
/* The same, after it did all: the answer is lost. */
void remote_fake_lose(struct remote_fake *remote, enum fake_op op, unsigned nth,
		      int outcome);
/* The Nth fetch gives a wrong byte and says 0; the Nth store finds one in what arrived: PROVIDER_TORN. */
void remote_fake_tear(struct remote_fake *remote, enum fake_op op, unsigned nth);
/* Calls of OP wait once they moved BYTES (0: at once), until released or cancelled. */
void remote_fake_hold(struct remote_fake *remote, enum fake_op op, uint64_t bytes);
void remote_fake_release(struct remote_fake *remote, enum fake_op op);
/* Until N calls of OP wait. False after 30 s. */
bool remote_fake_wait_held(struct remote_fake *remote, enum fake_op op, unsigned n);

/* ---- counted ---- */

/* Calls begun; FAKE_N_OPS: all. */
unsigned remote_fake_calls(struct remote_fake *remote, enum fake_op op);
/* Bytes given to sinks (FAKE_FETCH), taken from sources (FAKE_STORE). */
uint64_t remote_fake_bytes(struct remote_fake *remote, enum fake_op op);
/* At most that many calls of OP were in progress at once. */
unsigned remote_fake_most_at_once(struct remote_fake *remote, enum fake_op op);
void remote_fake_forget_counts(struct remote_fake *remote);
