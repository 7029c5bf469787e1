/* sitefs remove-site, reset, priority: a site's entries changed straight in the store. */
#include <errno.h>
#include <string.h>

#include "tools/client.h"
#include "tools/edits.h"
#include "tools/forget.h"
#include "tools/output.h"
#include "tools/setup.h"
#include "tools/verbs.h"

/* Of one request to the daemon. */
#define PATHS_AT_ONCE 1000

struct options {
	struct edits_options edits;
	const char *site;
	bool has_files;
};

static const struct cli_option remove_table[] = {
	EDITS_OPTIONS(struct options),
	{ "files", NULL,
	  "their copies on this disk, too, where the remote is found to have them",
	  offsetof(struct options, has_files), CLI_FLAG, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static const struct cli_option options_table[] = {
	EDITS_OPTIONS(struct options),
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static const struct cli_option reset_table[] = {
	EDITS_OPTIONS(struct options),
	{ "site", "S", "whose entries: required", offsetof(struct options, site),
	  CLI_TEXT, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

/* SITE NULL: the active site. What is changed is in SETUP. */
static int edit(struct cli *cli, const struct options *options, struct edits_setup of)
{
	_cleanup_(edits_setup_done) struct edits_setup setup = of;
	int code;

	setup.cli = cli;
	setup.options = &options->edits;
	code = edits_begin(&setup);
	return code ? code : edits_apply(&setup);
}

static const char *take_first(struct cli *cli)
{
	cli->n_args--;
	return *cli->args++;
}

/* ---- remove-site ---- */

struct files {
	struct client client;
	struct buf paths; /* each with its NUL */
	int64_t n_released, bytes, n_kept, n_failed;
};

static void files_done(struct files *files)
{
	client_done(&files->client);
	buf_done(&files->paths);
}

/* The daemon of this site, before anything is changed. */
static int find_daemon(struct cli *cli, const struct config *config, struct files *files)
{
	const struct config_site *site = config_find_site(config, config->active_site);
	struct cli asking = *cli;
	char *root[2] = { NULL, NULL };
	int code;

	if (!site || !site->n_roots)
		return cli_fail(cli, EXIT_USAGE, "site '%s' has no folder here",
				config->active_site);
	root[0] = site->roots[0].path;
	asking.args = root;
	asking.n_args = 1;
	code = client_open(&asking, NULL, &files->client);
	files->client.cli = cli;
	return code;
}

/* The paths from *AT on, as many as go into one request. 0 or -ENOMEM. */
static int take_paths(struct files *files, size_t *at)
{
	struct control_request *request = &files->client.request;
	size_t len = 0;

	for (size_t i = 0; i < request->n_paths; i++)
		free(request->paths[i]);
	free(request->paths);
	request->n_paths = 0;
	request->paths = calloc(PATHS_AT_ONCE + 1, sizeof(*request->paths));
	if (!request->paths)
		return -ENOMEM;
	while (*at < files->paths.len && request->n_paths < PATHS_AT_ONCE &&
	       len < CONTROL_LINE_MAX / 8) {
		const char *path = files->paths.data + *at;

		request->paths[request->n_paths] = strdup(path);
		if (!request->paths[request->n_paths])
			return -ENOMEM;
		request->n_paths++;
		len += strlen(path);
		*at += strlen(path) + 1;
	}
	return 0;
}

static int release_files(struct cli *cli, struct files *files)
{
	int code = EXIT_DONE;

	files->client.patience_ms = -1;
	for (size_t at = 0; at < files->paths.len;) {
		_cleanup_(json_freep) struct json *json = NULL;
		int r;

		if (take_paths(files, &at) < 0)
			return cli_fail(cli, EXIT_FAILED, "out of memory");
		r = client_ask(&files->client, "release", NULL, NULL, &json);
		files->n_released += json_get_int(json, "released", 0);
		files->bytes += json_get_int(json, "bytes", 0);
		files->n_kept += json_get_int(json, "kept", 0);
		files->n_failed += json_get_int(json, "failed", 0);
		if (r && r != EXIT_PARTLY)
			return r;
		code = r ? r : code;
	}
	return code;
}

static int say_files(struct cli *cli, const struct edits_setup *setup,
		     const struct edits_result *result, const struct files *files)
{
	char count[OUTPUT_SIZE], size[OUTPUT_SIZE];
	struct json *json = NULL;

	if (cli->is_json) {
		json = json_document();
		json_set_int(json, "released", files->n_released);
		json_set_int(json, "released_bytes", files->bytes);
		json_set_int(json, "kept", files->n_kept);
		json_set_int(json, "not_released", files->n_failed);
		return edits_say(setup, result, json);
	}
	if (!cli->is_quiet && !setup->options->is_dry)
		printf("%s removed from this disk, %s; %lld originals and %lld others stay\n",
		       output_count(files->n_released, "copy", count),
		       output_size(files->bytes, cli->has_bytes, size),
		       (long long)files->n_kept, (long long)files->n_failed);
	return edits_say(setup, result, NULL);
}

static int remove_site(struct cli *cli, const struct options *options,
		       struct edits_setup *setup)
{
	_cleanup_(files_done) struct files files = { .client.fd = -1 };
	bool is_releasing = options->has_files && !options->edits.is_dry;
	struct edits_result result = { 0 };
	int code = 0, r;

	if (options->has_files &&
	    strcmp(setup->sites[0], setup->config->active_site) != 0)
		return cli_fail(
			cli, EXIT_USAGE,
			"--files is of the active site's own disk, '%s': the files of "
			"site '%s' are removed on its machine",
			setup->config->active_site, setup->sites[0]);
	if (is_releasing) {
		code = find_daemon(cli, setup->config, &files);
		setup->paths = &files.paths;
	}
	if (!code)
		code = edits_run(setup, &result);
	if (code && !result.n_changed)
		return code;
	if (!code && is_releasing)
		code = release_files(cli, &files);
	/* this machine's own daemon tells what stays */
	if (!code && !options->edits.is_dry &&
	    strcmp(setup->sites[0], setup->config->active_site) != 0)
		code = forget_held(setup);
	r = options->has_files ? say_files(cli, setup, &result, &files)
			       : edits_say(setup, &result, NULL);
	return code ? code : r;
}

static int run_remove(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(edits_setup_done) struct edits_setup setup = {
		.cli = cli,
		.options = &options->edits,
		.op = SITE_REMOVE,
		.sites = { take_first(cli) },
		.done = "removed"
	};
	int code = edits_begin(&setup);

	return code ? code : remove_site(cli, options, &setup);
}

const struct verb verb_remove_site = {
	.name = "remove-site",
	.usage = "SITE (PATH...|--query JSON|--project P --all) [--files] [--dry-run]",
	.summary = "no longer want published files at a site",
	.help = "Removes SITE from the records of the files that are meant: nothing moves to or\n"
		"from it any more on their account. What lies on this disk stays, and is not\n"
		"recorded again until `sitefs scan`.\n"
		"\n"
		"With --files, of the active site: copies that sitefs fetched are removed from\n"
		"this disk by its daemon, each one after the remote was asked in that moment and\n"
		"found to have it, by id, size and checksum. Originals stay. At a remote nothing\n"
		"is removed.",
	.options = remove_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run_remove,
};

/* ---- reset, priority ---- */

static int run_reset(struct cli *cli, const void *context)
{
	const struct options *options = context;

	if (!options->site)
		return cli_fail(cli, EXIT_USAGE,
				"whose entries? --site S names the site");
	return edit(cli, options,
		    (struct edits_setup){ .op = SITE_RESET,
					  .sites = { options->site },
					  .done = "reset" });
}

const struct verb verb_reset = {
	.name = "reset",
	.usage = "(PATH...|--query JSON|--project P --all) --site S [--dry-run]",
	.summary = "begin a site's transfer of files anew",
	.help = "Sets the entry of site S back to its name and priority, as if nothing had been\n"
		"brought there yet: it is looked at and brought again. No file is removed; what\n"
		"is at a remote and the same is not sent twice.",
	.options = reset_table,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run_reset,
};

static int run_priority(struct cli *cli, const void *context)
{
	const char *text = take_first(cli);
	char *end;
	long priority = strtol(text, &end, 10);

	if (!text[0] || *end || priority < 1 || priority > DOC_PRIORITY_MAX)
		return cli_fail(cli, EXIT_USAGE,
				"a priority is a number of 1 to %d, '%s' is none",
				DOC_PRIORITY_MAX, text);
	return edit(cli, context,
		    (struct edits_setup){ .op = SITE_PRIORITY,
					  .priority = (int)priority,
					  .done = "given that priority" });
}

const struct verb verb_priority = {
	.name = "priority",
	.usage = "N (PATH...|--query JSON|--project P --all) [--dry-run]",
	.summary = "move files forward or back in the queue",
	.help = "Sets the priority of the active site's entries: 1 to 1000, higher first, 50\n"
		"where nothing is said, as in OpenPype's Sync Queue. It orders transfers in the\n"
		"background, of this machine and of all that act for the same site; what\n"
		"somebody reads comes first anyway.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run_priority,
};
