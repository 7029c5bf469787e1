/* Names that stand for several things at the remote, which Drive allows: found by listing every folder that documents know. */
#include <errno.h>
#include <string.h>

#include "sync/base/map.h"
#include "sync/base/path.h"
#include "sync/doc.h"
#include "tools/doctor.h"
#include "tools/output.h"

#define NAMED_MAX 10
#define ROUNDS 8 /* folders brought together may hold twins, and so on */

/* One such name. */
struct twin {
	char *root, *path;
	char *id; /* of the object that documents mean; or NULL */
	bool is_folder;
};

struct search {
	struct doctor *doctor;
	struct map folders;        /* "ROOT\nPATH": to be listed */
	struct map twins;          /* "ROOT\nPATH" -> struct twin */
	const char *root, *folder; /* being listed */
	int n_named;
};

static void free_twin(void *data)
{
	struct twin *twin = data;

	free(twin->root);
	free(twin->path);
	free(twin->id);
	free(twin);
}

static void search_done(struct search *search)
{
	map_done(&search->folders, NULL);
	map_done(&search->twins, free_twin);
}

/* ---- folders that documents know ---- */

static int add_folder(struct search *search, const char *root, const char *path)
{
	_cleanup_(freep) char *key = strf("%s\n%s", root, path);

	return key ? map_put(&search->folders, key, search, NULL) : -ENOMEM;
}

/* The folder of PATH and all above it. */
static int add_folders(struct search *search, const char *root, const char *path)
{
	_cleanup_(freep) char *at = path_parent(path);
	int r = at ? 0 : -ENOMEM;

	while (r == 0) {
		_cleanup_(freep) char *key = strf("%s\n%s", root, at);
		char *above;

		if (!key)
			return -ENOMEM;
		/* with it all above are known */
		if (map_get(&search->folders, key))
			return 0;
		r = add_folder(search, root, at);
		if (r < 0 || !at[0])
			return r;
		above = path_parent(at);
		free(at);
		at = above;
		r = at ? 0 : -ENOMEM;
	}
	return r;
}

static int heed_doc(struct search *search, const struct doc *doc, bool wants_ids)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < doc->n_files; i++) {
		const struct doc_file *file = &doc->files[i];
		const struct doc_site *site =
			doc_find_site(file, search->doctor->config->remote_site);
		_cleanup_(freep) char *key = NULL;
		struct twin *twin;

		if (file->refused || !site)
			continue;
		if (!wants_ids) {
			r = add_folders(search, file->root, file->rel);
			continue;
		}
		key = strf("%s\n%s", file->root, file->rel);
		twin = key ? map_get(&search->twins, key) : NULL;
		if (twin && !twin->id && site->id)
			twin->id = strdup(site->id);
	}
	return r;
}

static int add_known(void *context, const char *project, const void *bson, size_t len)
{
	_cleanup_(doc_freep) struct doc *doc = NULL;
	int r = doc_parse(bson, len, project, &doc, NULL);

	if (r == 0)
		return heed_doc(context, doc, false);
	return r == -ENOMEM ? r : 0;
}

static int add_id(void *context, const char *project, const void *bson, size_t len)
{
	_cleanup_(doc_freep) struct doc *doc = NULL;
	int r = doc_parse(bson, len, project, &doc, NULL);

	if (r == 0)
		return heed_doc(context, doc, true);
	return r == -ENOMEM ? r : 0;
}

/* ---- what is there ---- */

static int add_twin(struct search *search, const char *name, bool is_folder)
{
	_cleanup_(freep) char *path = path_join(search->folder, name);
	_cleanup_(freep) char *key = path ? strf("%s\n%s", search->root, path) : NULL;
	struct twin *twin = calloc(1, sizeof(*twin));
	void *old = NULL;
	int r = key && twin ? 0 : -ENOMEM;

	if (r == 0) {
		twin->root = strdup(search->root);
		twin->path = strdup(path);
		twin->is_folder = is_folder;
		r = twin->root && twin->path ? map_put(&search->twins, key, twin, &old)
					     : -ENOMEM;
	}
	if (r < 0)
		old = twin;
	if (old)
		free_twin(old);
	return r;
}

static int heed_name(void *context, const char *name, bool is_folder,
		     const struct provider_object *object)
{
	return object && object->n_twins ? add_twin(context, name, is_folder) : 0;
}

