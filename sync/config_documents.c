/*
 * The sites of OpenPype's settings: those that the system's settings name with their provider, with what the projects'
 * settings say of them; and the two that are always there, with the roots of the project or of this machine.
 */
#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/config_private.h"
#include "sync/openpype.h"

static const char *provider_in(struct json_at sites, const char *name)
{
	return json_at_find_text(json_at_find(sites, name), "provider");
}

/* The system's settings say it; those of projects did once. */
static const char *provider_of(const struct openpype_view *view, const char *name)
{
	const char *provider = provider_in(json_at_find(view->system, "sites"), name);

	for (size_t i = 0; i < ARRAY_SIZE(view->settings) && !provider; i++)
		provider = provider_in(json_at_find(view->settings[i], "sites"), name);
	if (!provider && strcmp(name, CONFIG_GDRIVE) == 0)
		return CONFIG_GDRIVE;
	return provider ? provider : "";
}

static int read_document_site(struct config_drafts *drafts,
			      const struct openpype_view *view, struct json_at object)
{
	const char *key = json_at_key(object);
	const char *provider = provider_of(view, key);
	const char *name =
		strcmp(key, OPENPYPE_LOCAL) == 0 ? drafts->config->local_id : key;
	struct config_draft *draft = config_drafts_find(drafts, name);
	int r = 0;

	if (strncmp(key, "__", 2) == 0) /* a remark of OpenPype's */
		return 0;
	drafts->provider = provider;
	if (!draft)
		r = config_drafts_add(drafts, name, &draft);
	if (r < 0)
		return r;
	draft->is_document = true;
	r = config_draft_alternatives(drafts, draft, object);
	if (r < 0)
		return config_draft_keep_fault(drafts, draft, r);
	if (strcmp(provider, CONFIG_LOCAL_DRIVE) == 0 ||
	    strcmp(provider, CONFIG_GDRIVE) == 0)
		return config_draft_keep_fault(drafts, draft,
					       config_draft_fill(drafts, draft, object));
	free(draft->origin);
	draft->origin = strdup(json_at_where(object).text);
	r = json_at_error(
		object, drafts->error,
		"provider \"%s\" is none that sitefs has: gdrive and local_drive are",
		provider);
	return draft->origin ? config_draft_keep_fault(drafts, draft, r) : -ENOMEM;
}

static int read_document_sites(struct config_drafts *drafts,
			       const struct openpype_view *view, struct json_at holder)
{
	struct json_at sites = json_at_find(holder, "sites");
	int r = 0;

	if (sites.node && !json_at_is_object(sites))
		return json_at_error(sites, drafts->error,
				     "sites by name are expected: save these settings "
				     "anew in OpenPype");
	for (struct json_at at = json_at_first(sites); at.node && r == 0;
	     at = json_at_next(at))
		r = read_document_site(drafts, view, at);
	return r;
}

/* A person may have keys of their own on this machine. */
static int read_local_credentials(struct config_drafts *drafts, struct json_at local)
{
	int r = 0;

	for (size_t i = 0; i < drafts->n && r == 0; i++) {
		struct config_draft *draft = &drafts->items[i];
		struct json_at at = json_at_find(json_at_find(local, draft->site.name),
						 "credentials_url");

		if (at.node && strcmp(draft->site.provider, CONFIG_GDRIVE) == 0)
			r = config_draft_keep_fault(
				drafts, draft,
				config_site_set_credentials(&draft->site, at,
							    drafts->error));
	}
	return r;
}

/* The first counts. */
static int note_origin(struct config_draft *draft, const char *origin)
{
	if (!draft->origin)
		draft->origin = strdup(origin);
	return draft->origin ? 0 : -ENOMEM;
}

/* The two sites that are always there have the project's roots, unless this machine's settings say other folders. */
static int read_own_site(struct config_drafts *drafts, const struct openpype_view *view,
			 struct json_at roots, const char *name)
{
	const char *key = strcmp(name, OPENPYPE_STUDIO) == 0 ? name : OPENPYPE_LOCAL;
	struct config_draft *draft = config_drafts_find(drafts, name);
	int r = 0;

