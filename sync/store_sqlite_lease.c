/*
 * The embedded store: leases. One is held by a process, not by a handle: the boot's id, the pid and
 * the start time name it, so that neither a dead process nor a reused pid holds anything.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/store_owner.h"
#include "sync/store_sqlite.h"

/* Who we are, read once: a handle is not taken over a fork. */
static int know_self(struct store_sqlite *s)
{
	return s->self.pid ? 0 : store_owner_self(&s->self);
}

/* A lease's row: all of it lies on this host, whatever the pid name space was. */
static struct store_owner owner_of(const struct store_sqlite *s,
				   struct sqlite3_stmt *rows)
{
	struct store_owner owner = { .space = s->self.space,
				     .pid = db_int(rows, 1),
				     .start = db_int(rows, 2) };

	str_cut(owner.boot, sizeof(owner.boot), db_text(rows, 0));
	return owner;
}

struct claim {
	const char *key, *ids; /* IDS: or NULL */
	char **ret_ids;
};

/* A key's first id counts. */
static int reserve(struct store_sqlite *s, const char *key, const char *id)
{
	return db_run(s->db, "INSERT OR IGNORE INTO reserved VALUES (?, ?)", "ss", key,
		      id);
}

/* *RET stays NULL where nothing is reserved. */
static int find_reserved(struct store_sqlite *s, const char *key, char **ret)
{
	DB_ROWS *rows = NULL;
	int r;

	*ret = NULL;
	r = db_query(s->db, &rows, "SELECT id FROM reserved WHERE key = ?", "s", key);
	if (r == 0)
		r = db_step(rows);
	if (r <= 0)
		return r;
	*ret = strdup(db_text(rows, 0));
	return *ret ? 0 : -ENOMEM;
}

static int take_ids(struct store_sqlite *s, const struct claim *claim)
{
	int r = claim->ids ? reserve(s, claim->key, claim->ids) : 0;

	return r == 0 ? find_reserved(s, claim->key, claim->ret_ids) : r;
}

static int take(struct store_sqlite *s, void *context)
{
	const struct claim *claim = context;
	const char *key = claim->key;
	struct store_owner owner;
	DB_ROWS *rows = NULL;
	int r;

	r = db_query(s->db, &rows, "SELECT boot, pid, start FROM lease WHERE key = ?",
		     "s", key);
	if (r == 0)
		r = db_step(rows);
	if (r < 0)
		return r;
	if (r > 0) {
		owner = owner_of(s, rows);
		if (store_owner_equal(&owner, &s->self))
			return find_reserved(s, key, claim->ret_ids);
		if (store_owner_is_near(&owner, &s->self) && store_owner_lives(&owner))
			return STORE_CONFLICT;
	}
	r = db_run(s->db, "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?)", "ssii", key,
		   s->self.boot, s->self.pid, s->self.start);
	return r == 0 ? take_ids(s, claim) : r;
}

static int give(struct store_sqlite *s, void *context)
{
	const struct claim *claim = context;
	int r;

	r = db_run(s->db,
		   "DELETE FROM lease WHERE key = ? AND boot = ? AND pid = ?"
		   " AND start = ?",
		   "ssii", claim->key, s->self.boot, s->self.pid, s->self.start);
	if (r < 0)
		return r;
	if (db_changes(s->db) == 0)
		return STORE_GONE;
	return db_run(s->db, "DELETE FROM reserved WHERE key = ?", "s", claim->key);
}

int store_sqlite_lease(struct store *store, const char *key, const char *ids,
		       char **ret_ids)
{
	struct store_sqlite *s = store_sqlite_of(store);
	struct claim claim = { key, ids, ret_ids };
	int r = know_self(s);

	*ret_ids = NULL;
	r = r < 0 ? r : store_sqlite_change(s, take, &claim);
	if (r != 0) {
		free(*ret_ids);
		*ret_ids = NULL;
	}
	return r;
}

int store_sqlite_release(struct store *store, const char *key)
{
	struct store_sqlite *s = store_sqlite_of(store);
	struct claim claim = { .key = key };
	int r = know_self(s);

	return r < 0 ? r : store_sqlite_change(s, give, &claim);
}

/* ---- ids without a lease ---- */

struct reservation {
	const char *const *keys, *const *ids;
	size_t n;
	char **ret;
};

static int reserve_all(struct store_sqlite *s, void *context)
{
	const struct reservation *all = context;
	int r = 0;

	for (size_t i = 0; r == 0 && i < all->n; i++) {
		if (all->ids[i])
			r = reserve(s, all->keys[i], all->ids[i]);
		if (r == 0)
			r = find_reserved(s, all->keys[i], &all->ret[i]);
	}
	return r;
}

int store_sqlite_reserve(struct store *store, const char *const *keys,
			 const char *const *ids, size_t n, char **ret)
{
	char *found[STORE_RESERVE_MAX] = { 0 };
	struct reservation all = { keys, ids, n, found };
	int r;

	assert(n <= STORE_RESERVE_MAX);
	r = store_sqlite_change(store_sqlite_of(store), reserve_all, &all);
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			ret[i] = found[i];
		else
			free(found[i]);
	}
	return r;
}

static int forget(struct store_sqlite *s, void *context)
{
	const char *key = context;
	int r = db_run(s->db, "DELETE FROM reserved WHERE key = ?", "s", key);

	if (r < 0)
		return r;
	return db_changes(s->db) > 0 ? 0 : STORE_GONE;
}

int store_sqlite_forget(struct store *store, const char *key)
{
	_cleanup_(freep) char *copy = strdup(key);

	return copy ? store_sqlite_change(store_sqlite_of(store), forget, copy) : -ENOMEM;
}
