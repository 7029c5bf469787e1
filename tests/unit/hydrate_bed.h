/*
 * What tests of hydration stand on: a stage, pools, a hydrator, and a remote in memory that can be held, broken and
 * changed under way. One published file unless told; its bytes are made from its offset and a seed.
 */
#pragma once

#include "sync/base/lock.h"
#include "sync/hydrate.h"
#include "tests/unit/stage.h"

#define BED_KIB 1024
#define BED_MIB (1024 * 1024)

struct bed_range {
	int64_t offset, length;
};

/* One object at the remote, and what the documents say of it. Change it under the remote's lock. */
struct bed_file {
	const char *rel;
	int64_t size;
	int64_t cut; /* as many bytes less lie at the remote */
	unsigned seed;
	const char *revision;
	/* the truth record */
	bool has_truth, has_digest;
	const char *truth_revision; /* or NULL */
	unsigned truth_seed;
	/* the records */
	const char *file_id;
	bool is_there;             /* its entry of the remote has created_dt */
	const char *further_id;    /* of another representation, or NULL */
	const char *truth_file_id; /* of which the truth record is, or NULL: unknown */
	bool is_hidden_from_index;
	enum index_object_state state;
};

struct remote {
	struct provider provider;
	struct mutex lock;
	struct cond changed;
	struct bed_file files[16];
	size_t n_files;
	bool is_held;          /* fetches wait */
	bool is_stat_held;     /* stats and lists wait */
	bool tells_digest;     /* stat knows the SHA-256 */
	int64_t flip_at;       /* this byte comes wrong; -1 none */
	int fail_with, n_fail; /* the next N calls (fetch, stat, list, digest) */
	int64_t die_after;     /* bytes, then SIGKILL for ourselves; -1 never */
	struct bed_range fetches[4096];
	size_t n_fetches, n_waiting, n_stats, n_lists, n_digests;
	int64_t bytes;
};

struct bed {
	struct stage *stage;
	struct remote remote;
	struct pool *readers, *workers;
	struct hydrator *hydrator;
	/* what the engine was told */
	struct mutex lock;
	struct cond changed;
	int n_completed, n_faults, n_listed, n_objects;
	int error, fault, list_error;
	bool is_new_truth, has_digest;
	char text[256], document_id[64], remote_revision[64];
};

int bed_set_up(void **state);
int bed_tear_down(void **state);
/* A file with truth, digest and revision "r1"; borrowed, to be changed before it is used. */
struct bed_file *bed_publish(struct bed *bed, const char *rel, int64_t size);
void bed_start(struct bed *bed);
void bed_stop(struct bed *bed);

char bed_byte(unsigned seed, int64_t offset);
/* Waits until the engine was told N ends; the last error. */
int bed_wait_completed(struct bed *bed, int n);
/* The same of faults. */
int bed_wait_fault(struct bed *bed, int n);
/* Waits until N calls of the remote were held, since its start. */
void bed_wait_held(struct bed *bed, size_t n);
void bed_hold(struct bed *bed, bool is_held);
void bed_fail(struct bed *bed, int outcome, int n);
/* The file lies at its name, with the bytes of SEED. */
void bed_assert_placed(struct bed *bed, const char *rel, int64_t size, unsigned seed);

/* A read and its answer; the bytes are compared with SEED when it is answered. */
struct bed_read {
	struct hydrate_read read;
	struct bed *bed;
	unsigned seed;
	bool is_done;
	int64_t result;
	int64_t n_wrong;
};
void bed_begin_read(struct bed *bed, struct hydration *handle, struct bed_read *read,
		    int64_t offset, int64_t length);
int64_t bed_end_read(struct bed_read *read);
/* Both at once. */
int64_t bed_read(struct bed *bed, struct hydration *handle, int64_t offset,
		 int64_t length);
struct hydration *bed_open(struct bed *bed, const char *rel);
