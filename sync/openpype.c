/* What OpenPype's own settings say: which documents count. */
#include "sync/openpype.h"

#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"
#include "sync/doc_project.h"
#include "sync/doc_settings.h"
#include "sync/store.h"

/* One document; of the same kind and owner there may be one per version. */
struct candidate {
	enum doc_settings_kind kind;
	char *version, *project; /* or NULL */
	char *fault;             /* what is wrong with it, or NULL */
	struct json_file *part;  /* or NULL: it says nothing */
};

/* A project's own document. */
struct project {
	char *name;
	bool is_inactive;
	char *fault;             /* or NULL */
	struct json_file *roots; /* or NULL */
};

struct openpype {
	struct candidate *candidates;
	size_t n_candidates;
	struct project *projects;
	size_t n_projects;
	/* versions in use: as set by people, as known; or NULL */
	char *production, *newest;
	char *machine;
	struct buf bytes, project_bytes; /* all that was taken */
};

struct openpype *openpype_new(const char *machine)
{
	_cleanup_(openpype_freep) struct openpype *openpype =
		calloc(1, sizeof(*openpype));

	if (openpype)
		openpype->machine = strdup(machine);
	return openpype && openpype->machine ? steal(openpype) : NULL;
}

static void candidate_done(struct candidate *candidate)
{
	free(candidate->version);
	free(candidate->project);
	free(candidate->fault);
	json_file_free(candidate->part);
}

static void project_done(struct project *project)
{
	free(project->name);
	free(project->fault);
	json_file_free(project->roots);
}

void openpype_free(struct openpype *openpype)
{
	if (!openpype)
		return;
	for (size_t i = 0; i < openpype->n_candidates; i++)
		candidate_done(&openpype->candidates[i]);
	for (size_t i = 0; i < openpype->n_projects; i++)
		project_done(&openpype->projects[i]);
	free(openpype->candidates);
	free(openpype->projects);
	free(openpype->production);
	free(openpype->newest);
	free(openpype->machine);
	buf_done(&openpype->bytes);
	buf_done(&openpype->project_bytes);
	free(openpype);
}

bool openpype_is_empty(const struct openpype *openpype)
{
	return !openpype->n_candidates && !openpype->n_projects;
}

/* ---- taking documents ---- */

/* 'OpenPype's project_settings 3.15.4 of "demo"', as errors and origins call it. */
static char *name_of(const struct doc_settings *doc)
{
	static const char *const names[] = {
		[SETTINGS_SYSTEM] = "system_settings",
		[SETTINGS_PROJECT] = "project_settings",
		[SETTINGS_ANATOMY] = "project_anatomy",
		[SETTINGS_LOCAL] = "local_settings",
		[SETTINGS_GLOBAL] = "global_settings",
		[SETTINGS_ORDER] = "versions_order",
	};
	const char *owner = doc->project ? doc->project : doc->machine;

	return strf("OpenPype's %s%s%s%s%s%s", names[doc->kind], doc->version ? " " : "",
		    doc->version ? doc->version : "", owner ? " of \"" : "",
		    owner ? owner : "", owner ? "\"" : "");
}

static int take_version(char **field, struct doc_settings *doc)
{
	if (!*field)
		*field = steal(doc->current);
	return 0;
}

static int parse_part(struct candidate *candidate, const char *name, const char *text)
{
	struct error error = { 0 };
	int r = json_file_parse_document(name, text, &candidate->part, &error);

	if (r != -EINVAL)
		return r;
	candidate->fault = strdup(error.text);
	return candidate->fault ? 0 : -ENOMEM;
}

