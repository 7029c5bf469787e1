/* What remote_fake.c (objects, script) and provider_fake.c (the port's calls) share. */
#pragma once

#include "sync/base/lock.h"
#include "sync/base/map.h"
#include "tests/fake/provider_fake.h"

struct object_fake {
	char *data;
	size_t len;
	unsigned id, revision;
	int64_t mtime_ns;
};

/* What a name stood for. */
struct kept_fake {
	struct kept_fake *next;
	char *path, *data;
	size_t len;
};

/* An upload that is not complete. */
struct part_fake {
	struct part_fake *next;
	char *token, *data;
	size_t len;
	struct hasher *hasher; /* of what was sent */
	bool is_in_use;        /* a store is busy with it, and alone changes it */
};

/* A root folder. */
struct root_fake {
	unsigned identity;
	struct map objects; /* path -> struct object_fake */
	struct map folders; /* path -> itself */
	struct kept_fake *kept;
	struct part_fake *parts;
};

enum rule_kind {
	RULE_FAIL = 1,
	RULE_LOSE,
	RULE_TEAR,
};

struct rule_fake {
	enum rule_kind kind;
	enum fake_op op;
	unsigned countdown; /* 0: free */
	int outcome;
};

struct hold_fake {
	bool is_on;
	uint64_t bytes;
	unsigned n_held, generation;
};

struct remote_fake {
	struct mutex lock;
	struct cond changed; /* holds: somebody waits, is released */
	/* all guarded by lock */
	struct root_fake *root;  /* NULL: missing */
	struct root_fake *shelf; /* the true one, where it is away or swapped */
	unsigned last_number;    /* of ids, revisions, identities, tokens */
	bool is_readonly, tells_digest;
	uint64_t room;
	int outcome;
	struct rule_fake rules[32];
	struct hold_fake holds[FAKE_N_OPS];
	unsigned n_calls[FAKE_N_OPS], n_now[FAKE_N_OPS], n_most[FAKE_N_OPS];
	uint64_t n_bytes[FAKE_N_OPS];
};

/* As malloc, strdup; without memory they end the test. */
void *fake_alloc(size_t size);
char *fake_strdup(const char *text);

struct root_fake *root_fake_new(struct remote_fake *remote) REQUIRES(&remote->lock);
struct object_fake *root_fake_find(struct root_fake *root, const char *path);
/* Is there a folder of that name? */
bool root_fake_has_folder(struct root_fake *root, const char *path);
/* Some folder above PATH is a file. */
bool root_fake_is_blocked(struct root_fake *root, const char *path);
/* Puts (and takes) DATA there as a new revision, under the id of what was there or a new one; folders as needed. */
struct object_fake *root_fake_put(struct remote_fake *remote, const char *path,
				  char *data, size_t len) REQUIRES(&remote->lock);
/* What was at PATH goes to where it can be got back from. */
void root_fake_keep(struct root_fake *root, const char *path);
void root_fake_trash(struct root_fake *root, const char *path);
void root_fake_drop_part(struct root_fake *root, struct part_fake *part);

/* The outcome that the script has for this call of OP, or 0. */
int script_fake_take(struct remote_fake *remote, enum rule_kind kind, enum fake_op op)
	REQUIRES(&remote->lock);
/* Waits where calls of OP are held at MOVED bytes. 0 or -ECANCELED. */
int script_fake_wait(struct remote_fake *remote, enum fake_op op, uint64_t moved,
		     const bool *cancel) EXCLUDES(&remote->lock);
