/*
 * The index: which published paths exist and what is known of each, in a SQLite database that can be
 * rebuilt from the store at any time. The mount lists from it, so reading is cheap and never
 * waits for the network, the store or a writer (WAL, short transactions). 1,000,000 files.
 *
 * Writing belongs to the sync thread alone, between index_begin() and index_commit(). Reading is
 * allowed from any thread (each call borrows a connection from a pool).
 *
 * A path is (number of the active site's root, path below it). Many records may name one path.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/config.h"
#include "sync/doc.h"
#include "sync/provider.h"
#include "sync/truth.h"

struct index;

enum index_outcome {
	INDEX_NONE = 1, /* nothing is known under that name */
	INDEX_FRESH, /* opened, but empty or of another store, site or schema: emptied; not to be
			    shown before the first complete reading is in (index_is_complete()) */
	INDEX_EMPTIED, /* sweep: a project would lose its last representation: nothing dropped */
};

/* How a name that is not on the disk is shown (table in DESIGN "What the mount shows"). */
enum index_shown {
	SHOWN_NOT = 0, /* nothing: awaited, not at the remote, refused */
	SHOWN_FILE,    /* readable from the remote */
	SHOWN_FAILED, /* listed, reading is EIO: the representation is there but for files that
			  finally failed */
};

/* Cheap facts of a name, for lookup and readdir. A value. */
struct index_node {
	int64_t id; /* stable while the index lives */
	bool is_folder;
	enum index_shown
		shown; /* of a folder: SHOWN_FILE where anything below is shown */
	int64_t size; /* by the truth record, else by the listed object; -1 unknown; files */
	int64_t mtime_ns; /* truth, else listed object, else hash, else id time; -1 unknown */
	int64_t project; /* number of the one project that names it and all below; 0: several */
};

/* A site's entry of one record. */
struct index_entry {
	enum doc_presence presence;
	int64_t created_ms, failed_ms;
	char *id, *error; /* or NULL */
	int tries, priority;
	bool is_paused;
	double progress;
};

/* One files[] element of a representation that names the path. */
struct index_record {
	char *project, *repre, *file; /* ids */
	char *path, *key;             /* as in the document; truth key */
	char *asset, *subset, *version, *name;
	int64_t size_hint, mtime_ns;
	int64_t first_seen_ms; /* wall time at which this file id first came into this index */
	struct index_entry ours, remote;
	bool is_arriving; /* its representation is not whole at the remote yet */
	bool is_inactive; /* its project is inactive: readable, no background transfers */
};

/* What was last seen of the object at the remote. */
enum index_object_state {
	OBJECT_UNKNOWN = 0,
	OBJECT_PRESENT, /* P: there and equal to the truth record (or no truth is known yet) */
	OBJECT_MISSING,   /* M */
	OBJECT_DIFFERENT, /* D */
};

struct index_object {
	enum index_object_state state;
	char *id, *revision, *document_id;
	int64_t size, mtime_ns; /* -1 unknown */
	int64_t seen_ms;
	/* of one that is missing or different, as far as the remote tells */
	enum provider_fate fate;
	char *who;            /* or NULL */
	int64_t at_ms;        /* 0: not known */
	struct digest digest; /* as listed just now: not kept */
};

/* Everything about a path: for decisions, explain, info. */
struct index_path {
	struct index_node node;
	struct index_record *records;
	size_t n_records;
	struct truth truth; /* size -1: none */
	struct truth
		former; /* of a publish before, which says nothing of this one; none where it is of no files */
	struct index_object object;
};
void index_path_done(struct index_path *path);

/* What a writing call touched, so that it can be decided anew and the kernel be told: files, and folders
 * that begin or cease to be shown. */
typedef int index_touched_fn(void *context, int root, const char *rel);
/* NAME is borrowed. A non-zero result ends the walk and is returned by it. */
typedef int index_list_fn(void *context, const char *name, const struct index_node *node);
typedef int index_path_fn(void *context, int root, const char *rel);

struct index_setup {
	const char *path;            /* of the database file */
	const char *store_identity;  /* store->ops->identity() */
	const struct config *config; /* sites, roots, retry_cnt; outlives the index */
	bool is_partial_shown;       /* show_partial */
};

/* 0, INDEX_FRESH, or a negative errno. A corrupt file is replaced (it can be rebuilt). */
int index_open(const struct index_setup *setup, struct index **ret, struct error *error);
void index_free(struct index *index);
DEFINE_CLEANUP(struct index *, index_free);

/* ---- reading, any thread ---- */

bool index_is_complete(struct index *index);
/* INDEX_NONE. rel "" is the root folder (always there). Nodes that are SHOWN_NOT are found too. */
int index_find(struct index *index, int root, const char *rel, struct index_node *ret);
/* Children of a folder after name AFTER (NULL: from the start) in byte order, the shown ones only
 * unless ALL. INDEX_NONE where REL is no folder of the index. */
int index_list(struct index *index, int root, const char *rel, const char *after,
	       bool all, index_list_fn *fn, void *context);
/* The same for the shown ones, with the hashes of the file ids of every record that names a child (of
 * a folder: none). HASHES are borrowed and unsorted. */
typedef int index_hashes_fn(void *context, const char *name,
			    const struct index_node *node, const uint64_t *hashes,
			    size_t n);
int index_list_hashes(struct index *index, int root, const char *rel, const char *after,
		      index_hashes_fn *fn, void *context);
/* INDEX_NONE. End with index_path_done(). A folder has no records: those that name it are refused. */
int index_find_path(struct index *index, int root, const char *rel,
		    struct index_path *ret);
