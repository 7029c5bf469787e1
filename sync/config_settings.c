/* Single settings: config.json and sitefs.json, the environment and the command line, by one table. */
#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"
#include "sync/config_private.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define FIELD(member) offsetof(struct config, member)

/* The order is that of the manual. SITEFS_<NAME> in the environment wins over every file. */
static const struct config_setting settings[] = {
	{ "local_id",
	  "local_0",
	  FIELD(local_id),
	  { CONFIG_NAME },
	  "name of this machine's own site",
	  .is_preset = true,
	  .override = "OPENPYPE_LOCAL_ID" },
	{ "active_site",
	  "studio",
	  FIELD(active_site),
	  { CONFIG_NAME },
	  "the site whose folders are here (\"local\" is local_id)",
	  .is_preset = true,
	  .alias = "publish_site" },
	{ "remote_site",
	  "",
	  FIELD(remote_site),
	  { CONFIG_NAME },
	  "the site to exchange files with; empty: nothing is synced",
	  .is_preset = true,
	  .can_be_empty = true },
	{ "retry_cnt",
	  "3",
	  FIELD(retry_cnt),
	  { CONFIG_INT, 1, 1000 },
	  "failed tries of a file after which it is left alone",
	  .is_preset = true },
	{ "loop_delay",
	  "60",
	  FIELD(loop_delay_ms),
	  { CONFIG_SECONDS, 10, DAY },
	  "seconds between looks at a store that has no change feed",
	  .is_preset = true },
	{ "always_accessible_on",
	  "",
	  FIELD(always_accessible_on),
	  { CONFIG_NAMES },
	  "sites that hold a copy of everything: each publish asks for it there",
	  .is_preset = true,
	  .can_be_empty = true },
	{ "store",
	  NULL,
	  FIELD(store_uri),
	  { CONFIG_STORE },
	  "the documents: \"sqlite:PATH\" or \"mongodb://...\"",
	  .fallbacks = { "OPENPYPE_MONGO", "AVALON_MONGO" } },
	{ "database",
	  "avalon",
	  FIELD(store_database),
	  { CONFIG_NAME },
	  "database with one collection per project",
	  .fallbacks = { "AVALON_DB" } },
	{ "state",
	  NULL,
	  FIELD(state_dir),
	  { CONFIG_PATH },
	  "folder of the index and the journal, on a local disk" },
	{ "pools.readers",
	  "8",
	  FIELD(n_readers),
	  { CONFIG_INT, 1, 256 },
	  "reads from the remote that people wait for, at a time" },
	{ "pools.workers",
	  "4",
	  FIELD(n_workers),
	  { CONFIG_INT, 1, 256 },
	  "transfers in the background, at a time" },
	{ "read.deadline",
	  "30s",
	  FIELD(read_deadline_ms),
	  { CONFIG_DURATION, -1, DAY },
	  "a read that takes longer fails; \"none\": it waits" },
	{ "read.verify_first",
	  "1M",
	  FIELD(verify_first_bytes),
	  { CONFIG_SIZE, 0, GIB },
	  "files up to this size are verified before the first byte is given out" },
	{ "transfer.chunk",
	  "8M",
	  FIELD(chunk_bytes),
	  { CONFIG_SIZE, 4 * KIB, GIB },
	  "bytes that the background takes at a time; a request may bring many" },
	{ "cache.reserve",
	  "1G",
	  FIELD(reserve_bytes),
	  { CONFIG_SIZE, 0, 1024 * GIB },
	  "space left free below a root, or 5 % of its disk if that is less" },
	{ "modes.file",
	  "0644",
	  FIELD(file_mode),
	  { CONFIG_MODE, 0, 0777 },
	  "mode of files that are only at the remote" },
	{ "modes.folder",
	  "0755",
	  FIELD(dir_mode),
	  { CONFIG_MODE, 0, 0777 },
	  "mode of folders that are only at the remote" },
	{ "timing.settled",
	  "2s",
	  FIELD(timing.settled_ms),
	  { CONFIG_DURATION, 0, DAY },
	  "a file that is unchanged this long is taken for finished" },
	{ "timing.young",
	  "10m",
	  FIELD(timing.young_ms),
	  { CONFIG_DURATION, 0, DAY },
	  "a missing source of a record this young is waited for" },
	{ "timing.pull",
	  "10m",
	  FIELD(timing.pull_ms),
	  { CONFIG_DURATION, 0, DAY },
	  "a record without a file stands this long before it is taken back" },
	{ "timing.gone",
	  "1m",
	  FIELD(timing.gone_ms),
	  { CONFIG_DURATION, 0, DAY },
	  "a copy that no document names any more is kept this long" },
	{ "timing.retry_min",
	  "1s",
	  FIELD(timing.retry_min_ms),
	  { CONFIG_DURATION, 1, HOUR },
	  "first pause after a passing fault" },
	{ "timing.retry_max",
	  "5m",
	  FIELD(timing.retry_max_ms),
	  { CONFIG_DURATION, 1, DAY },
	  "longest pause after passing faults" },
	{ "timing.sweep",
	  "10m",
	  FIELD(timing.sweep_ms),
	  { CONFIG_DURATION, 1, DAY },
	  "files recorded here are looked at this often: changes by other programs" },
	{ "timing.progress",
	  "5s",
	  FIELD(timing.progress_ms),
	  { CONFIG_DURATION, 1, DAY },
	  "how far a transfer is is written to its document this often" },
	{ "timing.compare",
	  "24h",
	  FIELD(timing.compare_ms),
	  { CONFIG_DURATION, 1, 366 * DAY },
	  "all that is at the remote is compared with its records this often" },
	{ "timing.probe",
	  "10s",
	  FIELD(timing.probe_ms),
	  { CONFIG_DURATION, 1, DAY },
	  "a faulty site or a lost root is looked at this often" },
	{ "timing.takeover",
	  "60s",
	  FIELD(timing.takeover_ms),
	  { CONFIG_DURATION, 1000, DAY },
	  "another machine is silent this long until its uploads are taken over" },
};

