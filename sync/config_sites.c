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

/* A site while it is read. */
struct draft {
	struct config_site site;
	char *origin; /* "/etc/sitefs/gdrive.json:3" */
	char *fault;  /* the first thing that is wrong with it, or NULL */
	bool is_disabled;
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

/* As config_site_read(). */
static int fill_draft(struct reader *reader, struct draft *draft, struct json_at object)
{
	struct config_site *site = &draft->site;

	free(draft->origin);
	draft->origin = strf("%s:%d", json_file_name(object.file), json_at_line(object));
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
	return config_site_read(site, object, reader->error);
}

static int read_site(struct reader *reader, const char *key, struct json_at object)
{
	_cleanup_(freep) char *name = config_strip(key);
	struct draft *draft;
	int r = 0;

	if (!name)
		return -ENOMEM;
	if (!name[0]) {
		log_warning("%s:%d: a site without a name: passed over",
			    json_file_name(object.file), json_at_line(object));
		return 0;
	}
	draft = find_draft(reader, name);
	if (!draft)
		r = add_draft(reader, name, &draft);
	if (r == 0)
		r = fill_draft(reader, draft, object);
	if (r == CONFIG_SITE_DISABLED)
		draft->is_disabled = true;
	if (r != -EINVAL)
		return r < 0 ? r : 0;
	if (!draft->fault)
		draft->fault = strdup(error_text(reader->error, r));
	*reader->error = (struct error){ 0 };
	return draft->fault ? 0 : -ENOMEM;
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

static int read_provider(struct reader *reader, const char *provider, const char *project)
{
	_cleanup_(config_files_done) struct config_files files = { 0 };
	_cleanup_(freep) char *name = strf("%s.json", provider);
	int r;

	if (!name)
		return -ENOMEM;
	reader->provider = provider;
	r = config_files_load(reader->config->dir, project, name, &files, reader->error);
	for (size_t i = files.n; i > 0 && r == 0; i--) /* the strongest last */
		r = read_file(reader, files.files[i - 1]);
	return r;
}

/* ---- from drafts to the configuration ---- */

/* "local" stands for this machine's own site. */
static int resolve_local(struct reader *reader)
{
	struct draft *draft = find_draft(reader, "local");
	char *name;

	if (!draft || strcmp(reader->config->local_id, "local") == 0)
		return 0;
	if (find_draft(reader, reader->config->local_id)) {
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
					config_quote(root->path), strdup(draft->origin),
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

	if (draft->is_disabled && is_ours)
		return error_set(
			reader->error, -EINVAL,
			"%s: site \"%s\" is disabled: take \"enabled\": false out, or name "
			"another site in config.json",
			draft->origin, name);
	if (draft->is_disabled || !draft->fault)
		return draft->is_disabled;
	if (is_ours)
		return error_set(reader->error, -EINVAL, "%s", draft->fault);
	log_warning("%s (site \"%s\" is passed over)", draft->fault, name);
	return 1;
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

int config_sites_load(struct config *config, const char *project, struct error *error)
{
	struct error unheard = { 0 }; /* faults of sites need a text */
	struct reader reader = { .config = config, .error = error ? error : &unheard };
	int r;

	r = read_provider(&reader, CONFIG_LOCAL_DRIVE, project);
	if (r == 0)
		r = read_provider(&reader, "gdrive", project);
	if (r == 0)
		r = resolve_local(&reader);
	if (r == 0)
		r = take_drafts(&reader);
	reader_done(&reader);
	return r;
}
