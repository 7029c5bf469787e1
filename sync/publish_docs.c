/* The documents of a publish. */
#include "sync/publish_docs.h"

#include <string.h>

#include <bson/bson.h>

#include "sync/base/clock.h"
#include "sync/base/path.h"
#include "sync/bson_write.h"

/* Of one file: more sites than any studio has. */
#define PUBLISH_SITES_MAX 64

void publish_new_id(char ret[PUBLISH_ID_SIZE])
{
	bson_oid_t oid;

	bson_oid_init(&oid, NULL);
	bson_oid_to_string(&oid, ret);
}

/* ---- pieces ---- */

static size_t open_document(struct buf *ret, const char *key)
{
	return bson_write_open(ret, BSON_WRITE_DOCUMENT, key);
}

static size_t open_array(struct buf *ret, const char *key)
{
	return bson_write_open(ret, BSON_WRITE_ARRAY, key);
}

static size_t open_element(struct buf *ret, size_t i)
{
	char key[24];

	snprintf(key, sizeof(key), "%zu", i);
	return open_document(ret, key);
}

static void write_empty_array(struct buf *ret, const char *key)
{
	bson_write_end(ret, open_array(ret, key));
}

/* Begins a document: _id, schema, type, and what it belongs to. */
static size_t begin(struct buf *ret, const char *id, const char *schema, const char *type,
		    const char *parent)
{
	size_t doc = bson_write_begin(ret);

	bson_write_id(ret, "_id", id);
	bson_write_text(ret, "schema", schema);
	bson_write_text(ret, "type", type);
	if (parent)
		bson_write_id(ret, "parent", parent);
	return doc;
}

/* {families: [FAMILY]}, left open. */
static size_t open_data(const struct publish_facts *facts, struct buf *ret)
{
	size_t data = open_document(ret, "data");
	size_t families = open_array(ret, "families");

	bson_write_text(ret, "0", facts->names->family);
	bson_write_end(ret, families);
	return data;
}

/* ---- documents ---- */

void publish_project_doc(const struct publish_facts *facts, struct buf *ret)
{
	size_t doc =
		begin(ret, facts->project_id, "avalon-core:project-2.0", "project", NULL);
	size_t data, config;

	bson_write_text(ret, "name", facts->project);
	data = open_document(ret, "data");
	bson_write_text(ret, "code", facts->project);
	bson_write_bool(ret, "library_project", false);
	bson_write_end(ret, data);
	config = open_document(ret, "config");
	bson_write_text(ret, "schema", "avalon-core:config-1.0");
	write_empty_array(ret, "tasks");
	write_empty_array(ret, "apps");
	bson_write_end(ret, config);
	bson_write_end(ret, doc);
}

void publish_asset_doc(const struct publish_facts *facts, struct buf *ret)
{
	size_t doc = begin(ret, facts->asset_id, "avalon-core:asset-3.0", "asset",
			   facts->project_id);
	const char *at = facts->names->hierarchy;
	size_t data, parents;

	bson_write_text(ret, "name", facts->names->asset);
	data = open_document(ret, "data");
	parents = open_array(ret, "parents");
	for (size_t i = 0; *at; i++) {
		size_t len = strcspn(at, "/");
		_cleanup_(freep) char *parent = strndup(at, len);
		char key[24];

		snprintf(key, sizeof(key), "%zu", i);
		bson_write_text(ret, key, parent ? parent : "");
		ret->has_failed |= !parent;
		at += len + (at[len] == '/');
	}
	bson_write_end(ret, parents);
	bson_write_null(ret, "visualParent");
	write_empty_array(ret, "tasks");
	bson_write_end(ret, data);
	bson_write_end(ret, doc);
}

void publish_subset_doc(const struct publish_facts *facts, struct buf *ret)
{
	size_t doc = begin(ret, facts->subset_id, "pype:subset-3.0", "subset",
			   facts->asset_id);

	bson_write_text(ret, "name", facts->names->subset);
	bson_write_end(ret, open_data(facts, ret));
	bson_write_end(ret, doc);
}

void publish_version_doc(const struct publish_facts *facts, struct buf *ret)
{
	size_t doc = begin(ret, facts->version_id, "pype:version-3.0", "version",
			   facts->subset_id);
	time_t now = (time_t)(facts->now_ms / 1000);
	struct tm utc;
	char time[32] = "";
	size_t data;

	if (gmtime_r(&now, &utc))
		strftime(time, sizeof(time), "%Y%m%dT%H%M%SZ", &utc);
	bson_write_int32(ret, "name", facts->version);
	data = open_data(facts, ret);
	bson_write_text(ret, "time", time);
	bson_write_text(ret, "author", facts->user);
	bson_write_text(ret, "source", "");
	bson_write_text(ret, "comment", "");
	bson_write_text(ret, "machine", facts->host);
	bson_write_end(ret, data);
	bson_write_end(ret, doc);
}

/* ---- the representation ---- */

/* The template is formatted with the context: a brace of a name is doubled there. The result is the first
 * file's path, on every machine whose root it is given. */
