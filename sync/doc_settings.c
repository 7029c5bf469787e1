/* OpenPype's settings documents: kind, owner and the part of interest of each. */
#include "sync/doc_settings.h"

#include <errno.h>
#include <string.h>

#include <bson/bson.h>

#include "sync/base/buf.h"
#include "sync/bson_id.h"

const char *const doc_settings_types[] = {
	"system_settings",
	"project_settings",
	"project_anatomy",
	"local_settings",
	"global_settings",
	"versions_order",
	"system_settings" DOC_SETTINGS_VERSIONED,
	"project_settings" DOC_SETTINGS_VERSIONED,
	"project_anatomy" DOC_SETTINGS_VERSIONED,
	NULL,
};

/* By kind: where the part stands in "data". */
static const char *const parts[] = {
	[SETTINGS_SYSTEM] = "modules.sync_server",
	[SETTINGS_PROJECT] = "global.sync_server",
	[SETTINGS_ANATOMY] = "roots",
	[SETTINGS_LOCAL] = "projects",
	[SETTINGS_GLOBAL] = NULL,
	[SETTINGS_ORDER] = NULL,
};

void doc_settings_done(struct doc_settings *settings)
{
	free(settings->version);
	free(settings->project);
	free(settings->machine);
	free(settings->part);
	free(settings->current);
	*settings = (struct doc_settings){ 0 };
}

/* Borrowed; NULL where there is none, or it is no text, or empty. */
static const char *text_at(const bson_t *doc, const char *path)
{
	bson_iter_t iter, found;
	const char *text = NULL;

	if (bson_iter_init(&iter, doc) && bson_iter_find_descendant(&iter, path, &found))
		text = bson_get_text(&found);
	return text && text[0] ? text : NULL;
}

