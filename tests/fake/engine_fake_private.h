/* The inside of the scripted engine, shared by engine_fake.c and hydrate_fake.c. */
#pragma once

#include "sync/base/clock.h"
#include "sync/base/lock.h"
#include "sync/base/map.h"
#include "tests/fake/engine_fake.h"

struct entry {
	int root;
	char *rel, *index_rel; /* in the mount, in the records */
	char *source;
	int64_t size, mtime_ns;
	bool is_failed, is_hidden, is_copy;
};

struct engine {
	struct fake_setup setup;
	struct config config;
	int fds[FAKE_ROOTS_MAX];
	struct hydrator *hydrator;
	struct mutex lock;
	struct cond claims_changed;
	struct entry *entries GUARDED_BY(&lock); /* by root, rel */
	size_t n_entries GUARDED_BY(&lock), n_room GUARDED_BY(&lock);
	struct map claims GUARDED_BY(&lock), folders_hidden GUARDED_BY(&lock);
	struct buf log GUARDED_BY(&lock);
	void (*listener)(void *context, int root, const char *rel,
			 enum engine_change change) GUARDED_BY(&lock);
	void *listener_context GUARDED_BY(&lock);
};

struct entry *fake_find(struct engine *engine, int root, const char *rel)
	REQUIRES(&engine->lock);
struct entry *fake_find_index(struct engine *engine, int root, const char *rel)
	REQUIRES(&engine->lock);
void fake_note(struct engine *engine, const char *what, const char *rel);
/* 0, or -EIO where it cannot be learnt. */
int fake_learn_entry(struct engine *engine, int root, const char *index_rel);

struct hydrator *fake_hydrator_new(struct engine *engine);
void fake_hydrator_free(struct hydrator *hydrator);
