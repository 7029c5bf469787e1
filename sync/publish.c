/* Registers files as one representation. */
#include "sync/publish.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/path.h"
#include "sync/bson_check.h"
#include "sync/bson_id.h"
#include "sync/bson_walk.h"
#include "sync/publish_docs.h"

#define MAX_DOCS 5
/* How often another publish of the same subset may be faster. */
#define ATTEMPTS 10

void publish_done(struct publish *publish)
{
	for (size_t i = 0; i < publish->n_docs; i++)
		buf_done(&publish->docs[i]);
	for (size_t i = 0; i < publish->n_refused; i++) {
		free(publish->refused[i].path);
		free(publish->refused[i].why);
	}
	free(publish->docs);
	free(publish->refused);
	free(publish->asset);
	free(publish->subset);
	free(publish->representation);
	free(publish->version_id);
	free(publish->repre_id);
	*publish = (struct publish){ 0 };
}

struct build {
	struct store *store;
	struct publish_facts facts;
	struct publish *publish;
	struct error *error;
};

struct publish_found {
	char *id;
	int64_t number;
};

static void facts_done(struct publish_facts *facts)
{
	free(facts->project_id);
	free(facts->asset_id);
	free(facts->subset_id);
	free(facts->version_id);
	free(facts->repre_id);
}

/* ---- what is there already ---- */

/* The id (allocated) and integer name (0 if it is none) of the document that find() gives. STORE_GONE. */
static int find(const struct build *b, const char *type, const char *parent,
		const char *name, struct publish_found *ret)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	struct publish_found found = { 0 };
	struct bson_walk walk;
	int r;

	r = b->store->ops->find(b->store, b->facts.project, type, parent, name, &body);
	if (r < 0)
		return error_set(b->error, r, "cannot read the store: %s", strerror(-r));
	if (r > 0)
		return r;
	if (bson_check(body.data, body.len) < 0)
		return error_set(b->error, -EBADMSG, "a %s in the store is damaged",
				 type);
	bson_walk_init(&walk, body.data, body.len);
	while (bson_walk_next(&walk)) {
		if (strcmp(walk.key, "_id") == 0 && !found.id)
			found.id = bson_id_text(&walk.it);
		else if (strcmp(walk.key, "name") == 0)
			bson_get_int64(&walk.it, &found.number);
	}
	if (!found.id)
		return -ENOMEM;
	*ret = found;
	return 0;
}

/* ---- building ---- */

static int add_doc(struct build *b,
		   void (*write)(const struct publish_facts *facts, struct buf *ret))
{
	struct buf doc = { 0 };
	int r = 0;

	write(&b->facts, &doc);
	if (doc.has_failed)
		r = -ENOMEM;
	else if (doc.len > BSON_CHECK_MAX_SIZE)
		r = error_set(b->error, -EFBIG,
			      "%zu files are more than one representation holds: publish "
			      "them in parts",
			      b->facts.files->n);
	if (r < 0)
		buf_done(&doc);
	else
		b->publish->docs[b->publish->n_docs++] = doc;
	return r;
}

static int new_id(char **ret)
{
	char id[PUBLISH_ID_SIZE];

	publish_new_id(id);
	*ret = strdup(id);
	return *ret ? 0 : -ENOMEM;
}

/* A document above the version: the one that is there, else a new one. */
struct parent {
	const char *type, *parent, *name;
	char **id;
	void (*write)(const struct publish_facts *facts, struct buf *ret);
};

static int take_parent(struct build *b, const struct parent *parent)
{
	struct publish_found found;
	int r;

	r = find(b, parent->type, parent->parent, parent->name, &found);
	if (r < 0)
		return r;
	if (r == 0) {
		*parent->id = found.id;
		return 0;
	}
	r = new_id(parent->id);
	return r < 0 ? r : add_doc(b, parent->write);
}

static int take_parents(struct build *b)
{
	struct publish_facts *facts = &b->facts;
	int r;

	r = take_parent(b, &(struct parent){ "project", NULL, facts->project,
					     &facts->project_id, publish_project_doc });
	if (r == 0)
		r = take_parent(b,
				&(struct parent){ "asset", NULL, facts->names->asset,
						  &facts->asset_id, publish_asset_doc });
	if (r == 0)
		r = take_parent(b,
				&(struct parent){ "subset", facts->asset_id,
						  facts->names->subset, &facts->subset_id,
						  publish_subset_doc });
	return r;
}

/* The version that was asked for, if it is free, or the next one. PUBLISH_EXISTS. */
static int take_version(struct build *b, int asked)
{
	struct publish_found found = { 0 };
	char digits[16];
	int r;

	snprintf(digits, sizeof(digits), "%d", asked);
	r = find(b, "version", b->facts.subset_id, asked ? digits : NULL, &found);
	free(found.id);
	if (r < 0)
		return r;
	if (r == 0 && asked)
		return error_set(
			b->error, PUBLISH_EXISTS,
			"%s/%s has version %d already: name another, or none for "
			"the next one",
			b->facts.names->asset, b->facts.names->subset, asked);
	if (found.number >= INT32_MAX)
		return error_set(b->error, -EOVERFLOW,
				 "%s/%s has no version left after %lld",
				 b->facts.names->asset, b->facts.names->subset,
				 (long long)found.number);
	b->facts.version = asked ? asked : (int)found.number + 1;
	return 0;
}

