/*
 * OpenPype's settings as configuration. What a file of the presets says counts before them; what it leaves out,
 * they say. Of them, this machine's own count before the project's, and these before those of all projects.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"
#include "sync/config_private.h"
#include "sync/doc_settings.h"
#include "sync/openpype.h"
#include "sync/store.h"

#define REGISTRY "openpype/openpype_settings.json"

/* ---- this machine ---- */

static char *registry_path(void)
{
	const char *base = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");

	if (base && base[0] == '/')
		return strf("%s/" REGISTRY, base);
	if (home && home[0] == '/')
		return strf("%s/.local/share/" REGISTRY, home);
	return NULL;
}

int config_openpype_machine(char **ret_machine, char **ret_origin)
{
	_cleanup_(json_file_freep) struct json_file *file = NULL;
	_cleanup_(freep) char *path = registry_path();
	struct error error = { 0 };
	struct json_at at;
	const char *text;
	int r;

	if (!path || access(path, F_OK) < 0)
		return 0;
	r = json_file_load(path, &file, &error);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		log_warning("%s: set SITEFS_LOCAL_ID instead", error_text(&error, r));
		return 0;
	}
	at = json_at_find(json_file_top(file), "registry");
	text = json_at_find_text(at, "localId");
	if (!text)
		return 0;
	*ret_machine = config_strip(text);
	*ret_origin = strdup(json_at_where(json_at_find(at, "localId")).text);
	return *ret_machine && *ret_origin ? 0 : -ENOMEM;
}

/* ---- reading ---- */

static int keep_fault(struct config *config, int r, const struct error *why)
{
	free(config->openpype_fault);
	config->openpype_fault = strdup(error_text(why, r));
	config->openpype_errno = r;
	return config->openpype_fault ? 0 : -ENOMEM;
}

static bool is_mongodb(const struct config *config)
{
	return config->store_uri &&
	       strncmp(config->store_uri, "mongodb", strlen("mongodb")) == 0;
}

static int open_store(struct config *config, struct error *why)
{
	if (config->reading)
		return 0;
	return store_open(config->store_uri, config->store_database, true,
			  &config->reading, why);
}

static int read_documents(struct config *config, struct error *why)
{
	int r = open_store(config, why);

	if (r < 0)
		return r;
	r = openpype_read(config->openpype, config->reading);
	if (r == -EACCES)
		return error_set(
			why, r,
			"the store's user may not read OpenPype's settings: give it the role "
			"read on the database that $OPENPYPE_DATABASE_NAME names (openpype)");
	return r < 0 ? error_set(why, r, "cannot read OpenPype's settings: %s",
				 error_text(NULL, r))
		     : 0;
}

/* ---- whose settings count ---- */

struct pair {
	const char *active, *remote;
};

static int get_pair(const struct config *config, const char *project, bool *ret_enabled,
		    struct pair *ret, struct error *error)
{
	struct openpype_view view;
	int r = openpype_view(config->openpype, project, &view, error);

	if (r < 0)
		return r;
	*ret_enabled = openpype_is_enabled(&view);
	ret->active = openpype_site(&view, "active_site", config->local_id);
	ret->remote = openpype_site(&view, "remote_site", config->local_id);
	return 0;
}

static int read_project(struct config *config, const char *project, struct error *error)
{
	int r;

	if (!config->reading)
		return 0;
	r = openpype_read_projects(config->openpype, config->reading, project);
	return r < 0 ? error_set(error, r, "cannot read the projects' documents: %s",
				 error_text(NULL, r))
		     : 0;
}

