/* Changes of one site's entries that a person asks for. */
#include "tools/edits.h"

#include <errno.h>
#include <string.h>

#include "tools/estimate.h"
#include "tools/output.h"
#include "tools/select.h"
#include "tools/setup.h"

/* One transaction, some round trips: what is not made yet when somebody interrupts is not made. */
#define EDITS_AT_ONCE 1000
#define FILES_AT_ONCE 100000
#define BUSY_TRIES 5

/* One representation of which something is changed. */
struct change {
	const char *project; /* one of the projects below */
	char *repre;
	char **files; /* NULL: all of them */
	size_t n_files, n_weight;
};

struct edits {
	const struct edits_setup *setup;
	struct edits_result *result;
	struct progress progress;
	struct change *changes;
	size_t n, cap;
	char **projects;
	size_t n_projects;
	char first_error[256];
};

static void edits_done(struct edits *edits)
{
	for (size_t i = 0; i < edits->n; i++) {
		struct change *change = &edits->changes[i];

		for (size_t k = 0; change->files && k < change->n_files; k++)
			free(change->files[k]);
		free(change->files);
		free(change->repre);
	}
	free(edits->changes);
	for (size_t i = 0; i < edits->n_projects; i++)
		free(edits->projects[i]);
	free(edits->projects);
	progress_end(&edits->progress);
}

/* ---- what is meant ---- */

static bool would_change(const struct edits_setup *setup, const struct doc_site *site)
{
	switch (setup->op) {
	case SITE_ADD:
		return !site;
	case SITE_REMOVE:
		return site;
	case SITE_RESET: /* other keys may stand there, too: only a count depends on it */
		return site &&
		       (site->presence == DOC_PRESENT || site->id || site->tries ||
			site->error || site->failed_ms || site->is_paused);
	case SITE_PAUSE:
		return site && !site->is_paused;
	case SITE_UNPAUSE:
		return site && site->is_paused;
	case SITE_PRIORITY:
		return site && site->priority != setup->priority;
	case SITE_RETRY:
		return site && (site->tries || site->error || site->failed_ms);
	case SITE_LIST_FORM: /* doctor's */
		break;
	}
	return false;
}

static bool is_of_direction(const struct edits_setup *setup, const struct doc_file *file)
{
	const struct doc_site *ours = doc_find_site(file, setup->config->active_site);

	if (setup->which == EDITS_ALL)
		return true;
	return (ours && ours->presence == DOC_PRESENT) == (setup->which == EDITS_UPLOADS);
}

