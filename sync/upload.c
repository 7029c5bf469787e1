/*
 * One upload of one physical file, on a worker thread:
 *
 *   open ─► what is there? ─► the same bytes: nothing is sent ─┐
 *             │ nothing, or may be replaced                    ▼
 *             └─► provider->store (resumes, verifies) ─► settled ─► outbox (truth, records) ─► stamp ─► mail
 *
 * The source is compared with what was decided on before the last chunk and again at the end.
 */
#include "sync/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/progress.h"
#include "sync/republish.h"
#include "sync/upload_private.h"

#define LOOKED_MS 300000

void upload_free(struct upload *upload)
{
	if (!upload)
		return;
	if (upload->fd >= 0)
		close(upload->fd);
	provider_object_done(&upload->object);
	free(upload->rel);
	free(upload->key);
	free(upload->project);
	free(upload->known_id);
	mail_free(upload->mail);
	free(upload->ids);
	free(upload);
}
static void drop_upload(struct engine_job *job)
{
	upload_free((struct upload *)job);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       timespec_ns(a->st_mtim) == timespec_ns(b->st_mtim) &&
	       timespec_ns(a->st_ctim) == timespec_ns(b->st_ctim);
}

/* The name still stands for the file that is open, and that has not changed. */
static bool is_source_same(void *context)
{
	struct upload *upload = context;
	struct engine *engine = upload->base.engine;
	struct stat st;

	return fstat(upload->fd, &st) == 0 && is_same_file(&st, &upload->st) &&
	       beneath_stat(roots_fd(engine->roots, upload->root), upload->rel, &st) ==
		       0 &&
	       st.st_dev == upload->st.st_dev && st.st_ino == upload->st.st_ino;
}

static ssize_t read_source(void *context, void *data, size_t len, uint64_t offset)
{
	struct upload *upload = context;

	return fd_pread_all(upload->fd, data, len, (off_t)offset);
}

static void note_progress(void *context, uint64_t bytes)
{
	struct upload *upload = context;
	struct engine *engine = upload->base.engine;

	plan_set_bytes(&engine->plans, upload->root, upload->rel, (int64_t)bytes);
	events_emit(
		&engine->events,
		(struct engine_event){
			.root = upload->root,
			.rel = upload->rel,
			.what = "progress",
			.state = FILE_UPLOADING,
			.progress = upload->st.st_size
					    ? (double)bytes / (double)upload->st.st_size
					    : 1,
		});
}

static int save_resume(void *context, const char *token, uint64_t bytes)
{
	struct upload *upload = context;
	struct engine *engine = upload->base.engine;
	_cleanup_(freep) char *copy = strdup(token);
	struct upload_resume resume = {
		.dev = upload->st.st_dev,
		.ino = upload->st.st_ino,
		.size = upload->st.st_size,
		.mtime_ns = timespec_ns(upload->st.st_mtim),
		.token = copy,
		.bytes = (int64_t)bytes,
	};

	if (!copy)
		return -ENOMEM;
	return journal_upload_put(engine->journal, upload->root, upload->rel,
				  engine->config->remote_site, &resume);
}

/* The token of an upload of the very same source that was cut short, or NULL. */
static char *find_resume(struct upload *upload)
{
	struct engine *engine = upload->base.engine;
	struct upload_resume resume = { 0 };
	int r = journal_upload_get(engine->journal, upload->root, upload->rel,
				   engine->config->remote_site, &resume);

	if (r != 0)
		return NULL;
	if (resume.dev == upload->st.st_dev && resume.ino == upload->st.st_ino &&
	    resume.size == upload->st.st_size &&
	    resume.mtime_ns == timespec_ns(upload->st.st_mtim))
		return resume.token;
	free(resume.token);
	return NULL;
}

struct provider_ref upload_ref(const struct upload *upload)
{
	return (struct provider_ref){
		.root = roots_name(upload->base.engine->roots, upload->root),
		.path = upload->rel,
		.id = upload->known_id,
	};
}

static int send(struct upload *upload, const char *previous)
{
	_cleanup_(truth_done) struct truth twin = { 0 };
	struct engine *engine = upload->base.engine;
	char *token = find_resume(upload);
	int found = previous || token ? INDEX_NONE : upload_find_twin(upload, &twin);
	const struct truth_remote *remote =
		found == 0 ? truth_find_remote(&twin, engine->config->remote_site) : NULL;
	struct provider_resume resume = {
		.token = token,
		.save = save_resume,
		.context = upload,
	};
	struct provider_put put = {
		.ref = upload_ref(upload),
		.source = read_source,
		.source_context = upload,
		.is_source_same = is_source_same,
		.size = upload->st.st_size,
		.mtime_ns = timespec_ns(upload->st.st_mtim),
		.digest = upload->digest,
		.previous = previous,
		.resume = &resume,
		.twin_id = remote ? remote->id : NULL,
		.twin_revision = remote ? remote->revision : NULL,
		.is_settled_later = !previous && engine->provider->ops->settle,
		.ids = upload->ids,
	};
	struct provider_object stored = { 0 };
	int r = found;

	if (r != PROVIDER_BUSY)
		r = engine->provider->ops->store(engine->provider, &put,
						 &upload->call.provider, &stored);
	free(resume.token);
	if (r == 0) {
		provider_object_done(&upload->object);
		upload->object = stored;
		upload->digest = stored.digest;
		upload->is_unsettled = put.is_settled_later;
	}
	/* what cannot go on from there is not kept; a cut (BUSY, site fault, restart) can */
	if (r == 0 || r == PROVIDER_SOURCE_CHANGED || r == PROVIDER_TORN)
		journal_upload_drop(engine->journal, upload->root, upload->rel,
				    engine->config->remote_site);
	return r;
}