static int add_candidate(struct openpype *openpype, struct doc_settings *doc,
			 const char *fault)
{
	_cleanup_(freep) char *name = name_of(doc);
	struct candidate candidate = { .kind = doc->kind }, *grown;
	int r = name ? 0 : -ENOMEM;

	grown = reallocarray(openpype->candidates, openpype->n_candidates + 1,
			     sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	openpype->candidates = grown;
	if (r == 0 && fault) {
		candidate.fault = strf("%s: %s", name, fault);
		r = candidate.fault ? 0 : -ENOMEM;
	} else if (r == 0 && doc->part) {
		r = parse_part(&candidate, name, doc->part);
	}
	if (r < 0) {
		candidate_done(&candidate);
		return r;
	}
	candidate.version = steal(doc->version);
	candidate.project = steal(doc->project);
	grown[openpype->n_candidates++] = candidate;
	return 0;
}

int openpype_add(struct openpype *openpype, const void *bson, size_t len)
{
	_cleanup_(doc_settings_done) struct doc_settings doc = { 0 };
	struct error error = { 0 };
	int r = doc_settings_parse(bson, len, &doc, &error);

	if (r == DOC_SETTINGS_OTHER || r == -EBADMSG)
		return 0;
	if (r < 0 && r != -EINVAL)
		return r;
	if (doc.machine && strcmp(doc.machine, openpype->machine) != 0)
		return 0;
	if (buf_add(&openpype->bytes, bson, len) < 0)
		return -ENOMEM;
	if (doc.kind == SETTINGS_GLOBAL)
		return take_version(&openpype->production, &doc);
	if (doc.kind == SETTINGS_ORDER)
		return take_version(&openpype->newest, &doc);
	return add_candidate(openpype, &doc, r < 0 ? error_text(&error, r) : NULL);
}

static struct project *find_project(const struct openpype *openpype, const char *name)
{
	for (size_t i = 0; i < openpype->n_projects; i++)
		if (strcmp(openpype->projects[i].name, name) == 0)
			return &openpype->projects[i];
	return NULL;
}

static int read_project(struct project *project, const void *bson, size_t len)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(freep) char *name =
		strf("config.roots of project \"%s\"", project->name);
	struct error error = { 0 };
	int r = doc_project_roots(bson, len, &text);

	if (!name || r == -ENOMEM)
		return -ENOMEM;
	project->is_inactive = doc_project_is_inactive(bson, len);
	if (r == 0 && text)
		r = json_file_parse_document(name, text, &project->roots, &error);
	else if (r < 0)
		error_set(&error, r,
			  "%s: an object is expected: save the project's anatomy "
			  "anew in OpenPype",
			  name);
	if (r != -EINVAL)
		return r;
	project->fault = strdup(error.text);
	return project->fault ? 0 : -ENOMEM;
}

