/*
 * Hydration, before the first range: what the index knows, what the remote says (law 1: one revision, checked), and the
 * staged file.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "sync/hydrate_private.h"
#include "sync/republish.h"

static void object_done(struct provider_object *object)
{
	provider_object_done(object);
}

static bool is_other(const char *a, const char *b)
{
	return a && b && strcmp(a, b) != 0;
}

/* Facts as they are now; the file must still be what its handles were opened on. */
static int load_facts(struct hydrate_file *file)
{
	struct hydrator *hydrator = file->hydrator;
	int r;

	index_path_done(&file->facts);
	file->facts = (struct index_path){ 0 };
	r = index_find_path(hydrator->setup.index, file->root, file->rel, &file->facts);
	if (r == INDEX_NONE)
		hydrate_fail(file, -ECANCELED, "no document names it any more");
	else if (r < 0)
		hydrate_stop_file(file, r, "the index cannot be read");
	else if (file->facts.node.size != file->size)
		hydrate_fail(file, -ECANCELED, "its size became another one meanwhile");
	else
		return 0;
	return -ECANCELED;
}

/* The revision that the truth record names is not there: the same bytes may be, so the digests decide. */
static int compare_digests(struct hydrate_work *work,
			   const struct provider_object *object)
{
	struct hydrate_file *file = work->file;
	const struct truth *truth = &file->facts.truth;
	const struct provider *provider = file->hydrator->setup.provider;
	struct provider_ref ref = hydrate_ref_of(file);
	struct provider_call call = { 0 };
	struct digest digest = { 0 };
	int r;

	if (digest_equal(&truth->digest, &object->digest))
		return 0;
	if (digest_differs(&truth->digest, &object->digest) ||
	    (!truth->digest.has_sha256 && !truth->digest.has_md5)) {
		hydrate_fail(
			file, PROVIDER_CHANGED,
			"the remote holds another revision than the one that was published");
		return -ECANCELED;
	}
	if (!hydrate_begin_call(work, &call))
		return -ECANCELED;
	ref.id = object->id;
	r = provider->ops->digest(file->hydrator->setup.provider, &ref, object->revision,
				  &call, &digest);
	hydrate_end_call(work);
	if (r == 0 && digest_equal(&truth->digest, &digest))
		return 0;
	if (r == 0)
		hydrate_fail(
			file, PROVIDER_CHANGED,
			"the remote holds other bytes than those that were published");
	else
		hydrate_judge(file, r, &call);
	return -ECANCELED;
}

/* Is the object what the truth record says, as far as it can be told without reading it? */
static int compare_object(struct hydrate_work *work, const struct provider_object *object)
{
	struct hydrate_file *file = work->file;
	const struct truth *truth = &file->facts.truth;
	const struct truth_remote *remote =
		truth_find_remote(truth, file->hydrator->config->remote_site);
	const char *refusal = republish_refusal(
		&file->facts, file->hydrator->config->remote_site, object);
	char text[160];

	if (refusal) {
		hydrate_fail(file, PROVIDER_CHANGED, refusal);
		return -ECANCELED;
	}
	if (object->size != file->size) {
		snprintf(text, sizeof(text),
			 "the remote holds %" PRId64 " bytes, %" PRId64 " were published",
			 object->size, file->size);
		hydrate_fail(file, PROVIDER_CHANGED, text);
		return -ECANCELED;
	}
	if (remote && (is_other(remote->id, object->id) ||
		       is_other(remote->revision, object->revision)))
		return compare_digests(work, object);
	if (truth->size >= 0 && digest_differs(&truth->digest, &object->digest)) {
		hydrate_fail(file, PROVIDER_CHANGED,
			     "the remote's checksum is not that of what was published");
		return -ECANCELED;
	}
	return 0;
}

static int open_staging(struct hydrate_file *file, const struct provider_object *object,
			struct staging **ret)
{
	struct hydrator *hydrator = file->hydrator;
	const struct staging_setup setup = {
		.journal = hydrator->setup.journal,
		.roots = hydrator->setup.roots,
		.host = hydrator->host,
		.root = file->root,
		.rel = file->rel,
		.remote_id = object->id,
		.revision = object->revision,
		.size = file->size,
		.mtime_ns = file->mtime_ns,
		.batch_bytes = hydrator->config->chunk_bytes,
	};
	int r = staging_open(&setup, ret);

