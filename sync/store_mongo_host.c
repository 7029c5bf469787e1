/*
 * The MongoDB store: which hosts have a daemon for a site, and when each was seen last, by the server's clock. One document
 * a host: host {_id: "SITE\nHOST", site, host, at}.
 */
#include <string.h>

#include "sync/bson_id.h"
#include "sync/store_mongo.h"

int store_mongo_greet(struct store *store, const char *site, const char *host)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *hosts =
		store_mongo_own(store_mongo_of(store), "host");
	_cleanup_(freep) char *id = strf("%s\n%s", site, host);
	_cleanup_(bson_destroyp) bson_t *filter = NULL;
	_cleanup_(bson_destroyp) bson_t *update = NULL;
	_cleanup_(bson_destroyp) bson_t *opts = NULL;
	bson_error_t error = { 0 };

	if (!id)
		return -ENOMEM;
	filter = BCON_NEW("_id", BCON_UTF8(id));
	update = BCON_NEW("$set", "{", "site", BCON_UTF8(site), "host", BCON_UTF8(host),
			  "}", "$currentDate", "{", "at", BCON_BOOL(true), "}");
	opts = BCON_NEW("upsert", BCON_BOOL(true));
	return mongoc_collection_update_one(hosts, filter, update, opts, NULL, &error)
		       ? 0
		       : store_mongo_errno(&error, "tell that this host is there");
}

struct telling {
	store_host_fn *fn;
	void *context;
};

static int tell(void *context, const bson_t *doc)
{
	const struct telling *telling = context;
	const char *host = NULL;
	bson_iter_t it;

	if (bson_iter_init_find(&it, doc, "host"))
		host = bson_get_text(&it);
	if (!host || !bson_iter_init_find(&it, doc, "at") ||
	    !BSON_ITER_HOLDS_DATE_TIME(&it))
		return 0;
	return telling->fn(telling->context, host, bson_iter_date_time(&it));
}

int store_mongo_hosts(struct store *store, const char *site, store_host_fn *fn,
		      void *context)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *hosts =
		store_mongo_own(store_mongo_of(store), "host");
	_cleanup_(bson_destroyp) bson_t *filter = BCON_NEW("site", BCON_UTF8(site));
	struct telling telling = { fn, context };

	return store_mongo_each(hosts, filter, NULL, tell, &telling);
}
