/*
 * Sites: one file per provider, site name -> settings, in every form that presets have had. A
 * project's own file changes single keys of a site. A site that is wrong and not ours is passed
 * over: a mistake in it must not stop the others.
 */
#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"
#include "sync/config_private.h"

/* ---- files of sites ---- */

static int read_site(struct config_drafts *drafts, const char *key, struct json_at object)
{
	_cleanup_(freep) char *name = config_strip(key);
	struct config_draft *draft;
	int r = 0;

	if (!name)
		return -ENOMEM;
	if (!name[0]) {
		log_warning("%s: a site without a name: passed over",
			    json_at_where(object).text);
		return 0;
	}
	draft = config_drafts_find(drafts, name);
	if (!draft)
		r = config_drafts_add(drafts, name, &draft);
	if (r == 0)
		r = config_draft_fill(drafts, draft, object);
	return config_draft_keep_fault(drafts, draft, r);
}

static int read_file(struct config_drafts *drafts, const struct json_file *file)
{
	struct json_at top = json_file_top(file),
		       at = json_at_find(top, "credentials_url");
	int r = 0;

	/* As once shipped: the settings of the one site stand where sites should. */
	if (at.node && !json_at_is_object(json_at_find(at, "root"))) {
		log_warning(
			"%s:%d: settings without a site's name: taken for site \"%s\"; write "
			"{\"%s\": {...}}",
			json_file_name(file), json_at_line(at), drafts->provider,
			drafts->provider);
		return read_site(drafts, drafts->provider, top);
	}
	for (at = json_at_first(top); at.node && r == 0; at = json_at_next(at))
		r = read_site(drafts, json_at_key(at), at);
	return r;
}

static int read_files(struct config_drafts *drafts, const char *provider,
		      const struct config_files *files)
{
	int r = 0;

	drafts->provider = provider;
	for (size_t i = files->n; i > 0 && r == 0; i--) /* the strongest last */
		r = read_file(drafts, files->files[i - 1]);
	return r;
}

/* ---- from drafts to the configuration ---- */

/* "local" stands for this machine's own site. */
static int resolve_local(struct config_drafts *drafts)
{
	struct config_draft *draft = config_drafts_find(drafts, "local"), *own;
	char *name;

	if (!draft || strcmp(drafts->config->local_id, "local") == 0)
		return 0;
	own = config_drafts_find(drafts, drafts->config->local_id);
	if (own &&
	    own->is_document) { /* only OpenPype's settings have it: the file counts */
		free(own->site.name);
		own->site.name = strdup("");
		if (!own->site.name)
			return -ENOMEM;
	} else if (own) {
		log_warning(
			"%s: site \"local\" is \"%s\" on this machine, which has settings of "
			"its own: those count",
			draft->origin, drafts->config->local_id);
		return 0;
	}
	name = strdup(drafts->config->local_id);
	if (!name)
		return -ENOMEM;
	free(draft->site.name);
	draft->site.name = name;
	return 0;
}

static int add_origins(struct config *config, const struct config_draft *draft)
{
	const struct config_site *site = &draft->site;
	int r;

	r = config_add_origin(
		config,
		(struct config_origin){ strf("site.%s.provider", site->name),
					config_quote(site->provider),
					strdup(draft->origin), "what holds the site" });
	for (size_t i = 0; i < site->n_roots && r == 0; i++) {
		const struct config_root *root = &site->roots[i];

		r = config_add_origin(
			config, (struct config_origin){
					strf("site.%s.root%s%s", site->name,
					     root->name[0] ? "." : "", root->name),
					config_quote(root->path), strdup(root->origin),
					"a folder of the site" });
	}
	return r;
}