/* Documents of one project follow each other. */
static const char *keep_project(struct edits *edits, const char *project)
{
	char **grown;

	if (edits->n_projects && !strcmp(edits->projects[edits->n_projects - 1], project))
		return edits->projects[edits->n_projects - 1];
	grown = reallocarray(edits->projects, edits->n_projects + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	edits->projects = grown;
	grown[edits->n_projects] = strdup(project);
	return grown[edits->n_projects] ? grown[edits->n_projects++] : NULL;
}

static struct change *add_change(struct edits *edits, const struct doc *doc)
{
	struct change *change;

	if (edits->n == edits->cap) {
		size_t cap = edits->cap ? edits->cap * 2 : 64;
		struct change *grown = reallocarray(edits->changes, cap, sizeof(*grown));

		if (!grown)
			return NULL;
		edits->changes = grown;
		edits->cap = cap;
	}
	change = &edits->changes[edits->n++];
	*change = (struct change){ .project = keep_project(edits, doc->project),
				   .repre = strdup(doc->id) };
	return change->project && change->repre ? change : NULL;
}

static int take_files(struct change *change, const struct doc *doc, const size_t *files,
		      size_t n_files)
{
	change->n_weight = n_files;
	if (n_files == doc->n_files)
		return 0;
	change->files = calloc(n_files, sizeof(*change->files));
	if (!change->files)
		return -ENOMEM;
	for (size_t i = 0; i < n_files; i++) {
		change->files[i] = strdup(doc->files[files[i]].id);
		if (!change->files[i])
			return -ENOMEM;
		change->n_files++;
	}
	return 0;
}

/* The place of the file in a root of the active site, if it has one there. */
static int add_path(const struct edits_setup *setup, const struct doc_file *file)
{
	const struct config_site *site =
		config_find_site(setup->config, setup->config->active_site);
	int root = site && file->root ? config_site_root(site, file->root) : -1;

	if (root < 0)
		return 0;
	buf_addf(setup->paths, "%s/%s", site->roots[root].path, file->rel);
	return buf_add(setup->paths, "", 1);
}

static int collect(void *context, const struct doc *doc, const size_t *files,
		   size_t n_files)
{
	struct edits *edits = context;
	const struct edits_setup *setup = edits->setup;
	_cleanup_(freep) size_t *meant = calloc(n_files, sizeof(*meant));
	struct change *change;
	bool is_changing = false;
	size_t n = 0;
	int r = 0;

	if (!meant)
		return -ENOMEM;
	for (size_t i = 0; i < n_files && r == 0; i++) {
		const struct doc_file *file = &doc->files[files[i]];

		if (!is_of_direction(setup, file))
			continue;
		meant[n++] = files[i];
		edits->result->n_without += !doc_find_site(file, setup->sites[0]);
		for (size_t k = 0; k < 2 && setup->sites[k]; k++) {
			const struct doc_site *site =
				doc_find_site(file, setup->sites[k]);
			bool is_changed = would_change(setup, site);

			is_changing |= is_changed || (setup->op == SITE_RESET && site);
			if (setup->options->is_dry)
				edits->result->n_changed += is_changed;
		}
		if (r == 0 && setup->paths)
			r = add_path(setup, file);
		if (r == 0 && setup->estimate)
			r = estimate_add(setup->estimate, file);
	}
	if (n == 0)
		return r;
	edits->result->n_repres++;
	edits->result->n_files += (int64_t)n;
	if (r < 0 || !is_changing || setup->options->is_dry)
		return r;
	change = add_change(edits, doc);
	return change ? take_files(change, doc, meant, n) : -ENOMEM;
}

/* ---- changing ---- */

static void note_failure(struct edits *edits, const struct site_edit *edit, int result)
{
	if (edits->result->n_failed++)
		return;
	snprintf(edits->first_error, sizeof(edits->first_error),
		 "representation %s of %s: %s", edit->repre, edit->project,
		 result == STORE_GONE ? "it is gone meanwhile"
		 : result == -EFBIG   ? "the document would outgrow 16 MB"
				      : "the document is damaged");
}

/* The changes from AT on, as many as go together, of one site. */
static size_t gather(const struct edits *edits, size_t at, const char *site,
		     struct site_edit *list)
{
	size_t n = 0, weight = 0;

	while (at + n < edits->n && n < EDITS_AT_ONCE && weight < FILES_AT_ONCE) {
		const struct change *change = &edits->changes[at + n];

		list[n++] = (struct site_edit){
			.op = edits->setup->op,
			.project = change->project,
			.repre = change->repre,
			.files = (const char *const *)change->files,
			.n_files = change->n_files,
			.site = site,
			.priority = edits->setup->priority,
		};
		weight += change->n_weight;
	}
	return n;
}

static int change_some(struct edits *edits, size_t at, const char *site, size_t *ret_n)
{
	_cleanup_(freep) struct site_edit *list = calloc(EDITS_AT_ONCE, sizeof(*list));
	_cleanup_(freep) struct site_edited *results =
		calloc(EDITS_AT_ONCE, sizeof(*results));
	size_t n;
	int r = 0;

	if (!list || !results)
		return -ENOMEM;
	n = gather(edits, at, site, list);
	/* another program works in it: it lets go in time, or it is told */
	for (int i = 0; (i == 0 || r == -EBUSY) && i < BUSY_TRIES; i++)
		r = edits->setup->store->ops->edit(edits->setup->store, list, n, results);
	for (size_t i = 0; r == 0 && i < n; i++) {
		edits->result->n_changed += (int64_t)results[i].n_changed;
		if (results[i].result != 0)
			note_failure(edits, &list[i], results[i].result);
	}
	*ret_n = n;
	return r;
}

static int change_all(struct edits *edits)
{
	const struct edits_setup *setup = edits->setup;
	size_t n = 0;
	int r = 0;

	for (size_t at = 0; r == 0 && at < edits->n; at += n) {
		char text[96];

		snprintf(text, sizeof(text), "changing: %zu of %zu representations", at,
			 edits->n);
		if (at)
			progress_text(&edits->progress, text);
		for (size_t k = 0; r == 0 && k < 2 && setup->sites[k]; k++)
			r = change_some(edits, at, setup->sites[k], &n);
	}
	if (r < 0)
		return cli_fail(
			setup->cli, cli_store_exit(r),
			"cannot change the records: %s; %lld were changed, asking "
			"again does the rest",
			error_text(NULL, r), (long long)edits->result->n_changed);
	return 0;
}

struct selection edits_selection(const struct edits_setup *setup)
{
	const struct edits_options *options = setup->options;

	return (struct selection){ .cli = setup->cli,
				   .config = setup->config,
				   .store = setup->store,
				   .project = options->project,
				   .query = options->query,
				   .frames = options->frames,
				   .is_all = options->is_all };
}

int edits_run(const struct edits_setup *setup, struct edits_result *ret)
{
	struct selection selection = edits_selection(setup);
	_cleanup_(edits_done) struct edits edits = { .setup = setup, .result = ret };
	int code;

	*ret = (struct edits_result){ 0 };
	progress_start(&edits.progress, setup->cli->is_quiet || setup->cli->is_json,
		       setup->cli->has_bytes);
	code = select_each(&selection, collect, &edits);
	if (code)
		return code;
	if (!ret->n_repres)
		return cli_fail(
			setup->cli, EXIT_NOT_OURS,
			"no published file is meant by that: nothing was changed");
	if (!setup->options->is_dry)
		code = change_all(&edits);
	if (code || !ret->n_failed)
		return code;
	return cli_fail(setup->cli, ret->n_changed ? EXIT_PARTLY : EXIT_FAILED,
			"%lld representations could not be changed, as %s",
			(long long)ret->n_failed, edits.first_error);
}

/* ---- telling ---- */

int edits_say(const struct edits_setup *setup, const struct edits_result *result,
	      struct json *extra)
{
	_cleanup_(json_freep) struct json *json = extra;
	bool is_dry = setup->options->is_dry;
	char files[OUTPUT_SIZE], repres[OUTPUT_SIZE];

	if (setup->cli->is_json) {
		if (!json)
			json = json_document();
		json_set_text(json, "site", setup->sites[0]);
		json_set_int(json, "representations", result->n_repres);
		json_set_int(json, "files", result->n_files);
		json_set_int(json, "changed", result->n_changed);
		json_set_int(json, "without_entry",
			     setup->op == SITE_ADD ? 0 : result->n_without);
		json_set_int(json, "failed", result->n_failed);
		json_set_bool(json, "dry_run", is_dry);
		return json_print(json) < 0 ? EXIT_FAILED : EXIT_DONE;
	}
	if (setup->cli->is_quiet)
		return EXIT_DONE;
	printf("%s of %s: %s%lld %s", output_count(result->n_files, "file", files),
	       output_count(result->n_repres, "representation", repres),
	       is_dry ? "would be " : "", (long long)result->n_changed, setup->done);
	if (setup->op != SITE_ADD && result->n_without)
		printf(", %lld without an entry of site '%s'",
		       (long long)result->n_without, setup->sites[0]);
	printf("\n");
	return EXIT_DONE;
}

static int check_site(struct cli *cli, const struct config *config, const char *site)
{
	if (!site[0])
		return cli_fail(cli, EXIT_USAGE, "the site has no name");
	if (!config_find_site(config, site) && !cli->is_quiet)
		fprintf(stderr,
			"sitefs %s: no preset describes site '%s'; another machine may know "
			"it\n",
			cli->verb->name, site);
	return 0;
}

int edits_begin(struct edits_setup *setup)
{
	int code = cli_load_config(setup->cli, setup->options->project, &setup->config);

	if (!code && setup->sites[0])
		code = check_site(setup->cli, setup->config, setup->sites[0]);
	if (!code && !setup->sites[0])
		setup->sites[0] = setup->config->active_site;
	return code ? code
		    : cli_open_store(setup->cli, setup->config, false, &setup->store);
}

void edits_setup_done(struct edits_setup *setup)
{
	store_free(setup->store);
	config_free(setup->config);
}

int edits_apply(const struct edits_setup *setup)
{
	struct edits_result result;
	int code = edits_run(setup, &result), r;

	if (code && !result.n_changed)
		return code;
	r = edits_say(setup, &result, NULL);
	return code ? code : r;
}
