/*
 * Hydration, the end: all bytes are here. Digest against the truth record, revision once more, then into place, stamp,
 * and the word to the engine (laws 1 and 7).
 */
#include <errno.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/hydrate_private.h"
#include "sync/place.h"
#include "sync/republish.h"

static void object_done(struct provider_object *object)
{
	provider_object_done(object);
}

/* ---- are these the bytes? Each: 0, or negative where the file was told why not ---- */

static int take_digest(struct hydrate_work *work)
{
	struct hydrate_file *file = work->file;
	struct provider_call call = { 0 };
	uint64_t len = 0;
	int r;

	if (!hydrate_begin_call(work, &call))
		return -ECANCELED;
	r = digest_fd(staging_fd(file->staging), 0, file->size, &call.cancel,
		      &file->digest, &len);
	hydrate_end_call(work);
	if (r == 0 && len != (uint64_t)file->size)
		r = -EIO;
	if (r < 0)
		hydrate_judge(file, r, &call);
	return r;
}

/* The truth record decides; where it has no checksum, what the remote says of its own object does. */
static int compare_digest(struct hydrate_work *work, const struct provider_object *object)
{
	struct hydrate_file *file = work->file;
	struct provider *provider = file->hydrator->setup.provider;
	const struct digest *truth = &file->facts.truth.digest;
	struct provider_ref ref = hydrate_ref_of(file);
	struct provider_call call = { 0 };
	struct digest digest = object->digest;
	int r = 0;

	if (digest_differs(truth, &file->digest)) {
		hydrate_fail(file, PROVIDER_TORN,
			     "the bytes that came are not those that were published");
		return -EBADMSG;
	}
	if (digest_equal(truth, &file->digest))
		return 0;
	if (!digest.has_sha256 && !digest.has_md5) {
		if (!hydrate_begin_call(work, &call))
			return -ECANCELED;
		r = provider->ops->digest(provider, &ref, file->revision, &call, &digest);
		hydrate_end_call(work);
	}
	if (r == 0 && digest_equal(&digest, &file->digest))
		return 0;
	if (r == 0)
		hydrate_fail(file, PROVIDER_TORN,
			     "the bytes that came are not those that the remote holds");
	else
		hydrate_judge(file, r, &call);
	return -EBADMSG;
}

static int check_revision(struct hydrate_work *work, struct provider_object *ret)
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
	if (r != 0) {
		hydrate_judge(file, r, &call);
		return -EBADMSG;
	}
	if (ret->size == file->size && str_is_same(ret->id, file->id) &&
	    str_is_same(ret->revision, file->revision))
		return 0;
	hydrate_fail(file, PROVIDER_CHANGED,
		     "the object at the remote was changed while it was downloaded");
	return -EBADMSG;
}

static int verify(struct hydrate_work *work)
{
	_cleanup_(object_done) struct provider_object object = { 0 };
	struct hydrate_file *file = work->file;
	struct hydrator *hydrator = file->hydrator;
	struct hydrate_todo todo = { 0 };
	int r = take_digest(work);

	if (r == 0)
		r = check_revision(work, &object);
	if (r == 0)
		r = compare_digest(work, &object);
	if (r < 0)
		return r;
	mutex_lock(&hydrator->lock);
	file->is_verified = file->phase == HYDRATE_FINISHING;
	if (file->is_verified)
		hydrate_answer_locked(hydrator, file, 0, &todo);
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	return file->is_verified ? 0 : -ECANCELED;
}

/* ---- into place ---- */

/* A newer publish names the path, though it may not be at the remote yet: these are not its bytes. */
static bool has_newer(const struct hydrate_file *file, const struct index_path *now)
{
	_cleanup_(freep) struct truth_name *names = republish_names(now);

	if (!names || hydrate_is_outdated(file, names, now->n_records))
		return true;
	for (size_t i = 0; i < now->n_records; i++)
		if (truth_files_precede(&now->truth.files, &names[i], names,
					now->n_records))
			return true;
	return false;
}

/* Records that we began with still name the path, and the truth is still what was verified. */
static bool is_record_same(const struct hydrate_file *file, const struct index_path *now)
{
	/* verified against a record that is of a publish before by now */
	if (file->facts.truth.size >= 0 && now->truth.size < 0)
		return false;
	return now->node.shown == SHOWN_FILE && now->node.size == file->size &&
	       !digest_differs(&now->truth.digest, &file->digest) &&
	       !has_newer(file, now);
}

