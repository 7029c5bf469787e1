/* sitefs init: a configuration to start from. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "sync/base/beneath.h"
#include "tools/client.h"
#include "tools/json.h"
#include "tools/setup.h"
#include "tools/verbs.h"

struct options {
	const char *active, *remote;
	struct cli_list roots, remote_roots, credentials;
};

static const struct cli_option options_table[] = {
	{ "active", "SITE", "the site that this machine is (default: studio)",
	  offsetof(struct options, active), CLI_TEXT, 0 },
	{ "root", "NAME=FOLDER",
	  "a root of the active site; may be repeated. FOLDER alone: its only root, as in {root}",
	  offsetof(struct options, roots), CLI_LIST, 0 },
	{ "remote", "SITE", "the site to exchange files with (default: none)",
	  offsetof(struct options, remote), CLI_TEXT, 0 },
	{ "remote-root", "NAME=FOLDER",
	  "a root of the remote site: a folder on a NAS or disk, or of Google Drive",
	  offsetof(struct options, remote_roots), CLI_LIST, 0 },
	{ "credentials", "FILE",
	  "the remote site is Google Drive: a service account's key; may be repeated",
	  offsetof(struct options, credentials), CLI_LIST, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

/* What is going to be written. */
struct plan {
	struct cli *cli;
	const struct options *options;
	char *dir;                         /* of the configuration */
	char *store_uri;                   /* "sqlite:PATH" */
	char *root;                        /* where none was named: of root "work" */
	struct json *local_drive, *gdrive; /* the presets: site to settings */
	const char *active, *local_id;
	struct config *config; /* where OpenPype's settings say all, or NULL */
};

static void plan_done(struct plan *plan)
{
	free(plan->dir);
	free(plan->store_uri);
	free(plan->root);
	json_free(plan->local_drive);
	json_free(plan->gdrive);
	config_free(plan->config);
}

/* ---- choosing ---- */

/* $NAME, else $HOME/REST, else OTHERWISE; then "/sitefs" and TAIL. */
static char *user_path(const char *name, const char *rest, const char *otherwise,
		       const char *tail)
{
	const char *base = getenv(name), *home = getenv("HOME");

	if (base && base[0] == '/')
		return strf("%s/sitefs%s", base, tail);
	if (geteuid() != 0 && home && home[0] == '/')
		return strf("%s/%s/sitefs%s", home, rest, tail);
	return strdup(otherwise);
}

static char *choose_dir(struct cli *cli)
{
	const char *env = getenv("SITEFS_CONFIG");
	const char *named = cli->n_args       ? cli->args[0]
			    : cli->config_dir ? cli->config_dir
			    : env && env[0]   ? env
					      : NULL;
	char *absolute = NULL;

	if (!named)
		return user_path("XDG_CONFIG_HOME", ".config", "/etc/sitefs", "");
	return client_absolute(named, false, &absolute) == 0 ? absolute : NULL;
}

/* "sqlite:PATH" with PATH made absolute: the daemon has another working folder. */
static char *absolute_uri(const char *uri)
{
	_cleanup_(freep) char *path = NULL;

	if (strncmp(uri, "sqlite:", 7) != 0)
		return strdup(uri);
	return client_absolute(uri + 7, false, &path) == 0 ? strf("sqlite:%s", path)
							   : NULL;
}

static char *choose_store(struct cli *cli)
{
	const char *env = getenv("SITEFS_STORE");
	_cleanup_(freep) char *path = NULL;

	if (cli->store_uri || (env && env[0]))
		return absolute_uri(cli->store_uri ? cli->store_uri : env);
	path = user_path("XDG_DATA_HOME", ".local/share",
			 "/var/lib/sitefs-store/store.sqlite", "/store.sqlite");
	return path ? strf("sqlite:%s", path) : NULL;
}

