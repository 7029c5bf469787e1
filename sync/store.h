/*
 * Port to the studio's database: our own operations, not a query language. Implementations: MongoDB
 * (sync/store_mongo) and the embedded SQLite store (sync/store_sqlite). One contract table
 * (tests/contract/store) holds both to the same results.
 *
 * A store handle belongs to one thread at a time, except wake() (any thread). Calls block. Result
 * of every int function: 0; a positive store_outcome that the caller handles; or a negative errno
 * that means the database could not be used (-EBUSY locked, -ETIMEDOUT, -EHOSTUNREACH, -EACCES,
 * -EIO ...): nothing was changed then, or (only after a lost connection) it is unknown.
 *
 * What may be written is law 3 of the design: entries of `sites` by conditional change that
 * repeats every precondition; nothing else survives differently, byte for byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/buf.h"
#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "sync/holdings.h"
#include "sync/truth.h"

struct store;

enum store_outcome {
	STORE_GONE = 1, /* no such document, file or record */
	STORE_CONFLICT, /* a precondition does not hold: the store's entry differs, it wins */
	STORE_EXISTS, /* insert: an _id (or a version) of that kind is there already */
	STORE_TOKEN_LOST, /* watch: unknown or pruned token, another store: read everything */
	STORE_QUIET, /* watch: nothing happened until the deadline, or wake() was called */
	STORE_REFUSED, /* insert: no BSON document, or its _id is neither ObjectId nor text */
};

enum store_event_kind {
	STORE_EVENT_DOC = 1, /* a document was inserted or changed: read it again */
	STORE_EVENT_GONE,    /* a document was removed */
	STORE_EVENT_TRUTH,   /* a truth record was written: read it again */
};

struct store_event {
	enum store_event_kind kind;
	const char *project;
	const char *id; /* of the document, or the truth record's key. Borrowed */
};

/* What is changed in one site entry of one file. */
enum record_op {
	RECORD_DONE =
		1, /* set id, created_dt; unset error, tries, last_failed_dt, progress (C4);
			    adds the whole entry where it is absent (C8) */
	RECORD_FAILED,   /* set tries, error, last_failed_dt; unset progress (C5) */
	RECORD_PROGRESS, /* set progress; a negative one: unset it */
	RECORD_PULL,     /* remove the entry */
	RECORD_RETRY,    /* unset tries, error, last_failed_dt, progress */
};

/*
 * One such change with the entry it was decided on: presence, created_dt, id of the entry, the
 * file's _id and path must still be so (law 7), else STORE_CONFLICT. It carries absolute values,
 * so that doing it twice is doing it once: where the entry is already as wanted, the result is 0.
 * All strings are owned by the record.
 */
struct record {
	enum record_op op;
	char *project, *repre, *file, *path, *site; /* path: as in the document */
	int had_presence;                           /* enum doc_presence */
	int64_t had_created_ms; /* where had_presence is DOC_PRESENT */
	char *had_id;           /* or NULL */
	char *id;               /* DONE: remote id, or basename */
	int64_t created_ms;     /* DONE */
	int tries;              /* FAILED: the new total */
	char *error;            /* FAILED */
	int64_t failed_ms;      /* FAILED */
	double progress;        /* PROGRESS */
};

void record_done(struct record *record);
DEFINE_CLEANUP(struct record *, record_done);

/* A change to the site that a person names: whole documents or some files of one. */
enum site_edit_op {
	SITE_ADD = 1,  /* push {name[, priority]} where absent; never created_dt */
	SITE_REMOVE,   /* pull the entry */
	SITE_RESET,    /* replace by {name[, priority]}: the entry's own priority */
	SITE_PAUSE,    /* set paused: true */
	SITE_UNPAUSE,  /* unset paused */
	SITE_PRIORITY, /* set priority */
	SITE_RETRY,    /* unset tries, error, last_failed_dt, progress */
	SITE_LIST_FORM, /* an old form of `sites` becomes a list, nothing else; SITE is not used */
};

struct site_edit {
	enum site_edit_op op;
	const char *project, *repre;
	const char *const *files; /* their ids; NULL: every file of the representation */
	size_t n_files;
	const char *site;
	int priority; /* PRIORITY; ADD: 0 = the key is left out */
};

struct site_edited {
	int result; /* 0; STORE_GONE: no such document, or none of its files; -EFBIG: it would outgrow BSON;
		       -EBADMSG: it is none. Nothing was changed then */
	size_t n_changed; /* entries */
};