/* A truth record of that size with an object at SITE, and (DIGEST may be NULL: any) of those bytes; RET has size, digest and
 * remotes. INDEX_NONE. End with truth_done(). Any thread. */
int index_find_bytes(struct index *index, const char *site, int64_t size,
		     const struct digest *digest, struct truth *ret);
/* 64-bit hashes (index_file_hash) of every file id that any record at or below the path carries;
 * allocated, sorted. */
int index_file_hashes(struct index *index, int root, const char *rel, uint64_t **ret,
		      size_t *ret_n);
uint64_t index_file_hash(const char *file_id);
/* The number under which nodes name a project. INDEX_NONE. */
int index_find_project(struct index *index, const char *project, int64_t *ret);
/* A record of that project names the path or something below it. 1 or 0. */
int index_has_project(struct index *index, int root, const char *rel, int64_t project);
/* Changes with each commit that changed something. */
uint64_t index_generation(struct index *index);

/* Paths of one kind, in id order, read in short slices (nothing is locked between). */
enum index_select {
	SELECT_ALL = 0,
	SELECT_RECORDED, /* our entry has created_dt in some record */
	SELECT_PENDING, /* some record wants a transfer: ours + remote -, or ours - remote + */
	SELECT_LISTABLE, /* shown, and its true size is unknown */
	SELECT_PROJECT,  /* named by that project */
	SELECT_TROUBLE,  /* its object is missing or different */
};
int index_each(struct index *index, enum index_select select, const char *project,
	       index_path_fn *fn, void *context);
/* Paths with a record that says that the remote has the file under that id. */
int index_each_of_remote_id(struct index *index, const char *id, index_path_fn *fn,
			    void *context);
/* The next folder, in the order of ids after *AFTER (0: the first), in which published files lie. INDEX_NONE. */
int index_next_folder(struct index *index, int64_t *after, int *ret_root, char **ret_rel);
/* Paths that a representation names. */
int index_each_of_repre(struct index *index, const char *project, const char *repre,
			index_path_fn *fn, void *context);
/* Representations as people name them; NULL: any. */
struct index_publish {
	const char *project; /* not NULL */
	const char *asset, *subset, *version, *name;
};
/* Paths that such representations name; one that several of them name comes as often. */
int index_each_of_publish(struct index *index, const struct index_publish *publish,
			  index_path_fn *fn, void *context);
/* Records by id, for pub: and repre: arguments and messages: fills PROJECT (allocated). INDEX_NONE. */
int index_find_repre(struct index *index, const char *repre, char **ret_project);
struct index_counts {
	int64_t files, folders, repres, projects;
	int64_t shown, awaited, failed, refused;
	int64_t trouble; /* files whose object is missing or different */
};
int index_count(struct index *index, struct index_counts *ret);
/* Files and documents that take no part, with the reason; path is as in the document, "" where the whole
 * document is refused. */
typedef int index_refused_fn(void *context, const char *project, const char *repre,
			     const char *path, const char *reason);
int index_each_refused(struct index *index, index_refused_fn *fn, void *context);

/* ---- writing, sync thread ---- */

/* A call that fails has done part of its work: index_rollback() is due then. Readers see what was
 * committed. */
int index_begin(struct index *index);
int index_commit(struct index *index);
void index_rollback(struct index *index);

/* Puts or replaces what the index holds of the representation; paths whose facts changed (records, shown,
 * size, mtime) are given to FN. Nothing changed: nothing is written. */
int index_put_doc(struct index *index, const struct doc *doc, index_touched_fn *fn,
		  void *context);
int index_drop_doc(struct index *index, const char *project, const char *repre,
		   index_touched_fn *fn, void *context);
/* A representation that cannot be read at all: kept as refused with the reason. */
int index_refuse_doc(struct index *index, const char *project, const char *repre,
		     const char *reason, index_touched_fn *fn, void *context);
int index_set_project(struct index *index, const char *project, bool is_inactive,
		      index_touched_fn *fn, void *context);
int index_put_truth(struct index *index, const struct truth *truth, index_touched_fn *fn,
		    void *context);
/* Of the files that the record is of one may be unknown here, of a representation that is known: its document changed, and
 * nobody has told yet. 0 with that representation in RET (allocated), or INDEX_NONE. */
int index_find_unread(struct index *index, const struct truth *truth, char **ret_repre);
/* INDEX_NONE where no record names the path: nothing is kept of it. Its size and time are kept where some record says
 * that the remote has it. */
int index_put_object(struct index *index, int root, const char *rel,
		     const struct index_object *object, index_touched_fn *fn,
		     void *context);

/* Mark and sweep: begin, put every document that exists, end: what was not put since is dropped, except in a project that
 * KEEP is true for. IS_EMPTY: nothing at all of it was put while the index holds some; where that is kept,
 * index_sweep_end() returns INDEX_EMPTIED. */
typedef bool index_keep_fn(void *context, const char *project, bool is_empty);
int index_sweep_begin(struct index *index);
int index_sweep_end(struct index *index, index_touched_fn *fn, index_keep_fn *keep,
		    void *context);
void index_set_complete(struct index *index);

/* The store's feed token up to which the index is current; committed with the rows. */
int index_get_token(struct index *index, char **ret); /* INDEX_NONE */
int index_set_token(struct index *index, const char *token);
/* Small facts about the remote ("changes", "compared"), committed with the rows and gone with them. INDEX_NONE. */
int index_get_remote_fact(struct index *index, const char *name, char **ret);
int index_set_remote_fact(struct index *index, const char *name, const char *value);