static int choose(struct plan *plan)
{
	struct cli *cli = plan->cli;

	plan->active = plan->options->active ? plan->options->active : "studio";
	plan->local_id = strcmp(plan->active, "studio") != 0 ? plan->active : "local_0";
	plan->dir = choose_dir(cli);
	if (!plan->dir)
		return cli_fail(cli, EXIT_USAGE,
				"the folder for the configuration cannot be used: name "
				"another one");
	plan->store_uri = choose_store(cli);
	plan->root = user_path("XDG_DATA_HOME", ".local/share", "/srv/work", "/work");
	if (!plan->store_uri || !plan->root)
		return cli_fail(cli, EXIT_USAGE, "the store's folder cannot be used");
	return 0;
}

/* ---- roots ---- */

/* "NAME=FOLDER" or "FOLDER" into NAME (NULL: the only root) and an absolute FOLDER, which IS_DRIVE begins with
 * "My Drive" or a shared drive's name. 0 or an exit code. */
static int split_root(struct cli *cli, const char *text, bool is_drive, char **ret_name,
		      char **ret_folder)
{
	const char *equals = text[0] == '/' ? NULL : strchr(text, '=');
	const char *folder = equals ? equals + 1 : text;

	*ret_name = equals ? strndup(text, (size_t)(equals - text)) : NULL;
	if (equals && !(*ret_name && (*ret_name)[0]))
		return cli_fail(cli, EXIT_USAGE, "'%s' is not NAME=FOLDER", text);
	if (is_drive && folder[0] != '/')
		return cli_fail(cli, EXIT_USAGE,
				"'%s' is no folder of Google Drive: write it as '/My "
				"Drive/NAME' or '/SHARED DRIVE/NAME'",
				text);
	if (is_drive) {
		*ret_folder = strdup(folder);
		return *ret_folder ? 0 : cli_fail(cli, EXIT_FAILED, "out of memory");
	}
	if (!folder[0] || client_absolute(folder, false, ret_folder) < 0)
		return cli_fail(cli, EXIT_USAGE, "'%s' names no folder", text);
	return 0;
}

/* {"root": {...}} or {"root": "..."} of a site. 0 or an exit code. */
static int add_site(struct plan *plan, struct json *sites, const char *name,
		    const struct cli_list *roots)
{
	struct json *site = json_object(), *map = json_object();
	bool has_only = false, is_drive = sites == plan->gdrive;

	json_set(sites, name, site);
	for (size_t i = 0; i < roots->n; i++) {
		_cleanup_(freep) char *root = NULL, *folder = NULL;
		int r = split_root(plan->cli, roots->items[i], is_drive, &root, &folder);

		if (!r && (has_only || (!root && roots->n > 1)))
			r = cli_fail(plan->cli, EXIT_USAGE,
				     "several roots of '%s' need a NAME each", name);
		if (r) {
			json_free(map);
			return r;
		}
		if (root)
			json_set_text(map, root, folder);
		else
			json_set_text(site, "root", folder);
		has_only = !root;
	}
	if (!roots->n)
		json_set_text(map, "work", plan->root);
	if (has_only)
		json_free(map);
	else
		json_set(site, "root", map);
	return 0;
}

/* "credentials_url": one key, or a list of them. 0 or an exit code. */
static int add_credentials(struct plan *plan, struct json *site)
{
	const struct cli_list *keys = &plan->options->credentials;
	struct json *list = keys->n > 1 ? json_array() : NULL;

	if (list)
		json_set(site, "credentials_url", list);
	for (size_t i = 0; i < keys->n; i++) {
		_cleanup_(freep) char *path = NULL;

		if (client_absolute(keys->items[i], true, &path) < 0)
			return cli_fail(plan->cli, EXIT_USAGE,
					"there is no key file %s: the admin console of "
					"Google Cloud makes one for a service account",
					keys->items[i]);
		if (!list)
			json_set_text(site, "credentials_url", path);
		else
			json_append(list, json_text_value(path));
	}
	return 0;
}

static int add_sites(struct plan *plan)
{
	const struct options *options = plan->options;
	bool is_drive = options->credentials.n > 0;
	int r;

	plan->local_drive = json_object();
	plan->gdrive = is_drive ? json_object() : NULL;
	r = add_site(plan, plan->local_drive, plan->active, &options->roots);
	if (!r && options->remote_roots.n)
		r = add_site(plan, is_drive ? plan->gdrive : plan->local_drive,
			     options->remote, &options->remote_roots);
	if (!r && is_drive)
		r = add_credentials(plan, json_get(plan->gdrive, options->remote));
	return r;
}

