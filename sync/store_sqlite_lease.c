/*
 * The embedded store: leases. One is held by a process, not by a handle: the boot's id, the pid and
 * the start time name it, so that neither a dead process nor a reused pid holds anything.
 */
#include <errno.h>
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

static int take(struct store_sqlite *s, void *context)
{
	const char *key = context;
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
			return 0;
		if (store_owner_is_near(&owner, &s->self) && store_owner_lives(&owner))
			return STORE_CONFLICT;
	}
	return db_run(s->db, "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?)", "ssii",
		      key, s->self.boot, s->self.pid, s->self.start);
}

static int give(struct store_sqlite *s, void *context)
{
	const char *key = context;
	int r;

	r = db_run(s->db,
		   "DELETE FROM lease WHERE key = ? AND boot = ? AND pid = ?"
		   " AND start = ?",
		   "ssii", key, s->self.boot, s->self.pid, s->self.start);
	if (r < 0)
		return r;
	return db_changes(s->db) > 0 ? 0 : STORE_GONE;
}

static int change(struct store *store, int (*fn)(struct store_sqlite *s, void *context),
		  const char *key)
{
	struct store_sqlite *s = store_sqlite_of(store);
	_cleanup_(freep) char *copy = strdup(key);
	int r;

	r = copy ? know_self(s) : -ENOMEM;
	return r < 0 ? r : store_sqlite_change(s, fn, copy);
}

int store_sqlite_lease(struct store *store, const char *key)
{
	return change(store, take, key);
}

int store_sqlite_release(struct store *store, const char *key)
{
	return change(store, give, key);
}