/* Which representations are looked for: one of the three. */
struct store_where {
	const char *id;
	const char *
		path; /* below any root, '/' between its names: that file, or what lies below that folder */
	const struct store_equal {
		const char *key, *text; /* "context.asset": the text there */
	} *equals;                      /* all of them */
	size_t n_equals;
};

/* What a store says of itself. */
struct store_facts {
	char *kind;       /* for people: "MongoDB 6.0.5, replica set rs0 at HOST" */
	bool has_feed;    /* it tells of changes; else it is looked at */
	int64_t clock_ms; /* its wall clock; 0: it is this machine's */
};
void store_facts_done(struct store_facts *facts);
DEFINE_CLEANUP(struct store_facts *, store_facts_done);

/* Calls with borrowed arguments; a non-zero result ends the walk and is returned by it. */
typedef int store_doc_fn(void *context, const char *project, const void *bson,
			 size_t len);
typedef int store_event_fn(void *context, const struct store_event *event);
typedef int store_truth_fn(void *context, const struct truth *truth);
typedef int store_name_fn(void *context, const char *name);
/* A host by its name, and when it was seen last: wall time by the store's clock. */
typedef int store_host_fn(void *context, const char *host, int64_t seen_ms);
/* May not use the store. */
typedef int store_holding_fn(void *context, const struct holding *holding);

struct store_ops {
	const char *name;
	/* Identity of the database's content: random, made with it. Allocated. */
	int (*identity)(struct store *store, char **ret);
	/* Into an empty RET, which the caller ends with store_facts_done(). */
	int (*facts)(struct store *store, struct store_facts *ret);
	/* Names of the projects (collections). */
	int (*projects)(struct store *store, store_name_fn *fn, void *context);
	/* A token that stands for now: events after it are given by watch. Allocated. */
	int (*now)(struct store *store, char **ret_token);
	/* Every document (ALL) or every representation of PROJECT (NULL: of all). */
	int (*scan)(struct store *store, const char *project, bool all, store_doc_fn *fn,
		    void *context);
	/* OpenPype's settings documents that this machine of that id needs (sync/doc_settings.h), beside the projects in
	 * the same server, cut down to what sitefs reads; FN's project is NULL. None in the embedded store. */
	int (*settings)(struct store *store, const char *machine, store_doc_fn *fn,
			void *context);
	/* As scan() of representations, those that one of WHERE may mean; others may be among them. What of it a store can
	 * find without giving all to the caller is its own. */
	int (*search)(struct store *store, const char *project,
		      const struct store_where *where, size_t n, store_doc_fn *fn,
		      void *context);
	int (*scan_truth)(struct store *store, store_truth_fn *fn, void *context);
	/* One document as BSON into an empty RET. STORE_GONE. */
	int (*load)(struct store *store, const char *project, const char *id,
		    struct buf *ret);
	/* STORE_GONE. The caller ends RET with truth_done(). */
	int (*load_truth)(struct store *store, const char *project, const char *key,
			  struct truth *ret);
	/* Waits until TIMEOUT_MS (0: only look; -1: for ever) for events after *token, gives them to FN
	 * and replaces *token (allocated). The first look after a token of before finds all that happened
	 * until then; later ones what has come, within a second, or where there is no feed poll_ms. STORE_QUIET, STORE_TOKEN_LOST; after a non-zero result of
	 * FN *token stands as it was. */
	int (*watch)(struct store *store, char **token, int64_t timeout_ms,
		     store_event_fn *fn, void *context);
	/* Ends a watch() of this handle at once. Any thread. */
	void (*wake)(struct store *store);
	/* Calls FN with each project without the index by which watch() finds entries that wait, where it needs one (MAKE: it
	 * was made before that call). NULL: this kind of store needs none. */
	int (*indexes)(struct store *store, bool make, store_name_fn *fn, void *context);
	/* N changes, in order; results[i] is 0, STORE_GONE or STORE_CONFLICT each. A negative result
	 * says that none was made. Old forms of `sites` are converted whole where touched. */
	int (*record)(struct store *store, const struct record *records, size_t n,
		      int *results);
	/* N edits, in order; quickest where those of one project, and of one document, follow each other. The
	 * embedded store makes all in one transaction; MongoDB some hundred documents at a time: after a negative
	 * result some may be made. Doing them again is doing them once. */
	int (*edit)(struct store *store, const struct site_edit *edits, size_t n,
		    struct site_edited *results);
	/* Adds the record, or completes the one that says the same bytes (digests, remotes, files); where it
	 * says other bytes: replaced if REPLACE or if it is of none but the files TRUTH->before, else
	 * STORE_CONFLICT. REPLACE takes over the mtime of the same bytes too. -EINVAL: no size. */
	int (*put_truth)(struct store *store, const struct truth *truth, bool replace);
	/* Inserts documents as they are. results[i] = 0, STORE_EXISTS or STORE_REFUSED; never alters
	 * one. -EINVAL: no name for a project. */
	int (*insert)(struct store *store, const char *project, const struct buf *docs,
		      size_t n, int *results);
	/* Registers a publish: all of DOCS or none. STORE_EXISTS where a document with the same type,
	 * parent and name, or the same _id, is there. -EBADMSG: one of them insert() would refuse. */
	int (*publish)(struct store *store, const char *project, const struct buf *docs,
		       size_t n);
	/* The document with that type, parent (NULL: any) and name (or, where NAME is NULL, the one with the
	 * highest integer `name`). NAME also stands for the integer of these digits. STORE_GONE. */
	int (*find)(struct store *store, const char *project, const char *type,
		    const char *parent, const char *name, struct buf *ret);
	/* Leases of this host: taken for KEY ("upload:SITE:PROJECT:{root}/a/b") by this process. 0: taken or
	 * already ours; STORE_CONFLICT: a living process holds it. Released (STORE_GONE: it was not ours), or
	 * void with the process (boot, pid and start time; on another host: its beat stood still for takeover_ms).
	 * IDS (or NULL) are kept with a lease that is new; RET_IDS, the caller's, are those that are kept: where it
	 * was taken over those of the first holder, who may have begun with them. */
	int (*lease)(struct store *store, const char *key, const char *ids,
		     char **ret_ids);
	int (*release)(struct store *store, const char *key);
	/* What all processes of all hosts agree on, by key (ids of what will be made at a remote, the identity of a
	 * site's root): of the texts that were brought for a key the first one counts, from now on until forget().
	 * RET[i] is it, allocated; NULL where IDS[i] is NULL (only a look) and there is none. On failure none is. N is
	 * at most 64. */
	int (*reserve)(struct store *store, const char *const *keys,
		       const char *const *ids, size_t n, char **ret);
	/* STORE_GONE. */
	int (*forget)(struct store *store, const char *key);
	/* HOST has a daemon for SITE, which is there now. */
	int (*greet)(struct store *store, const char *site, const char *host);
	/* Calls FN with each host that ever greeted for SITE, until it returns non-zero, which is returned. */
	int (*hosts)(struct store *store, const char *site, store_host_fn *fn,
		     void *context);
	/* What SITE holds of N representations without entries that say so, in place of what was told before; no files:
	 * nothing any more. After a negative result some may be told. It is repaired by whoever told it, so it may be lost
	 * where the store loses what others have not acknowledged yet. */
	int (*put_holdings)(struct store *store, const char *site,
			    const struct holding *holdings, size_t n);
	/* Calls FN with what was told of SITE: of a representation of PROJECT; REPRE NULL: of all of PROJECT; both NULL: of
	 * all. In the order of their names. */
	int (*holdings)(struct store *store, const char *site, const char *project,
			const char *repre, store_holding_fn *fn, void *context);
	void (*free)(struct store *store);
};

