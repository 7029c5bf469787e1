/*
 * Reading connections to one database, lent to whoever asks (any thread). The lock covers the free
 * list only, never a query; a borrower that calls back into its module just gets another connection.
 */
#pragma once

#include "sync/base/db.h"

struct db_pool;

/* PATH must exist when the first connection is lent, and is read only. 0 or -ENOMEM. */
int db_pool_new(const char *path, struct db_pool **ret);
/* Every loan has ended. */
void db_pool_free(struct db_pool *pool);
DEFINE_CLEANUP(struct db_pool *, db_pool_free);

/* A borrowed connection; DB_LOAN gives it back at the end of the block. */
struct db_loan {
	struct db_pool *pool;
	struct db *db;
	bool is_snapshot;
};
int db_pool_take(struct db_pool *pool, struct db_loan *ret);
/* The same, and all that is read until the end of the loan was committed at one moment. */
int db_pool_take_snapshot(struct db_pool *pool, struct db_loan *ret);
void db_loan_done(struct db_loan *loan);
#define DB_LOAN _cleanup_(db_loan_done) struct db_loan
