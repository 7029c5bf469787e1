/* info: all that is known of a file, with its record as the store has it now. */
#include <errno.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/store.h"
#include "tools/answers_private.h"
#include "tools/doc_json.h"

/* The store is asked on this connection's thread, with a handle of its own; where it is away the index tells. */
struct info {
	struct answer *answer;
	struct store *store;
	bool is_store_away;
	struct doc *doc; /* the last one loaded */
};

static void info_done(struct info *info)
{
	doc_free(info->doc);
	store_free(info->store);
}

/* The document of a record, or NULL where it cannot be had. */
static const struct doc *load_doc(struct info *info, const struct index_record *record)
{
	const struct config *config = engine_config(info->answer->engine);
	_cleanup_(buf_done) struct buf bson = { 0 };

	if (info->doc && !strcmp(info->doc->id, record->repre) &&
	    !strcmp(info->doc->project, record->project))
		return info->doc;
	doc_free(info->doc);
	info->doc = NULL;
	if (!info->store && !info->is_store_away)
		info->is_store_away =
			store_open(config->store_uri, config->store_database, true,
				   &info->store, NULL) < 0;
	if (info->is_store_away)
		return NULL;
	if (info->store->ops->load(info->store, record->project, record->repre, &bson) !=
		    0 ||
	    doc_parse(bson.data, bson.len, record->project, &info->doc, NULL) != 0)
		return NULL;
	return info->doc;
}

static struct json *entry_json(const char *site, const struct index_entry *entry)
{
	struct json *json = json_object();

	json_set_text(json, "name", site);
	if (entry->id)
		json_set_text(json, "id", entry->id);
	if (entry->presence == DOC_PRESENT)
		json_set_time(json, "created_dt", entry->created_ms);
	if (entry->tries)
		json_set_int(json, "tries", entry->tries);
	if (entry->error)
		json_set_text(json, "error", entry->error);
	if (entry->failed_ms)
		json_set_time(json, "last_failed_dt", entry->failed_ms);
	if (entry->is_paused)
		json_set_bool(json, "paused", true);
	if (entry->priority != DOC_PRIORITY_NONE)
		json_set_int(json, "priority", entry->priority);
	return json;
}

static struct json *indexed_sites_json(const struct answer *answer,
				       const struct index_record *record)
{
	const struct config *config = engine_config(answer->engine);
	struct json *sites = json_array();

	if (record->ours.presence != DOC_ABSENT)
		json_append(sites, entry_json(config->active_site, &record->ours));
	if (record->remote.presence != DOC_ABSENT)
		json_append(sites, entry_json(config->remote_site, &record->remote));
	return sites;
}

static void set_record(struct info *info, struct json *json,
		       const struct index_record *record)
{
	const struct doc *doc = load_doc(info, record);
	const struct doc_file *file = doc ? doc_find_file(doc, record->file) : NULL;

	json_set_text(json, "project", record->project);
	json_set_text(json, "representation", record->repre);
	json_set_text(json, "file_id", record->file);
	json_set_text(json, "document_path", record->path);
	json_set_text(json, "asset", record->asset);
	json_set_text(json, "subset", record->subset);
	json_set_text(json, "version", record->version);
	json_set_text(json, "name", record->name);
	json_set_text(json, "hash", file ? file->hash : NULL);
	json_set(json, "sites",
		 file ? doc_sites_json(file) : indexed_sites_json(info->answer, record));
}

