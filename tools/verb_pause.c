/*
 * sitefs pause, resume. Two things of one name: without a PATH, or for a time, the daemon of this machine holds its
 * background transfers back; of files it is `paused` in the active site's entries, for every machine of the site and
 * for Pype.
 */
#include <string.h>

#include "tools/client.h"
#include "tools/duration.h"
#include "tools/edits.h"
#include "tools/output.h"
#include "tools/setup.h"
#include "tools/verbs.h"

struct options {
	struct edits_options edits;
	const char *time;
	bool is_uploads, is_downloads;
};

#define DIRECTION_OPTIONS                                                             \
	{ "uploads", NULL, "only what is sent", offsetof(struct options, is_uploads), \
	  CLI_FLAG,  0 },                                                             \
		{ "downloads",                                                        \
		  NULL,                                                               \
		  "only what is fetched",                                             \
		  offsetof(struct options, is_downloads),                             \
		  CLI_FLAG,                                                           \
		  0 }

static const struct cli_option pause_options[] = {
	EDITS_OPTIONS(struct options),
	{ "for", "T", "end by itself: 30m, 1h, 2d; on this machine only",
	  offsetof(struct options, time), CLI_TEXT, 0 },
	DIRECTION_OPTIONS,
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static const struct cli_option resume_options[] = {
	EDITS_OPTIONS(struct options),
	DIRECTION_OPTIONS,
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static bool is_pause(const struct cli *cli)
{
	return !strcmp(cli->verb->name, "pause");
}

/* ---- the daemon ---- */

static void say_daemon(const struct cli *cli, const struct options *options,
		       const struct json *json)
{
	const char *until = json_get_text(json, "until");
	int64_t n = json_get_int(json, "ended", 0);
	const char *what = options->is_uploads == options->is_downloads
				   ? "background transfers"
			   : options->is_uploads ? "uploads"
						 : "downloads in the background";

	if (is_pause(cli))
		printf("%s%s%s are held back %s%s\n", what,
		       options->edits.project ? " of project " : "",
		       options->edits.project ? options->edits.project : "",
		       until ? "until " : "until `sitefs resume`", until ? until : "");
	else if (n)
		printf("%s go on\n", what);
	else
		printf("nothing was held back\n");
}

static int ask_daemon(struct cli *cli, const struct options *options, int64_t for_ms)
{
	_cleanup_(client_done) struct client client = { .fd = -1 };
	_cleanup_(json_freep) struct json *json = NULL;
	int code = client_open(cli, options->edits.frames, &client);

	if (code)
		return code;
	client.request.project =
		options->edits.project ? strdup(options->edits.project) : NULL;
	client.request.for_ms = for_ms;
	client.request.is_uploads = options->is_uploads;
	client.request.is_downloads = options->is_downloads;
	code = client_ask(&client, cli->verb->name, NULL, NULL, &json);
	if (code || !json)
		return code;
	if (cli->is_json)
		return client_print(cli, json);
	if (!cli->is_quiet)
		say_daemon(cli, options, json);
	return 0;
}

/* Pauses for a time are the daemon's, if there is one: they end with those of the documents. */
static void end_of_daemon(struct cli *cli, const struct options *options)
{
	struct daemon_facts *list = NULL;
	_cleanup_(freep) char *path = NULL;
	bool is_json = cli->is_json, is_quiet = cli->is_quiet, is_held = false;
	size_t n = 0;

	if (!cli->n_args || client_absolute(cli->args[0], false, &path) < 0 ||
	    client_list(&list, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		is_held = is_held || client_holds(&list[i], path);
	daemon_list_free(list, n);
	if (!is_held)
		return;
	cli->is_json = false;
	cli->is_quiet = true;
	(void)ask_daemon(cli, options, 0);
	cli->is_json = is_json;
	cli->is_quiet = is_quiet;
}

/* ---- documents ---- */

static int edit(struct cli *cli, const struct options *options)
{
	_cleanup_(edits_setup_done) struct edits_setup setup = {
		.cli = cli,
		.options = &options->edits,
		.op = is_pause(cli) ? SITE_PAUSE : SITE_UNPAUSE,
		.done = is_pause(cli) ? "paused" : "resumed",
	};
	struct edits_result result;
	int code, r;

	if (options->is_uploads != options->is_downloads)
		setup.which = options->is_uploads ? EDITS_UPLOADS : EDITS_DOWNLOADS;
	code = edits_begin(&setup);
	if (code)
		return code;
	code = edits_run(&setup, &result);
	if (code && !result.n_changed)
		return code;
	if (!is_pause(cli) && !options->edits.is_dry)
		end_of_daemon(cli, options);
	r = edits_say(&setup, &result, NULL);
	return code ? code : r;
}

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	const struct edits_options *edits = &options->edits;
	bool is_of_records = edits->query || edits->is_all || edits->is_dry;
	int64_t for_ms = 0;

	if (options->time && (!duration_parse(options->time, &for_ms) || for_ms <= 0))
		return cli_fail(cli, EXIT_USAGE,
				"--for wants a span of time like 30m or 1h, '%s' is none",
				options->time);
	if (options->time && is_of_records)
		return cli_fail(cli, EXIT_USAGE,
				"--for is of this machine's daemon, --query, --all and "
				"--dry-run of the documents of all: leave one out");
	if (is_of_records || (cli->n_args && !options->time))
		return edit(cli, options);
	return ask_daemon(cli, options, for_ms);
}

const struct verb verb_pause = {
	.name = "pause",
	.usage = "[--for T] [--project P] [--uploads|--downloads] "
		 "[PATH...|--query JSON|--project P --all] [--dry-run]",
	.summary = "hold background transfers back",
	.help = "Without PATH it holds back all that this machine's daemon moves in the\n"
		"background, or what it moves of a project, also over a restart. What runs is\n"
		"cut short and goes on from there later; no try is counted. Files that somebody\n"
		"reads are fetched all the same.\n"
		"\n"
		"Of files it sets `paused` in the active site's entries, for all machines of the\n"
		"site and for Pype. With --for the daemon holds the files back, for that time.",
	.options = pause_options,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
};

const struct verb verb_resume = {
	.name = "resume",
	.usage = "[--project P] [--uploads|--downloads] "
		 "[PATH...|--query JSON|--project P --all] [--dry-run]",
	.summary = "let held transfers go on",
	.help = "Ends what `sitefs pause` began: without PATH all that this machine's daemon\n"
		"holds back, with --project what it holds back of that project; of files `paused`\n"
		"in the active site's entries, and what is held back for a time.",
	.options = resume_options,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
};