struct loader {
	struct config *config;
	const struct config_options *options;
	struct config_files presets, ours;
	struct config_layers preset_layers, our_layers;
	bool has_named_sites; /* active or remote site, by a person on this machine */
	struct error *error;
};

/* ---- making it a field ---- */

static void *field_of(struct config *config, const struct config_setting *setting)
{
	return (char *)config + setting->field;
}

static int make_path(const char *text, const char *base, char **ret, struct error *error)
{
	_cleanup_(freep) char *expanded = NULL;
	int r = config_expand(text, &expanded, error);

	if (r < 0)
		return r;
	return config_absolute(expanded, base, ret);
}

static int make_store(const char *text, const char *base, char **ret, struct error *error)
{
	_cleanup_(freep) char *path = NULL;
	int r;

	if (strncmp(text, "mongodb://", 10) == 0 ||
	    strncmp(text, "mongodb+srv://", 14) == 0) {
		*ret = strdup(text);
		return *ret ? 0 : -ENOMEM;
	}
	if (strncmp(text, "sqlite:", 7) != 0 || !text[7])
		return error_set(error, -EINVAL,
				 "this is no store: write sqlite:PATH or mongodb://HOST");
	r = make_path(text + 7, base, &path, error);
	if (r < 0)
		return r;
	*ret = strf("sqlite:%s", path);
	return *ret ? 0 : -ENOMEM;
}

static int make_text(const struct config_setting *setting,
		     const struct config_found *found, char **ret, struct error *error)
{
	if (setting->range.type == CONFIG_PATH)
		return make_path(found->text, found->base, ret, error);
	if (setting->range.type == CONFIG_STORE)
		return make_store(found->text, found->base, ret, error);
	*ret = config_strip(found->text);
	if (!*ret)
		return -ENOMEM;
	if (!(*ret)[0] && !setting->can_be_empty)
		return error_set(error, -EINVAL, "a name is expected");
	return 0;
}

static int set_text(const struct config_setting *setting,
		    const struct config_found *found, char **field, struct error *error)
{
	_cleanup_(freep) char *text = NULL;
	int r = make_text(setting, found, &text, error);

	if (r < 0)
		return r;
	free(*field); /* a computed default */
	*field = steal(text);
	return 0;
}

/* "local" stands for this machine's own site, which is known by now. */
static int set_names(const struct config *config, const struct config_found *found,
		     struct config_names *field)
{
	int r = config_names_parse(found->text, field);

	for (size_t i = 0; r == 0 && i < field->n; i++) {
		char *name;

		if (strcmp(field->items[i], "local") != 0)
			continue;
		name = strdup(config->local_id);
		if (!name)
			return -ENOMEM;
		free(field->items[i]);
		field->items[i] = name;
	}
	return r;
}

static int set_field(struct config *config, const struct config_setting *setting,
		     const struct config_found *found, struct error *error)
{
	void *field = field_of(config, setting);
	int64_t value = 0;
	int r;

	switch (setting->range.type) {
	case CONFIG_NAME:
	case CONFIG_PATH:
	case CONFIG_STORE:
		return set_text(setting, found, field, error);
	case CONFIG_NAMES:
		return set_names(config, found, field);
	case CONFIG_INT:
		r = config_value_parse(&setting->range, found->text, &value, error);
		*(int *)field = (int)value;
		return r;
	case CONFIG_MODE:
		r = config_value_parse(&setting->range, found->text, &value, error);
		*(mode_t *)field = (mode_t)value;
		return r;
	case CONFIG_SECONDS:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		return config_value_parse(&setting->range, found->text, field, error);
	}
	return -EINVAL;
}

