/*
 * Inside of the embedded store: what its files (schema, reading, writing, truth, watching, leases)
 * share. Nobody else includes this.
 *
 * A document is a row with its BSON as it came; type, parent and name stand beside it for find().
 * Triggers write the oplog, so that a row that another hand changes (sqlite3, a script) is seen as
 * well. Each change is one transaction; nothing is held open between calls.
 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "sync/base/buf.h"
#include "sync/base/db.h"
#include "sync/store.h"
#include "sync/store_owner.h"

#define STORE_ID_SIZE 33 /* 32 hex digits and a NUL */

struct store_sqlite {
	struct store store;
	char *path; /* absolute, symlinks resolved */
	dev_t dev; /* of the file that is open: another one under its name is opened anew */
	ino_t ino;
	struct db *db;
	char id[STORE_ID_SIZE];

	int wake_fd;        /* eventfd of wake() */
	int inotify_fd;     /* on the folder, from the first watch() on; -1 before */
	bool is_polling;    /* inotify is not to be had */
	int64_t look_until; /* monotonic ms: until then watch() looks by itself, see there */
	int64_t look_ms;    /* at this interval */

	struct store_owner self; /* the holder of our leases */
};

/* The port's operations, by file. */

int store_sqlite_projects(struct store *store, store_name_fn *fn, void *context);
int store_sqlite_scan(struct store *store, const char *project, bool all,
		      store_doc_fn *fn, void *context);
int store_sqlite_search(struct store *store, const char *project,
			const struct store_where *where, size_t n, store_doc_fn *fn,
			void *context);
int store_sqlite_load(struct store *store, const char *project, const char *id,
		      struct buf *ret);
int store_sqlite_find(struct store *store, const char *project, const char *type,
		      const char *parent, const char *name, struct buf *ret);

int store_sqlite_record(struct store *store, const struct record *records, size_t n,
			int *results);
int store_sqlite_edit(struct store *store, const struct site_edit *edits, size_t n,
		      struct site_edited *results);
int store_sqlite_insert(struct store *store, const char *project, const struct buf *docs,
			size_t n, int *results);
int store_sqlite_publish(struct store *store, const char *project, const struct buf *docs,
			 size_t n);

int store_sqlite_settings(struct store *store, const char *machine, store_doc_fn *fn,
			  void *context);
int store_sqlite_scan_truth(struct store *store, store_truth_fn *fn, void *context);
int store_sqlite_load_truth(struct store *store, const char *project, const char *key,
			    struct truth *ret);
int store_sqlite_put_truth(struct store *store, const struct truth *truth, bool replace);

int store_sqlite_now(struct store *store, char **ret_token);
int store_sqlite_watch(struct store *store, char **token, int64_t timeout_ms,
		       store_event_fn *fn, void *context);
void store_sqlite_wake(struct store *store);

int store_sqlite_lease(struct store *store, const char *key, const char *ids,
		       char **ret_ids);
int store_sqlite_release(struct store *store, const char *key);
int store_sqlite_reserve(struct store *store, const char *const *keys,
			 const char *const *ids, size_t n, char **ret);
int store_sqlite_forget(struct store *store, const char *key);
int store_sqlite_greet(struct store *store, const char *site, const char *host);
int store_sqlite_hosts(struct store *store, const char *site, store_host_fn *fn,
		       void *context);
int store_sqlite_put_holdings(struct store *store, const char *site,
			      const struct holding *holdings, size_t n);
int store_sqlite_holdings(struct store *store, const char *site, const char *project,
			  const char *repre, store_holding_fn *fn, void *context);

/* ---- shared ---- */

int store_sqlite_open(const char *path, bool must_exist, struct store **ret,
		      struct error *error);
static inline struct store_sqlite *store_sqlite_of(struct store *store)
{
	return (struct store_sqlite *)store;
}
/* Before each use: the file that is open still bears its name, else what is there now is opened. */
int store_sqlite_ready(struct store_sqlite *s);
/* FN in one transaction, committed where it returns 0; else rolled back and its result returned. */
int store_sqlite_change(struct store_sqlite *s,
			int (*fn)(struct store_sqlite *s, void *context), void *context);