static void set_no_record(struct json *json)
{
	static const char *const keys[] = { "project", "representation", "file_id",
					    "document_path", "hash" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_set_text(json, keys[i], NULL);
	json_set(json, "sites", json_array());
}

/* [[offset, length], ...] of the bytes that are here. */
static struct json *ranges_json(struct answer *answer, int root, const char *rel,
				const struct engine_file *file)
{
	struct json *list = json_array(), *pair;
	_cleanup_(freep) int64_t *ranges = NULL;
	size_t n = 0;

	if (file->is_on_disk) {
		pair = json_array();
		json_append(pair, json_int_value(0));
		json_append(pair, json_int_value(file->size));
		if (file->size > 0)
			json_append(list, pair);
		else
			json_free(pair);
		return list;
	}
	if (hydrate_get_ranges(engine_hydrator(answer->engine), root, rel, &ranges, &n) !=
	    0)
		return list;
	for (size_t i = 0; i < n; i++) {
		pair = json_array();
		json_append(pair, json_int_value(ranges[2 * i]));
		json_append(pair, json_int_value(ranges[2 * i + 1]));
		json_append(list, pair);
	}
	return list;
}

static void set_digests(struct json *json, const struct truth *truth)
{
	char hex[DIGEST_HEX_SIZE];

	if (truth->size >= 0 && truth->digest.has_sha256) {
		hex_encode(truth->digest.sha256, DIGEST_SHA256_SIZE, hex);
		json_set_text(json, "sha256", hex);
	}
	if (truth->size >= 0 && truth->digest.has_md5) {
		hex_encode(truth->digest.md5, DIGEST_MD5_SIZE, hex);
		json_set_text(json, "md5", hex);
	}
}

static const char *remote_id(const struct answer *answer, const struct engine_file *file)
{
	const char *site = engine_config(answer->engine)->remote_site;
	const struct truth_remote *remote = truth_find_remote(&file->path.truth, site);

	if (remote)
		return remote->id;
	if (file->path.object.id)
		return file->path.object.id;
	return file->path.n_records ? file->path.records[0].remote.id : NULL;
}

static struct json *info_json(struct info *info, int root, const char *rel,
			      const struct engine_file *file)
{
	struct json *json = json_document(), *others;
	struct answer *answer = info->answer;

	answer_set_path(answer, json, root, rel);
	if (file->path.n_records)
		set_record(info, json, &file->path.records[0]);
	else
		set_no_record(json);
	json_set_int(json, "size", file->size);
	json_set_text(json, "state", file_state_name(file->state));
	json_set_bool(json, "pinned", file->is_pinned);
	json_set_bool(json, "published", file->is_published);
	json_set_bool(json, "on_disk", file->is_on_disk);
	json_set_double(json, "progress", file->progress);
	json_set(json, "present", ranges_json(answer, root, rel, file));
	json_set_text(json, "remote_id", remote_id(answer, file));
	set_digests(json, &file->path.truth);
	json_set_text(json, "error", file->error);
	if (file->path.n_records < 2)
		return json;
	others = json_array();
	for (size_t i = 1; i < file->path.n_records; i++) {
		struct json *other = json_object();

		set_record(info, other, &file->path.records[i]);
		json_append(others, other);
	}
	json_set(json, "also", others);
	return json;
}

/* ---- folders ---- */

struct sum {
	int64_t n_state[FILE_N_STATES];
	int64_t n, bytes;
};

static int add_to_sum(void *context, int root, const char *rel, enum file_state state,
		      int64_t size)
{
	struct sum *sum = context;

	sum->n_state[state]++;
	sum->n++;
	sum->bytes += size > 0 ? size : 0;
	return 0;
}

static bool is_folder(struct engine *engine, int root, const char *rel)
{
	struct index_node node;
	struct stat st;

	if (beneath_stat(roots_fd(engine_roots(engine), root), rel, &st) == 0)
		return S_ISDIR(st.st_mode);
	return index_find(engine_index(engine), root, rel, &node) == 0 && node.is_folder;
}

/* One word where all files below have it, else "partial". */
static const char *sum_state(const struct sum *sum)
{
	for (int i = FILE_LOCAL; i <= FILE_HIDDEN; i++)
		if (sum->n && sum->n_state[i] == sum->n)
			return file_state_name((enum file_state)i);
	return file_state_name(sum->n ? FILE_PARTIAL : FILE_LOCAL);
}

static int send_folder(struct info *info, int root, const char *rel)
{
	_cleanup_(json_freep) struct json *json = json_document();
	struct json *files = json_object();
	struct sum sum = { 0 };
	int r;

	r = engine_each_file(info->answer->engine, root, rel, false, add_to_sum, &sum);
	if (r == 0)
		r = engine_each_file(info->answer->engine, root, rel, true, add_to_sum,
				     &sum);
	if (r != 0)
		return r < 0 ? r : -ENOENT;
	for (int i = FILE_LOCAL; i <= FILE_HIDDEN; i++)
		if (sum.n_state[i])
			json_set_int(files, file_state_name((enum file_state)i),
				     sum.n_state[i]);
	answer_set_path(info->answer, json, root, rel);
	json_set_text(json, "state", sum_state(&sum));
	json_set_int(json, "size", sum.bytes);
	json_set(json, "files", files);
	return server_send(info->answer->call, json);
}

/* ---- the answer ---- */

static int send_info(void *context, int root, const char *rel)
{
	_cleanup_(json_freep) struct json *json = NULL;
	struct info *info = context;
	struct engine_file file;
	int r;

	if (is_folder(info->answer->engine, root, rel))
		return send_folder(info, root, rel);
	r = engine_describe(info->answer->engine, root, rel, &file);
	if (r != 0)
		return r < 0 ? r : -ENOENT;
	json = info_json(info, root, rel, &file);
	engine_file_done(&file);
	return server_send(info->answer->call, json);
}

void answer_info(struct answer *answer)
{
	_cleanup_(info_done) struct info info = { .answer = answer };
	struct error error = { 0 };
	int r = answer_each(answer, send_info, &info, &error);

	answer_end(answer, NULL, r, &error);
}