/* All folders that wait. */
static int list_folders(struct search *search, struct provider_call *call)
{
	struct provider *provider = search->doctor->provider;
	int r = 0;

	while (r == 0 && map_size(&search->folders)) {
		size_t pos = 0;
		_cleanup_(freep) char *root =
			strdup(map_next(&search->folders, &pos)->key);
		struct provider_ref ref;

		if (!root)
			return -ENOMEM;
		map_remove(&search->folders, root);
		search->folder = strchr(root, '\n') + 1;
		root[search->folder - root - 1] = '\0';
		search->root = root;
		ref = (struct provider_ref){ .root = root, .path = search->folder };
		r = provider->ops->list(provider, &ref, heed_name, search, call);
		if (r == PROVIDER_GONE)
			r = 0;
	}
	return r;
}

/* ---- putting right ---- */

static void say(struct search *search, const struct twin *twin, bool is_fault)
{
	struct doctor *doctor = search->doctor;
	const char *what = twin->is_folder ? "several folders" : "several files";

	if (search->n_named++ >= NAMED_MAX)
		return;
	if (is_fault)
		doctor_fault(doctor, EXIT_FAILED, "%s at site '%s' have the name %s",
			     what, doctor->config->remote_site, twin->path);
	else
		doctor_note(doctor, "%s at site '%s' have the name %s", what,
			    doctor->config->remote_site, twin->path);
}

/* Each of what was found; what it leads to is listed again. */
static int merge_all(struct search *search, struct provider_call *call, int *ret_n)
{
	struct provider *provider = search->doctor->provider;
	struct map twins = search->twins;
	struct map_slot *slot;
	size_t pos = 0;
	int r = 0;

	search->twins = (struct map){ 0 };
	while (r == 0 && (slot = map_next(&twins, &pos))) {
		const struct twin *twin = slot->value;
		const struct provider_ref ref = { .root = twin->root,
						  .path = twin->path,
						  .id = twin->id };
		int n = 0;

		r = provider->ops->merge(provider, &ref, call, &n);
		*ret_n += n;
		if (r == 0 && twin->is_folder)
			r = add_folder(search, twin->root, twin->path);
		r = r == PROVIDER_GONE ? 0 : r;
	}
	map_done(&twins, free_twin);
	return r;
}

static int put_right(struct search *search, struct provider_call *call)
{
	struct doctor *doctor = search->doctor;
	char count[OUTPUT_SIZE];
	int n = 0, r = 0;

	for (int i = 0; r == 0 && i < ROUNDS && map_size(&search->twins); i++) {
		r = doctor->store->ops->scan(doctor->store, NULL, false, add_id, search);
		if (r == 0)
			r = merge_all(search, call, &n);
		if (r == 0)
			r = list_folders(search, call);
	}
	if (n)
		doctor_fixed(doctor,
			     "%s put right: the one that documents mean kept its name",
			     output_count(n, "twin", count));
	return r;
}

static void offer(struct search *search, struct provider_call *call, int *r)
{
	struct doctor *doctor = search->doctor;
	bool is_fault = !doctor->wants_fix || doctor->is_dry;
	struct map_slot *slot;
	size_t pos = 0;

	while ((slot = map_next(&search->twins, &pos)))
		say(search, slot->value, is_fault);
	if (search->n_named > NAMED_MAX)
		doctor_note(doctor, "... and %d names more", search->n_named - NAMED_MAX);
	if (doctor_offer(doctor, "keeps of each name the one that documents mean: of the "
				 "others copies go into the remote's trash, different "
				 "files get a name of their own, folders are brought "
				 "together"))
		*r = put_right(search, call);
}

static void run(struct doctor *doctor)
{
	_cleanup_(search_done) struct search search = { .doctor = doctor };
	struct provider_call call = { 0 };
	int r;

	/* elsewhere a name is one thing */
	if (!doctor->store || !doctor->provider || !doctor->provider->ops->merge)
		return;
	r = doctor->store->ops->scan(doctor->store, NULL, false, add_known, &search);
	if (r < 0) {
		doctor_fault(doctor, EXIT_NO_STORE, "cannot read the documents: %s",
			     error_text(NULL, r));
		return;
	}
	r = list_folders(&search, &call);
	if (r == 0 && !map_size(&search.twins))
		doctor_good(doctor, "every name at site '%s' stands for one thing",
			    doctor->config->remote_site);
	else if (r == 0)
		offer(&search, &call, &r);
	if (r != 0)
		doctor_fault(doctor,
			     r == PROVIDER_DENIED || r == PROVIDER_UNAUTHORIZED
				     ? EXIT_CREDENTIALS
				     : EXIT_FAILED,
			     "site '%s': %s", doctor->config->remote_site,
			     error_text(&call.error, r));
}

const struct doctor_check doctor_twins = { "twins", run };
