/* How published files stand at another site. */
#include "tools/elsewhere.h"

#include <errno.h>
#include <string.h>

#include "sync/base/log.h"
#include "sync/base/path.h"
#include "sync/decide.h"
#include "sync/holdings.h"
#include "tools/select.h"
#include "tools/setup.h"

/* Of so many representations the store is asked one by one; then for all that the site holds. */
#define ASKED_SINGLY 8

struct walk {
	struct cli *cli;
	struct elsewhere *elsewhere;
	const struct config *config;
	struct store *store;
	struct holdings
		held; /* on its disk, though no entry says so: what was asked for */
	int n_asked;
	bool is_all_asked;
	bool is_arriving; /* the document that is visited */
	elsewhere_fn *fn;
	void *context;
	bool is_known; /* some record names the site */
};

static bool is_used_up(const struct walk *walk, const struct doc_site *entry)
{
	return entry && entry->tries >= walk->config->retry_cnt;
}

/* Some file of it is asked for at the remote, not there yet and not given up. */
static bool is_arriving(const struct walk *walk, const struct doc *doc)
{
	for (size_t i = 0; i < doc->n_files; i++) {
		const struct doc_file *file = &doc->files[i];
		const struct doc_site *remote =
			doc_find_site(file, walk->config->remote_site);

		if (!file->refused && remote && remote->presence == DOC_WANTED &&
		    !is_used_up(walk, remote))
			return true;
	}
	return false;
}

/* ---- what its daemon tells beside the entries ---- */

static int take_held(void *context, const struct holding *holding)
{
	return holdings_put(context, holding);
}

/* Who may not read what is ours in the database is told what the entries say all the same. */
static void ask_held(struct walk *walk, const char *project, const char *repre)
{
	int r = walk->store->ops->holdings(walk->store, walk->elsewhere->site, project,
					   repre, take_held, &walk->held);

	if (r < 0) {
		log_warning("cannot tell what site '%s' holds without a record: %s",
			    walk->elsewhere->site, error_text(NULL, r));
		walk->is_all_asked = true;
	}
}

static bool is_recorded(const struct walk *walk, const struct doc_file *file)
{
	const struct doc_site *entry = doc_find_site(file, walk->elsewhere->site);

	return entry && entry->presence == DOC_PRESENT;
}

/* Before the first of FILES whose entry does not say that it is there. */
static void know_held(struct walk *walk, const struct doc *doc, const size_t *files,
		      size_t n_files)
{
	size_t i = 0;

	while (i < n_files && is_recorded(walk, &doc->files[files[i]]))
		i++;
	if (i == n_files || walk->is_all_asked)
		return;
	if (walk->cli->n_args && walk->n_asked++ < ASKED_SINGLY) {
		ask_held(walk, doc->project, doc->id);
		return;
	}
	ask_held(walk, NULL, NULL);
	walk->is_all_asked = true;
}

/* ---- states ---- */

/* The rows of STATES.md with that site as ours: what its record says lies on its disk, or its daemon. */
static enum file_state state_of(const struct walk *walk, const struct doc *doc,
				const struct doc_file *file)
{
	const char *site = walk->elsewhere->site;
	const struct doc_site *ours = doc_find_site(file, site);
	const struct doc_site *remote = doc_find_site(file, walk->config->remote_site);
	struct decide_input in = {
		.disk = DISK_NOTHING,
		.ours = ours ? ours->presence : DOC_ABSENT,
		.is_paused = ours && ours->is_paused,
		.is_ours_used_up = is_used_up(walk, ours),
		.is_remote_used_up = is_used_up(walk, remote),
		.is_arriving = walk->is_arriving,
	};

	if (is_recorded(walk, file) ||
	    holdings_have(&walk->held, doc->project, doc->id, file->id))
		return FILE_LOCAL;
	if (!strcmp(site, walk->config->remote_site)) {
		if (ours && ours->is_paused)
			return FILE_PAUSED;
		return is_used_up(walk, ours) ? FILE_FAILED : FILE_AWAITED;
	}
	in.remote = remote ? remote->presence : DOC_ABSENT;
	return decide(&in).state;
}