	drafts->provider = CONFIG_LOCAL_DRIVE;
	if (!draft)
		r = config_drafts_add(drafts, name, &draft);
	if (r < 0 || strcmp(draft->site.provider, CONFIG_LOCAL_DRIVE) != 0)
		return r;
	draft->is_document = true;
	if (roots.node)
		r = note_origin(draft, json_at_where(roots).text);
	if (r == 0 && roots.node)
		r = config_site_set_roots(&draft->site, roots, drafts->error);
	for (size_t i = ARRAY_SIZE(view->local); i > 0 && r == 0; i--) {
		struct json_at own = json_at_find(view->local[i - 1], key);

		if (own.node)
			r = note_origin(draft, json_at_where(own).text);
		if (r == 0 && own.node)
			r = config_site_override_roots(&draft->site, own, drafts->error);
	}
	if (r == 0)
		r = note_origin(draft, "OpenPype");
	return config_draft_keep_fault(drafts, draft, r);
}

/* NAME is one of the two that OpenPype's settings always have, and no file says its folders. */
static bool needs_roots(const struct config_drafts *drafts,
			const struct config_files *files, const char *name)
{
	const char *local_id = drafts->config->local_id;
	bool is_local = strcmp(name, local_id) == 0;

	if (!is_local && strcmp(name, OPENPYPE_STUDIO) != 0)
		return false;
	for (size_t i = 0; i < files->n; i++) {
		struct json_at top = json_file_top(files->files[i]);

		if (json_at_find(json_at_find(top, name), "root").node ||
		    (is_local &&
		     json_at_find(json_at_find(top, OPENPYPE_LOCAL), "root").node))
			return false;
	}
	return true;
}

static int read_own_sites(struct config_drafts *drafts, const char *project,
			  const struct config_files *files)
{
	struct config *config = drafts->config;
	const char *const names[] = { config->active_site, config->remote_site };
	struct openpype_view view = { 0 };
	struct json_at roots = { 0 };
	bool is_loaded = false;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		if (!needs_roots(drafts, files, names[i]))
			continue;
		if (!is_loaded)
			r = config_openpype_load_roots(config, project, drafts->error);
		is_loaded = true;
		if (r < 0 || !config->openpype)
			return r;
		r = openpype_view(config->openpype, config->openpype_project, &view,
				  drafts->error);
		if (r == 0)
			r = openpype_roots(config->openpype, project, &roots,
					   drafts->error);
		if (r == 0)
			r = read_own_site(drafts, &view, roots, names[i]);
	}
	return r;
}

/* OpenPype replaces what it calls overridden, and lays the rest over. */
static bool is_overridden(struct json_at object, const char *key)
{
	struct json_at list = json_at_find(object, "__overriden_keys__");
	const char *text;

	for (struct json_at at = json_at_first(list); at.node; at = json_at_next(at))
		if (json_at_is_text(at) && json_at_text(at, &text, NULL) == 0 &&
		    strcmp(text, key) == 0)
			return true;
	return false;
}

int config_documents_read(struct config_drafts *drafts, const char *project,
			  const struct config_files *files)
{
	const struct config *config = drafts->config;
	struct openpype_view view;
	int r = 0;

	if (config->openpype) {
		r = openpype_view(config->openpype, config->openpype_project, &view,
				  drafts->error);
		if (r == 0)
			r = read_document_sites(drafts, &view, view.system);
		if (r == 0 && !is_overridden(view.settings[0], "sites"))
			r = read_document_sites(drafts, &view, view.settings[1]);
		if (r == 0)
			r = read_document_sites(drafts, &view, view.settings[0]);
		for (size_t i = ARRAY_SIZE(view.local); i > 0 && r == 0; i--)
			r = read_local_credentials(drafts, view.local[i - 1]);
	}
	return r < 0 ? r : read_own_sites(drafts, project, files);
}
