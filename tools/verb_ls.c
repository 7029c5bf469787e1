/* sitefs ls */
#include <string.h>

#include "tools/client.h"
#include "tools/elsewhere.h"
#include "tools/output.h"
#include "tools/sequence.h"
#include "tools/verbs.h"

struct options {
	bool is_awaited, is_long;
	const char *frames, *site;
};

static const struct cli_option options_table[] = {
	{ "awaited", NULL, "only what is published and not available to us yet",
	  offsetof(struct options, is_awaited), CLI_FLAG, 0 },
	{ "frames", "RANGE", "frames of a sequence: 1001-1100x2",
	  offsetof(struct options, frames), CLI_TEXT, 0 },
	{ "site", "S", "how the files stand at another site, by the store",
	  offsetof(struct options, site), CLI_TEXT, 0 },
	{ "long", NULL, "every file, sequences not collapsed",
	  offsetof(struct options, is_long), CLI_FLAG, 'l' },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

/* What comes in, in either form of output. */
struct listing {
	struct cli *cli;
	const char *base; /* paths are shown relative to this one */
	struct fold *fold;
	struct table *table; /* borrowed while rows are added */
	bool is_begun, is_awaited;
};

static const char *const states[] = { "local",     "remote",   "partial", "downloading",
				      "uploading", "queued",   "failed",  "paused",
				      "awaited",   "modified", "hidden",  "?" };

static int state_tag(const char *state)
{
	size_t tag = 0;

	while (tag + 1 < ARRAY_SIZE(states) &&
	       (!state || strcmp(states[tag], state) != 0))
		tag++;
	return (int)tag;
}

static void begin_json(struct listing *listing)
{
	printf("%s", listing->is_begun ? "," : "{\"schema\":1,\"files\":[");
	listing->is_begun = true;
}

static int add_file(void *context, const struct json *item)
{
	struct listing *listing = context;
	const char *path = json_get_text(item, "path");

	if (listing->cli->is_json) {
		begin_json(listing);
		return json_print_piece(item) < 0 ? EXIT_FAILED : 0;
	}
	if (path && fold_add(listing->fold, path, state_tag(json_get_text(item, "state")),
			     json_get_int(item, "size", -1)) < 0)
		return cli_fail(listing->cli, EXIT_FAILED, "out of memory");
	return 0;
}

/* The path as seen from where the person stands, as find(1) prints it. */
static const char *shown_path(const struct listing *listing, const char *path)
{
	size_t len = strlen(listing->base);

	if (strncmp(path, listing->base, len) != 0 || path[len] != '/')
		return path;
	return path + len + 1;
}

static int add_row(void *context, const struct fold_line *line)
{
	struct listing *listing = context;
	_cleanup_(buf_done) struct buf name = { 0 };
	char text[OUTPUT_SIZE];

	table_add(listing->table, states[line->tag]);
	snprintf(text, sizeof(text), "%lld", (long long)line->files);
	table_add(listing->table, text);
	if (line->is_size_unknown && !line->bytes)
		table_add(listing->table, "?");
	else
		table_add(listing->table,
			  output_size(line->bytes, listing->cli->has_bytes, text));
	output_name(&name, shown_path(listing, line->name));
	table_add(listing->table, buf_str(&name));
	return name.has_failed ? -1 : 0;
}

static int print_listing(struct listing *listing)
{
	static const char *const head[] = { "STATE", "FILES", "SIZE", "NAME" };
	_cleanup_(table_freep) struct table *table = NULL;

	if (listing->cli->is_json) {
		if (!listing->is_begun)
			begin_json(listing);
		printf("]}\n");
		return EXIT_DONE;
	}
	if (table_new("lrrl", head, &table) < 0)
		return cli_fail(listing->cli, EXIT_FAILED, "out of memory");
	listing->table = table;
	if (fold_each(listing->fold, add_row, listing) < 0 ||
	    table_print(table, stdout) < 0)
		return cli_fail(listing->cli, EXIT_FAILED, "out of memory");
	return EXIT_DONE;
}

static int add_elsewhere(void *context, const struct elsewhere_file *file)
{
	struct listing *listing = context;
	_cleanup_(json_freep) struct json *json = NULL;

	if (listing->is_awaited && file->state != FILE_AWAITED)
		return 0;
	json = elsewhere_json(file);
	return add_file(listing, json);
}

/* From the daemon of this site, or for another site from the store. */
static int ask(struct listing *listing, const struct options *options)
{
	_cleanup_(elsewhere_done) struct elsewhere elsewhere = {
		.site = options->site, .frames = options->frames
	};
	_cleanup_(client_done) struct client client = { .fd = -1 };
	int code;

	if (options->site)
		return elsewhere_each(listing->cli, &elsewhere, add_elsewhere, listing);
	code = client_open(listing->cli, options->frames, &client);
	if (code)
		return code;
	client.request.is_awaited = options->is_awaited;
	return client_ask(&client, "ls", add_file, listing, NULL);
}

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(fold_freep) struct fold *fold = NULL;
	_cleanup_(freep) char *here = realpath(".", NULL);
	struct listing listing = { .cli = cli, .is_awaited = options->is_awaited };
	int r, code;

	if (fold_new(options->is_long, &fold) < 0)
		return cli_fail(cli, EXIT_FAILED, "out of memory");
	listing.fold = fold;
	listing.base = here ? here : "/";
	code = ask(&listing, options);
	if (code && code != EXIT_PARTLY && !listing.is_begun)
		return code;
	r = print_listing(&listing);
	return code ? code : r;
}

const struct verb verb_ls = {
	.name = "ls",
	.usage = "[PATH...] [--awaited] [--site S] [--frames RANGE] [-l] [--json]",
	.summary = "files with their state, sequences collapsed",
	.help = "Lists every file at and below PATH (the whole site without one) with its state:\n"
		"local, remote, partial, downloading, uploading, queued, failed, paused,\n"
		"awaited, modified or hidden. Frames of one state are one line:\n"
		"beauty.[1001-1100].exr. A line of the list can be given as PATH again.\n"
		"With --site S: as the store has it for that site; ends with 0 only where all\n"
		"are on its disk, else with 4. No daemon is asked.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
};
