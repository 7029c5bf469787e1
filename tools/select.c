/* Which representations and files a person means. */
#include "tools/select.h"

#include <errno.h>
#include <string.h>

#include "sync/base/path.h"
#include "sync/dump.h"
#include "tools/client.h"
#include "tools/json.h"
#include "tools/locate.h"
#include "tools/pathspec.h"
#include "tools/setup.h"

/* Of a query or a pub: path; what is more is judged here alone. */
#define EQUALS_MAX 8
/* More places than this at a time cost a server more than reading all. */
#define PLACES_MAX 64

/* A PATH argument that names a place below a root of the active site. */
struct place {
	struct pathspec spec;
	int root; /* of the active site; -1: pub: or repre: */
	char *rel;
};

/* What narrows the store's reading, of one place or the query. */
struct narrow {
	struct store_where where;
	struct store_equal equals[EQUALS_MAX];
};

struct state {
	const struct selection *selection;
	select_fn *fn;
	void *context;
	const struct config_site *site;
	struct place *places;
	size_t n_places;
	struct json *query;
	int code; /* said already */
};

static void state_done(struct state *state)
{
	for (size_t i = 0; i < state->n_places; i++) {
		pathspec_done(&state->places[i].spec);
		free(state->places[i].rel);
	}
	free(state->places);
	json_free(state->query);
}

/* ---- paths to places ---- */

static int set_place(struct state *state, struct place *place, const char *path)
{
	int r = locate(state->selection->config, path, &place->root, &place->rel);

	if (r == -ENOENT)
		return cli_fail(state->selection->cli, EXIT_NOT_OURS,
				"%s is neither in a root of site '%s' nor in its mount",
				path, state->site->name);
	return r < 0 ? cli_fail(state->selection->cli, EXIT_FAILED, "out of memory") : 0;
}

static int add_place(struct state *state, const char *arg)
{
	struct cli *cli = state->selection->cli;
	struct place *place = &state->places[state->n_places++];
	_cleanup_(freep) char *absolute = NULL;
	struct error error = { 0 };
	int r;

	place->root = -1;
	r = pathspec_parse(arg, state->selection->frames, &place->spec, &error);
	if (r < 0)
		return cli_fail(cli, EXIT_USAGE, "%s", error_text(&error, r));
	if (place->spec.kind == PATHSPEC_PUB || place->spec.kind == PATHSPEC_REPRE)
		return 0;
	if (place->spec.kind == PATHSPEC_SEQUENCE && place->spec.folder[0])
		r = client_absolute(place->spec.folder, false, &absolute);
	else if (place->spec.kind == PATHSPEC_SEQUENCE)
		r = client_absolute(".", true, &absolute);
	else
		r = client_absolute(arg, false, &absolute);
	if (r < 0)
		return cli_fail(cli, EXIT_NOT_OURS, "%s: %s", arg, error_text(NULL, r));
	return set_place(state, place, absolute);
}

static int add_places(struct state *state)
{
	struct cli *cli = state->selection->cli;
	int code = 0;

	state->places = calloc((size_t)cli->n_args + 1, sizeof(*state->places));
	if (!state->places)
		return cli_fail(cli, EXIT_FAILED, "out of memory");
	for (int i = 0; i < cli->n_args && !code; i++)
		code = add_place(state, cli->args[i]);
	return code;
}

/* ---- matching ---- */

static bool is_part(const char *wanted, const char *have)
{
	return !wanted || (have && !strcmp(wanted, have));
}

static bool names_document(const struct place *place, const struct doc *doc)
{
	const struct pathspec *spec = &place->spec;

	if (spec->kind == PATHSPEC_REPRE)
		return !strcmp(spec->repre, doc->id);
	return spec->kind == PATHSPEC_PUB && !strcmp(spec->project, doc->project) &&
	       is_part(spec->asset, doc->asset) && is_part(spec->subset, doc->subset) &&
	       is_part(spec->version, doc->version) && is_part(spec->name, doc->name);
}

