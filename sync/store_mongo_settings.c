/* The MongoDB store: OpenPype's settings documents, as far as they are about sites and roots. */
#include "sync/doc_settings.h"
#include "sync/store_mongo.h"

#define DATABASE "openpype"
#define COLLECTION "settings"

struct reading {
	store_doc_fn *fn;
	void *context;
};

static int give(void *context, const bson_t *doc)
{
	const struct reading *reading = context;

	return reading->fn(reading->context, NULL, bson_get_data(doc), doc->len);
}

/* One that says whose it is, and the parts that are read. Settings of applications are large, and there is a document
 * for every version that a studio has used. */
static bson_t *make_opts(void)
{
	static const char *const fields[] = {
		"type",
		"version",
		"is_default",
		"project_name",
		"site_id",
		"value",
		"production_versions",
		"data.production_version",
		"data.modules.sync_server",
		"data.global.sync_server",
		"data.roots",
		"data.projects",
	};
	bson_t *opts = bson_new(), projection;

	BSON_APPEND_DOCUMENT_BEGIN(opts, "projection", &projection);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		BSON_APPEND_INT32(&projection, fields[i], 1);
	bson_append_document_end(opts, &projection);
	return opts;
}

/* Of machines, this one's. */
static bson_t *make_filter(const char *machine)
{
	bson_t *filter = bson_new(), type, in, site, ids;
	char key[24];

	BSON_APPEND_DOCUMENT_BEGIN(filter, "type", &type);
	BSON_APPEND_ARRAY_UNSAFE_BEGIN(&type, "$in", &in);
	for (size_t i = 0; doc_settings_types[i]; i++) {
		snprintf(key, sizeof(key), "%zu", i);
		BSON_APPEND_UTF8(&in, key, doc_settings_types[i]);
	}
	bson_append_array_end(&type, &in);
	bson_append_document_end(filter, &type);
	BSON_APPEND_DOCUMENT_BEGIN(filter, "site_id", &site);
	BSON_APPEND_ARRAY_UNSAFE_BEGIN(&site, "$in", &ids);
	BSON_APPEND_NULL(&ids, "0"); /* as what has none */
	BSON_APPEND_UTF8(&ids, "1", machine);
	bson_append_array_end(&site, &ids);
	bson_append_document_end(filter, &site);
	return filter;
}

int store_mongo_settings(struct store *store, const char *machine, store_doc_fn *fn,
			 void *context)
{
	struct store_mongo *s = store_mongo_of(store);
	const char *named = getenv("OPENPYPE_DATABASE_NAME");
	const char *database = named && named[0] ? named : DATABASE;
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		mongoc_client_get_collection(s->client, database, COLLECTION);
	_cleanup_(bson_destroyp) bson_t *filter = make_filter(machine);
	_cleanup_(bson_destroyp) bson_t *opts = make_opts();
	struct reading reading = { .fn = fn, .context = context };

	return store_mongo_each(collection, filter, opts, give, &reading);
}