static int copy_text(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

static bool is_true(const bson_t *doc, const char *key)
{
	bson_iter_t iter;

	return bson_iter_init_find(&iter, doc, key) && BSON_ITER_HOLDS_BOOL(&iter) &&
	       bson_iter_bool(&iter);
}

/* The object at PATH as JSON. 0 with *ret NULL where there is nothing; -EINVAL: something else. */
static int object_at(const bson_t *doc, const char *path, char **ret)
{
	bson_iter_t iter, found;
	const uint8_t *data;
	uint32_t len;
	bson_t object;
	char *text;

	if (!bson_iter_init(&iter, doc) ||
	    !bson_iter_find_descendant(&iter, path, &found) ||
	    BSON_ITER_HOLDS_NULL(&found))
		return 0;
	if (!BSON_ITER_HOLDS_DOCUMENT(&found))
		return -EINVAL;
	bson_iter_document(&found, &len, &data);
	if (!bson_init_static(&object, data, len))
		return -EINVAL;
	text = bson_as_relaxed_extended_json(&object, NULL);
	if (!text)
		return -EINVAL;
	*ret = strdup(text);
	bson_free(text);
	return *ret ? 0 : -ENOMEM;
}

/* ---- what it is ---- */

/* 0 where the type is none of ours. */
static enum doc_settings_kind kind_of(const char *type, bool *ret_versioned)
{
	size_t len = strlen(type), suffix = strlen(DOC_SETTINGS_VERSIONED);

	*ret_versioned =
		len > suffix && strcmp(type + len - suffix, DOC_SETTINGS_VERSIONED) == 0;
	if (*ret_versioned)
		len -= suffix;
	for (int kind = SETTINGS_SYSTEM; kind <= SETTINGS_ORDER; kind++) {
		const char *name = doc_settings_types[kind - SETTINGS_SYSTEM];

		if (strlen(name) == len && strncmp(name, type, len) == 0 &&
		    (!*ret_versioned || kind <= SETTINGS_ANATOMY))
			return (enum doc_settings_kind)kind;
	}
	return 0;
}

/* Whose it is. DOC_SETTINGS_OTHER: nobody's. */
static int read_owner(const bson_t *doc, bool is_versioned, struct doc_settings *ret)
{
	int r = 0;

	if (is_versioned) {
		r = copy_text(text_at(doc, "version"), &ret->version);
		if (r == 0 && !ret->version)
			return DOC_SETTINGS_OTHER;
	}
	if (r == 0 && ret->kind == SETTINGS_LOCAL) {
		r = copy_text(text_at(doc, "site_id"), &ret->machine);
		return r == 0 && !ret->machine ? DOC_SETTINGS_OTHER : r;
	}
	if (r < 0 || ret->kind != SETTINGS_PROJECT || is_true(doc, "is_default"))
		return r;
	r = copy_text(text_at(doc, "project_name"), &ret->project);
	return r == 0 && !ret->project ? DOC_SETTINGS_OTHER : r;
}

/* The last text of the list, which is sorted. */
static int read_order(const bson_t *doc, struct doc_settings *ret)
{
	bson_iter_t iter, item;
	const char *last = NULL;

	if (bson_iter_init_find(&iter, doc, "production_versions") &&
	    BSON_ITER_HOLDS_ARRAY(&iter) && bson_iter_recurse(&iter, &item))
		while (bson_iter_next(&item))
			if (bson_get_text(&item))
				last = bson_get_text(&item);
	return copy_text(last, &ret->current);
}

static int read_data(const bson_t *data, struct doc_settings *ret)
{
	if (ret->kind == SETTINGS_GLOBAL)
		return copy_text(text_at(data, "production_version"), &ret->current);
	return object_at(data, parts[ret->kind], &ret->part);
}

/* "data" is an object; the oldest documents have it as a JSON text, "value". */
static int read_content(const bson_t *doc, struct doc_settings *ret)
{
	bson_iter_t iter;
	const char *value;
	const uint8_t *bytes;
	uint32_t len;
	bson_t data, *parsed;
	int r;

	if (bson_iter_init_find(&iter, doc, "data") && BSON_ITER_HOLDS_DOCUMENT(&iter)) {
		bson_iter_document(&iter, &len, &bytes);
		return bson_init_static(&data, bytes, len) ? read_data(&data, ret)
							   : -EINVAL;
	}
	if (bson_iter_init_find(&iter, doc, "data") && !BSON_ITER_HOLDS_NULL(&iter))
		return -EINVAL;
	value = text_at(doc, "value");
	if (!value)
		return 0;
	parsed = bson_new_from_json((const uint8_t *)value, -1, NULL);
	if (!parsed)
		return -EINVAL;
	r = read_data(parsed, ret);
	bson_destroy(parsed);
	return r;
}

int doc_settings_parse(const void *bson, size_t len, struct doc_settings *ret,
		       struct error *error)
{
	bool is_versioned = false;
	bson_t doc;
	const char *type;
	int r;

	*ret = (struct doc_settings){ 0 };
	if (!bson_init_static(&doc, bson, len) ||
	    !bson_validate(&doc, BSON_VALIDATE_UTF8, NULL))
		return error_set(error, -EBADMSG, "is no document");
	type = text_at(&doc, "type");
	ret->kind = type ? kind_of(type, &is_versioned) : 0;
	if (!ret->kind)
		return DOC_SETTINGS_OTHER;
	r = read_owner(&doc, is_versioned, ret);
	if (r == 0)
		r = ret->kind == SETTINGS_ORDER ? read_order(&doc, ret)
						: read_content(&doc, ret);
	if (r == -EINVAL)
		error_set(error, r,
			  "data%s%s is not the object that is expected there: save these "
			  "settings anew in OpenPype",
			  parts[ret->kind] ? "." : "",
			  parts[ret->kind] ? parts[ret->kind] : "");
	return r;
}

int doc_project_roots(const void *bson, size_t len, char **ret)
{
	bson_t doc;

	*ret = NULL;
	if (!bson_init_static(&doc, bson, len))
		return 0;
	return object_at(&doc, "config.roots", ret);
}