/* A person took the name away while it was downloaded (or it is read under a renamed folder). */
static bool is_hidden(const struct hydrate_file *file, const struct index_path *now)
{
	for (size_t i = 0; i < now->n_records; i++)
		if (!journal_is_hidden(file->hydrator->setup.journal, file->root,
				       file->rel, index_file_hash(now->records[i].file)))
			return false;
	return true;
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int name_files(const struct index_path *facts, struct stamp *stamp)
{
	stamp->files = calloc(facts->n_records, sizeof(*stamp->files));
	if (!stamp->files)
		return -ENOMEM;
	for (; stamp->n_files < facts->n_records; stamp->n_files++) {
		const struct index_record *record = &facts->records[stamp->n_files];
		char *name =
			strf("%s/%s/%s", record->project, record->repre, record->file);

		if (!name)
			return -ENOMEM;
		stamp->files[stamp->n_files] = name;
	}
	qsort(stamp->files, stamp->n_files, sizeof(*stamp->files), compare_text);
	return 0;
}

static int put_stamp(struct hydrate_file *file, const struct stat *st)
{
	_cleanup_(stamp_done) struct stamp stamp = {
		.kind = STAMP_COPY,
		.digest = file->digest,
	};

	stamp_take_stat(&stamp, st);
	stamp.remote_id = file->id ? strdup(file->id) : NULL;
	stamp.revision = file->revision ? strdup(file->revision) : NULL;
	if ((file->id && !stamp.remote_id) || (file->revision && !stamp.revision) ||
	    name_files(&file->facts, &stamp) < 0)
		return -ENOMEM;
	return journal_stamp_put(file->hydrator->setup.journal, file->root, file->rel,
				 &stamp);
}

/* Asked under the claim on the name. The facts are the newest from here on. */
static int check_record_now(struct hydrate_file *file)
{
	struct hydrator *hydrator = file->hydrator;
	struct index_path now = { 0 };
	bool is_wanted;
	int r;

	mutex_lock(&hydrator->lock);
	is_wanted = file->phase == HYDRATE_FINISHING;
	mutex_unlock(&hydrator->lock);
	if (!is_wanted)
		return -ECANCELED;
	r = index_find_path(hydrator->setup.index, file->root, file->rel, &now);
	if (r < 0)
		return r;
	if (r == INDEX_NONE)
		return -ECANCELED;
	if (!is_record_same(file, &now) || is_hidden(file, &now)) {
		index_path_done(&now);
		return -ECANCELED;
	}
	index_path_done(&file->facts);
	file->facts = now;
	return 0;
}

/* The name is free and the file goes there next. It is stamped before, so that at no moment, nor after a crash, a copy
 * looks like an original of this site; its ctime will differ, which a rehash forgives. */
static int check_record(void *context)
{
	struct hydrate_file *file = context;
	struct stat st;
	int r = check_record_now(file);

	if (r != 0)
		return r;
	if (fstat(staging_fd(file->staging), &st) < 0)
		return -errno;
	return put_stamp(file, &st);
}

/* The file did not go there: the stamp that was put for it says nothing about what has the name. */
static void unstamp(struct hydrate_file *file)
{
	struct hydrator *hydrator = file->hydrator;
	_cleanup_(stamp_done) struct stamp stamp = { 0 };
	struct stat held, there;

	if (fstat(staging_fd(file->staging), &held) < 0 ||
	    journal_stamp_get(hydrator->setup.journal, file->root, file->rel, &stamp) !=
		    0 ||
	    stamp.dev != held.st_dev || stamp.ino != held.st_ino)
		return;
	if (beneath_stat(roots_fd(hydrator->setup.roots, file->root), file->rel,
			 &there) == 0 &&
	    there.st_dev == held.st_dev && there.st_ino == held.st_ino)
		return;
	journal_stamp_drop(hydrator->setup.journal, file->root, file->rel);
}

static int place(struct hydrate_file *file)
{
	struct hydrator *hydrator = file->hydrator;
	const struct place place = {
		.roots = hydrator->setup.roots,
		.root = file->root,
		.rel = file->rel,
		.fd = staging_fd(file->staging),
		.name = staging_name(file->staging),
		.file_mode = hydrator->config->file_mode,
		.dir_mode = hydrator->config->dir_mode,
		.mtime_ns = file->mtime_ns,
		.check = check_record,
		.context = file,
	};
	struct stat st;
	int r = place_file(&place, &st);

	if (r < 0) {
		unstamp(file);
		return r;
	}
	staging_forget(file->staging);
	r = put_stamp(file, &st);
	if (r < 0)
		log_warning("%s: is here, but the journal takes no stamp of it: %s",
			    file->rel, strerror(-r));
	return r;
}

/* ---- the word ---- */

static int make_truth(const struct hydrate_file *file, struct truth *ret,
		      bool *ret_is_new)
{
	const char *site = file->hydrator->config->remote_site;
	const struct truth *old = &file->facts.truth;
	const struct truth_remote *remote = truth_find_remote(old, site);
	int r = 0;

	*ret_is_new = old->size < 0 || !old->digest.has_sha256 || !old->digest.has_md5 ||
		      !remote || !str_is_same(remote->id, file->id) ||
		      !str_is_same(remote->revision, file->revision) ||
		      !republish_is_signed(&file->facts);
	if (old->size >= 0) {
		r = truth_copy(old, ret);
	} else {
		*ret = (struct truth){
			.project = strdup(file->facts.records[0].project),
			.key = strdup(file->facts.records[0].key),
			.size = file->size,
			.mtime_ns = file->mtime_ns,
		};
		if (!ret->project || !ret->key)
			r = -ENOMEM;
	}
	ret->digest = file->digest;
	if (r == 0)
		r = republish_sign(&file->facts, false, ret);
	if (r == 0 && file->id)
		r = truth_set_remote(ret, site, file->id, file->revision);
	return r;
}

static void tell_complete(struct hydrate_file *file)
{
	_cleanup_(truth_done) struct truth truth = { 0 };
	struct hydrator *hydrator = file->hydrator;
	struct hydrate_result result = { .root = file->root, .rel = file->rel };
	int r = make_truth(file, &truth, &result.is_new_truth);

	if (r < 0) {
		hydrate_complete(file, r, strerror(-r));
		return;
	}
	/* borrowed by the result, freed here */
	result.truth = truth;
	result.document_id =
		file->document_id ? file->document_id : file->facts.object.document_id;
	if (hydrator->setup.completed)
		hydrator->setup.completed(hydrator->setup.context, &result);
}

/* DONE, whatever became of the bytes: open handles read them from the descriptor. False where it was invalidated. */
static bool set_done(struct hydrate_file *file)
{
	struct hydrator *hydrator = file->hydrator;
	struct hydrate_todo todo = { 0 };
	bool is_done;

	mutex_lock(&hydrator->lock);
	is_done = file->phase == HYDRATE_FINISHING;
	if (is_done) {
		file->phase = HYDRATE_DONE;
		hydrate_delist_locked(file);
		hydrate_answer_locked(hydrator, file, 0, &todo);
	}
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	return is_done;
}

static void end_unplaced(struct hydrate_file *file, int r)
{
	static const char *const taken = "something else has its name: that stays";

	if (r == -EEXIST)
		staging_drop(file->staging);
	else
		staging_commit(file->staging);
	if (!set_done(file))
		return;
	if (r == -EEXIST)
		hydrate_complete(file, r, taken);
	else if (r == -ECANCELED)
		hydrate_complete(file, r, "its record or its name changed meanwhile");
	else
		hydrate_complete(file, r, strerror(-r));
}

/* A fault of the site, a busy remote or a bad disk at the very end: again later. */
static void try_again(struct hydrate_file *file)
{
	struct hydrator *hydrator = file->hydrator;
	int64_t now_ms = clock_mono_ms();

	mutex_lock(&hydrator->lock);
	if (file->phase == HYDRATE_FINISHING) {
		file->phase = HYDRATE_READY;
		if (file->wake_ms <= now_ms && !hydrator->fault)
			file->wake_ms = now_ms + hydrator->config->timing.retry_min_ms;
	}
	mutex_unlock(&hydrator->lock);
}

void hydrate_run_finish(struct hydrate_work *work)
{
	struct hydrate_file *file = work->file;
	struct hydrator *hydrator = file->hydrator;
	int r;

	if (verify(work) < 0) {
		try_again(file);
		return;
	}
	if (!file->is_keepable) {
		set_done(file);
		return;
	}
	r = roots_are_lost(hydrator->setup.roots, NULL) ? -ESTALE : place(file);
	if (r < 0) {
		end_unplaced(file, r);
		return;
	}
	/* the engine hears of it before the next open can begin anew */
	tell_complete(file);
	set_done(file);
}