static int check_options(struct cli *cli, const struct options *options)
{
	if (options->remote_roots.n && !options->remote)
		return cli_fail(cli, EXIT_USAGE, "--remote-root needs --remote SITE");
	if (options->credentials.n && !options->remote)
		return cli_fail(cli, EXIT_USAGE, "--credentials needs --remote SITE");
	if (options->credentials.n && !options->remote_roots.n)
		return cli_fail(cli, EXIT_USAGE,
				"--credentials needs --remote-root NAME='/My Drive/NAME' "
				"or NAME='/SHARED DRIVE/NAME'");
	if (options->remote && options->active &&
	    !strcmp(options->remote, options->active))
		return cli_fail(cli, EXIT_USAGE, "a site cannot be its own remote");
	return 0;
}

/* ---- writing ---- */

static struct json *config_json(const struct plan *plan)
{
	struct json *json = json_object();

	json_set_text(json, "local_id", plan->local_id);
	json_set_int(json, "retry_cnt", 3);
	json_set_int(json, "loop_delay", 60);
	json_set_text(json, "active_site", plan->active);
	json_set_text(json, "remote_site",
		      plan->options->remote ? plan->options->remote : "");
	return json;
}

/* 0600 where the store's URI may have a password. */
static mode_t mode_of(const struct plan *plan)
{
	return strchr(plan->store_uri, '@') ? 0600 : 0644;
}

static int write_file(struct plan *plan, int dir_fd, const char *name,
		      const struct json *json)
{
	_cleanup_(freep) char *text = json_pretty(json);
	_cleanup_(closep) int fd = -1;
	int r;

	if (!text)
		return cli_fail(plan->cli, EXIT_FAILED, "out of memory");
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_of(plan));
	r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
	if (r < 0)
		return cli_fail(plan->cli, EXIT_FAILED, "cannot write %s/%s: %s",
				plan->dir, name, strerror(-r));
	return 0;
}

static const char *const names[] = { "config.json", "local_drive.json", "gdrive.json",
				     "sitefs.json" };