/* The value of the field as JSON, without secrets. */
static char *show_field(struct config *config, const struct config_setting *setting)
{
	_cleanup_(freep) char *shown = NULL;
	void *field = field_of(config, setting);

	switch (setting->range.type) {
	case CONFIG_NAME:
	case CONFIG_PATH:
		return *(char **)field ? config_quote(*(char **)field) : strdup("null");
	case CONFIG_STORE:
		if (!*(char **)field)
			return strdup("null");
		shown = config_hide_secrets(*(char **)field);
		return shown ? config_quote(shown) : NULL;
	case CONFIG_NAMES:
		return config_names_format(field);
	case CONFIG_INT:
		return config_value_format(CONFIG_INT, *(int *)field);
	case CONFIG_MODE:
		return config_value_format(CONFIG_MODE, *(mode_t *)field);
	case CONFIG_SECONDS:
	case CONFIG_DURATION:
	case CONFIG_SIZE:
		break;
	}
	return config_value_format(setting->range.type, *(int64_t *)field);
}

/* "local" stands for this machine's own site. local_id comes first in the table. */
static int resolve_local(struct config *config, const struct config_setting *setting)
{
	char **field = field_of(config, setting);
	char *local_id;

	if (setting->range.type != CONFIG_NAME || strcmp(*field, "local") != 0)
		return 0;
	if (setting->field != FIELD(active_site) && setting->field != FIELD(remote_site))
		return 0;
	local_id = strdup(config->local_id);
	if (!local_id)
		return -ENOMEM;
	free(*field);
	*field = local_id;
	return 0;
}

static const char *option_of(const struct config_options *options,
			     const struct config_setting *setting)
{
	if (setting->field == FIELD(store_uri))
		return options->store_uri;
	return setting->field == FIELD(state_dir) ? options->state_dir : NULL;
}

/* By OpenPype's own rule where nobody says who this machine is, and its settings may count. */
static int find_machine(struct loader *loader, const struct config_setting *setting,
			struct config_found *found)
{
	_cleanup_(freep) char *machine = NULL, *origin = NULL;
	int r;

	if (setting->field != FIELD(local_id) || strcmp(found->origin, "default") != 0 ||
	    !loader->config->store_uri ||
	    strncmp(loader->config->store_uri, "mongodb", strlen("mongodb")) != 0)
		return 0;
	r = config_openpype_machine(&machine, &origin);
	if (r < 0 || !machine)
		return r;
	free(found->text);
	free(found->origin);
	found->text = steal(machine);
	found->origin = steal(origin);
	return 0;
}

static int find(struct loader *loader, const struct config_setting *setting,
		struct config_found *found)
{
	int r = config_find(setting, option_of(loader->options, setting),
			    setting->is_preset ? &loader->preset_layers
					       : &loader->our_layers,
			    found, loader->error);

	return r < 0 || !found->text ? r : find_machine(loader, setting, found);
}

/* Whoever names the sites decides by whose rules they are synced. Two equal ones are how OpenPype says "none". */
static int heed_documents(struct loader *loader, const struct config_setting *setting,
			  const struct config_found *found)
{
	struct config *config = loader->config;
	char *none;

	if (setting->field != FIELD(active_site) && setting->field != FIELD(remote_site))
		return 0;
	if (!found->is_document && strcmp(found->origin, "default") != 0)
		loader->has_named_sites = true;
	if (setting->field == FIELD(active_site) || !found->is_document ||
	    strcmp(config->active_site, config->remote_site) != 0)
		return 0;
	none = strdup("");
	if (!none)
		return -ENOMEM;
	free(config->remote_site);
	config->remote_site = none;
	return 0;
}

static int load_setting(struct loader *loader, const struct config_setting *setting,
			bool is_told)
{
	struct config *config = loader->config;
	_cleanup_(config_found_done) struct config_found found = { 0 };
	struct error why = { 0 };
	int r;

	r = find(loader, setting, &found);
	if (r < 0)
		return r;
	if (found.text) {
		r = set_field(config, setting, &found, &why);
		if (r == 0)
			r = resolve_local(config, setting);
		if (r == 0)
			r = heed_documents(loader, setting, &found);
		if (r < 0)
			return error_set(loader->error, r, "%s: %s: %s", found.origin,
					 setting->name, error_text(&why, r));
	} else {
		found.origin = strdup("default");
	}
	if (!is_told)
		return found.origin ? 0 : -ENOMEM;
	return config_add_origin(
		config, (struct config_origin){ strdup(setting->name),
						show_field(config, setting),
						steal(found.origin), setting->help });
}

/* ---- what is computed, and what is odd ---- */