	if (r < 0) {
		hydrate_stop_file(file, r,
				  r == -ESTALE ? "the root is lost"
					       : "a staged file cannot be made");
		return -ECANCELED;
	}
	/* nothing is kept of a root that cannot be written: its staged file needs no name */
	if (!file->is_keepable)
		staging_drop(*ret);
	return 0;
}

static int name_files(const struct index_path *facts, struct truth_files *files,
		      struct truth_files *there)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < facts->n_records; i++) {
		const struct index_record *record = &facts->records[i];

		r = truth_files_add(files, record->repre, record->file);
		if (r == 0 && record->remote.presence == DOC_PRESENT)
			r = truth_files_add(there, record->repre, record->file);
	}
	return r;
}

/* READY, unless the file was invalidated meanwhile. */
static int get_ready(struct hydrate_file *file, struct provider_object *object,
		     struct staging *staging)
{
	struct hydrator *hydrator = file->hydrator;
	struct truth_files files = { 0 }, there = { 0 }, old;
	bool is_ready = name_files(&file->facts, &files, &there) == 0;

	mutex_lock(&hydrator->lock);
	is_ready = is_ready && file->phase == HYDRATE_PREPARING;
	old = file->files;
	file->files = files;
	files = old;
	old = file->there;
	file->there = there;
	there = old;
	file->id = steal(object->id);
	file->revision = steal(object->revision);
	file->document_id = steal(object->document_id);
	file->staging = staging;
	if (file->mtime_ns < 0)
		file->mtime_ns = object->mtime_ns;
	if (is_ready)
		file->phase = HYDRATE_READY;
	mutex_unlock(&hydrator->lock);
	truth_files_done(&files);
	truth_files_done(&there);
	if (is_ready)
		return 0;
	staging_drop(staging);
	return -ECANCELED;
}

static int ask(struct hydrate_work *work, struct provider_object *ret)
{
	struct hydrate_file *file = work->file;
	struct provider *provider = file->hydrator->setup.provider;
	struct provider_ref ref = hydrate_ref_of(file);
	struct provider_call call = { 0 };
	int r;

	if (!hydrate_begin_call(work, &call))
		return -ECANCELED;
	r = provider->ops->stat(provider, &ref, &call, ret);
	hydrate_end_call(work);
	if (r == 0)
		return 0;
	hydrate_judge(file, r, &call);
	return -ECANCELED;
}

static int prepare(struct hydrate_work *work)
{
	_cleanup_(object_done) struct provider_object object = { 0 };
	struct hydrate_file *file = work->file;
	struct staging *staging = NULL;
	int r;

	r = load_facts(file);
	if (r == 0)
		r = ask(work, &object);
	if (r == 0)
		r = compare_object(work, &object);
	if (r == 0)
		r = open_staging(file, &object, &staging);
	if (r == 0)
		r = get_ready(file, &object, staging);
	return r;
}

bool hydrate_prepare(struct hydrate_work *work)
{
	struct hydrate_file *file = work->file;
	struct hydrator *hydrator = file->hydrator;
	bool is_mine, is_ready;

	mutex_lock(&hydrator->lock);
	is_mine = file->phase == HYDRATE_NEW && !hydrator->is_stopping &&
		  !hydrator->fault && hydrate_make_works_locked(file) == 0;
	if (is_mine)
		file->phase = HYDRATE_PREPARING;
	mutex_unlock(&hydrator->lock);
	if (is_mine && prepare(work) < 0) {
		mutex_lock(&hydrator->lock);
		if (file->phase == HYDRATE_PREPARING)
			file->phase = HYDRATE_NEW;
		mutex_unlock(&hydrator->lock);
	}
	/* others that were waiting for it can begin, while this work goes on to its own range */
	if (is_mine)
		hydrate_plan(file);
	mutex_lock(&hydrator->lock);
	is_ready = file->phase == HYDRATE_READY;
	mutex_unlock(&hydrator->lock);
	return is_ready;
}
