/* ls, info, explain: what is known of files. */
#include <errno.h>
#include <string.h>

#include "tools/answers_private.h"

/* ---- ls ---- */

static int send_file(void *context, int root, const char *rel, enum file_state state,
		     int64_t size)
{
	_cleanup_(json_freep) struct json *json = json_object();
	struct answer *answer = context;

	answer_set_path(answer, json, root, rel);
	json_set_text(json, "state", file_state_name(state));
	json_set_int(json, "size", size);
	return server_send(answer->call, json);
}

static int list_below(void *context, int root, const char *rel)
{
	struct answer *answer = context;

	return engine_each_file(answer->engine, root, rel, answer->request->is_awaited,
				send_file, answer);
}

void answer_ls(struct answer *answer)
{
	struct error error = { 0 };
	int r = answer_each(answer, list_below, answer, &error);

	answer_end(answer, NULL, r, &error);
}

/* ---- info ---- */

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
	if (entry->priority != DOC_PRIORITY_DEFAULT)
		json_set_int(json, "priority", entry->priority);
	return json;
}

static struct json *sites_json(const struct answer *answer,
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

static void set_record(const struct answer *answer, struct json *json,
		       const struct index_record *record)
{
	json_set_text(json, "project", record->project);
	json_set_text(json, "representation", record->repre);
	json_set_text(json, "file_id", record->file);
	json_set_text(json, "document_path", record->path);
	json_set_text(json, "asset", record->asset);
	json_set_text(json, "subset", record->subset);
	json_set_text(json, "version", record->version);
	json_set_text(json, "name", record->name);
	json_set(json, "sites", sites_json(answer, record));
}

static void set_no_record(struct json *json)
{
	static const char *const keys[] = { "project", "representation", "file_id",
					    "document_path" };

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

static struct json *info_json(struct answer *answer, int root, const char *rel,
			      const struct engine_file *file)
{
	struct json *json = json_object(), *others;

	answer_set_path(answer, json, root, rel);
	if (file->path.n_records)
		set_record(answer, json, &file->path.records[0]);
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

		set_record(answer, other, &file->path.records[i]);
		json_append(others, other);
	}
	json_set(json, "also", others);
	return json;
}

static int send_info(void *context, int root, const char *rel)
{
	_cleanup_(json_freep) struct json *json = NULL;
	struct answer *answer = context;
	struct engine_file file;
	int r;

	r = engine_describe(answer->engine, root, rel, &file);
	if (r != 0)
		return r < 0 ? r : -ENOENT;
	json = info_json(answer, root, rel, &file);
	engine_file_done(&file);
	return server_send(answer->call, json);
}

void answer_info(struct answer *answer)
{
	struct error error = { 0 };
	int r = answer_each(answer, send_info, answer, &error);

	if (r == -ENOENT && !error.text[0])
		error_set(&error, r, "%.300s is neither on the disk nor published",
			  answer->request->n_paths ? answer->request->paths[0] : "it");
	answer_end(answer, NULL, r, &error);
}

/* ---- explain ---- */

static int send_explanation(void *context, int root, const char *rel)
{
	_cleanup_(json_freep) struct json *json = json_object();
	_cleanup_(buf_done) struct buf text = { 0 };
	struct answer *answer = context;
	struct json *lines = json_array();
	int r;

	r = engine_explain(answer->engine, root, rel, &text);
	for (const char *p = buf_str(&text); r == 0 && *p;) {
		_cleanup_(freep) char *line = strndup(p, strcspn(p, "\n"));

		if (line)
			json_append(lines, json_text_value(line));
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	answer_set_path(answer, json, root, rel);
	json_set(json, "explanation", lines);
	if (r != 0)
		return r < 0 ? r : -ENOENT;
	return server_send(answer->call, json);
}

void answer_explain(struct answer *answer)
{
	struct error error = { 0 };
	int r = answer_each(answer, send_explanation, answer, &error);

	if (r == -ENOENT && !error.text[0])
		error_set(&error, r, "%.300s is neither on the disk nor published",
			  answer->request->n_paths ? answer->request->paths[0] : "it");
	answer_end(answer, NULL, r, &error);
}
