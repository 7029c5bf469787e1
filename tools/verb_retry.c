/* sitefs retry, restore, scan: requests that change something and count. */
#include "tools/client.h"
#include "tools/edits.h"
#include "tools/output.h"
#include "tools/setup.h"
#include "tools/verbs.h"

struct options {
	bool is_failed, is_accepting;
	struct edits_options edits;
};

static const struct cli_option retry_options[] = {
	EDITS_OPTIONS(struct options),
	{ "failed", NULL, "every failed file instead of PATH",
	  offsetof(struct options, is_failed), CLI_FLAG, 0 },
	{ "accept", NULL,
	  "take what the remote holds now as the truth, although it is not what was uploaded",
	  offsetof(struct options, is_accepting), CLI_FLAG, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static const struct cli_option path_options[] = {
	{ "frames", "RANGE", "frames of a sequence: 1001-1100x2",
	  offsetof(struct options, edits.frames), CLI_TEXT, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static void print_counts(struct cli *cli, const struct json *json, const char *done)
{
	char files[OUTPUT_SIZE];

	printf("%s %s", output_count(json_get_int(json, "done", 0), "file", files), done);
	if (json_get_int(json, "skipped", 0))
		printf(", %lld skipped", (long long)json_get_int(json, "skipped", 0));
	if (json_get_int(json, "failed", 0))
		printf(", %lld failed", (long long)json_get_int(json, "failed", 0));
	printf("\n");
}

static int ask(struct cli *cli, const struct options *options, const char *done)
{
	_cleanup_(client_done) struct client client = { .fd = -1 };
	_cleanup_(json_freep) struct json *json = NULL;
	int code, r;

	code = client_open(cli, options->edits.frames, &client);
	if (code)
		return code;
	client.request.is_failed = options->is_failed;
	client.request.is_accepting = options->is_accepting;
	/* reading and hashing take what they take; an interrupt ends them */
	client.patience_ms = -1;
	code = client_ask(&client, cli->verb->name, NULL, NULL, &json);
	if (!json || !json_get(json, "done"))
		return code;
	if (!cli->is_json) {
		if (!cli->is_quiet)
			print_counts(cli, json, done);
		return code;
	}
	r = client_print(cli, json);
	return code ? code : r;
}

/* By query or project: the records themselves, on either side; the daemons of all machines see that. */
static int retry_records(struct cli *cli, const struct edits_options *options)
{
	_cleanup_(edits_setup_done) struct edits_setup setup = {
		.cli = cli,
		.options = options,
		.op = SITE_RETRY,
		.done = "scheduled again"
	};
	int code = edits_begin(&setup);

	if (code)
		return code;
	if (setup.config->remote_site[0])
		setup.sites[1] = setup.config->remote_site;
	return edits_apply(&setup);
}

static int run_retry(struct cli *cli, const void *context)
{
	const struct options *options = context;
	const struct edits_options *edits = &options->edits;
	bool is_of_records = edits->query || edits->is_all || edits->is_dry;

	if (is_of_records && (options->is_failed || options->is_accepting))
		return cli_fail(cli, EXIT_USAGE,
				"--failed and --accept are of a daemon's files, --query, "
				"--project and --dry-run of records");
	if (is_of_records)
		return retry_records(cli, edits);
	if (edits->project)
		return cli_fail(cli, EXIT_USAGE,
				"--project P is of records: add --all or --query JSON");
	if (!cli->n_args && !options->is_failed)
		return cli_fail(cli, EXIT_USAGE, "name a PATH, or --failed for all");
	if (cli->n_args && options->is_failed)
		return cli_fail(cli, EXIT_USAGE,
				"--failed and a PATH exclude each other");
	return ask(cli, options, "scheduled again");
}

const struct verb verb_retry = {
	.name = "retry",
	.usage = "(PATH...|--failed [--accept])|(--query JSON|--project P --all) "
		 "[--dry-run] [--json]",
	.summary = "try failed or modified files again",
	.help = "Clears error and tries of the record that failed and schedules the file again.\n"
		"Of a file that is modified here it sends the new content; the old one stays\n"
		"recoverable at the remote. By query or project it clears the records alone, and\n"
		"needs no daemon.",
	.options = retry_options,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run_retry,
};

static int run_restore(struct cli *cli, const void *context)
{
	return ask(cli, context, "restored");
}

const struct verb verb_restore = {
	.name = "restore",
	.usage = "PATH... [--frames RANGE] [--json]",
	.summary = "bring back what was removed or replaced here",
	.help = "A published file that was removed through the mount is shown again. Else the\n"
		"newest file that a newer publish moved aside comes back, if its name is free.",
	.options = path_options,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run_restore,
};

static int run_scan(struct cli *cli, const void *context)
{
	return ask(cli, context, "recorded");
}

const struct verb verb_scan = {
	.name = "scan",
	.usage = "PATH... [--frames RANGE] [--json]",
	.summary = "record files that came by another way",
	.help = "Records at our site what is published, lies on this disk and equals what was\n"
		"published (or of which nothing is known to compare with): files that a courier\n"
		"or a copy brought. Every byte of them is read.",
	.options = path_options,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run_scan,
};