/* Where a person of this machine would open it; allocated. */
static char *path_of(const struct walk *walk, const struct doc_file *file)
{
	const struct config_site *site =
		config_find_site(walk->config, walk->config->active_site);
	int root = site && file->root ? config_site_root(site, file->root) : -1;

	if (root < 0)
		return strdup(file->path);
	return strf("%s/%s", site->roots[root].path, file->rel);
}

static int visit(void *context, const struct doc *doc, const size_t *files,
		 size_t n_files)
{
	struct walk *walk = context;
	struct elsewhere *elsewhere = walk->elsewhere;

	know_held(walk, doc, files, n_files);
	walk->is_arriving = is_arriving(walk, doc);
	for (size_t i = 0; i < n_files; i++) {
		const struct doc_file *file = &doc->files[files[i]];
		_cleanup_(freep) char *path = path_of(walk, file);
		struct elsewhere_file one = { doc, file, path,
					      state_of(walk, doc, file) };
		int r;

		if (!path)
			return cli_fail(walk->cli, EXIT_FAILED, "out of memory");
		walk->is_known = walk->is_known || one.state == FILE_LOCAL ||
				 doc_find_site(file, elsewhere->site);
		elsewhere->n_files++;
		elsewhere->n_state[one.state]++;
		elsewhere->bytes += file->size > 0 ? file->size : 0;
		r = walk->fn ? walk->fn(walk->context, &one) : 0;
		if (r)
			return r;
	}
	return 0;
}

/* ---- its daemons ---- */

static int note_host(void *context, const char *host, int64_t seen_ms)
{
	struct elsewhere *elsewhere = context;
	struct json *json = json_object();

	json_set_text(json, "host", host);
	json_set_time(json, "last_seen", seen_ms);
	json_append(elsewhere->hosts, json);
	if (seen_ms > elsewhere->seen_ms)
		elsewhere->seen_ms = seen_ms;
	return 0;
}

/* Who may not read what is ours in the database is told of the files all the same. */
static void find_hosts(struct elsewhere *elsewhere, struct store *store)
{
	int r;

	elsewhere->hosts = json_array();
	r = store->ops->hosts(store, elsewhere->site, note_host, elsewhere);
	if (r < 0)
		log_warning("cannot tell when a daemon of '%s' was seen last: %s",
			    elsewhere->site, error_text(NULL, r));
}

void elsewhere_set_seen(struct json *json, const struct elsewhere *elsewhere)
{
	if (elsewhere->seen_ms)
		json_set_time(json, "last_seen", elsewhere->seen_ms);
	else
		json_set_text(json, "last_seen", NULL);
}

void elsewhere_done(struct elsewhere *elsewhere)
{
	json_free(elsewhere->hosts);
	elsewhere->hosts = NULL;
}

static int check_found(const struct walk *walk)
{
	const struct elsewhere *elsewhere = walk->elsewhere;

	if (!elsewhere->n_files && walk->cli->n_args)
		return cli_fail(walk->cli, EXIT_NOT_OURS,
				"no published file is meant by that");
	if (!walk->is_known && !config_find_site(walk->config, elsewhere->site))
		return cli_fail(
			walk->cli, EXIT_NOT_OURS,
			"no preset and no record of these files names a site '%s'",
			elsewhere->site);
	return elsewhere->n_state[FILE_LOCAL] == elsewhere->n_files ? EXIT_DONE
								    : EXIT_PARTLY;
}

int elsewhere_each(struct cli *cli, struct elsewhere *elsewhere, elsewhere_fn *fn,
		   void *context)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(store_freep) struct store *store = NULL;
	struct walk walk = {
		.cli = cli, .elsewhere = elsewhere, .fn = fn, .context = context
	};
	int code = cli_load_config(cli, NULL, &config);

	walk.config = config;
	if (!code)
		code = cli_open_store(cli, config, false, &store);
	walk.store = store;
	if (!code)
		find_hosts(elsewhere, store);
	if (!code)
		code = select_each(&(struct selection){ .cli = cli,
							.config = config,
							.store = store,
							.frames = elsewhere->frames,
							.is_everything = !cli->n_args },
				   visit, &walk);
	holdings_done(&walk.held);
	return code ? code : check_found(&walk);
}

struct json *elsewhere_json(const struct elsewhere_file *file)
{
	struct json *json = json_object();

	json_set_text(json, "path", file->path);
	json_set_text(json, "state", file_state_name(file->state));
	json_set_int(json, "size", file->file->size);
	return json;
}