static int default_state(char **ret)
{
	const char *base = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (base && base[0] == '/')
		*ret = strf("%s/sitefs", base);
	else if (geteuid() != 0 && home && home[0] == '/')
		*ret = strf("%s/.local/state/sitefs", home);
	else
		*ret = strdup("/var/lib/sitefs");
	return *ret ? 0 : -ENOMEM;
}

static bool is_known(const char *name, bool is_preset)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct config_setting *setting = &settings[i];

		if (setting->is_preset != is_preset)
			continue;
		if (strcmp(setting->name, name) == 0 ||
		    (setting->alias && strcmp(setting->alias, name) == 0))
			return true;
	}
	return false;
}

static bool is_group(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (strncmp(settings[i].name, name, len) == 0 &&
		    settings[i].name[len] == '.')
			return true;
	return false;
}

static void warn_of_unknown(struct json_at at, const char *name)
{
	log_warning("%s: unknown key \"%s\": it changes nothing", json_at_where(at).text,
		    name);
}

static int warn_of_group(struct json_at group)
{
	for (struct json_at at = json_at_first(group); at.node; at = json_at_next(at)) {
		_cleanup_(freep) char *name =
			strf("%s.%s", json_at_key(group), json_at_key(at));

		if (!name)
			return -ENOMEM;
		if (!is_known(name, false))
			warn_of_unknown(at, name);
	}
	return 0;
}

static int warn_of_keys(const struct config_files *files, bool is_preset)
{
	int r = 0;

	for (size_t i = 0; i < files->n && r == 0; i++) {
		struct json_at at = json_at_first(json_file_top(files->files[i]));

		for (; at.node && r == 0; at = json_at_next(at)) {
			if (is_known(json_at_key(at), is_preset))
				continue;
			if (!is_preset && json_at_is_object(at) &&
			    is_group(json_at_key(at)))
				r = warn_of_group(at);
			else
				warn_of_unknown(at, json_at_key(at));
		}
	}
	return r;
}

static void warn_of_two_stores(const struct config *config)
{
	const char *openpype = getenv("OPENPYPE_MONGO"), *avalon = getenv("AVALON_MONGO");

	if (strcmp(config_origin_of(config, "store"), "$OPENPYPE_MONGO") == 0 && avalon &&
	    avalon[0] && openpype && strcmp(avalon, openpype) != 0)
		log_warning(
			"OPENPYPE_MONGO and AVALON_MONGO differ: OPENPYPE_MONGO is taken; "
			"name the store with --store if that is wrong");
}

static void add_layers(const struct config_files *files, struct config_layers *layers)
{
	for (size_t i = 0; i < files->n; i++)
		layers->items[layers->n++] =
			(struct config_layer){ .at = json_file_top(files->files[i]),
					       .has_empty = true };
}

/* What has to be known before OpenPype's settings can be asked: where they are, and for whom. */
static int load_documents(struct loader *loader)
{
	static const size_t fields[] = { FIELD(store_uri), FIELD(store_database),
					 FIELD(state_dir), FIELD(local_id) };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields) && r == 0; i++)
		for (size_t j = 0; j < ARRAY_SIZE(settings) && r == 0; j++)
			if (settings[j].field == fields[i])
				r = load_setting(loader, &settings[j], false);
	if (r == 0)
		r = config_openpype_load(loader->config, loader->options, loader->error);
	if (r == 0)
		config_openpype_add_layers(loader->config, &loader->preset_layers);
	return r;
}

static int load(struct loader *loader)
{
	struct config *config = loader->config;
	int r;

	r = default_state(&config->state_dir);
	if (r == 0)
		r = (config->runtime_dir = config_runtime_dir()) ? 0 : -ENOMEM;
	if (r == 0)
		r = config_files_load(config->dir, loader->options->project,
				      "config.json", &loader->presets, loader->error);
	if (r == 0)
		r = config_files_load(config->dir, loader->options->project,
				      "sitefs.json", &loader->ours, loader->error);
	add_layers(&loader->presets, &loader->preset_layers);
	add_layers(&loader->ours, &loader->our_layers);
	if (r == 0)
		r = load_documents(loader);
	for (size_t i = 0; i < ARRAY_SIZE(settings) && r == 0; i++)
		r = load_setting(loader, &settings[i], true);
	config->is_ruled = config->openpype && !loader->has_named_sites;
	if (r == 0)
		r = warn_of_keys(&loader->presets, true);
	if (r == 0)
		r = warn_of_keys(&loader->ours, false);
	if (r == 0)
		warn_of_two_stores(config);
	return r;
}

int config_settings_load(struct config *config, const struct config_options *options,
			 struct error *error)
{
	struct loader loader = { .config = config, .options = options, .error = error };
	int r = load(&loader);

	config_files_done(&loader.presets);
	config_files_done(&loader.ours);
	return r;
}
