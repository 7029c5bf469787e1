/* Opens a store by its URI, and what all stores share. */
#include "sync/store.h"

#include <errno.h>
#include <string.h>

#include "sync/store_mongo.h"
#include "sync/store_sqlite.h"

#define SQLITE "sqlite:"
#define MONGODB "mongodb"

void record_done(struct record *record)
{
	free(record->project);
	free(record->repre);
	free(record->file);
	free(record->path);
	free(record->site);
	free(record->had_id);
	free(record->id);
	free(record->error);
	*record = (struct record){ 0 };
}

void store_facts_done(struct store_facts *facts)
{
	free(facts->kind);
	*facts = (struct store_facts){ 0 };
}

int store_open(const char *uri, const char *database, bool must_exist, struct store **ret,
	       struct error *error)
{
	if (strncmp(uri, SQLITE, strlen(SQLITE)) == 0)
		return store_sqlite_open(uri + strlen(SQLITE), must_exist, ret, error);
	/* mongodb://, mongodb+srv://: not repeated, it may hold a password. */
	if (strncmp(uri, MONGODB, strlen(MONGODB)) == 0)
		return store_mongo_open(uri, database, ret, error);
	return error_set(
		error, -EINVAL,
		"the store's URI is of no kind that is known; use mongodb://HOST/ "
		"or sqlite:PATH");
}
