/* sitefs export */
#include <errno.h>
#include <string.h>

#include "sync/dump.h"
#include "tools/setup.h"
#include "tools/verbs.h"

struct options {
	const char *project;
};

static const struct cli_option options_table[] = {
	{ "project", "P", "the project (collection) to write out",
	  offsetof(struct options, project), CLI_TEXT, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

struct export
{
	struct cli *cli;
	const char *project;
	int64_t n;
	struct error error;
};

static int is_it(void *context, const char *name)
{
	return !strcmp(context, name);
}

static int write_doc(void *context, const char *project, const void *bson, size_t len)
{
	struct export *export = context;
	bool is_json = export->cli->is_json;

	if (is_json && export->n++)
		fputs(",\n", stdout);
	return dump_write(stdout, is_json ? DUMP_JSON : DUMP_BSON, bson, len,
			  &export->error);
}

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(store_freep) struct store *store = NULL;
	struct export export = { .cli = cli, .project = options->project };
	_cleanup_(freep) char *project = NULL;
	int code, r;

	if (!options->project)
		return cli_fail(cli, EXIT_USAGE, "say which project: --project P");
	if (!cli->is_json && isatty(STDOUT_FILENO))
		return cli_fail(
			cli, EXIT_USAGE,
			"BSON is nothing for a terminal: write into a file (> FILE), "
			"or use --json");
	code = cli_load_config(cli, options->project, &config);
	if (!code)
		code = cli_open_store(cli, config, false, &store);
	if (code)
		return code;
	project = strdup(options->project);
	if (!project)
		return cli_fail(cli, EXIT_FAILED, "out of memory");
	r = store->ops->projects(store, is_it, project);
	if (r == 0)
		return cli_fail(cli, EXIT_NOT_OURS, "the store has no project '%s'",
				project);
	if (cli->is_json)
		fputs("[\n", stdout);
	if (r > 0)
		r = store->ops->scan(store, project, true, write_doc, &export);
	if (r == 0 && cli->is_json)
		fputs("]\n", stdout);
	if (r < 0)
		return cli_fail(cli, cli_store_exit(r), "cannot export project '%s': %s",
				project, error_text(&export.error, r));
	if (fflush(stdout) != 0)
		return cli_fail(cli, EXIT_FAILED, "cannot write: %s", strerror(errno));
	return EXIT_DONE;
}

const struct verb verb_export = {
	.name = "export",
	.usage = "--project P [--json]",
	.summary = "a project's documents, as mongodump writes them",
	.help = "Writes every document of the project to stdout, without loss: BSON as of\n"
		"mongodump (mongorestore and bsondump read it), or with --json an array of\n"
		"canonical extended JSON.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.run = run,
};
