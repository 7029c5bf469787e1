/* The embedded store: which hosts have a daemon for a site, and when each was seen last. */
#include "sync/base/clock.h"
#include "sync/store_sqlite.h"

struct greeting {
	const char *site, *host;
};

static int greet(struct store_sqlite *s, void *context)
{
	const struct greeting *greeting = context;

	return db_run(s->db, "INSERT OR REPLACE INTO host VALUES (?, ?, ?)", "ssi",
		      greeting->site, greeting->host, clock_wall_ms());
}

int store_sqlite_greet(struct store *store, const char *site, const char *host)
{
	struct greeting greeting = { site, host };

	return store_sqlite_change(store_sqlite_of(store), greet, &greeting);
}

int store_sqlite_hosts(struct store *store, const char *site, store_host_fn *fn,
		       void *context)
{
	struct store_sqlite *s = store_sqlite_of(store);
	DB_ROWS *rows = NULL;
	int r = store_sqlite_ready(s);

	if (r == 0)
		r = db_query(
			s->db, &rows,
			"SELECT name, seen_ms FROM host WHERE site = ? ORDER BY name",
			"s", site);
	while (r == 0 && (r = db_step(rows)) > 0)
		r = fn(context, db_text(rows, 0), db_int(rows, 1));
	return r;
}
