/*
 * What the files of the index share.
 *
 *   node     the tree: one row a name, clustered by (parent, name), so that a folder is one ordered
 *            range; what listing needs lies in the row
 *   record   one row a files[] element; names a node, or none where refused
 *   repre    one row a representation (or a document refused as a whole)
 *   project, truth, object, fact
 *
 * A node may be named by records and have children at once, where documents contradict each other: the
 * folder wins, the records are refused as long as it is one. A node with neither is deleted.
 *
 * The writer works on a cache of nodes (struct tree): rows are written once per transaction, however
 * often a count changed. Each change goes in three steps: rows of records; then work_settle(): what that
 * means for representations and nodes; then the listener hears of the paths.
 */
#pragma once

#include "sync/base/buf.h"
#include "sync/base/db.h"
#include "sync/base/db_pool.h"
#include "sync/base/hash_set.h"
#include "sync/base/lock.h"
#include "sync/base/map.h"
#include "sync/index.h"

/* Project of a node that nothing named yet; 0 is "several". */
#define PROJECT_NONE (-1)

/* Flags of a representation. */
#define REPRE_WHOLE 1   /* nothing of it is still arriving at the remote */
#define REPRE_PRESENT 2 /* at least one file of it is there */

/* What a node counts as. */
enum node_class { NODE_NOTHING = 0, NODE_FOLDER, NODE_AWAITED, NODE_SHOWN, NODE_FAILED };

struct node {
	int64_t id, parent; /* parent 0: a root's folder */
	char *name;
	struct node *up; /* the parent, where it is in the cache already */
	int64_t n_children, n_shown, n_records;
	enum index_shown shown;
	int64_t size, mtime_ns;
	int64_t project;
	enum node_class stored; /* as the row counts; NODE_NOTHING: no row */
	bool is_stored, is_dirty, is_dead;
	/* of the change under way */
	bool is_in_work, is_touched;
	bool is_sent_anew; /* a record says now that the remote has it, and did not before */
};

struct node_list {
	struct node **items;
	size_t n, cap;
};

/* The writer's cache. Nodes live until tree_clear(), dead ones too. */
struct tree {
	struct map by_id, by_name; /* struct node; the first owns */
	int64_t next_id;
};

/* What the change under way has yet to settle. */
struct work {
	struct node_list nodes; /* to be evaluated, perhaps told of */
	struct node_list flips; /* became a folder or ceased to be one, with records */
	int64_t *repres;        /* whose flags may have changed */
	size_t n_repres, cap_repres;
	struct hash_set seen; /* of these */
};

struct index_totals {
	int64_t n[NODE_FAILED + 1]; /* nodes by class */
};

struct index {
	char *path;
	const struct config *config;
	const struct config_site *active;
	bool is_partial_shown;
	struct db_pool *readers;

	/* The writer's own. */
	struct db *db;
	bool is_writing;
	struct tree tree;
	struct work work;
	struct index_totals totals;
	bool is_completing;
	bool has_written;
	bool is_sweeping;
	struct hash_set swept; /* repre rows put since index_sweep_begin() */

	struct mutex lock;
	struct index_totals shared_totals GUARDED_BY(&lock); /* as committed */
	bool is_complete GUARDED_BY(&lock);
	uint64_t generation GUARDED_BY(&lock);
};

/* Passes R on; a corrupt database is marked, so that the next index_open() replaces it. */
int index_judge(struct index *index, int r);
/* For calls that are allowed outside of a transaction. */
int index_begin_own(struct index *index, bool *ret_is_own);
int index_end_own(struct index *index, bool is_own, int r);

/* ---- index_tree.c ---- */

bool node_is_folder(const struct node *node);
/* INDEX_NONE. */
int tree_load(struct index *index, int64_t id, struct node **ret);
int tree_find(struct index *index, int root, const char *rel, struct node **ret);
/* Makes what is missing on the way. */
int tree_make(struct index *index, int root, const char *rel, struct node **ret);
/* Counts a record in or out. */
int tree_attach(struct index *index, struct node *node, int64_t project);
void tree_detach(struct node *node);
/* Keeps the counts of the folders above in step. */
int tree_set_shown(struct index *index, struct node *node, enum index_shown shown);
/* Deletes the node if nothing names it and nothing is in it, and so on upwards. */
int tree_prune(struct index *index, struct node *node);
/* Path below the root; works for dead nodes of this change too. */
int tree_path(struct index *index, struct node *node, int *ret_root, char **ret_rel);
int tree_flush(struct index *index);
/* Between changes: writes and forgets nodes where they have become many. */
int tree_trim(struct index *index);
/* Forgets every node; unwritten changes are lost. */
void tree_clear(struct index *index);
/* Next free id, from the rows. */
int tree_start(struct index *index);

/* ---- index_work.c ---- */

int work_add_node(struct index *index, struct node *node, bool is_touched);
int work_add_flip(struct index *index, struct node *node);
int work_add_repre(struct index *index, int64_t repre);
/* Settles all of it and tells FN. On failure the transaction is to be rolled back. */
int work_settle(struct index *index, index_touched_fn *fn, void *context);
void work_clear(struct index *index);
/* Evaluates every representation and node anew: another rule holds. */
int work_settle_all(struct index *index);

/* ---- index_put.c ---- */

/* The project's row, made where missing if CAN_MAKE, else INDEX_NONE. */
int put_project(struct index *index, const char *name, bool can_make, int64_t *ret);
/* Drops the representation in row REPRE. */
int put_drop(struct index *index, int64_t repre, index_touched_fn *fn, void *context);

/* ---- index_read.c ---- */

/* INDEX_NONE. */
int read_node(struct db *db, int root, const char *rel, struct index_node *ret);

/* ---- index_truth.c ---- */

/* The truth record under (project, key); INDEX_NONE. Only what is in its row. */
int read_truth(struct db *db, int64_t project, const char *key, struct truth *ret);
/* It is of a publish before, as the rows of records are now. 1, 0 or a negative errno. */
int read_is_former(struct db *db, int64_t node, const struct truth *truth);
