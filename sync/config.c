/* The effective configuration. */
#include "sync/config.h"

#include <errno.h>
#include <string.h>

#include "sync/config_private.h"
#include "sync/openpype.h"
#include "sync/store.h"

static bool is_mongodb(const char *uri)
{
	return uri && strncmp(uri, "mongodb", strlen("mongodb")) == 0;
}

/* The store is named outside of any file, and may have all that is needed. */
static bool may_have_documents(const struct config_options *options)
{
	static const char *const variables[] = { "SITEFS_STORE", "OPENPYPE_MONGO",
						 "AVALON_MONGO" };

	if (options->documents)
		return true;
	if (options->store_uri)
		return is_mongodb(options->store_uri);
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		const char *uri = getenv(variables[i]);

		if (uri && uri[0])
			return is_mongodb(uri);
	}
	return false;
}

static int load(struct config *config, const struct config_options *options,
		struct error *error)
{
	int r;

	config->origins = calloc(1, sizeof(struct config_origins));
	if (!config->origins)
		return -ENOMEM;
	r = config_files_dir(options->config_dir, may_have_documents(options),
			     &config->dir, error);
	if (r == 0)
		r = config_settings_load(config, options, error);
	if (r == 0)
		r = config_sites_load(config, options->project, error);
	return r < 0 ? r : config_check(config, error);
}

int config_load(const struct config_options *options, struct config **ret,
		struct error *error)
{
	_cleanup_(config_freep) struct config *config = calloc(1, sizeof(*config));
	int r;

	if (!config)
		return -ENOMEM;
	r = load(config, options, error);
	store_free(steal(config->reading));
	if (r < 0)
		return r;
	*ret = steal(config);
	return 0;
}

static void origin_done(struct config_origin *origin)
{
	free(origin->name);
	free(origin->value);
	free(origin->origin);
}

static void origins_free(struct config_origins *origins)
{
	if (!origins)
		return;
	for (size_t i = 0; i < origins->n; i++)
		origin_done(&origins->items[i]);
	free(origins->items);
	free(origins);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->n_sites; i++)
		config_site_done(&config->sites[i]);
	config_names_done(&config->always_accessible_on);
	config_names_done(&config->active_aliases);
	config_names_done(&config->remote_aliases);
	free(config->sites);
	origins_free(config->origins);
	free(config->dir);
	free(config->local_id);
	free(config->active_site);
	free(config->remote_site);
	free(config->store_uri);
	free(config->store_database);
	free(config->state_dir);
	free(config->runtime_dir);
	openpype_free(config->openpype);
	free(config->openpype_project);
	free(config->openpype_fault);
	free(config);
}

int config_add_origin(struct config *config, struct config_origin origin)
{
	struct config_origins *origins = config->origins;
	struct config_origin *grown;

	grown = reallocarray(origins->items, origins->n + 1, sizeof(*grown));
	if (grown)
		origins->items = grown;
	if (!grown || !origin.name || !origin.value || !origin.origin) {
		origin_done(&origin);
		return -ENOMEM;
	}
	grown[origins->n++] = origin;
	return 0;
}

const char *config_origin_of(const struct config *config, const char *name)
{
	const struct config_origins *origins = config->origins;

	for (size_t i = 0; i < origins->n; i++)
		if (strcmp(origins->items[i].name, name) == 0)
			return origins->items[i].origin;
	return "";
}

const struct config_site *config_find_site(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_sites; i++)
		if (strcmp(config->sites[i].name, name) == 0)
			return &config->sites[i];
	return NULL;
}

int config_site_root(const struct config_site *site, const char *name)
{
	for (size_t i = 0; i < site->n_roots; i++)
		if (strcmp(site->roots[i].name, name) == 0)
			return (int)i;
	if (site->n_roots == 1 && (!name[0] || !site->roots[0].name[0]))
		return 0;
	return -1;
}

const char *config_store_places(void)
{
	return "--store, $SITEFS_STORE, \"store\" in sitefs.json, $OPENPYPE_MONGO, $AVALON_MONGO";
}

int config_each_key(const struct config *config,
		    int (*fn)(void *context, const struct config_key *key), void *context)
{
	const struct config_origins *origins = config->origins;
	int r = 0;

	for (size_t i = 0; i < origins->n && r == 0; i++) {
		const struct config_origin *item = &origins->items[i];
		struct config_key key = { item->name, item->value, item->origin,
					  item->help };

		r = fn(context, &key);
	}
	return r;
}