/* How often a database without a change feed is looked at, unless its opener says otherwise. */
#define STORE_POLL_MS 60000
/* How long another host's holder of a lease is silent until it counts as dead. */
#define STORE_TAKEOVER_MS 60000
#define STORE_RESERVE_MAX 64

struct store {
	const struct store_ops *ops;
	int64_t poll_ms; /* watch() where there is no change feed; 0: each call looks */
	bool looks_now;  /* the next watch() does, whatever poll_ms says */
	const char *sites
		[2]; /* whose waiting entries watch() finds there, or NULL. Borrowed */
	int64_t takeover_ms; /* by this process's own monotonic clock */
};

/*
 * Opens "sqlite:PATH" (created where missing unless MUST_EXIST) or "mongodb://..." (DATABASE there, and one of ours beside
 * it). -ENOENT; -EMEDIUMTYPE where the file is no store of ours, or too damaged to be known as one; -EREMOTE on a network
 * file system; -EHOSTUNREACH, -ETIMEDOUT, -EACCES of a server.
 */
int store_open(const char *uri, const char *database, bool must_exist, struct store **ret,
	       struct error *error);
_unused_ static inline void store_free(struct store *store)
{
	if (store)
		store->ops->free(store);
}
DEFINE_CLEANUP(struct store *, store_free);
