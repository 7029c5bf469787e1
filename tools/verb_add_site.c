/* sitefs add-site */
#include <errno.h>
#include <string.h>

#include "tools/json.h"
#include "tools/output.h"
#include "tools/select.h"
#include "tools/setup.h"
#include "tools/verbs.h"

struct options {
	const char *project, *query, *frames;
	bool is_all, is_dry;
};

static const struct cli_option options_table[] = {
	{ "project", "P", "only this project", offsetof(struct options, project),
	  CLI_TEXT, 0 },
	{ "all", NULL, "every representation of the project",
	  offsetof(struct options, is_all), CLI_FLAG, 0 },
	{ "query", "JSON",
	  "those whose fields are equal: {\"context.asset\": \"sh0010\"}",
	  offsetof(struct options, query), CLI_TEXT, 0 },
	{ "frames", "RANGE", "frames of a sequence: 1001-1100x2",
	  offsetof(struct options, frames), CLI_TEXT, 0 },
	{ "dry-run", NULL, "only count what would be changed",
	  offsetof(struct options, is_dry), CLI_FLAG, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

/* One change to be made when the reading is over. */
struct change {
	char *project, *repre;
	char *file; /* NULL: the whole representation */
};

struct changes {
	const char *site;
	struct change *items;
	size_t n, cap;
	int64_t n_repres, n_files; /* that are meant */
	int64_t n_wanting;         /* files of them that have no entry yet */
	int64_t n_changed, n_gone;
};

static void changes_done(struct changes *changes)
{
	for (size_t i = 0; i < changes->n; i++) {
		free(changes->items[i].project);
		free(changes->items[i].repre);
		free(changes->items[i].file);
	}
	free(changes->items);
}

static int add_change(struct changes *changes, const struct doc *doc, const char *file)
{
	struct change *change;

	if (changes->n == changes->cap) {
		size_t cap = changes->cap ? changes->cap * 2 : 64;
		struct change *items = reallocarray(changes->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		changes->items = items;
		changes->cap = cap;
	}
	change = &changes->items[changes->n++];
	*change = (struct change){ strdup(doc->project), strdup(doc->id),
				   file ? strdup(file) : NULL };
	return change->project && change->repre && (!file || change->file) ? 0 : -ENOMEM;
}

static int collect(void *context, const struct doc *doc, const size_t *files,
		   size_t n_files)
{
	struct changes *changes = context;
	int64_t n_wanting = 0;
	int r = 0;

	for (size_t i = 0; i < n_files; i++)
		n_wanting += !doc_find_site(&doc->files[files[i]], changes->site);
	changes->n_repres++;
	changes->n_files += (int64_t)n_files;
	changes->n_wanting += n_wanting;
	if (!n_wanting)
		return 0;
	if (n_files == doc->n_files)
		return add_change(changes, doc, NULL);
	for (size_t i = 0; i < n_files && r == 0; i++)
		if (!doc_find_site(&doc->files[files[i]], changes->site))
			r = add_change(changes, doc, doc->files[files[i]].id);
	return r;
}

static int apply(struct cli *cli, struct store *store, struct changes *changes)
{
	for (size_t i = 0; i < changes->n; i++) {
		const struct change *change = &changes->items[i];
		size_t n = 0;
		int r;

		r = store->ops->edit(store,
				     &(struct site_edit){ .op = SITE_ADD,
							  .project = change->project,
							  .repre = change->repre,
							  .file = change->file,
							  .site = changes->site },
				     &n);
		if (r < 0)
			return cli_fail(cli, cli_store_exit(r),
					"cannot add site '%s' to representation %s: %s",
					changes->site, change->repre,
					error_text(NULL, r));
		changes->n_changed += (int64_t)n;
		changes->n_gone += r == STORE_GONE;
	}
	return 0;
}

static int say(struct cli *cli, const struct changes *changes, bool is_dry)
{
	_cleanup_(json_freep) struct json *json = NULL;
	int64_t n = is_dry ? changes->n_wanting : changes->n_changed;
	char files[OUTPUT_SIZE], repres[OUTPUT_SIZE];

	if (cli->is_json) {
		json = json_document();
		json_set_text(json, "site", changes->site);
		json_set_int(json, "representations", changes->n_repres);
		json_set_int(json, "files", changes->n_files);
		json_set_int(json, "changed", n);
		json_set_bool(json, "dry_run", is_dry);
		return json_print(json) < 0 ? EXIT_FAILED : EXIT_DONE;
	}
	if (cli->is_quiet)
		return EXIT_DONE;
	printf("%s%s of %s: site '%s' %s %lld\n", is_dry ? "would change " : "",
	       output_count(changes->n_files, "file", files),
	       output_count(changes->n_repres, "representation", repres), changes->site,
	       is_dry ? "is missing in" : "added to", (long long)n);
	return EXIT_DONE;
}

static int check_site(struct cli *cli, const struct config *config, const char *site)
{
	if (!site[0])
		return cli_fail(cli, EXIT_USAGE, "the site has no name");
	if (!config_find_site(config, site) && !cli->is_quiet)
		fprintf(stderr,
			"sitefs add-site: no preset describes site '%s'; another machine "
			"may know it\n",
			site);
	return 0;
}

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(changes_done) struct changes changes = { .site = cli->args[0] };
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(store_freep) struct store *store = NULL;
	int code;

	/* the rest are paths */
	cli->args++;
	cli->n_args--;
	code = cli_load_config(cli, options->project, &config);
	if (!code)
		code = check_site(cli, config, changes.site);
	if (!code)
		code = cli_open_store(cli, config, false, &store);
	if (!code)
		code = select_each(&(struct selection){ .cli = cli,
							.config = config,
							.store = store,
							.project = options->project,
							.query = options->query,
							.frames = options->frames,
							.is_all = options->is_all },
				   collect, &changes);
	if (code)
		return code;
	if (!changes.n_repres)
		return cli_fail(
			cli, EXIT_NOT_OURS,
			"no published file is meant by that: nothing was changed");
	if (!options->is_dry)
		code = apply(cli, store, &changes);
	return code ? code : say(cli, &changes, options->is_dry);
}

const struct verb verb_add_site = {
	.name = "add-site",
	.usage = "SITE (PATH...|--query JSON|--project P --all) [--dry-run]",
	.summary = "want published files at a further site",
	.help = "Adds SITE to the records of the files that are meant, where it is missing, as\n"
		"wanted there: the daemons that can will bring them. Nothing else in a record is\n"
		"changed. Ends with 3 where no file is meant.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