static bool names_file(const struct state *state, const struct place *place,
		       const struct doc_file *file)
{
	const char *rest;

	if (place->root < 0 || !file->root ||
	    config_site_root(state->site, file->root) != place->root ||
	    !path_is_below(file->rel, place->rel))
		return false;
	if (place->spec.kind == PATHSPEC_PATH)
		return true;
	rest = file->rel + strlen(place->rel);
	rest += *rest == '/';
	return !strchr(rest, '/') && pathspec_matches(&place->spec, rest);
}

static bool is_meant(const struct state *state, const struct doc *doc,
		     const struct doc_file *file)
{
	if (!state->n_places)
		return true;
	for (size_t i = 0; i < state->n_places; i++)
		if (names_document(&state->places[i], doc) ||
		    names_file(state, &state->places[i], file))
			return true;
	return false;
}

/* ---- queries ---- */

/* {"$numberInt": "10"} and its kin as extended JSON has them: equal to the plain number. */
static bool is_number_like(const struct json *have, const struct json *wanted)
{
	const struct json *only = json_first(have);
	_cleanup_(json_freep) struct json *number = NULL;
	const char *text;

	if (!json_is_object(have) || !only || strncmp(json_key(only), "$number", 7) != 0)
		return false;
	text = json_as_text(only);
	return text && json_parse(text, strlen(text), &number, NULL) == 0 &&
	       json_equal(number, wanted);
}

static bool is_equal(const struct json *have, const struct json *wanted)
{
	return json_equal(have, wanted) || is_number_like(have, wanted);
}

/* The value at the dotted PATH below HAVE; of a list, that of any element, as in MongoDB. */
static bool matches_key(const struct json *have, const char *path,
			const struct json *wanted)
{
	size_t len = strcspn(path, ".");
	_cleanup_(freep) char *key = NULL;

	if (json_is_array(have)) {
		for (const struct json *p = json_first(have); p; p = json_next(p))
			if (path[0] ? matches_key(p, path, wanted) : is_equal(p, wanted))
				return true;
		return !path[0] && is_equal(have, wanted);
	}
	if (!path[0])
		return have && is_equal(have, wanted);
	key = strndup(path, len);
	have = key ? json_get(have, key) : NULL;
	return have && matches_key(have, path[len] ? path + len + 1 : "", wanted);
}

static bool matches_query(const struct json *query, const void *bson, size_t len)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	_cleanup_(freep) char *text = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&text, &n);
	int r;

	if (!file)
		return false;
	r = dump_write(file, DUMP_JSON, bson, len, NULL);
	if (fclose(file) != 0 || r < 0 || json_parse(text, n, &doc, NULL) < 0)
		return false;
	for (const struct json *p = json_first(query); p; p = json_next(p))
		if (!matches_key(doc, json_key(p), p))
			return false;
	return true;
}

/* ---- the walk ---- */

static int visit(void *context, const char *project, const void *bson, size_t len)
{
	struct state *state = context;
	_cleanup_(doc_freep) struct doc *doc = NULL;
	_cleanup_(freep) size_t *files = NULL;
	size_t n = 0;
	int r;

	if (state->query && !matches_query(state->query, bson, len))
		return 0;
	r = doc_parse(bson, len, project, &doc, NULL);
	if (r != 0)
		return r == -ENOMEM ? r : 0; /* one that nobody can read is none's */
	files = calloc(doc->n_files + 1, sizeof(*files));
	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < doc->n_files; i++)
		if (!doc->files[i].refused && is_meant(state, doc, &doc->files[i]))
			files[n++] = i;
	return n ? state->fn(state->context, doc, files, n) : 0;
}

/* ---- what the store is asked for ---- */

