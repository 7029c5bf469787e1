/* sitefs doctor */
#include "tools/doctor.h"

#include "tools/setup.h"
#include "tools/verbs.h"

struct options {
	const char *project;
	bool wants_fix, is_dry;
};

static const struct cli_option options_table[] = {
	{ "fix", NULL, "put right what is offered", offsetof(struct options, wants_fix),
	  CLI_FLAG, 0 },
	{ "dry-run", NULL, "only tell what --fix would do",
	  offsetof(struct options, is_dry), CLI_FLAG, 'n' },
	{ "project", "P", "with the presets that this project overrides",
	  offsetof(struct options, project), CLI_TEXT, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(config_freep) struct config *config = NULL;
	struct doctor doctor = { .cli = cli,
				 .wants_fix = options->wants_fix || options->is_dry,
				 .is_dry = options->is_dry };
	int code;

	code = cli_load_config(cli, options->project, &config);
	if (code)
		return code;
	if (!config->store_uri)
		return cli_no_store(cli);
	doctor.config = config;
	code = doctor_run(&doctor);
	store_free(doctor.store);
	provider_free(doctor.provider);
	return code;
}

const struct verb verb_doctor = {
	.name = "doctor",
	.usage = "[--fix] [--dry-run] [--json]",
	.summary = "what is wrong or could be better",
	.help = "Looks at everything that sitefs stands on: the roots, mounts, the store, its\n"
		"clock and index, the documents, the remote, names there that stand for several\n"
		"things. A line for each finding:\n\n"
		"good   as it should be          fault  wrong; what to do stands behind it\n"
		"note   worth knowing            --fix  what this option would put right\n\n"
		"--fix does what is offered, --dry-run says what it would do (\"would\"). Ends\n"
		"with 0 where there is no fault; else with the exit code of the first one: 1, 7\n"
		"for credentials, 8 for the remote's quota, 10 for the store.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.run = run,
};
