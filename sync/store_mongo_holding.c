/*
 * The MongoDB store: what sites hold without entries that say so. One document a site and representation, whose _id has
 * the site first: its index alone finds those of a representation, a project and a site.
 */
#include <errno.h>
#include <stdlib.h>

#include "sync/bson_id.h"
#include "sync/store_mongo.h"

/* ---- telling ---- */

static int append_files(bson_t *doc, const struct holding *holding)
{
	bson_t list;
	bool is_added = true;

	BSON_APPEND_ARRAY_UNSAFE_BEGIN(doc, "files", &list);
	for (size_t i = 0; is_added && i < holding->n_files; i++) {
		char number[24];

		snprintf(number, sizeof(number), "%zu", i);
		is_added = BSON_APPEND_UTF8(&list, number, holding->files[i]);
	}
	bson_append_array_end(doc, &list);
	return is_added ? 0 : -E2BIG;
}

static int add_update(mongoc_bulk_operation_t *bulk, const bson_t *filter,
		      const struct holding *holding)
{
	_cleanup_(bson_destroyp) bson_t *opts = BCON_NEW("upsert", BCON_BOOL(true));
	_cleanup_(bson_destroyp) bson_t *update =
		BCON_NEW("$currentDate", "{", "at", BCON_BOOL(true), "}");
	bson_error_t error = { 0 };
	bson_t set;
	int r;

	BSON_APPEND_DOCUMENT_BEGIN(update, "$set", &set);
	r = append_files(&set, holding);
	bson_append_document_end(update, &set);
	if (r == 0 && !mongoc_bulk_operation_update_one_with_opts(bulk, filter, update,
								  opts, &error))
		r = store_mongo_errno(&error, "tell what a site holds");
	return r;
}

static int add(mongoc_bulk_operation_t *bulk, const char *site,
	       const struct holding *holding)
{
	_cleanup_(bson_destroyp) bson_t *filter = BCON_NEW(
		"_id", "{", "s", BCON_UTF8(site), "p", BCON_UTF8(holding->project), "r",
		BCON_UTF8(holding->repre), "}");
	bson_error_t error = { 0 };

	if (holding->n_files)
		return add_update(bulk, filter, holding);
	if (mongoc_bulk_operation_remove_one_with_opts(bulk, filter, NULL, &error))
		return 0;
	return store_mongo_errno(&error, "tell what a site holds");
}

int store_mongo_put_holdings(struct store *store, const char *site,
			     const struct holding *holdings, size_t n)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_own(store_mongo_of(store), "holding");
	mongoc_bulk_operation_t *bulk;
	bson_error_t error = { 0 };
	int r = 0;

	if (!n)
		return 0;
	bulk = mongoc_collection_create_bulk_operation_with_opts(collection, NULL);
	if (!bulk)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add(bulk, site, &holdings[i]);
	if (r == 0 && !mongoc_bulk_operation_execute(bulk, NULL, &error))
		r = store_mongo_errno(&error, "tell what a site holds");
	mongoc_bulk_operation_destroy(bulk);
	return r;
}

/* ---- asking ---- */

/* From the first possible _id that begins so to the last: documents are compared key by key. */
static bson_t *make_filter(const char *site, const char *project, const char *repre)
{
	if (project && repre)
		return BCON_NEW("_id", "{", "s", BCON_UTF8(site), "p", BCON_UTF8(project),
				"r", BCON_UTF8(repre), "}");
	if (project)
		return BCON_NEW("_id", "{", "$gte", "{", "s", BCON_UTF8(site), "p",
				BCON_UTF8(project), "}", "$lte", "{", "s",
				BCON_UTF8(site), "p", BCON_UTF8(project), "r",
				BCON_MAXKEY, "}", "}");
	return BCON_NEW("_id", "{", "$gte", "{", "s", BCON_UTF8(site), "}", "$lte", "{",
			"s", BCON_UTF8(site), "p", BCON_MAXKEY, "}", "}");
}

struct telling {
	store_holding_fn *fn;
	void *context;
};

static const char *text_in(const bson_t *doc, const char *path)
{
	bson_iter_t it, found;

	return bson_iter_init(&it, doc) && bson_iter_find_descendant(&it, path, &found)
		       ? bson_get_text(&found)
		       : NULL;
}

/* Those elements that are texts: what another hand wrote there is none of ours. */
static int take_files(const bson_t *doc, const char ***ret, size_t *ret_n)
{
	bson_iter_t it, list;
	size_t n = 0;

	if (!bson_iter_init_find(&it, doc, "files") || !BSON_ITER_HOLDS_ARRAY(&it) ||
	    !bson_iter_recurse(&it, &list))
		return 0;
	while (bson_iter_next(&list))
		n++;
	*ret = calloc(n + 1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	bson_iter_recurse(&it, &list);
	while (bson_iter_next(&list)) {
		const char *text = bson_get_text(&list);

		if (text)
			(*ret)[(*ret_n)++] = text;
	}
	return 0;
}

static int tell(void *context, const bson_t *doc)
{
	const struct telling *telling = context;
	struct holding holding = {
		.project = text_in(doc, "_id.p"),
		.repre = text_in(doc, "_id.r"),
	};
	_cleanup_(freep) const char **files = NULL;
	int r;

	if (!holding.project || !holding.repre)
		return 0;
	r = take_files(doc, &files, &holding.n_files);
	holding.files = files;
	return r == 0 && holding.n_files ? telling->fn(telling->context, &holding) : r;
}

int store_mongo_holdings(struct store *store, const char *site, const char *project,
			 const char *repre, store_holding_fn *fn, void *context)
{
	_cleanup_(mongoc_collection_destroyp) mongoc_collection_t *collection =
		store_mongo_own(store_mongo_of(store), "holding");
	_cleanup_(bson_destroyp) bson_t *filter = make_filter(site, project, repre);
	_cleanup_(bson_destroyp) bson_t *opts =
		BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
	struct telling telling = { fn, context };

	return store_mongo_each(collection, filter, opts, tell, &telling);
}