/* 0 where the draft is to be taken, 1 where it is passed over. */
static int judge_draft(const struct config_drafts *drafts,
		       const struct config_draft *draft)
{
	const char *name = draft->site.name;
	bool is_ours = strcmp(name, drafts->config->active_site) == 0 ||
		       strcmp(name, drafts->config->remote_site) == 0;

	if (!name[0])
		return 1;
	if (draft->site.is_disabled && is_ours)
		return error_set(
			drafts->error, -EINVAL,
			"%s: site \"%s\" is disabled: take \"enabled\": false out, or name "
			"another site in config.json",
			draft->origin, name);
	if (draft->site.is_disabled || !draft->fault)
		return draft->site.is_disabled;
	if (is_ours)
		return error_set(drafts->error, -EINVAL, "%s", draft->fault);
	if (draft->is_document) /* of other machines */
		return 1;
	log_warning("%s (site \"%s\" is passed over)", draft->fault, name);
	return 1;
}

/* Both ways: whoever names another as an alternative is one of it. */
static int add_alternatives(const struct config_drafts *drafts, const char *of,
			    struct config_names *ret)
{
	int r = 0;

	for (size_t i = 0; i < drafts->n && r == 0; i++) {
		const struct config_draft *draft = &drafts->items[i];

		if (config_names_have(&draft->site.alternatives, of))
			r = config_names_add(ret, draft->site.name);
		if (strcmp(draft->site.name, of) != 0)
			continue;
		for (size_t j = 0; j < draft->site.alternatives.n && r == 0; j++)
			r = config_names_add(ret, draft->site.alternatives.items[j]);
	}
	return r;
}

/* Also those of sites that are left out themselves: of other machines, or of providers that we do not have. */
static int find_aliases(const struct config_drafts *drafts, const char *name,
			struct config_names *ret)
{
	struct config_names found = { 0 };
	int r = name[0] ? config_names_add(&found, name) : 0;

	for (size_t i = 0; i < found.n && r == 0; i++)
		r = add_alternatives(drafts, found.items[i], &found);
	for (size_t i = 1; i < found.n && r == 0; i++)
		r = config_names_add(ret, found.items[i]);
	config_names_done(&found);
	return r;
}

static int take_drafts(struct config_drafts *drafts)
{
	struct config *config = drafts->config;

	config->sites = calloc(drafts->n + 1, sizeof(*config->sites));
	if (!config->sites)
		return -ENOMEM;
	for (size_t i = 0; i < drafts->n; i++) {
		struct config_draft *draft = &drafts->items[i];
		int r = judge_draft(drafts, draft);

		if (r == 0)
			r = add_origins(config, draft);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		config->sites[config->n_sites++] = draft->site;
		draft->site = (struct config_site){ 0 };
	}
	return 0;
}

static int read_all(struct config_drafts *drafts, const char *project)
{
	_cleanup_(config_files_done) struct config_files local = { 0 }, drive = { 0 };
	const char *dir = drafts->config->dir;
	int r;

	r = config_files_load(dir, project, CONFIG_LOCAL_DRIVE ".json", &local,
			      drafts->error);
	if (r == 0)
		r = config_files_load(dir, project, CONFIG_GDRIVE ".json", &drive,
				      drafts->error);
	if (r == 0)
		r = config_documents_read(drafts, project, &local);
	if (r == 0)
		r = read_files(drafts, CONFIG_LOCAL_DRIVE, &local);
	return r < 0 ? r : read_files(drafts, CONFIG_GDRIVE, &drive);
}

int config_sites_load(struct config *config, const char *project, struct error *error)
{
	struct error unheard = { 0 }; /* faults of sites need a text */
	struct config_drafts drafts = { .config = config,
					.error = error ? error : &unheard };
	int r;

	r = read_all(&drafts, project);
	if (r == 0)
		r = resolve_local(&drafts);
	if (r == 0)
		r = find_aliases(&drafts, config->active_site, &config->active_aliases);
	if (r == 0)
		r = find_aliases(&drafts, config->remote_site, &config->remote_aliases);
	if (r == 0)
		r = take_drafts(&drafts);
	config_drafts_done(&drafts);
	return r;
}
