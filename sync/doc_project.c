/* The few facts that are asked of documents that are no representations. */
#include "sync/doc_project.h"

#include <string.h>

#include <bson/bson.h>

#include "sync/bson_id.h"

bool doc_is_project(const void *bson, size_t len)
{
	bson_iter_t iter;
	bson_t doc;

	return bson_init_static(&doc, bson, len) &&
	       bson_iter_init_find(&iter, &doc, "type") && BSON_ITER_HOLDS_UTF8(&iter) &&
	       strcmp(bson_iter_utf8(&iter, NULL), "project") == 0;
}

bool doc_project_is_inactive(const void *bson, size_t len)
{
	bson_iter_t iter, active;
	bson_t doc;

	return bson_init_static(&doc, bson, len) && bson_iter_init(&iter, &doc) &&
	       bson_iter_find_descendant(&iter, "data.active", &active) &&
	       BSON_ITER_HOLDS_BOOL(&active) && !bson_iter_bool(&active);
}

char *doc_project_name(const void *bson, size_t len)
{
	bson_iter_t iter;
	bson_t doc;
	const char *name = NULL;

	if (bson_init_static(&doc, bson, len) && bson_iter_init_find(&iter, &doc, "name"))
		name = bson_get_text(&iter);
	return name ? strdup(name) : NULL;
}

char *doc_id_of(const void *bson, size_t len)
{
	bson_iter_t iter;
	bson_t doc;

	if (!bson_init_static(&doc, bson, len) ||
	    !bson_iter_init_find(&iter, &doc, "_id"))
		return NULL;
	return bson_id_text(&iter);
}
