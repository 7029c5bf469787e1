/* sitefs sync */
#include "sync/base/log.h"
#include "tools/setup.h"
#include "tools/site.h"
#include "tools/verbs.h"

struct options {
	bool is_once, is_mirror, can_adopt, can_create_root;
	const char *project;
};

static const struct cli_option options_table[] = {
	{ "once", NULL, "end when nothing is left to do",
	  offsetof(struct options, is_once), CLI_FLAG, 0 },
	{ "project", "P", "only this project", offsetof(struct options, project),
	  CLI_TEXT, 0 },
	{ "mirror", NULL,
	  "also fetch all that is at the remote and not here, newest first",
	  offsetof(struct options, is_mirror), CLI_FLAG, 0 },
	{ "adopt", NULL, "take what the roots hold now as the site's, after a lost root",
	  offsetof(struct options, can_adopt), CLI_FLAG, 0 },
	{ "create-root", NULL, "make the remote's root folder where it is missing",
	  offsetof(struct options, can_create_root), CLI_FLAG, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(daemon_freep) struct daemon *daemon = NULL;
	_cleanup_(site_freep) struct site *site = NULL;
	int code;

	code = cli_load_config(cli, options->project, &config);
	if (!code)
		code = site_check(cli, config);
	if (code)
		return code;
	/* one answer at the end is what a script wants; the rest is for -v */
	if (options->is_once && !cli->is_verbose && !cli->is_quiet)
		log_set_level(LOG_LEVEL_WARNING);
	code = daemon_begin(&(struct daemon_setup){ .cli = cli,
						    .state_dir = config->state_dir,
						    .is_foreground = true },
			    &daemon);
	if (code >= 0)
		return code;
	code = site_start(
		&(struct site_setup){ .cli = cli,
				      .config = config,
				      .daemon = daemon,
				      .project = options->project,
				      .can_adopt = options->can_adopt,
				      .can_create_root = options->can_create_root,
				      .is_mirror = options->is_mirror,
				      .has_sync = true },
		&site);
	if (code)
		return code;
	return options->is_once ? site_run_once(site) : site_run(site);
}

const struct verb verb_sync = {
	.name = "sync",
	.usage = "[--once] [--project P] [--mirror] [--adopt] [--create-root]",
	.summary = "send and fetch in the background, without a mount",
	.help = "What the daemon of a mount does beside showing files, for servers: sends what is\n"
		"published here, fetches what is asked for at this site, records both. Stays in\n"
		"the foreground until SIGTERM.\n\n"
		"With --once it ends when nothing is left: 0, or 4 where files failed, 7 for\n"
		"credentials, 8 for the remote's quota, 9 for local space, 10 for the store.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.run = run,
};
