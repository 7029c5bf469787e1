/* sitefs mount */
#include <errno.h>
#include <string.h>

#include "tools/duration.h"
#include "tools/guardian.h"
#include "tools/mountpoint.h"
#include "tools/setup.h"
#include "tools/site.h"
#include "tools/verbs.h"

struct options {
	struct cli_list mount_options;
	bool is_foreground, has_no_sync, can_adopt, can_create_root;
};

static const struct cli_option options_table[] = {
	{ "foreground", NULL, "stay; end with 0 after an unmount",
	  offsetof(struct options, is_foreground), CLI_FLAG, 'f' },
	{ "options", "OPT,...",
	  "ro, allow_other, root=NAME, project=P, cache, deadline=T|none, show_partial, "
	  "nopassthrough",
	  offsetof(struct options, mount_options), CLI_LIST, 'o' },
	{ "no-sync", NULL, "no background transfers: files come on demand only",
	  offsetof(struct options, has_no_sync), CLI_FLAG, 0 },
	{ "adopt", NULL, "take what the roots hold now as the site's, after a lost root",
	  offsetof(struct options, can_adopt), CLI_FLAG, 0 },
	{ "create-root", NULL, "make the remote's root folder where it is missing",
	  offsetof(struct options, can_create_root), CLI_FLAG, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

/* ---- -o ---- */

/* Options of mount(8), of fstab and of systemd's units made from it: not ours, no error. */
static bool is_foreign(const char *option)
{
	static const char *const names[] = {
		"_netdev",    "async",       "atime",      "auto",   "defaults",
		"dev",        "diratime",    "exec",       "group",  "noatime",
		"noauto",     "nodev",       "nodiratime", "noexec", "nofail",
		"norelatime", "nosuid",      "nouser",     "owner",  "relatime",
		"rw",         "strictatime", "suid",       "user",   "users",
	};

	if (!strncmp(option, "x-", 2) || !strncmp(option, "comment=", 8) ||
	    !strncmp(option, "user=", 5))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], option))
			return true;
	return false;
}

/* What the words of -o make of the set-up. Texts are borrowed from WORDS. */
struct words {
	struct cli *cli;
	char **items; /* the lists of -o, cut at their commas */
	size_t n;
	int64_t deadline_ms; /* -2: as configured */
};

static void words_done(struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		free(words->items[i]);
	free(words->items);
}

/* The value where ITEM is "NAME=value", else NULL. */
static const char *value_of(const char *item, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(item, name, len) && item[len] == '=' ? item + len + 1 : NULL;
}

static bool take_flag(const char *item, struct site_setup *setup)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "ro", &setup->is_read_only },
		{ "allow_other", &setup->is_shared },
		{ "cache", &setup->is_cache_only },
		{ "show_partial", &setup->is_partial_shown },
		{ "nopassthrough", &setup->has_no_passthrough },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (strcmp(flags[i].name, item) != 0)
			continue;
		*flags[i].flag = true;
		return true;
	}
	return false;
}

static int take_deadline(struct words *words, const char *text)
{
	if (!strcmp(text, "none")) {
		words->deadline_ms = -1;
		return 0;
	}
	if (duration_parse(text, &words->deadline_ms) && words->deadline_ms > 0)
		return 0;
	return cli_fail(words->cli, EXIT_USAGE,
			"-o deadline=%s is no time: write 30s, 2m or none", text);
}

static int take_word(struct words *words, const char *item, struct site_setup *setup)
{
	const char *value;

	if (!item[0] || take_flag(item, setup) || is_foreign(item))
		return 0;
	value = value_of(item, "root");
	if (value) {
		setup->only_root = value;
		return 0;
	}
	value = value_of(item, "project");
	if (value) {
		setup->project = value;
		return 0;
	}
	value = value_of(item, "deadline");
	if (value)
		return take_deadline(words, value);
	return cli_fail(words->cli, EXIT_USAGE,
			"unknown mount option '%s': see 'sitefs mount --help'", item);
}