/* Where site sync is on for some projects only, those must agree on the sites: a daemon has two. */
static int choose_project(struct config *config, struct error *error)
{
	struct pair first = { 0 };
	const char *name, *chosen = NULL;
	int r = 0;

	for (size_t i = 0; (name = openpype_project(config->openpype, i)); i++) {
		struct pair pair;
		bool is_enabled;

		r = get_pair(config, name, &is_enabled, &pair, error);
		if (r < 0)
			return r;
		if (!is_enabled)
			continue;
		r = read_project(config, name, error);
		if (r < 0)
			return r;
		if (!openpype_has_active(config->openpype, name))
			continue;
		if (chosen && (strcmp(pair.active, first.active) != 0 ||
			       strcmp(pair.remote, first.remote) != 0))
			return error_set(
				error, -EINVAL,
				"OpenPype's settings sync project \"%s\" between %s and %s, \"%s\" "
				"between %s and %s: name one project (-o project=P, --project P), or "
				"active_site and remote_site in config.json",
				chosen, first.active, first.remote, name, pair.active,
				pair.remote);
		if (!chosen) {
			chosen = name;
			first = pair;
		}
	}
	config->openpype_project = chosen ? strdup(chosen) : NULL;
	return chosen && !config->openpype_project ? -ENOMEM : 0;
}

static int choose(struct config *config, const char *project, struct error *error)
{
	struct pair pair;
	bool is_enabled;
	int r;

	r = get_pair(config, project, &is_enabled, &pair, error);
	if (r == 0 && project) {
		config->openpype_project = strdup(project);
		return config->openpype_project ? 0 : -ENOMEM;
	}
	return r < 0 || is_enabled ? r : choose_project(config, error);
}

int config_openpype_load(struct config *config, const struct config_options *options,
			 struct error *error)
{
	struct error why = { 0 };
	int r;

	if (!is_mongodb(config) && !options->documents)
		return 0;
	config->openpype = openpype_new(config->local_id);
	if (!config->openpype)
		return -ENOMEM;
	r = options->documents ? options->documents(config->openpype)
			       : read_documents(config, &why);
	if (r < 0 && r != -ENOMEM)
		r = keep_fault(config, r, &why);
	if (r == 0 && config->openpype_fault)
		r = config_kept_load(config);
	if (r == 0 && openpype_is_empty(config->openpype))
		openpype_free(steal(config->openpype));
	if (r < 0 || !config->openpype)
		return r;
	return choose(config, options->project, error);
}

void config_openpype_add_layers(const struct config *config, struct config_layers *layers)
{
	struct openpype_view view;

	if (!config->openpype ||
	    openpype_view(config->openpype, config->openpype_project, &view, NULL) < 0 ||
	    !openpype_is_enabled(&view))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(view.local); i++)
		layers->items[layers->n++] = (struct config_layer){ .at = view.local[i] };
	for (size_t i = 0; i < ARRAY_SIZE(view.settings); i++)
		layers->items[layers->n++] = (struct config_layer){
			.at = json_at_find(view.settings[i], "config"), .has_empty = true
		};
}

int config_openpype_load_roots(struct config *config, const char *project,
			       struct error *error)
{
	if (!config->openpype && config->store_uri) { /* the embedded store */
		struct error why = { 0 };
		int r = open_store(config, &why);

		if (r < 0)
			return keep_fault(config, r, &why);
		config->openpype = openpype_new(config->local_id);
		if (!config->openpype)
			return -ENOMEM;
	}
	return read_project(config, project, error);
}

int config_is_outdated(const struct config *config, struct store *store)
{
	_cleanup_(openpype_freep) struct openpype *now = openpype_new(config->local_id);
	const struct buf *a, *b;
	int r;

	if (!now)
		return -ENOMEM;
	r = openpype_read(now, store);
	if (r < 0 || (!config->openpype && openpype_is_empty(now)))
		return r;
	if (!config->openpype)
		return 1;
	a = openpype_bytes(config->openpype);
	b = openpype_bytes(now);
	return a->len != b->len || (a->len && memcmp(a->data, b->data, a->len) != 0);
}

/* ---- what is not synced ---- */

static _printf_(2, 3) bool say(struct config_reason *ret, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(ret->text, sizeof(ret->text), fmt, ap);
	va_end(ap);
	if (n < 0)
		ret->text[0] = 0;
	return true;
}

/* Only a machine that is one of the two sites moves files: else every workstation would send the same ones. */
static bool is_bystander(const struct config *config, struct config_reason *ret)
{
	if (!config->is_ruled || !config->remote_site[0] ||
	    strcmp(config->local_id, config->active_site) == 0 ||
	    strcmp(config->local_id, config->remote_site) == 0)
		return false;
	return say(
		ret,
		"this machine is \"%s\", neither \"%s\" nor \"%s\": by OpenPype's rule "
		"another one moves the files; for it to be this one, set SITEFS_LOCAL_ID=%s",
		config->local_id, config->active_site, config->remote_site,
		config->active_site);
}

