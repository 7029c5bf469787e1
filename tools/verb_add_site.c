/* sitefs add-site */
#include "tools/edits.h"
#include "tools/estimate.h"
#include "tools/output.h"
#include "tools/setup.h"
#include "tools/verbs.h"

/* Behind every publish that says nothing of its priority: whole projects are asked for with this. */
#define PRIORITY_BEHIND 10

struct options {
	struct edits_options edits;
};

static const struct cli_option options_table[] = {
	EDITS_OPTIONS(struct options),
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static struct json *estimate_json(const struct estimate *estimate)
{
	struct json *json = json_document();

	json_set_int(json, "bytes", estimate->n_bytes);
	json_set_int(json, "items", estimate->n_files + estimate->n_folders);
	json_set_int(json, "folders", estimate->n_folders);
	json_set_int(json, "unknown_size", estimate->n_unknown);
	json_set_double(json, "days", estimate_days(estimate));
	json_set_int(json, "there", estimate->n_there);
	json_set_int(json, "asked_for", estimate->n_asked);
	if (!estimate->is_looked)
		return json;
	json_set_int(json, "present", estimate->n_present);
	json_set_int(json, "present_bytes", estimate->n_present_bytes);
	json_set_int(json, "different", estimate->n_different);
	return json;
}

static void estimate_print(const struct cli *cli, const struct estimate *estimate)
{
	int64_t n_items = estimate->n_files + estimate->n_folders;
	char size[OUTPUT_SIZE], files[OUTPUT_SIZE], folders[OUTPUT_SIZE];

	printf("to bring: %s in %s, in %s: %lld items at a remote\n",
	       output_size(estimate->n_bytes, cli->has_bytes, size),
	       output_count(estimate->n_files, "file", files),
	       output_count(estimate->n_folders, "folder", folders), (long long)n_items);
	if (estimate->n_unknown)
		printf("of unknown size: %s\n",
		       output_count(estimate->n_unknown, "file", files));
	printf("at Google Drive's daily limit of 750 GB: %.1f days\n",
	       estimate_days(estimate));
	printf("there already: %s, asked for already: %lld\n",
	       output_count(estimate->n_there, "record", files),
	       (long long)estimate->n_asked);
	if (!estimate->is_looked)
		return;
	printf("of what is to bring, site '%s' holds %s of the same size, %s",
	       estimate->site, output_count(estimate->n_present, "file", files),
	       output_size(estimate->n_present_bytes, cli->has_bytes, size));
	if (estimate->n_different)
		printf("; %s of another size",
		       output_count(estimate->n_different, "file", files));
	printf("\n");
}

static void draw(void *context, size_t n, size_t total)
{
	char text[96];

	snprintf(text, sizeof(text), "looking at the site: %zu of %zu folders", n, total);
	if (n)
		progress_text(context, text);
}

/* A site that cannot be asked from here (another machine's disk, a remote that is away) leaves the rest as it is. */
static void look(const struct edits_setup *setup, struct estimate *estimate)
{
	const struct config_site *site = config_find_site(setup->config, estimate->site);
	struct progress progress;
	struct error error = { 0 };
	int r;

	if (!site || !estimate->n_files)
		return;
	progress_start(&progress, setup->cli->is_quiet || setup->cli->is_json,
		       setup->cli->has_bytes);
	r = estimate_look(estimate, site, draw, &progress, &error);
	progress_end(&progress);
	if (r < 0 && !setup->cli->is_quiet)
		fprintf(stderr,
			"sitefs add-site: what lies at site '%s' already is not known: %s\n",
			estimate->site, error_text(&error, r));
}

static int add(struct edits_setup *setup)
{
	_cleanup_(estimate_done) struct estimate estimate = { .site = setup->sites[0] };
	bool is_dry = setup->options->is_dry;
	struct edits_result result;
	int code, r;

	if (is_dry)
		setup->estimate = &estimate;
	code = edits_run(setup, &result);
	if (code && !result.n_changed)
		return code;
	if (is_dry)
		look(setup, &estimate);
	r = edits_say(setup, &result,
		      is_dry && setup->cli->is_json ? estimate_json(&estimate) : NULL);
	if (is_dry && !setup->cli->is_json && !setup->cli->is_quiet)
		estimate_print(setup->cli, &estimate);
	return code ? code : r;
}

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(edits_setup_done) struct edits_setup setup = {
		.cli = cli,
		.options = &options->edits,
		.op = SITE_ADD,
		.sites = { cli->args[0] },
		.priority = PRIORITY_BEHIND,
		.done = "asked for"
	};
	int code;

	/* the rest are paths */
	cli->args++;
	cli->n_args--;
	code = edits_begin(&setup);
	return code ? code : add(&setup);
}

const struct verb verb_add_site = {
	.name = "add-site",
	.usage = "SITE (PATH...|--query JSON|--project P --all) [--dry-run]",
	.summary = "want published files at a further site",
	.help = "Adds SITE to the records of the files that are meant, where it is missing, as\n"
		"wanted there: the daemons that can will bring them, after everything that is\n"
		"published meanwhile (with priority 10). Nothing else in a record is changed.\n"
		"--dry-run tells files, bytes, items, days and what is there already, by records\n"
		"and, where this machine can ask the site, by a look at its folders.\n"
		"Ends with 3 where no file is meant.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