int openpype_add_project(struct openpype *openpype, const char *name, const void *bson,
			 size_t len)
{
	struct project project = { 0 }, *grown;
	int r;

	if (find_project(openpype, name))
		return 0;
	grown = reallocarray(openpype->projects, openpype->n_projects + 1,
			     sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	openpype->projects = grown;
	project.name = strdup(name);
	r = project.name ? read_project(&project, bson, len) : -ENOMEM;
	if (r == 0)
		r = buf_add(&openpype->project_bytes, bson, len);
	if (r < 0) {
		project_done(&project);
		return r;
	}
	grown[openpype->n_projects++] = project;
	return 0;
}

/* ---- out of a store ---- */

static int take_doc(void *context, const char *project, const void *bson, size_t len)
{
	return openpype_add(context, bson, len);
}

int openpype_read(struct openpype *openpype, struct store *store)
{
	return store->ops->settings(store, openpype->machine, take_doc, openpype);
}

const struct buf *openpype_bytes(const struct openpype *openpype)
{
	return &openpype->bytes;
}

const struct buf *openpype_project_bytes(const struct openpype *openpype)
{
	return &openpype->project_bytes;
}

struct names {
	struct buf list; /* each with its NUL */
};

static int take_name(void *context, const char *name)
{
	struct names *names = context;

	return buf_add(&names->list, name, strlen(name) + 1);
}

static int read_one(struct openpype *openpype, struct store *store, const char *project)
{
	_cleanup_(buf_done) struct buf bson = { 0 };
	int r = store->ops->find(store, project, "project", NULL, project, &bson);

	if (r == STORE_GONE)
		return 0;
	return r < 0 ? r : openpype_add_project(openpype, project, bson.data, bson.len);
}

int openpype_read_projects(struct openpype *openpype, struct store *store,
			   const char *project)
{
	struct names names = { 0 };
	int r;

	if (project)
		return read_one(openpype, store, project);
	r = store->ops->projects(store, take_name, &names);
	for (size_t at = 0; r == 0 && at < names.list.len;
	     at += strlen(names.list.data + at) + 1)
		r = read_one(openpype, store, names.list.data + at);
	buf_done(&names.list);
	return r;
}

/* ---- which document counts ---- */

/* As strcmp(). What stands behind "-" comes before the version itself: 3.15.4-nightly.2 < 3.15.4. */
static int compare_versions(const char *a, const char *b)
{
	size_t len_a = strcspn(a, "-+"), len_b = strcspn(b, "-+");
	char main_a[64], main_b[64]; /* longer ones are no versions: cut */
	int order;

	str_cut(main_a, sizeof(main_a) < len_a + 1 ? sizeof(main_a) : len_a + 1, a);
	str_cut(main_b, sizeof(main_b) < len_b + 1 ? sizeof(main_b) : len_b + 1, b);
	order = strverscmp(main_a, main_b);
	if (order)
		return order;
	if ((a[len_a] == '-') != (b[len_b] == '-'))
		return a[len_a] == '-' ? -1 : 1;
	return strverscmp(a + len_a, b + len_b);
}

static const char *current_version(const struct openpype *openpype)
{
	const char *variable = getenv("OPENPYPE_VERSION");

	if (variable && variable[0])
		return variable;
	return openpype->production ? openpype->production : openpype->newest;
}

/* A counts before B by CURRENT (NULL: unknown, and the newest counts). */
static bool is_before(const char *a, const char *b, const char *current)
{
	bool is_new_a, is_new_b;

	if (!a || !b) /* without a version: after the older ones, before the newer ones */
		return a ? !current || compare_versions(a, current) <= 0
			 : b && current && compare_versions(b, current) > 0;
	is_new_a = current && compare_versions(a, current) > 0;
	is_new_b = current && compare_versions(b, current) > 0;
	if (is_new_a != is_new_b)
		return is_new_b;
	return is_new_a ? compare_versions(a, b) < 0 : compare_versions(a, b) > 0;
}

/* The document of that kind and owner, or NULL. */
static const struct candidate *choose(const struct openpype *openpype,
				      enum doc_settings_kind kind, const char *project)
{
	const char *current = current_version(openpype);
	const struct candidate *best = NULL;

	for (size_t i = 0; i < openpype->n_candidates; i++) {
		const struct candidate *candidate = &openpype->candidates[i];

		if (candidate->kind != kind || !str_is_same(candidate->project, project))
			continue;
		if (!best || is_before(candidate->version, best->version, current))
			best = candidate;
	}
	return best;
}

static int get_part(const struct openpype *openpype, enum doc_settings_kind kind,
		    const char *project, struct json_at *ret, struct error *error)
{
	const struct candidate *found = choose(openpype, kind, project);

	*ret = (struct json_at){ 0 };
	if (found && found->fault)
		return error_set(error, -EINVAL, "%s", found->fault);
	if (found && found->part)
		*ret = json_file_top(found->part);
	return 0;
}

static int get_local(const struct openpype *openpype, const char *project,
		     struct openpype_view *ret, struct error *error)
{
	/* The key of all projects, by the last release and as older ones wrote it. */
	static const char *const keys[] = { "__default_project__", "__default__" };
	struct json_at projects;
	int r = get_part(openpype, SETTINGS_LOCAL, NULL, &projects, error);

	if (r < 0 || !projects.node)
		return r;
	if (project)
		ret->local[0] = json_at_find(projects, project);
	for (size_t i = 0; i < ARRAY_SIZE(keys) && !ret->local[1].node; i++)
		ret->local[1] = json_at_find(projects, keys[i]);
	return 0;
}

static const char *linux_path(struct json_at root)
{
	const char *text = json_at_find_text(root, "linux");

	return text ? text : "";
}

/* Every root of A has the same folder on this platform in B. */
static bool has_roots_of(struct json_at b, struct json_at a)
{
	for (struct json_at at = json_at_first(a); at.node; at = json_at_next(at))
		if (strcmp(linux_path(at),
			   linux_path(json_at_find(b, json_at_key(at)))) != 0)
			return false;
	return true;
}

bool openpype_are_same_roots(struct json_at a, struct json_at b)
{
	return has_roots_of(a, b) && has_roots_of(b, a);
}

/* Those that all active projects share. */
static int get_shared_roots(const struct openpype *openpype, struct json_at *ret,
			    struct error *error)
{
	const struct project *first = NULL;

	for (size_t i = 0; i < openpype->n_projects; i++) {
		const struct project *project = &openpype->projects[i];

		if (project->is_inactive || !project->roots)
			continue;
		if (!first)
			first = project;
		else if (!openpype_are_same_roots(json_file_top(first->roots),
						  json_file_top(project->roots)))
			return error_set(
				error, -EINVAL,
				"projects \"%s\" and \"%s\" have different roots in their "
				"documents: name one project (-o project=P, --project P), or the "
				"roots of this site in local_drive.json",
				first->name, project->name);
	}
	if (first)
		*ret = json_file_top(first->roots);
	return 0;
}

int openpype_view(const struct openpype *openpype, const char *project,
		  struct openpype_view *ret, struct error *error)
{
	struct openpype_view view = { 0 };
	int r = get_part(openpype, SETTINGS_SYSTEM, NULL, &view.system, error);

	if (r == 0)
		r = get_part(openpype, SETTINGS_PROJECT, NULL, &view.settings[1], error);
	if (r == 0 && project)
		r = get_part(openpype, SETTINGS_PROJECT, project, &view.settings[0],
			     error);
	if (r == 0)
		r = get_local(openpype, project, &view, error);
	if (r == 0)
		*ret = view;
	return r;
}

int openpype_roots(const struct openpype *openpype, const char *name, struct json_at *ret,
		   struct error *error)
{
	const struct project *project = name ? find_project(openpype, name) : NULL;
	int r;

	*ret = (struct json_at){ 0 };
	if (project && project->fault)
		return error_set(error, -EINVAL, "%s", project->fault);
	if (project && project->roots) {
		*ret = json_file_top(project->roots);
		return 0;
	}
	r = get_part(openpype, SETTINGS_ANATOMY, NULL, ret, error);
	return r < 0 || ret->node ? r : get_shared_roots(openpype, ret, error);
}

/* ---- questions ---- */

static bool says_yes(struct json_at object)
{
	struct json_at at = json_at_find(object, "enabled");
	bool is_yes = false;

	return at.node && json_at_bool(at, &is_yes, NULL) == 0 && is_yes;
}

bool openpype_is_enabled(const struct openpype_view *view)
{
	bool has_own = json_at_find(view->settings[0], "enabled").node != NULL;

	return says_yes(view->system) && says_yes(view->settings[has_own ? 0 : 1]);
}

const char *openpype_site(const struct openpype_view *view, const char *key,
			  const char *machine)
{
	const char *name = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(view->local) && !name; i++)
		name = json_at_find_text(view->local[i], key);
	for (size_t i = 0; i < ARRAY_SIZE(view->settings) && !name; i++)
		name = json_at_find_text(json_at_find(view->settings[i], "config"), key);
	if (!name) /* the default of both */
		name = OPENPYPE_STUDIO;
	return strcmp(name, OPENPYPE_LOCAL) == 0 ? machine : name;
}

const char *openpype_project(const struct openpype *openpype, size_t i)
{
	for (size_t j = 0; j < openpype->n_candidates; j++) {
		const struct candidate *candidate = &openpype->candidates[j];

		/* one of several versions is enough */
		if (!candidate->project ||
		    choose(openpype, SETTINGS_PROJECT, candidate->project) != candidate)
			continue;
		if (!i--)
			return candidate->project;
	}
	return NULL;
}

bool openpype_has_active(const struct openpype *openpype, const char *name)
{
	const struct project *project = find_project(openpype, name);

	return project && !project->is_inactive;
}
