/*
 * Inside of the MongoDB store: what its files (connection, reading, writing, truth, feed, leases) share.
 * Nobody else includes this; store_mongo* are the only files that know the driver.
 *
 * OpenPype's settings (OPENPYPE_DATABASE_NAME) are read, sync/store_mongo_settings.c, never written.
 *
 * Two databases: the studio's (AVALON_DB, one collection per project), of which only documents are read,
 * entries of `sites` changed and publishes inserted; and "<AVALON_DB>_sitefs", all of which is ours:
 *
 *   meta      {_id: "identity", value}              made with the database
 *   truth     {_id: {p: project, k: key}, rev, size, mtime_ns, sha256, md5, remotes: [{site, id, revision}],
 *              files: ["REPRE/FILE"]}
 *   lease     {_id: key, owner, epoch, ids}         sync/store_mongo_lease.c
 *   reserved  {_id: key, id}                        sync/store_mongo_reserve.c
 *   owner     {_id: owner, beat}
 *   host      {_id: "SITE\nHOST", site, host, at}   sync/store_mongo_host.c
 *   holding   {_id: {s: site, p: project, r: representation}, files: [id], at}    sync/store_mongo_holding.c
 *   touched   {_id: {k: kind, p: project, i: id}, at, day}    where there are no change streams
 *
 * One driver client per handle: a handle belongs to one thread at a time, and without background threads
 * of the driver it survives a fork that happens before its first use.
 */
#pragma once

#include <stdint.h>

#include <mongoc/mongoc.h>

#include "sync/base/buf.h"
#include "sync/base/lock.h"
#include "sync/base/map.h"
#include "sync/store.h"
#include "sync/store_owner.h"

/* What driver 2.x calls an array of which the caller counts the keys, 1.23 has under its older name. */
#ifndef BSON_APPEND_ARRAY_UNSAFE_BEGIN
#define BSON_APPEND_ARRAY_UNSAFE_BEGIN BSON_APPEND_ARRAY_BEGIN
#endif

#define STORE_MONGO_ID_SIZE 33 /* 32 hex digits and a NUL */

struct store_mongo_feed;

struct store_mongo {
	struct store store;
	mongoc_uri_t *uri;
	mongoc_client_t *client;
	bson_t *durable;      /* options of a write: journaled on a majority */
	char *database, *own; /* names */
	char id[STORE_MONGO_ID_SIZE];
	bool has_streams; /* a replica set or a cluster: the server has change streams */

	struct mutex lock;
	struct cond changed; /* woken, or events came */
	bool is_woken GUARDED_BY(&lock);
	bool has_news GUARDED_BY(&lock); /* something to be taken from a stream */
	struct store_mongo_feed *feed;   /* from the first watch() on */

	struct store_owner self; /* the holder of our leases */
	char *self_name;
	int64_t next_beat_ms;
	struct map seen; /* owner -> struct seen: other hosts' beats, see there */
};

DEFINE_CLEANUP(mongoc_collection_t *, mongoc_collection_destroy);
DEFINE_CLEANUP(mongoc_client_t *, mongoc_client_destroy);
DEFINE_CLEANUP(mongoc_cursor_t *, mongoc_cursor_destroy);
DEFINE_CLEANUP(bson_t *, bson_destroy);

/* The port's operations, by file. */

int store_mongo_projects(struct store *store, store_name_fn *fn, void *context);
int store_mongo_scan(struct store *store, const char *project, bool all, store_doc_fn *fn,
		     void *context);
int store_mongo_search(struct store *store, const char *project,
		       const struct store_where *where, size_t n, store_doc_fn *fn,
		       void *context);
int store_mongo_load(struct store *store, const char *project, const char *id,
		     struct buf *ret);
int store_mongo_settings(struct store *store, const char *machine, store_doc_fn *fn,
			 void *context);
int store_mongo_find(struct store *store, const char *project, const char *type,
		     const char *parent, const char *name, struct buf *ret);

int store_mongo_record(struct store *store, const struct record *records, size_t n,
		       int *results);
int store_mongo_edit(struct store *store, const struct site_edit *edits, size_t n,
		     struct site_edited *results);
/* Makes the change in a document, by CHANGE, as often as it is read: read, decide, send the difference. 0, STORE_GONE;
 * what CHANGE returned; -EBUSY where others never cease to change it. */
