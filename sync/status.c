/* The state of the whole site in one struct: what status, the status page and metrics read. */
#include <string.h>

#include "sync/engine_private.h"

/* A URI without user and password. */
static void hide_secrets(const char *uri, char *ret, size_t size)
{
	const char *start = strstr(uri, "://");
	const char *at = start ? strchr(start, '@') : NULL;

	if (at)
		snprintf(ret, size, "%.*s%s", (int)(start + 3 - uri), uri, at + 1);
	else
		snprintf(ret, size, "%s", uri);
}

static void copy_faults(struct engine *engine, struct engine_status *status)
{
	mutex_lock(&engine->lock);
	status->is_ready = engine->is_ready;
	status->n_twins = engine->n_twins;
	status->is_store_reachable = engine->is_store_reachable;
	snprintf(status->store_error, sizeof(status->store_error), "%s",
		 engine->store_error);
	status->has_quota = engine->provider && engine->provider->ops->quota;
	if (status->has_quota)
		engine->provider->ops->quota(engine->provider, &status->quota);
	status->is_remote_reachable = engine->provider && engine->remote.outcome == 0;
	snprintf(status->remote_error, sizeof(status->remote_error), "%s",
		 engine->remote.text);
	if (!engine->remote.outcome)
		status->remote_error[0] = '\0';
	mutex_unlock(&engine->lock);
}

static void copy_flows(struct engine *engine, struct engine_status *status)
{
	struct hydrate_totals hydrated = { 0 };
	struct plan_totals plans;

	plans_count(&engine->plans, &plans);
	if (engine->hydrator)
		hydrate_get_totals(engine->hydrator, &hydrated);
	status->upload.files = plans.n_upload + plans.n_upload_later;
	status->upload.bytes = plans.upload_bytes;
	status->download.files = hydrated.files + plans.n_download_later;
	status->download.bytes = hydrated.bytes + plans.download_later_bytes;
}

static void copy_names(const struct engine *engine, struct engine_status *status)
{
	const struct config *config = engine->config;

	snprintf(status->active_site, sizeof(status->active_site), "%s",
		 config->active_site);
	snprintf(status->remote_site, sizeof(status->remote_site), "%s",
		 config->remote_site);
	hide_secrets(config->store_uri, status->store_uri, sizeof(status->store_uri));
	snprintf(status->mountpoint, sizeof(status->mountpoint), "%s",
		 engine->mountpoint ? engine->mountpoint : "");
}

static void copy_lost_project(struct engine *engine, struct engine_status *status)
{
	struct error why = { 0 };
	char name[128];

	lost_projects_name(&engine->lost_projects, name, sizeof(name));
	if (!name[0])
		return;
	error_set(&why, 0,
		  "project '%s' was dropped or emptied: it is kept as it was until it is "
		  "back, or until --adopt",
		  name);
	str_cut(status->lost_root, sizeof(status->lost_root), why.text);
}

void engine_get_status(struct engine *engine, struct engine_status *ret)
{
	struct index_counts counts = { 0 };
	struct error lost = { 0 };

	*ret = (struct engine_status){ 0 };
	copy_names(engine, ret);
	copy_faults(engine, ret);
	copy_flows(engine, ret);
	index_count(engine->index, &counts);
	tally_count(&engine->tally, counts.files, counts.shown, ret->n_state);
	ret->n_refused = counts.refused;
	ret->n_trouble = counts.trouble;
	journal_stamp_bytes(engine->journal, STAMP_COPY, &ret->cache_bytes);
	ret->cache_unsynced = ret->upload.bytes;
	journal_outbox_count(engine->journal, &ret->outbox_waiting, &ret->outbox_parked);
	if (roots_are_lost(engine->roots, &lost))
		str_cut(ret->lost_root, sizeof(ret->lost_root), lost.text);
	else
		copy_lost_project(engine, ret);
}
