/* sitefs verify */
#include <string.h>

#include "tools/client.h"
#include "tools/output.h"
#include "tools/verbs.h"

struct options {
	bool is_remote, is_orphans, is_fix, is_dry;
	const char *frames;
};

static const struct cli_option options_table[] = {
	{ "remote", NULL, "what lies at the remote, instead of the disk",
	  offsetof(struct options, is_remote), CLI_FLAG, 0 },
	{ "orphans", NULL, "there too, and every object that no document names",
	  offsetof(struct options, is_orphans), CLI_FLAG, 0 },
	{ "fix", NULL, "put right what can be", offsetof(struct options, is_fix),
	  CLI_FLAG, 0 },
	{ "dry-run", NULL, "only tell what --fix would do",
	  offsetof(struct options, is_dry), CLI_FLAG, 'n' },
	{ "frames", "RANGE", "frames of a sequence: 1001-1100x2",
	  offsetof(struct options, frames), CLI_TEXT, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

struct report {
	struct cli *cli;
	bool is_begun;
};

static void begin_json(struct report *report)
{
	printf("%s", report->is_begun ? "," : "{\"schema\":1,\"findings\":[");
	report->is_begun = true;
}

/* "missing    /mnt/a.exr  (trashed by ann at 2026-...)", and what of it under it. */
static void print_finding(const struct json *item)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	const char *change = json_get_text(item, "change");
	const char *by = json_get_text(item, "by");
	const char *at = json_get_text(item, "at");
	const char *fix = json_get_text(item, "fix");
	const char *path = json_get_text(item, "path");

	buf_addf(&line, "%-10s ", json_get_text(item, "finding"));
	output_name(&line, path ? path : "?");
	if (change) {
		buf_addf(&line, "  (%s", change);
		if (by) {
			buf_adds(&line, " by ");
			output_name(&line, by);
		}
		if (at)
			buf_addf(&line, " at %s", at);
		buf_addc(&line, ')');
	}
	printf("%s\n", buf_str(&line));
	if (fix)
		printf("%-10s %s\n", json_get_bool(item, "fixed") ? "  fixed" : "", fix);
}

static int heed_finding(void *context, const struct json *item)
{
	struct report *report = context;

	if (report->cli->is_json) {
		begin_json(report);
		return json_print_piece(item) < 0 ? EXIT_FAILED : 0;
	}
	print_finding(item);
	return 0;
}

static void print_counts(const struct cli *cli, const struct json *json)
{
	char count[OUTPUT_SIZE], bytes[OUTPUT_SIZE];
	int64_t n_bytes = json_get_int(json, "bytes", 0);
	int64_t n_bad = json_get_int(json, "bad", 0);
	int64_t n_fixed = json_get_int(json, "fixed", 0);
	int64_t n_unknown = json_get_int(json, "unknown", 0);
	int64_t n_orphans = json_get_int(json, "orphans", 0);

	printf("%s checked",
	       output_count(json_get_int(json, "checked", 0), "file", count));
	if (n_bytes)
		printf(", %s read", output_size(n_bytes, cli->has_bytes, bytes));
	if (n_bad)
		printf(", %lld wrong", (long long)n_bad);
	else
		printf(", all right");
	if (n_fixed)
		printf(", %lld fixed", (long long)n_fixed);
	if (n_unknown)
		printf(", %lld with nothing to compare with", (long long)n_unknown);
	if (n_orphans)
		printf(", %s", output_count(n_orphans, "orphan", count));
	printf("\n");
}

/* The counts end the one object that --json prints. */
static int print_json(struct report *report, const struct json *json)
{
	static const char *const keys[] = { "checked", "bytes",   "bad",
					    "fixed",   "unknown", "orphans" };

	if (!report->is_begun)
		begin_json(report);
	printf("]");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		printf(",\"%s\":%lld", keys[i],
		       (long long)json_get_int(json, keys[i], 0));
	printf("}\n");
	return EXIT_DONE;
}

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(client_done) struct client client = { .fd = -1 };
	_cleanup_(json_freep) struct json *json = NULL;
	struct report report = { .cli = cli };
	int code = client_open(cli, options->frames, &client);

	if (code)
		return code;
	client.request.is_remote = options->is_remote;
	client.request.is_orphans = options->is_orphans;
	client.request.is_fix = options->is_fix;
	client.request.is_dry = options->is_dry;
	/* reading takes what it takes; an interrupt ends it */
	client.patience_ms = -1;
	code = client_ask(&client, "verify", heed_finding, &report, &json);
	if (!json || !json_get(json, "checked"))
		return code;
	if (cli->is_json)
		return print_json(&report, json), code;
	if (!cli->is_quiet)
		print_counts(cli, json);
	return code;
}

const struct verb verb_verify = {
	.name = "verify",
	.usage = "[PATH...] [--remote] [--orphans] [--fix] [--dry-run] [--json]",
	.summary = "files against their records, by their bytes",
	.help = "Reads every published file on this disk (at and below PATH) and compares it with\n"
		"the checksum of its publish. --remote compares sizes and checksums of what lies\n"
		"at the remote instead, a folder at a time, and says who changed it and when.\n"
		"--orphans also lists what lies there and no document names: nothing is done\n"
		"about it.\n\n"
		"damaged, modified, absent, unreadable   on the disk\n"
		"missing, different, twins               at the remote\n\n"
		"--fix takes missing objects out of the remote's trash; what is not there, or\n"
		"differs, is reset where another copy is known, so that a site that has one sends\n"
		"it again (what lies there stays recoverable). A damaged copy here is moved\n"
		"aside where the remote has the right bytes. Ends with 0 where all is right or\n"
		"was fixed, 4 where a part was, 1 where something is wrong.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
};