static bool is_elsewhere(const struct config *config, const char *project,
			 struct config_reason *ret)
{
	struct error error = { 0 };
	struct pair pair;
	bool is_enabled;
	int r;

	if (!config->is_ruled)
		return false;
	r = get_pair(config, project, &is_enabled, &pair, &error);
	if (r < 0)
		return say(ret, "%s", error_text(&error, r));
	if (!is_enabled)
		return say(ret,
			   "site sync is switched off for it in OpenPype's settings");
	if (strcmp(pair.active, config->active_site) == 0 &&
	    (strcmp(pair.remote, config->remote_site) == 0 || !config->remote_site[0]))
		return false;
	return say(
		ret,
		"OpenPype's settings sync it between \"%s\" and \"%s\": give it a daemon "
		"of its own (-o project=%s)",
		pair.active, pair.remote, project);
}

static bool has_document_roots(const struct config_site *site)
{
	return site && site->n_roots && site->roots[0].is_document;
}

/* The site as it would be for this project alone. */
static int draft_site(const struct config *config, const char *project,
		      struct json_at roots, struct config_site *ret)
{
	const char *key = strcmp(config->active_site, OPENPYPE_STUDIO) == 0
				  ? OPENPYPE_STUDIO
				  : OPENPYPE_LOCAL;
	struct openpype_view view;
	int r = openpype_view(config->openpype, project, &view, NULL);

	ret->name = strdup(config->active_site);
	ret->provider = strdup(CONFIG_LOCAL_DRIVE);
	if (!ret->name || !ret->provider)
		return -ENOMEM;
	if (r == 0)
		r = config_site_set_roots(ret, roots, NULL);
	for (size_t i = ARRAY_SIZE(view.local); i > 0 && r == 0; i--)
		if (json_at_find(view.local[i - 1], key).node)
			r = config_site_override_roots(
				ret, json_at_find(view.local[i - 1], key), NULL);
	return r;
}

static bool has_other_roots(const struct config *config, const char *project,
			    const void *bson, size_t len, struct config_reason *ret)
{
	const struct config_site *site = config_find_site(config, config->active_site);
	_cleanup_(config_site_done) struct config_site own = { 0 };
	_cleanup_(json_file_freep) struct json_file *roots = NULL;
	_cleanup_(freep) char *text = NULL;

	if (!has_document_roots(site) || doc_project_roots(bson, len, &text) < 0 ||
	    !text || json_file_parse_document(project, text, &roots, NULL) < 0 ||
	    draft_site(config, project, json_file_top(roots), &own) < 0)
		return false;
	for (size_t i = 0; i < own.n_roots; i++) {
		const struct config_root *root = &own.roots[i];
		int here = config_site_root(site, root->name);

		if (here < 0 || strcmp(site->roots[here].path, root->path) != 0)
			return say(
				ret,
				"its root \"%s\" is %s in its document, which this daemon "
				"does not have: give it one of its own (-o project=%s)",
				root->name, root->path, project);
	}
	return false;
}

bool config_leaves_out(const struct config *config, const char *project, const void *bson,
		       size_t len, struct config_reason *ret)
{
	if (!config->openpype)
		return false;
	if (is_bystander(config, ret) || is_elsewhere(config, project, ret))
		return true;
	return bson && has_other_roots(config, project, bson, len, ret);
}

bool config_find_note(const struct config *config, struct config_reason *ret)
{
	struct openpype_view view;

	if (config->openpype_fault)
		return say(ret, "OpenPype's settings were not read%s: %s",
			   config->openpype ? ", and count as they were the last time"
					    : "",
			   config->openpype_fault);
	if (!config->openpype || !config->is_ruled)
		return false;
	if (openpype_view(config->openpype, config->openpype_project, &view, NULL) == 0 &&
	    !openpype_is_enabled(&view))
		return say(ret,
			   "site sync is switched off in OpenPype's settings: nothing "
			   "is synced; switch it on there, or name active_site and "
			   "remote_site in config.json");
	return is_bystander(config, ret);
}
