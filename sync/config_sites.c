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
#include "sync/openpype.h"

/* A site while it is read. */
struct draft {
	struct config_site site;
	char *origin;     /* "/etc/sitefs/gdrive.json:3" */
	char *fault;      /* the first thing that is wrong with it, or NULL */
	bool is_document; /* so far of OpenPype's settings only */
};

struct reader {
	struct config *config;
	struct draft *drafts;
	size_t n_drafts;
	const char *provider;
	struct error *error;
};

static void reader_done(struct reader *reader)
{
	for (size_t i = 0; i < reader->n_drafts; i++) {
		config_site_done(&reader->drafts[i].site);
		free(reader->drafts[i].origin);
		free(reader->drafts[i].fault);
	}
	free(reader->drafts);
}

/* ---- files of sites ---- */

static struct draft *find_draft(struct reader *reader, const char *name)
{
	for (size_t i = 0; i < reader->n_drafts; i++)
		if (strcmp(reader->drafts[i].site.name, name) == 0)
			return &reader->drafts[i];
	return NULL;
}

static int add_draft(struct reader *reader, const char *name, struct draft **ret)
{
	struct draft *grown, *draft;

	grown = reallocarray(reader->drafts, reader->n_drafts + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	reader->drafts = grown;
	draft = &grown[reader->n_drafts++];
	*draft = (struct draft){ 0 };
	draft->site.name = strdup(name);
	draft->site.provider = strdup(reader->provider);
	*ret = draft;
	return draft->site.name && draft->site.provider ? 0 : -ENOMEM;
}

/* What a file says of a site counts before all that OpenPype's settings say: what was wrong with that, and another
 * provider, do not matter any more. */
static int take_over(struct reader *reader, struct draft *draft)
{
	bool is_other = strcmp(draft->site.provider, reader->provider) != 0;
	char *name;

	draft->is_document = false;
	draft->site.is_disabled = false;
	free(steal(draft->fault));
	if (!is_other)
		return 0;
	name = steal(draft->site.name);
	config_site_done(&draft->site);
	draft->site.name = name;
	draft->site.provider = strdup(reader->provider);
	return draft->site.provider ? 0 : -ENOMEM;
}

/* Before all else: they count also where the rest is wrong. */
static int read_alternatives(struct reader *reader, struct draft *draft,
			     struct json_at object)
{
	struct json_at list = json_at_find(object, "alternative_sites");

	return list.node ? config_site_set_alternatives(&draft->site, list, reader->error)
			 : 0;
}

/* As config_site_read(). */
static int fill_draft(struct reader *reader, struct draft *draft, struct json_at object)
{
	struct config_site *site = &draft->site;
	int r;

	if (draft->is_document && !json_at_is_document(object) &&
	    take_over(reader, draft) < 0)
		return -ENOMEM;
	free(draft->origin);
	draft->origin = strdup(json_at_where(object).text);
	if (!draft->origin)
		return -ENOMEM;
	if (strcmp(site->provider, reader->provider) != 0)
		return json_at_error(
			object, reader->error,
			"a site of that name stands in %s.json too: rename one",
			site->provider);
	if (!json_at_is_object(object))
		return json_at_error(
			object, reader->error,
			"the settings of a site are expected: {\"root\": ...}");
	r = read_alternatives(reader, draft, object);
	return r < 0 ? r : config_site_read(site, object, reader->error);
}

/* A mistake in a site is told once it is known whether the site is ours. */
static int keep_fault(struct reader *reader, struct draft *draft, int r)
{
	if (r != -EINVAL)
		return r;
	if (!draft->fault)
		draft->fault = strdup(error_text(reader->error, r));
	*reader->error = (struct error){ 0 };
	return draft->fault ? 0 : -ENOMEM;
}

static int read_site(struct reader *reader, const char *key, struct json_at object)
{
	_cleanup_(freep) char *name = config_strip(key);
	struct draft *draft;
	int r = 0;

	if (!name)
		return -ENOMEM;
	if (!name[0]) {
		log_warning("%s: a site without a name: passed over",
			    json_at_where(object).text);
		return 0;
	}
	draft = find_draft(reader, name);
	if (!draft)
		r = add_draft(reader, name, &draft);
	if (r == 0)
		r = fill_draft(reader, draft, object);
	return keep_fault(reader, draft, r);
}

static int read_file(struct reader *reader, const struct json_file *file)
{
	struct json_at top = json_file_top(file),
		       at = json_at_find(top, "credentials_url");
	int r = 0;

	/* As once shipped: the settings of the one site stand where sites should. */
	if (at.node && !json_at_is_object(json_at_find(at, "root"))) {
		log_warning(
			"%s:%d: settings without a site's name: taken for site \"%s\"; write "
			"{\"%s\": {...}}",
			json_file_name(file), json_at_line(at), reader->provider,
			reader->provider);
		return read_site(reader, reader->provider, top);
	}
	for (at = json_at_first(top); at.node && r == 0; at = json_at_next(at))
		r = read_site(reader, json_at_key(at), at);
	return r;
}

static int read_files(struct reader *reader, const char *provider,
		      const struct config_files *files)
{
	int r = 0;

	reader->provider = provider;
	for (size_t i = files->n; i > 0 && r == 0; i--) /* the strongest last */
		r = read_file(reader, files->files[i - 1]);
	return r;
}

/* ---- OpenPype's settings ---- */

static const char *provider_in(struct json_at sites, const char *name)
{
	struct json_at at = json_at_find(json_at_find(sites, name), "provider");
	const char *text = NULL;

	if (!json_at_is_text(at) || json_at_text(at, &text, NULL) < 0)
		return NULL;
	return text[0] ? text : NULL;
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

static int read_document_site(struct reader *reader, const struct openpype_view *view,
			      struct json_at object)
{
	const char *key = json_at_key(object);
	const char *provider = provider_of(view, key);
	const char *name =
		strcmp(key, OPENPYPE_LOCAL) == 0 ? reader->config->local_id : key;
	struct draft *draft = find_draft(reader, name);
	int r = 0;

	if (strncmp(key, "__", 2) == 0) /* a remark of OpenPype's */
		return 0;
	reader->provider = provider;
	if (!draft)
		r = add_draft(reader, name, &draft);
	if (r < 0)
		return r;
	draft->is_document = true;
	r = read_alternatives(reader, draft, object);
	if (r < 0)
		return keep_fault(reader, draft, r);
	if (strcmp(provider, CONFIG_LOCAL_DRIVE) == 0 ||
	    strcmp(provider, CONFIG_GDRIVE) == 0)
		return keep_fault(reader, draft, fill_draft(reader, draft, object));
	free(draft->origin);
	draft->origin = strdup(json_at_where(object).text);
	r = json_at_error(
		object, reader->error,
		"provider \"%s\" is none that sitefs has: gdrive and local_drive are",
		provider);
	return draft->origin ? keep_fault(reader, draft, r) : -ENOMEM;
}

static int read_document_sites(struct reader *reader, const struct openpype_view *view,
			       struct json_at holder)
{
	struct json_at sites = json_at_find(holder, "sites");
	int r = 0;

	if (sites.node && !json_at_is_object(sites))
		return json_at_error(sites, reader->error,
				     "sites by name are expected: save these settings "
				     "anew in OpenPype");
	for (struct json_at at = json_at_first(sites); at.node && r == 0;
	     at = json_at_next(at))
		r = read_document_site(reader, view, at);
	return r;
}

/* A person may have keys of their own on this machine. */
static int read_local_credentials(struct reader *reader, struct json_at local)
{
	int r = 0;

	for (size_t i = 0; i < reader->n_drafts && r == 0; i++) {
		struct draft *draft = &reader->drafts[i];
		struct json_at at = json_at_find(json_at_find(local, draft->site.name),
						 "credentials_url");

		if (at.node && strcmp(draft->site.provider, CONFIG_GDRIVE) == 0)
			r = keep_fault(reader, draft,
				       config_site_set_credentials(&draft->site, at,
								   reader->error));
	}
	return r;
}

/* The first counts. */
static int note_origin(struct draft *draft, const char *origin)
{
	if (!draft->origin)
		draft->origin = strdup(origin);
	return draft->origin ? 0 : -ENOMEM;
}

/* The two sites that are always there have the project's roots, unless this machine's settings say other folders. */
static int read_own_site(struct reader *reader, const struct openpype_view *view,
			 struct json_at roots, const char *name)
{
	const char *key = strcmp(name, OPENPYPE_STUDIO) == 0 ? name : OPENPYPE_LOCAL;
	struct draft *draft = find_draft(reader, name);
	int r = 0;

	reader->provider = CONFIG_LOCAL_DRIVE;
	if (!draft)
		r = add_draft(reader, name, &draft);
	if (r < 0 || strcmp(draft->site.provider, CONFIG_LOCAL_DRIVE) != 0)
		return r;
	draft->is_document = true;
	if (roots.node)
		r = note_origin(draft, json_at_where(roots).text);
	if (r == 0 && roots.node)
		r = config_site_set_roots(&draft->site, roots, reader->error);
	for (size_t i = ARRAY_SIZE(view->local); i > 0 && r == 0; i--) {
		struct json_at own = json_at_find(view->local[i - 1], key);

		if (own.node)
			r = note_origin(draft, json_at_where(own).text);
		if (r == 0 && own.node)
			r = config_site_override_roots(&draft->site, own, reader->error);
	}
	if (r == 0)
		r = note_origin(draft, "OpenPype");
	return keep_fault(reader, draft, r);
}

/* NAME is one of the two that OpenPype's settings always have, and no file says its folders. */
static bool needs_roots(const struct reader *reader, const struct config_files *files,
			const char *name)
{
	const char *local_id = reader->config->local_id;
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

static int read_own_sites(struct reader *reader, const char *project,
			  const struct config_files *files)
{
	struct config *config = reader->config;
	const char *const names[] = { config->active_site, config->remote_site };
	struct openpype_view view = { 0 };
	struct json_at roots = { 0 };
	bool is_loaded = false;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		if (!needs_roots(reader, files, names[i]))
			continue;
		if (!is_loaded)
			r = config_openpype_load_roots(config, project, reader->error);
		is_loaded = true;
		if (r < 0 || !config->openpype)
			return r;
		r = openpype_view(config->openpype, config->openpype_project, &view,
				  reader->error);
		if (r == 0)
			r = openpype_roots(config->openpype, project, &roots,
					   reader->error);
		if (r == 0)
			r = read_own_site(reader, &view, roots, names[i]);
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

static int read_documents(struct reader *reader, const char *project,
			  const struct config_files *files)
{
	const struct config *config = reader->config;
	struct openpype_view view;
	int r = 0;

	if (config->openpype) {
		r = openpype_view(config->openpype, config->openpype_project, &view,
				  reader->error);
		if (r == 0)
			r = read_document_sites(reader, &view, view.system);
		if (r == 0 && !is_overridden(view.settings[0], "sites"))
			r = read_document_sites(reader, &view, view.settings[1]);
		if (r == 0)
			r = read_document_sites(reader, &view, view.settings[0]);
		for (size_t i = ARRAY_SIZE(view.local); i > 0 && r == 0; i--)
			r = read_local_credentials(reader, view.local[i - 1]);
	}
	return r < 0 ? r : read_own_sites(reader, project, files);
}

/* ---- from drafts to the configuration ---- */

/* "local" stands for this machine's own site. */
static int resolve_local(struct reader *reader)
{
	struct draft *draft = find_draft(reader, "local"), *own;
	char *name;

	if (!draft || strcmp(reader->config->local_id, "local") == 0)
		return 0;
	own = find_draft(reader, reader->config->local_id);
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
			draft->origin, reader->config->local_id);
		return 0;
	}
	name = strdup(reader->config->local_id);
	if (!name)
		return -ENOMEM;
	free(draft->site.name);
	draft->site.name = name;
	return 0;
}

static int add_origins(struct config *config, const struct draft *draft)
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
static int judge_draft(const struct reader *reader, const struct draft *draft)
{
	const char *name = draft->site.name;
	bool is_ours = strcmp(name, reader->config->active_site) == 0 ||
		       strcmp(name, reader->config->remote_site) == 0;

	if (!name[0])
		return 1;
	if (draft->site.is_disabled && is_ours)
		return error_set(
			reader->error, -EINVAL,
			"%s: site \"%s\" is disabled: take \"enabled\": false out, or name "
			"another site in config.json",
			draft->origin, name);
	if (draft->site.is_disabled || !draft->fault)
		return draft->site.is_disabled;
	if (is_ours)
		return error_set(reader->error, -EINVAL, "%s", draft->fault);
	if (draft->is_document) /* of other machines */
		return 1;
	log_warning("%s (site \"%s\" is passed over)", draft->fault, name);
	return 1;
}

/* Both ways: whoever names another as an alternative is one of it. */
static int add_alternatives(const struct reader *reader, const char *of,
			    struct config_names *ret)
{
	int r = 0;

	for (size_t i = 0; i < reader->n_drafts && r == 0; i++) {
		const struct draft *draft = &reader->drafts[i];

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
static int find_aliases(const struct reader *reader, const char *name,
			struct config_names *ret)
{
	struct config_names found = { 0 };
	int r = name[0] ? config_names_add(&found, name) : 0;

	for (size_t i = 0; i < found.n && r == 0; i++)
		r = add_alternatives(reader, found.items[i], &found);
	for (size_t i = 1; i < found.n && r == 0; i++)
		r = config_names_add(ret, found.items[i]);
	config_names_done(&found);
	return r;
}

static int take_drafts(struct reader *reader)
{
	struct config *config = reader->config;

	config->sites = calloc(reader->n_drafts + 1, sizeof(*config->sites));
	if (!config->sites)
		return -ENOMEM;
	for (size_t i = 0; i < reader->n_drafts; i++) {
		struct draft *draft = &reader->drafts[i];
		int r = judge_draft(reader, draft);

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

static int read_all(struct reader *reader, const char *project)
{
	_cleanup_(config_files_done) struct config_files local = { 0 }, drive = { 0 };
	const char *dir = reader->config->dir;
	int r;

	r = config_files_load(dir, project, CONFIG_LOCAL_DRIVE ".json", &local,
			      reader->error);
	if (r == 0)
		r = config_files_load(dir, project, CONFIG_GDRIVE ".json", &drive,
				      reader->error);
	if (r == 0)
		r = read_documents(reader, project, &local);
	if (r == 0)
		r = read_files(reader, CONFIG_LOCAL_DRIVE, &local);
	return r < 0 ? r : read_files(reader, CONFIG_GDRIVE, &drive);
}

int config_sites_load(struct config *config, const char *project, struct error *error)
{
	struct error unheard = { 0 }; /* faults of sites need a text */
	struct reader reader = { .config = config, .error = error ? error : &unheard };
	int r;

	r = read_all(&reader, project);
	if (r == 0)
		r = resolve_local(&reader);
	if (r == 0)
		r = find_aliases(&reader, config->active_site, &config->active_aliases);
	if (r == 0)
		r = find_aliases(&reader, config->remote_site, &config->remote_aliases);
	if (r == 0)
		r = take_drafts(&reader);
	reader_done(&reader);
	return r;
}