static void add_equal(struct narrow *narrow, const char *key, const char *text)
{
	struct store_where *where = &narrow->where;

	/* a key is a name, never an operator of the server's */
	if (!text || !text[0] || !key[0] || strchr(key, '$') ||
	    where->n_equals == EQUALS_MAX)
		return;
	narrow->equals[where->n_equals++] = (struct store_equal){ key, text };
	where->equals = narrow->equals;
}

static void narrow_place(const struct place *place, struct narrow *ret)
{
	const struct pathspec *spec = &place->spec;

	if (spec->kind == PATHSPEC_REPRE) {
		ret->where.id = spec->repre;
	} else if (spec->kind == PATHSPEC_PUB) {
		add_equal(ret, "context.asset", spec->asset);
		add_equal(ret, "context.subset", spec->subset);
		add_equal(ret, "name", spec->name);
	} else if (place->rel && place->rel[0]) {
		ret->where.path = place->rel;
	}
}

static void narrow_query(const struct json *query, struct narrow *ret)
{
	for (const struct json *p = json_first(query); p; p = json_next(p))
		add_equal(ret, json_key(p), json_as_text(p));
}

/* The project where all of it is in one. */
static const char *only_project(const struct state *state)
{
	const char *project = state->selection->project;

	if (project || !state->n_places)
		return project;
	project = state->places[0].spec.project;
	for (size_t i = 1; project && i < state->n_places; i++)
		if (!is_part(project, state->places[i].spec.project))
			return NULL;
	return project;
}

static int search(struct state *state)
{
	struct store *store = state->selection->store;
	size_t n = state->query ? 1 : state->n_places;
	_cleanup_(freep) struct narrow *narrow = calloc(n + 1, sizeof(*narrow));
	_cleanup_(freep) struct store_where *where = calloc(n + 1, sizeof(*where));
	bool is_narrow = n > 0 && n <= PLACES_MAX;

	if (!narrow || !where)
		return -ENOMEM;
	for (size_t i = 0; i < n && is_narrow; i++) {
		if (state->query)
			narrow_query(state->query, &narrow[i]);
		else
			narrow_place(&state->places[i], &narrow[i]);
		where[i] = narrow[i].where;
		is_narrow = where[i].id || where[i].path || where[i].n_equals;
	}
	return store->ops->search(store, only_project(state), where, is_narrow ? n : 0,
				  visit, state);
}

static int read_query(struct state *state)
{
	const char *text = state->selection->query;
	struct error error = { 0 };
	int r;

	if (!text)
		return 0;
	r = json_parse(text, strlen(text), &state->query, &error);
	if (r == 0 && !json_is_object(state->query))
		r = error_set(&error, -EBADMSG, "no object");
	if (r < 0)
		return cli_fail(state->selection->cli, EXIT_USAGE,
				"--query wants a JSON object like "
				"{\"context.asset\": \"sh0010\"}: %s",
				error_text(&error, r));
	return 0;
}

static int check_forms(const struct selection *selection)
{
	int n = (selection->cli->n_args > 0) + (selection->query != NULL) +
		selection->is_all + selection->is_everything;

	if (n != 1)
		return cli_fail(selection->cli, EXIT_USAGE,
				"name PATH..., --query JSON or --project P --all: one of "
				"them");
	if (selection->is_all && !selection->project)
		return cli_fail(selection->cli, EXIT_USAGE,
				"--all is of one project: add --project P");
	return 0;
}

int select_each(const struct selection *selection, select_fn *fn, void *context)
{
	_cleanup_(state_done) struct state state = {
		.selection = selection,
		.fn = fn,
		.context = context,
		.site = config_find_site(selection->config,
					 selection->config->active_site),
	};
	int code, r;

	code = check_forms(selection);
	if (!code)
		code = read_query(&state);
	if (!code)
		code = add_places(&state);
	if (code)
		return code;
	r = search(&state);
	if (r < 0)
		return cli_fail(selection->cli, cli_store_exit(r),
				"cannot read the store: %s", error_text(NULL, r));
	return r;
}
