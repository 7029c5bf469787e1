/* Reading connections to one database. */
#include "sync/base/db_pool.h"

#include <string.h>

#include "sync/base/cleanup.h"
#include "sync/base/lock.h"

/* More than there are libfuse workers in a usual mount; what is above is closed after use. */
#define MAX_IDLE 16
#define BUSY_MS 10000 /* only recovery after a crash locks readers out, and is short */

struct db_pool {
	char *path;
	struct mutex lock;
	struct db *idle[MAX_IDLE] GUARDED_BY(&lock);
	size_t n_idle GUARDED_BY(&lock);
};

int db_pool_new(const char *path, struct db_pool **ret)
{
	struct db_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->path = strdup(path);
	if (!pool->path) {
		free(pool);
		return -ENOMEM;
	}
	mutex_init(&pool->lock);
	*ret = pool;
	return 0;
}

void db_pool_free(struct db_pool *pool) NO_THREAD_SAFETY
{
	if (!pool)
		return;
	for (size_t i = 0; i < pool->n_idle; i++)
		db_free(pool->idle[i]);
	mutex_done(&pool->lock);
	free(pool->path);
	free(pool);
}

int db_pool_take(struct db_pool *pool, struct db_loan *ret)
{
	struct db *db = NULL;
	int r;

	mutex_lock(&pool->lock);
	if (pool->n_idle)
		db = pool->idle[--pool->n_idle];
	mutex_unlock(&pool->lock);
	if (!db) {
		r = db_open(pool->path, DB_READ_ONLY, BUSY_MS, &db, NULL);
		if (r < 0)
			return r;
	}
	*ret = (struct db_loan){ .pool = pool, .db = db };
	return 0;
}

int db_pool_take_snapshot(struct db_pool *pool, struct db_loan *ret)
{
	DB_LOAN loan = { 0 };
	int r = db_pool_take(pool, &loan);

	if (r == 0)
		r = db_run(loan.db, "BEGIN", "");
	if (r < 0)
		return r;
	loan.is_snapshot = true;
	*ret = loan;
	loan = (struct db_loan){ 0 };
	return 0;
}

void db_loan_done(struct db_loan *loan)
{
	struct db_pool *pool = loan->pool;
	_cleanup_(db_freep) struct db *db = loan->db;

	if (!db)
		return;
	/* Nothing was written, so nothing can fail; a connection that does is not lent again. */
	if (loan->is_snapshot && db_run(db, "COMMIT", "") < 0)
		return;
	mutex_lock(&pool->lock);
	if (pool->n_idle < MAX_IDLE)
		pool->idle[pool->n_idle++] = steal(db);
	mutex_unlock(&pool->lock);
}
