/* Parts of documents as JSON. */
#include "tools/doc_json.h"

static struct json *site_json(const struct doc_site *site)
{
	struct json *json = json_object();

	json_set_text(json, "name", site->name);
	if (site->id)
		json_set_text(json, "id", site->id);
	if (site->presence == DOC_PRESENT)
		json_set_time(json, "created_dt", site->created_ms);
	if (site->tries)
		json_set_int(json, "tries", site->tries);
	if (site->error)
		json_set_text(json, "error", site->error);
	if (site->failed_ms)
		json_set_time(json, "last_failed_dt", site->failed_ms);
	if (site->progress >= 0)
		json_set_double(json, "progress", site->progress);
	if (site->is_paused)
		json_set_bool(json, "paused", true);
	if (site->priority != DOC_PRIORITY_NONE)
		json_set_int(json, "priority", site->priority);
	return json;
}

struct json *doc_sites_json(const struct doc_file *file)
{
	struct json *sites = json_array();

	for (size_t i = 0; i < file->n_sites; i++)
		json_append(sites, site_json(&file->sites[i]));
	return sites;
}