/* The object that is there holds our bytes already? */
static int compare(struct upload *upload, bool *ret_is_same)
{
	struct provider *provider = upload->base.engine->provider;
	struct provider_ref ref = upload_ref(upload);
	struct digest theirs = upload->object.digest;
	int r;

	*ret_is_same = false;
	if (upload->object.size != upload->st.st_size)
		return 0;
	r = digest_fd(upload->fd, 0, -1, &upload->call.provider.cancel, &upload->digest,
		      NULL);
	if (r == 0 && !theirs.has_sha256 && !theirs.has_md5)
		r = provider->ops->digest(provider, &ref, upload->object.revision,
					  &upload->call.provider, &theirs);
	if (r == 0)
		*ret_is_same = digest_equal(&theirs, &upload->digest);
	return r;
}

/* The object is still what the truth record says of this remote. */
static bool is_object_truth(struct upload *upload)
{
	struct engine *engine = upload->base.engine;
	struct index_path path = { 0 };
	const struct truth_remote *remote;
	bool is_same = false;

	if (index_find_path(engine->index, upload->root, upload->rel, &path) == 0) {
		remote = truth_find_remote(&path.truth, engine->config->remote_site);
		is_same = remote && remote->revision &&
			  strcmp(remote->revision, upload->object.revision) == 0;
		index_path_done(&path);
	}
	return is_same;
}

/* What is there; what was found lately will do where it is what we want to see: nothing, or our bytes. */
static int look(struct upload *upload)
{
	struct provider *provider = upload->base.engine->provider;
	struct provider_ref ref = upload_ref(upload);
	struct provider_call *call = &upload->call.provider;
	int r;

	call->max_age_ms = upload->order.is_forced ? 0 : LOOKED_MS;
	r = provider->ops->stat(provider, &ref, call, &upload->object);
	if (r == 0)
		r = compare(upload, &upload->was_there);
	if (r != 0 || upload->was_there || !call->max_age_ms)
		return r;
	call->max_age_ms = 0;
	provider_object_done(&upload->object);
	upload->object = (struct provider_object){ 0 };
	r = provider->ops->stat(provider, &ref, call, &upload->object);
	return r == 0 ? compare(upload, &upload->was_there) : r;
}

static int work(struct upload *upload)
{
	struct engine *engine = upload->base.engine;
	struct provider *provider = engine->provider;
	struct error *error = &upload->call.provider.error;
	const char *why = provider->ops->refusal(provider, upload->rel);
	int r;

	if (why)
		return error_set(error, PROVIDER_REFUSED,
				 "site '%s' cannot hold this name: %s",
				 engine->config->remote_site, why);
	upload->fd = beneath_open(roots_fd(engine->roots, upload->root), upload->rel,
				  O_RDONLY | O_NOFOLLOW, 0);
	if (upload->fd < 0)
		return error_set(error, upload->fd, "cannot read %s: %s", upload->rel,
				 error_text(NULL, upload->fd));
	if (fstat(upload->fd, &upload->st) < 0)
		return -errno;
	r = look(upload);
	if (r == PROVIDER_GONE)
		return send(upload, NULL);
	if (r != 0 || upload->was_there)
		return r;
	if (!upload->order.may_replace ||
	    (upload->order.must_match_truth && !is_object_truth(upload)))
		return error_set(
			error, PROVIDER_EXISTS,
			"the object at the remote differs: `sitefs retry` sends ours over "
			"it");
	return send(upload, upload->object.revision);
}

/* ---- success ---- */

static void add_records(struct upload *upload, const struct index_path *path,
			struct outbox_rows *rows)
{
	struct engine *engine = upload->base.engine;
	const char *remote = engine->config->remote_site;

	for (size_t i = 0; i < path->n_records; i++) {
		const struct index_record *record = &path->records[i];
		struct record *row;

		/* C15: every record that names the path and waits for it; and those that say another id */
		if (record->ours.presence != DOC_PRESENT ||
		    assess_presence_there(engine->config, record) == DOC_ABSENT)
			continue;
		if (record->remote.presence == DOC_PRESENT && record->remote.id &&
		    strcmp(record->remote.id, upload->object.document_id) == 0)
			continue;
		row = outbox_rows_add(rows, RECORD_DONE, record, remote, &record->remote);
		if (!row)
			continue;
		row->id = strdup(upload->object.document_id);
		row->created_ms = clock_wall_ms();
	}
}