static int take_list(struct words *words, const char *list, struct site_setup *setup)
{
	for (const char *p = list;; p++) {
		size_t len = strcspn(p, ",");
		char **grown = reallocarray(words->items, words->n + 1, sizeof(*grown));
		int r;

		if (!grown)
			return cli_fail(words->cli, EXIT_FAILED, "out of memory");
		words->items = grown;
		grown[words->n] = strndup(p, len);
		if (!grown[words->n])
			return cli_fail(words->cli, EXIT_FAILED, "out of memory");
		r = take_word(words, grown[words->n++], setup);
		if (r)
			return r;
		p += len;
		if (!*p)
			return 0;
	}
}

/* ---- the verb ---- */

static bool has_one_root(const struct config *config)
{
	const struct config_site *site = config_find_site(config, config->active_site);

	return site && site->n_roots == 1;
}

static int check_root(struct cli *cli, const struct config *config, const char *name)
{
	const struct config_site *site = config_find_site(config, config->active_site);

	for (size_t i = 0; name && site && i < site->n_roots; i++)
		if (!strcmp(site->roots[i].name, name))
			return 0;
	if (!name)
		return 0;
	return cli_fail(cli, EXIT_USAGE, "site '%s' has no root '%s'",
			config->active_site, name);
}

static int serve(struct site_setup *setup, bool is_foreground, bool is_over_root)
{
	_cleanup_(closep) int guarded = -1;
	_cleanup_(daemon_freep) struct daemon *daemon = NULL;
	_cleanup_(site_freep) struct site *site = NULL;
	int code;

	code = daemon_begin(&(struct daemon_setup){ .cli = setup->cli,
						    .state_dir = setup->config->state_dir,
						    .is_foreground = is_foreground },
			    &daemon);
	if (code >= 0)
		return code;
	setup->daemon = daemon;
	if (is_over_root)
		guarded = guardian_start(setup->mountpoint);
	if (is_over_root && guarded < 0)
		return daemon_fail(daemon, EXIT_FAILED, "cannot start: %s",
				   strerror(-guarded));
	code = site_start(setup, &site);
	return code ? code : site_run_mount(site);
}

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(words_done) struct words words = { .cli = cli, .deadline_ms = -2 };
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(freep) char *place = NULL;
	struct site_setup setup = { .cli = cli,
				    .can_adopt = options->can_adopt,
				    .can_create_root = options->can_create_root,
				    .has_sync = !options->has_no_sync };
	struct error error = { 0 };
	int r = 0;

	for (size_t i = 0; i < options->mount_options.n && !r; i++)
		r = take_list(&words, options->mount_options.items[i], &setup);
	if (!r)
		r = cli_load_config(cli, setup.project, &config);
	if (!r)
		r = check_root(cli, config, setup.only_root);
	if (!r)
		r = site_check(cli, config);
	if (r)
		return r;
	r = mountpoint_check(config, cli->args[0], has_one_root(config), &place, &error);
	if (r < 0)
		return cli_fail(cli, EXIT_USAGE, "%s", error_text(&error, -EINVAL));
	if (words.deadline_ms >= -1)
		config->read_deadline_ms = words.deadline_ms;
	setup.config = config;
	setup.mountpoint = place;
	return serve(&setup, options->is_foreground, r == MOUNTPOINT_ROOT);
}

const struct verb verb_mount = {
	.name = "mount",
	.usage = "MOUNTPOINT [-f] [-o OPT,...] [--no-sync] [--adopt] [--create-root]",
	.summary = "show the site's published files, here or not",
	.help = "Shows the active site's roots at MOUNTPOINT, an empty folder: what is on the\n"
		"disk at disk speed, what is only at the remote streamed when it is read.\n"
		"Returns when the mount answers; the daemon goes on in the background, sends what\n"
		"is published and fetches what is asked for. Its log is the file 'log' of the\n"
		"state folder.\n\n"
		"  ro            nothing can be changed, nothing is recorded or moved\n"
		"  allow_other   other users see it too\n"
		"  root=NAME     only this root, without a folder of its name\n"
		"  project=P     only this project\n"
		"  cache         fetch and keep, record nothing: render farms\n"
		"  deadline=T    a read that waits longer fails (30s, 2m, none)\n"
		"  show_partial  files of representations that are still arriving\n"
		"  nopassthrough local files are read and written through the daemon, not by the\n"
		"                kernel itself; 'sitefs status' tells which of the two it is",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