typedef int store_mongo_change_fn(void *context, struct buf *doc);
int store_mongo_change(struct store_mongo *s, const char *project, const char *id,
		       store_mongo_change_fn *change, void *context);
/* A write that changes nothing, on a majority like any other: what was read is not rolled back after it. */
int store_mongo_confirm(struct store_mongo *s, mongoc_collection_t *collection,
			const char *id);
int store_mongo_insert(struct store *store, const char *project, const struct buf *docs,
		       size_t n, int *results);
int store_mongo_publish(struct store *store, const char *project, const struct buf *docs,
			size_t n);

int store_mongo_scan_truth(struct store *store, store_truth_fn *fn, void *context);
int store_mongo_load_truth(struct store *store, const char *project, const char *key,
			   struct truth *ret);
int store_mongo_put_truth(struct store *store, const struct truth *truth, bool replace);

int store_mongo_now(struct store *store, char **ret_token);
int store_mongo_watch(struct store *store, char **token, int64_t timeout_ms,
		      store_event_fn *fn, void *context);
void store_mongo_wake(struct store *store);

int store_mongo_indexes(struct store *store, bool make, store_name_fn *fn, void *context);

int store_mongo_lease(struct store *store, const char *key, const char *ids,
		      char **ret_ids);
int store_mongo_release(struct store *store, const char *key);
int store_mongo_reserve(struct store *store, const char *const *keys,
			const char *const *ids, size_t n, char **ret);
int store_mongo_forget(struct store *store, const char *key);
int store_mongo_greet(struct store *store, const char *site, const char *host);
int store_mongo_hosts(struct store *store, const char *site, store_host_fn *fn,
		      void *context);
int store_mongo_put_holdings(struct store *store, const char *site,
			     const struct holding *holdings, size_t n);
int store_mongo_holdings(struct store *store, const char *site, const char *project,
			 const char *repre, store_holding_fn *fn, void *context);

/* ---- shared ---- */

int store_mongo_open(const char *uri, const char *database, struct store **ret,
		     struct error *error);
static inline struct store_mongo *store_mongo_of(struct store *store)
{
	return (struct store_mongo *)store;
}
/* A client of its own for another thread. NULL: no memory. */
mongoc_client_t *store_mongo_client(const struct store_mongo *s);
/* What the driver or the server says, as a negative errno; logged for debugging. */
int store_mongo_errno(const bson_error_t *error, const char *what);
/* A collection of the studio's database, or of ours. */
mongoc_collection_t *store_mongo_project(struct store_mongo *s, const char *project);
mongoc_collection_t *store_mongo_own(struct store_mongo *s, const char *name);
/* The bytes in BUF, written with sync/bson_write.h, as a document that borrows them. */
void store_mongo_borrow(const struct buf *buf, bson_t *ret);
/* The first document that FILTER finds, into RET. STORE_GONE. OPTS: or NULL. */
int store_mongo_first(mongoc_collection_t *collection, const bson_t *filter,
		      const bson_t *opts, struct buf *ret);
/* Each document that FILTER finds; FN's non-zero result ends it. */
int store_mongo_each(mongoc_collection_t *collection, const bson_t *filter,
		     const bson_t *opts, int (*fn)(void *context, const bson_t *doc),
		     void *context);
/* {_id: ID} with ID as in sync/bson_id.h. -EINVAL where it is none. */
int store_mongo_by_id(const char *id, bson_t *ret);
/* The server's wall clock. */
int store_mongo_clock(struct store_mongo *s, int64_t *ret_ms);
/* Names of the projects, one after the other, each with its NUL. */
int store_mongo_names(struct store_mongo *s, struct buf *ret);

/* Tells who polls what was changed; nothing where the server has change streams. */
int store_mongo_touch(struct store_mongo *s, enum store_event_kind kind,
		      const char *project, const char *id);
/* The same of many documents of a project. */
int store_mongo_touch_all(struct store_mongo *s, const char *project,
			  const char *const *ids, size_t n);

/* ---- the feed ---- */

void store_mongo_feed_free(struct store_mongo *s);
/* Our leases live: called by whatever runs often. */
void store_mongo_beat(struct store_mongo *s);