/* The folder, with none of the files in it yet. 0 or an exit code. */
static int open_dir(struct plan *plan, int *ret)
{
	_cleanup_(closep) int dir_fd = -1;
	int r = cli_make_dirs(plan->dir, 0755);

	if (r == 0)
		dir_fd = open(plan->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return cli_fail(plan->cli, EXIT_FAILED, "cannot create %s: %s", plan->dir,
				strerror(r < 0 ? -r : errno));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (faccessat(dir_fd, names[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return cli_fail(plan->cli, EXIT_FAILED,
					"%s/%s exists already, nothing was written: "
					"remove it or name another folder",
					plan->dir, names[i]);
	*ret = steal_fd(dir_fd);
	return 0;
}

/* Where a studio's sites stand in OpenPype's settings, presets would only hide them. 0 or an exit code. */
static int find_openpype(struct plan *plan)
{
	const struct options *options = plan->options;
	struct config_options load = { .config_dir = plan->dir,
				       .state_dir = plan->cli->state_dir,
				       .store_uri = plan->store_uri };
	_cleanup_(config_freep) struct config *config = NULL;
	struct error error = { 0 };
	int r;

	if (options->active || options->roots.n || options->remote ||
	    strncmp(plan->store_uri, "mongodb", strlen("mongodb")) != 0)
		return 0;
	r = config_load(&load, &config, &error);
	if (r == -EHOSTUNREACH || r == -ETIMEDOUT)
		return cli_fail(
			plan->cli, EXIT_NO_STORE,
			"%s: with --active and --root it is not asked for its sites",
			error_text(&error, r));
	if (r == 0 && config->openpype)
		plan->config = steal(config);
	return 0;
}

/* CONTENTS of NULL are not written; a file of that name would still be read. */
static int write_all(struct plan *plan, int dir_fd)
{
	_cleanup_(json_freep) struct json *config = config_json(plan);
	_cleanup_(json_freep) struct json *ours = json_object();
	const struct json *contents[] = { config, plan->local_drive, plan->gdrive, ours };
	int r;

	json_set_text(ours, "store", plan->store_uri);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (plan->config && contents[i] != ours)
			continue;
		r = contents[i] ? write_file(plan, dir_fd, names[i], contents[i]) : 0;
		if (r)
			return r;
	}
	return 0;
}

/* The embedded store is made now, so that it is never made by a misspelt name later. */
static int make_store(struct plan *plan)
{
	_cleanup_(store_freep) struct store *store = NULL;
	_cleanup_(freep) char *folder = NULL;
	struct error error = { 0 };
	int r;

	if (strncmp(plan->store_uri, "sqlite:", 7) != 0)
		return 0;
	folder = strndup(plan->store_uri + 7,
			 (size_t)(strrchr(plan->store_uri, '/') - plan->store_uri - 7));
	if (!folder)
		return cli_fail(plan->cli, EXIT_FAILED, "out of memory");
	if (folder[0])
		cli_make_dirs(folder, 0755);
	r = store_open(plan->store_uri, "avalon", false, &store, &error);
	if (r < 0)
		return cli_fail(plan->cli, cli_store_exit(r), "%s",
				error_text(&error, r));
	return 0;
}

/* A root that a person named and that misses only itself is made; what misses more may be a mount that is away. */
static void make_roots(const struct json *site, bool is_ours)
{
	const struct json *root = json_get(site, "root");

	if (json_as_text(root)) {
		mkdir(json_as_text(root), 0755);
		return;
	}
	for (const struct json *p = json_first(root); p; p = json_next(p)) {
		if (is_ours)
			cli_make_dirs(json_as_text(p), 0755);
		else
			mkdir(json_as_text(p), 0755);
	}
}

/* ---- saying ---- */

static void print_roots(const char *what, const char *name, const struct json *site)
{
	const struct json *root = json_get(site, "root");

	printf("%-12s %s\n", what, name);
	if (json_as_text(root))
		printf("  %-10s %s\n", "root", json_as_text(root));
	for (const struct json *p = json_is_object(root) ? json_first(root) : NULL; p;
	     p = json_next(p))
		printf("  %-10s %s\n", json_key(p), json_as_text(p));
}

/* The same of what OpenPype's settings say. */
static struct json *found_sites(const struct plan *plan)
{
	const char *const pair[] = { plan->config->active_site,
				     plan->config->remote_site };
	struct json *sites = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(pair); i++) {
		const struct config_site *site = config_find_site(plan->config, pair[i]);
		struct json *json = json_object(), *roots = json_object();

		for (size_t j = 0; site && j < site->n_roots; j++)
			json_set_text(roots,
				      site->roots[j].name[0] ? site->roots[j].name
							     : "root",
				      site->roots[j].path);
		json_set(json, "root", roots);
		if (site)
			json_set(sites, site->name, json);
		else
			json_free(json);
	}
	return sites;
}

static int say_found(const struct plan *plan)
{
	_cleanup_(json_freep) struct json *json = json_document();
	_cleanup_(freep) char *store = config_hide_secrets(plan->store_uri);
	const struct config *config = plan->config;
	struct json *sites = found_sites(plan);
	struct config_reason note;

	json_set_text(json, "config_dir", plan->dir);
	json_set_text(json, "store", store);
	json_set_text(json, "active_site", config->active_site);
	json_set_text(json, "remote_site", config->remote_site);
	json_set(json, "sites", sites);
	if (plan->cli->is_json)
		return json_print(json) < 0 ? EXIT_FAILED : EXIT_DONE;
	if (plan->cli->is_quiet)
		return EXIT_DONE;
	printf("%-12s %s\n%-12s %s\n", "presets", plan->dir, "store", store);
	print_roots("active site", config->active_site,
		    json_get(sites, config->active_site));
	if (config->remote_site[0])
		print_roots("remote site", config->remote_site,
			    json_get(sites, config->remote_site));
	else
		printf("%-12s none: nothing is synced\n", "remote site");
	printf("\nThe sites are those of OpenPype's settings, now and at each start.\n");
	if (config_find_note(config, &note))
		printf("But: %s\n", note.text);
	printf("Go on with: sitefs --config %s mount MOUNTPOINT\n", plan->dir);
	return EXIT_DONE;
}

static int say_json(const struct plan *plan)
{
	_cleanup_(json_freep) struct json *json = json_document();
	_cleanup_(freep) char *store = config_hide_secrets(plan->store_uri);
	struct json *sites = json_copy(plan->local_drive);
	const char *remote = plan->options->remote;

	if (plan->gdrive)
		json_set(sites, remote, json_copy(json_get(plan->gdrive, remote)));
	json_set_text(json, "config_dir", plan->dir);
	json_set_text(json, "store", store);
	json_set_text(json, "active_site", plan->active);
	json_set_text(json, "remote_site", remote ? remote : "");
	json_set(json, "sites", sites);
	return json_print(json) < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int say(const struct plan *plan)
{
	const char *remote = plan->options->remote;
	const struct json *remotes = plan->gdrive ? plan->gdrive : plan->local_drive;
	_cleanup_(freep) char *store = config_hide_secrets(plan->store_uri);

	if (plan->cli->is_json)
		return say_json(plan);
	if (plan->cli->is_quiet)
		return EXIT_DONE;
	printf("%-12s %s\n", "presets", plan->dir);
	printf("%-12s %s\n", "store", store);
	print_roots("active site", plan->active,
		    json_get(plan->local_drive, plan->active));
	if (!remote)
		printf("%-12s none: nothing is synced\n", "remote site");
	else if (json_get(remotes, remote))
		print_roots("remote site", remote, json_get(remotes, remote));
	else
		printf("%-12s %s: describe it in %s/gdrive.json (Google Drive) or in\n"
		       "%-12s local_drive.json (a folder) first\n",
		       "remote site", remote, plan->dir, "");
	printf("\nGo on with: sitefs --config %s mount MOUNTPOINT\n", plan->dir);
	return EXIT_DONE;
}

static int run(struct cli *cli, const void *context)
{
	_cleanup_(plan_done) struct plan plan = { .cli = cli, .options = context };
	const struct options *options = context;
	_cleanup_(closep) int dir_fd = -1;
	int r;

	r = check_options(cli, options);
	if (!r)
		r = choose(&plan);
	if (!r)
		r = add_sites(&plan);
	if (!r)
		r = open_dir(&plan, &dir_fd);
	if (!r)
		r = find_openpype(&plan);
	if (!r)
		r = write_all(&plan, dir_fd);
	if (!r)
		r = make_store(&plan);
	if (r)
		return r;
	if (plan.config)
		return say_found(&plan);
	make_roots(json_get(plan.local_drive, plan.active), !options->roots.n);
	return say(&plan);
}

const struct verb verb_init = {
	.name = "init",
	.usage = "[DIR] [--store URI] [--active SITE --root NAME=FOLDER...] "
		 "[--remote SITE --remote-root NAME=FOLDER... [--credentials FILE]]",
	.summary = "write a configuration to start from",
	.help = "Writes config.json, local_drive.json, sitefs.json and, with --credentials,\n"
		"gdrive.json into DIR (else --config, $SITEFS_CONFIG, $XDG_CONFIG_HOME/sitefs;\n"
		"/etc/sitefs for root) and says what was chosen. Nothing that exists is\n"
		"overwritten. Without --store it makes an embedded store for this machine. With\n"
		"one of MongoDB and without --active, --root and --remote, sites and roots stay\n"
		"those of OpenPype's settings, if there are any: only sitefs.json is written. The\n"
		"active site's folders are made where they are missing, a remote's never: see\n"
		"'sitefs mount --create-root'. A root of Google Drive is '/My Drive/NAME', the\n"
		"account's own or shared with it, or '/SHARED DRIVE/NAME'.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.max_args = 1,
	.run = run,
};