static void write_data(const struct publish_facts *facts, struct buf *ret)
{
	const struct publish_file *first = &facts->files->list[0];
	_cleanup_(buf_done) struct buf template = { 0 };
	size_t data;

	if (first->root->name[0])
		buf_addf(&template, "{root[%s]}/", first->root->name);
	else
		buf_adds(&template, "{root}/");
	for (const char *c = first->rel; *c; c++) {
		buf_addc(&template, *c);
		if (*c == '{' || *c == '}')
			buf_addc(&template, *c);
	}
	ret->has_failed |= template.has_failed;
	data = open_document(ret, "data");
	bson_write_text(ret, "path", first->path);
	bson_write_text(ret, "template", buf_str(&template));
	bson_write_end(ret, data);
}

/* One unnamed root is a text, named ones are a map. */
static void write_roots(const struct publish_facts *facts, struct buf *ret)
{
	const struct config_site *site = facts->site;
	size_t roots;

	if (site->n_roots == 1 && !site->roots[0].name[0]) {
		bson_write_text(ret, "root", site->roots[0].path);
		return;
	}
	roots = open_document(ret, "root");
	for (size_t i = 0; i < site->n_roots; i++)
		bson_write_text(ret, site->roots[i].name, site->roots[i].path);
	bson_write_end(ret, roots);
}

static void write_context(const struct publish_facts *facts, struct buf *ret)
{
	const struct publish_names *names = facts->names;
	size_t context = open_document(ret, "context"), project;

	write_roots(facts, ret);
	project = open_document(ret, "project");
	bson_write_text(ret, "name", facts->project);
	bson_write_text(ret, "code", facts->project);
	bson_write_end(ret, project);
	bson_write_text(ret, "hierarchy", names->hierarchy);
	bson_write_text(ret, "asset", names->asset);
	bson_write_text(ret, "family", names->family);
	bson_write_text(ret, "subset", names->subset);
	bson_write_int32(ret, "version", facts->version);
	bson_write_text(ret, "ext", facts->representation);
	bson_write_text(ret, "task", "");
	bson_write_text(ret, "representation", facts->representation);
	bson_write_text(ret, "username", facts->user);
	bson_write_end(ret, context);
}

/* Entries of one file, each name once: the first one counts. */
struct sites {
	const struct publish_facts *facts;
	const char *names[PUBLISH_SITES_MAX];
	size_t n;
	struct buf *ret;
};

static void write_site(struct sites *sites, const char *name, bool is_there)
{
	size_t site;

	for (size_t i = 0; i < sites->n; i++)
		if (strcmp(sites->names[i], name) == 0)
			return;
	if (!name[0] || sites->n == ARRAY_SIZE(sites->names))
		return;
	site = open_element(sites->ret, sites->n);
	bson_write_text(sites->ret, "name", name);
	if (is_there)
		bson_write_date(sites->ret, "created_dt", sites->facts->now_ms);
	bson_write_end(sites->ret, site);
	sites->names[sites->n++] = name;
}

static void write_names(struct sites *sites, const struct config_names *names,
			bool is_there)
{
	for (size_t i = 0; names && i < names->n; i++)
		write_site(sites, names->items[i], is_there);
}

/* As OpenPype's integrator: the two, their other names in the same state, and those that always have a copy. */
static void write_sites(const struct publish_facts *facts, struct buf *ret)
{
	struct sites sites = { .facts = facts, .ret = ret };
	size_t array = open_array(ret, "sites");

	write_site(&sites, facts->site->name, true);
	write_site(&sites, facts->remote_site, false);
	write_names(&sites, facts->active_aliases, true);
	write_names(&sites, facts->remote_aliases, false);
	write_names(&sites, facts->always, false);
	bson_write_end(ret, array);
}

static void write_file(const struct publish_facts *facts, size_t i, struct buf *ret)
{
	const struct publish_file *file = &facts->files->list[i];
	_cleanup_(freep) char *stored = publish_stored_path(file);
	_cleanup_(freep) char *hash = publish_hash(file);
	char id[PUBLISH_ID_SIZE];
	size_t doc;

	if (!stored || !hash) {
		ret->has_failed = true;
		return;
	}
	publish_new_id(id);
	doc = open_element(ret, i);
	bson_write_id(ret, "_id", id);
	bson_write_text(ret, "path", stored);
	if (file->size > INT32_MAX)
		bson_write_int64(ret, "size", file->size);
	else
		bson_write_int32(ret, "size", (int32_t)file->size);
	bson_write_text(ret, "hash", hash);
	write_sites(facts, ret);
	bson_write_end(ret, doc);
}

void publish_repre_doc(const struct publish_facts *facts, struct buf *ret)
{
	size_t doc = begin(ret, facts->repre_id, "pype:representation-2.0",
			   "representation", facts->version_id);
	size_t files;

	bson_write_text(ret, "name", facts->representation);
	write_data(facts, ret);
	write_empty_array(ret, "dependencies");
	write_context(facts, ret);
	files = open_array(ret, "files");
	for (size_t i = 0; !ret->has_failed && i < facts->files->n; i++)
		write_file(facts, i, ret);
	bson_write_end(ret, files);
	bson_write_end(ret, doc);
}
