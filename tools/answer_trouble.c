/* What others did at the remote: for status and explain, with the sites that still hold the files. */
#include <string.h>

#include "sync/base/path.h"
#include "sync/doc.h"
#include "sync/store.h"
#include "tools/answers_private.h"

#define NAMED_MAX 100 /* status is one screen: `verify --remote` lists all */

struct trouble {
	struct answer *answer;
	struct store
		*store; /* of this connection's thread; NULL: away, or not asked yet */
	bool is_store_away;
	struct doc *doc; /* read last: files of one representation follow each other */
	struct json *list;
	int n;
};

static void trouble_done(struct trouble *trouble)
{
	doc_free(trouble->doc);
	store_free(trouble->store);
	json_free(trouble->list);
}

static bool open_store(struct trouble *trouble)
{
	const struct config *config = engine_config(trouble->answer->engine);

	if (!trouble->store && !trouble->is_store_away)
		trouble->is_store_away =
			store_open(config->store_uri, config->store_database, true,
				   &trouble->store, NULL) < 0;
	return trouble->store;
}

/* NULL: gone, or the store is away. */
static const struct doc *load_doc(struct trouble *trouble,
				  const struct index_record *record)
{
	_cleanup_(buf_done) struct buf bson = { 0 };
	const struct doc *last = trouble->doc;

	if (last && !strcmp(last->project, record->project) &&
	    !strcmp(last->id, record->repre))
		return last;
	doc_free(trouble->doc);
	trouble->doc = NULL;
	if (open_store(trouble) &&
	    trouble->store->ops->load(trouble->store, record->project, record->repre,
				      &bson) == 0 &&
	    doc_parse(bson.data, bson.len, record->project, &trouble->doc, NULL) != 0)
		trouble->doc = NULL;
	return trouble->doc;
}

/* Sites but the remote that are recorded to have the file. Where the store is away only ours is known. */
static struct json *holders(struct trouble *trouble, const struct index_record *record)
{
	const struct config *config = engine_config(trouble->answer->engine);
	const struct doc *doc = load_doc(trouble, record);
	const struct doc_file *file = doc ? doc_find_file(doc, record->file) : NULL;
	struct json *sites = json_array();

	for (size_t i = 0; file && i < file->n_sites; i++)
		if (file->sites[i].presence == DOC_PRESENT &&
		    strcmp(file->sites[i].name, config->remote_site) != 0)
			json_append(sites, json_text_value(file->sites[i].name));
	if (!file && record->ours.presence == DOC_PRESENT)
		json_append(sites, json_text_value(config->active_site));
	return sites;
}

static bool is_trouble(const struct index_path *path)
{
	return path->n_records && (path->object.state == OBJECT_MISSING ||
				   path->object.state == OBJECT_DIFFERENT);
}

/* Of several records the one that says that it is there. */
static const struct index_record *record_of(const struct index_path *path)
{
	for (size_t i = 0; i < path->n_records; i++)
		if (path->records[i].remote.presence == DOC_PRESENT)
			return &path->records[i];
	return &path->records[0];
}

static struct json *describe(struct trouble *trouble, int root, const char *rel,
			     const struct index_path *path)
{
	const struct index_object *object = &path->object;
	struct json *json = json_object();

	answer_set_path(trouble->answer, json, root, rel);
	json_set_text(json, "object",
		      object->state == OBJECT_MISSING ? "missing" : "different");
	json_set_text(json, "change", provider_fate_name(object->fate));
	json_set_text(json, "by", object->who);
	json_set_time(json, "at", object->at_ms);
	json_set(json, "sites", holders(trouble, record_of(path)));
	return json;
}

static int add(void *context, int root, const char *rel)
{
	struct trouble *trouble = context;
	struct index_path path = { 0 };
	int r = index_find_path(engine_index(trouble->answer->engine), root, rel, &path);

	if (r != 0)
		return r < 0 ? r : 0;
	if (is_trouble(&path)) {
		json_append(trouble->list, describe(trouble, root, rel, &path));
		trouble->n++;
	}
	index_path_done(&path);
	/* a non-zero result ends the walk */
	return trouble->n == NAMED_MAX;
}

void answer_set_trouble(struct answer *answer, struct json *json, int64_t n)
{
	_cleanup_(trouble_done) struct trouble trouble = { .answer = answer,
							   .list = json_array() };
	struct json *part = json_object();

	if (n)
		index_each(engine_index(answer->engine), SELECT_TROUBLE, NULL, add,
			   &trouble);
	json_set_int(part, "files", n);
	json_set(part, "named", trouble.list);
	trouble.list = NULL;
	json_set(json, "changed_at_remote", part);
}

void answer_add_holders(struct answer *answer, int root, const char *rel,
			struct json *lines)
{
	_cleanup_(trouble_done) struct trouble trouble = { .answer = answer };
	_cleanup_(json_freep) struct json *sites = NULL;
	_cleanup_(buf_done) struct buf line = { 0 };
	struct index_path path = { 0 };

	if (index_find_path(engine_index(answer->engine), root, rel, &path) != 0)
		return;
	if (is_trouble(&path))
		sites = holders(&trouble, record_of(&path));
	index_path_done(&path);
	if (!sites)
		return;
	buf_adds(&line, "still at: ");
	for (const struct json *p = json_first(sites); p; p = json_next(p))
		buf_addf(&line, "%s%s", p == json_first(sites) ? "" : ", ",
			 json_as_text(p));
	if (!json_first(sites))
		buf_adds(&line, "no site that is known");
	json_append(lines, json_text_value(buf_str(&line)));
}