static int take_results(struct build *b)
{
	struct publish *publish = b->publish;
	const struct publish_facts *facts = &b->facts;

	publish->asset = strdup(facts->names->asset);
	publish->subset = strdup(facts->names->subset);
	publish->representation = strdup(facts->representation);
	publish->version_id = strdup(facts->version_id);
	publish->repre_id = strdup(facts->repre_id);
	publish->version = facts->version;
	publish->n_files = facts->files->n;
	for (size_t i = 0; i < facts->files->n; i++)
		publish->bytes += facts->files->list[i].size;
	return publish->asset && publish->subset && publish->representation &&
			       publish->version_id && publish->repre_id
		       ? 0
		       : -ENOMEM;
}

static int build_docs(struct build *b, int version)
{
	int r;

	b->publish->docs = calloc(MAX_DOCS, sizeof(*b->publish->docs));
	if (!b->publish->docs)
		return -ENOMEM;
	r = take_parents(b);
	if (r == 0)
		r = take_version(b, version);
	if (r == 0)
		r = new_id(&b->facts.version_id);
	if (r == 0)
		r = new_id(&b->facts.repre_id);
	if (r == 0)
		r = add_doc(b, publish_version_doc);
	if (r == 0)
		r = add_doc(b, publish_repre_doc);
	return r < 0 || r > 0 ? r : take_results(b);
}

/* ---- what is asked for ---- */

static const char *name_refusal(const char *name)
{
	if (!name[0])
		return "is empty";
	if (!path_is_utf8(name))
		return "is not UTF-8";
	if (strchr(name, '/'))
		return "holds a slash";
	return NULL;
}

static int check_request(const struct publish_request *request,
			 const struct config_site *site, struct error *error)
{
	const char *why;

	if (!site || site->n_roots == 0)
		return error_set(error, -EINVAL,
				 "cannot publish: site %s has no root; name one in "
				 "local_drive.json",
				 request->config->active_site);
	why = name_refusal(request->project);
	if (why)
		return error_set(error, -EINVAL, "cannot publish: the project's name %s",
				 why);
	why = request->name ? name_refusal(request->name) : NULL;
	if (why)
		return error_set(error, -EINVAL, "cannot publish: the name %s", why);
	if (request->version < 0)
		return error_set(error, -EINVAL,
				 "cannot publish: no version is negative");
	return 0;
}

/* The one folder that was named, below its root; NULL where it was something else. */
static int find_folder(const struct publish_request *request,
		       const struct config_site *site, const struct publish_files *files,
		       char **ret)
{
	const struct config_root *root;
	char *rel;
	int r;

	if (request->n_paths != 1)
		return 0;
	r = publish_find_root(site, request->paths[0], &root, &rel);
	if (r < 0)
		return r;
	if (strcmp(rel, files->list[0].rel) == 0)
		free(rel);
	else
		*ret = rel;
	return 0;
}

static void read_user(char *user, size_t user_size, char *host, size_t host_size)
{
	struct passwd entry, *found = NULL;
	char data[4096];

	if (getpwuid_r(geteuid(), &entry, data, sizeof(data), &found) != 0)
		found = NULL;
	snprintf(user, user_size, "%s",
		 found && path_is_utf8(entry.pw_name) ? entry.pw_name : "");
	if (gethostname(host, host_size) < 0)
		host[0] = 0;
	host[host_size - 1] = 0;
	if (!path_is_utf8(host))
		host[0] = 0;
}

int publish_build(struct store *store, const struct publish_request *request,
		  struct publish *ret, struct error *error)
{
	const struct config_site *site =
		config_find_site(request->config, request->config->active_site);
	_cleanup_(publish_files_done) struct publish_files files = { 0 };
	_cleanup_(publish_names_done) struct publish_names names = { 0 };
	_cleanup_(freep) char *folder = NULL, *extension = NULL;
	char user[256], host[256];
	struct build b = { store, { 0 }, ret, error };
	int r;

	r = check_request(request, site, error);
	if (r == 0)
		r = publish_files_collect(request, site, &files, ret, error);
	if (r < 0)
		return r;
	if (files.n == 0)
		return error_set(error, PUBLISH_NOTHING, "no file is there to publish");
	r = find_folder(request, site, &files, &folder);
	if (r == 0)
		r = publish_names_take(request->project, request->name, folder, &files,
				       &names);
	extension = publish_extension(&files);
	if (r < 0 || !extension)
		return r < 0 ? r : -ENOMEM;
	read_user(user, sizeof(user), host, sizeof(host));
	b.facts = (struct publish_facts){
		.project = request->project,
		.names = &names,
		.files = &files,
		.site = site,
		.remote_site =
			request->config->remote_site ? request->config->remote_site : "",
		.active_aliases = &request->config->active_aliases,
		.remote_aliases = &request->config->remote_aliases,
		.always = &request->config->always_accessible_on,
		.representation = extension,
		.user = user,
		.host = host,
		.now_ms = clock_wall_ms(),
	};
	r = build_docs(&b, request->version);
	facts_done(&b.facts);
	return r;
}

int publish_run(struct store *store, const struct publish_request *request,
		struct publish *ret, struct error *error)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		int r;

		publish_done(ret);
		r = publish_build(store, request, ret, error);
		if (r != 0)
			return r;
		r = store->ops->publish(store, request->project, ret->docs, ret->n_docs);
		if (r < 0)
			return error_set(error, r, "cannot write to the store: %s",
					 strerror(-r));
		if (r == 0)
			return 0;
		/* Somebody registered one of these names since they were looked up. */
	}
	return error_set(error, PUBLISH_EXISTS,
			 "others keep on registering the same versions: try again");
}
