/*
 * A scripted engine behind fs: the functions of sync/engine.h, view.h, roots.h, hydrate.h and of the journal that fs
 * calls, over real folders and a table of remote-only files. What a real engine decides, a test says here; what fs
 * asks of it is written down (fake_log()).
 *
 * One per process. Links before libsync, whose modules of the same names are then left out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/buf.h"
#include "sync/engine.h"

#define FAKE_ROOTS_MAX 4

struct fake_setup {
	const char *names[FAKE_ROOTS_MAX], *paths[FAKE_ROOTS_MAX];
	size_t n_roots;
};

/* A remote-only file; its bytes are those of the file SOURCE. */
struct fake_file {
	int root;
	const char *rel;
	int64_t size; /* as the view tells: -1 until learnt */
	int64_t mtime_ns;
	const char *source;
	bool is_failed;
};

struct engine *fake_new(const struct fake_setup *setup);
void fake_free(struct engine *engine);

/* Adds or replaces, and tells the listener. */
void fake_put(struct engine *engine, const struct fake_file *file);
/* Gone from the records. */
void fake_drop(struct engine *engine, int root, const char *rel);
/* N empty files "FOLDER/f000000" ... at once, the listener is not told. */
void fake_generate(struct engine *engine, int root, const char *folder, size_t n);
/* The bytes come into the root under their name, as hydration does it, and the listener is told. */
int fake_complete(struct engine *engine, int root, const char *rel);
/* The disk's copy goes, the name is remote-only again. */
int fake_evict(struct engine *engine, int root, const char *rel);
/* The size becomes what SOURCE has; told as an attribute. */
void fake_learn(struct engine *engine, int root, const char *rel);
/* Reads and learning wait while held. */
void fake_hold(struct engine *engine, bool is_held);
/* Bytes are different now: every handle gets EIO. */
void fake_spoil(struct engine *engine, int root, const char *rel);
size_t fake_waiting(struct engine *engine);
/* Lines "touch a/b", "hide a/b" ... since the last call. */
void fake_log(struct engine *engine, struct buf *ret);