static int add_truth(struct upload *upload, const struct index_path *path,
		     struct outbox_rows *rows)
{
	struct engine *engine = upload->base.engine;
	struct truth truth = { .size = -1 };
	int r;

	truth.project = strdup(upload->project);
	truth.key = strdup(upload->key);
	truth.size = upload->st.st_size;
	truth.mtime_ns = timespec_ns(upload->st.st_mtim);
	truth.digest = upload->digest;
	r = truth.project && truth.key ? 0 : -ENOMEM;
	if (r == 0)
		r = republish_sign(path, true, &truth);
	if (r == 0)
		r = truth_set_remote(&truth, engine->config->remote_site,
				     upload->object.id, upload->object.revision);
	if (r == 0)
		r = outbox_rows_add_truth(
			rows, &truth,
			path->truth.size >= 0 && !truth_same_bytes(&path->truth, &truth));
	truth_done(&truth);
	return r;
}

static void put_stamp(struct upload *upload, const struct index_path *path)
{
	struct engine *engine = upload->base.engine;
	struct stamp stamp = { .kind = STAMP_UPLOADED, .digest = upload->digest };
	struct stat st;

	if (fstat(upload->fd, &st) < 0 || !is_source_same(upload))
		return;
	/* what was a copy stays one: it may be evicted again */
	if (journal_has_copy(engine->journal, upload->root, upload->rel) &&
	    upload->was_there)
		stamp.kind = STAMP_COPY;
	stamp_take_stat(&stamp, &st);
	stamp.remote_id = strdup(upload->object.id);
	stamp.revision = strdup(upload->object.revision);
	if (stamp.remote_id && stamp.revision && assess_stamp_files(path, &stamp) == 0)
		journal_stamp_put(engine->journal, upload->root, upload->rel, &stamp);
	stamp_done(&stamp);
}

static int finish(struct upload *upload)
{
	struct engine *engine = upload->base.engine;
	struct outbox_rows rows = { 0 };
	struct index_path path = { .truth.size = -1 };
	int r = index_find_path(engine->index, upload->root, upload->rel, &path);

	if (r == 0)
		r = add_truth(upload, &path, &rows);
	if (r == 0) {
		add_records(upload, &path, &rows);
		r = outbox_commit(engine, &rows);
	}
	if (r == 0)
		put_stamp(upload, &path);
	index_path_done(&path);
	outbox_rows_done(&rows);
	return r;
}

/* ---- its end ---- */

void upload_end(struct upload *upload, struct mail *mail, const struct error *error)
{
	struct engine *engine = upload->base.engine;

	if (mail->result == 0)
		mail->result = finish(upload);
	if (mail->result == 0)
		mail->result = check_note_object(&upload->object, &mail->object);
	mail->again_ms = upload->call.provider.retry_after_ms;
	mail->text = strdup(error_text(error, mail->result));
	upload->mail = NULL;
	upload_free(upload);
	engine_post(engine, mail);
}

/* ---- the job ---- */

static void run_upload(struct job *job)
{
	struct upload *upload = (struct upload *)job;
	struct engine *engine = upload->base.engine;
	struct mail *mail = mail_new(uploaded_handle, upload->root, upload->rel);

	if (!mail) {
		upload_free(upload);
		engine_post(engine, NULL);
		return;
	}
	if (!plans_claim(&engine->plans, upload->root, upload->rel, upload->order.job)) {
		mail->flag = true;
		upload_free(upload);
		engine_post(engine, mail);
		return;
	}
	upload->call.root = upload->root;
	upload->call.rel = upload->rel;
	upload->call.provider.progress = note_progress;
	upload->call.provider.progress_context = upload;
	engine_call_begin(engine, &upload->call);
	mail->result = work(upload);
	engine_call_end(engine, &upload->call);
	upload->mail = mail;
	if (mail->result == 0 && upload->is_unsettled)
		upload_settle_later(upload);
	else
		upload_end(upload, mail, &upload->call.provider.error);
}

int upload_start(struct engine *engine, const struct assessment *assessment,
		 const struct upload_order *order)
{
	_cleanup_(upload_freep) struct upload *upload = calloc(1, sizeof(*upload));
	const struct index_record *record = &assessment->path.records[0];
	const struct truth_remote *remote =
		truth_find_remote(&assessment->path.truth, engine->config->remote_site);

	if (!upload)
		return -ENOMEM;
	upload->fd = -1;
	upload->order = *order;
	upload->root = assessment->root;
	upload->rel = strdup(assessment->rel);
	upload->project = strdup(record->project);
	upload->key = strdup(record->key);
	if (remote && remote->id && !(upload->known_id = strdup(remote->id)))
		return -ENOMEM;
	upload->order.ids = NULL;
	if (order->ids && !(upload->ids = strdup(order->ids)))
		return -ENOMEM;
	if (!upload->rel || !upload->project || !upload->key)
		return -ENOMEM;
	upload->base.job.run = run_upload;
	upload->base.drop = drop_upload;
	syncer_submit(engine, &steal(upload)->base, POOL_UPLOAD, order->priority);
	return 0;
}
