/* Giving local copies back. */
#include "sync/release.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/engine_private.h"

/* What the jobs of one request share; it outlives them, since its maker waits. */
struct batch {
	struct mutex lock;
	struct cond ended;
	size_t n_pending GUARDED_BY(&lock);
	struct engine_release *result GUARDED_BY(&lock);
};

struct release {
	struct engine_job base;
	struct batch *batch;
	struct call call;
	int root;
	char *rel;
	struct provider_object object;
};

enum outcome {
	RELEASED = 0,
	KEPT = 1000, /* an original */
	NOT_HERE,
};

static void note(struct batch *batch, const char *rel, int r, const struct error *error,
		 int64_t bytes)
{
	struct error text = { 0 };

	mutex_lock(&batch->lock);
	batch->result->n_released += r == RELEASED;
	batch->result->n_kept += r == KEPT;
	if (r == RELEASED)
		batch->result->bytes += bytes;
	if (r != RELEASED && r != KEPT && r != NOT_HERE &&
	    batch->result->n_failed++ == 0) {
		error_set(&text, r, "%s stays: %s", rel, error_text(error, r));
		str_cut(batch->result->first_error, sizeof(batch->result->first_error),
			text.text);
	}
	batch->n_pending--;
	if (!batch->n_pending)
		cond_broadcast(&batch->ended);
	mutex_unlock(&batch->lock);
}

static void release_free(struct release *release)
{
	provider_object_done(&release->object);
	free(release->rel);
	free(release);
}

static void drop_release(struct engine_job *job)
{
	struct release *release = (struct release *)job;

	note(release->batch, release->rel, -ECANCELED, NULL, 0);
	release_free(release);
}

/* ---- is it there? ---- */

static int verify(struct release *release, const struct assessment *a)
{
	struct engine *engine = release->base.engine;
	struct provider *provider = engine->provider;
	struct provider_call *call = &release->call.provider;
	const struct truth *truth = &a->path.truth;
	const struct truth_remote *remote =
		truth_find_remote(truth, engine->config->remote_site);
	struct provider_ref ref = { .root = roots_name(engine->roots, a->root),
				    .path = a->rel,
				    .id = remote ? remote->id : NULL };
	struct digest digest;
	int r;

	if (truth->size < 0)
		return error_set(&call->error, -ENODATA,
				 "nobody has recorded what its bytes should be");
	r = provider->ops->stat(provider, &ref, call, &release->object);
	if (r == PROVIDER_GONE)
		return error_set(&call->error, r, "the remote site does not have it");
	if (r != 0)
		return r;
	digest = release->object.digest;
	if (!digest.has_sha256 && !digest.has_md5)
		r = provider->ops->digest(provider, &ref, release->object.revision, call,
					  &digest);
	if (r != 0)
		return r;
	if (release->object.size != truth->size || a->st.st_size != truth->size ||
	    !digest_equal(&digest, &truth->digest) ||
	    (remote && remote->id && strcmp(remote->id, release->object.id) != 0))
		return error_set(&call->error, PROVIDER_CHANGED,
				 "the object at the remote is another one");
	return 0;
}

/* ---- and gone ---- */

/* A read lease is given only where nobody has the file open for writing; who wants to then waits until we are done.
 * Network file systems have none: there ctime must do. */
static int hold_writers(int fd)
{
	/* who is told that somebody waits must not die of it, as of the default signal */
	if (fcntl(fd, F_SETSIG, SIGURG) == 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		return 0;
	return errno == EAGAIN ? -EBUSY : 0;
}

static int unlink_claimed(struct engine *engine, const struct assessment *a)
{
	int root_fd = roots_fd(engine->roots, a->root), r;
	_cleanup_(closep) int fd =
		beneath_open(root_fd, a->rel, O_RDONLY | O_NOFOLLOW, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	r = hold_writers(fd);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != a->st.st_dev || st.st_ino != a->st.st_ino ||
	    timespec_ns(st.st_ctim) != timespec_ns(a->st.st_ctim))
		return -EAGAIN;
	r = beneath_unlink(root_fd, a->rel, 0);
	return r < 0 ? r : beneath_sync_parent(root_fd, a->rel);
}

static int take_away(struct release *release, const struct assessment *a)
{
	struct engine *engine = release->base.engine;
	struct error *error = &release->call.provider.error;
	int r;

	if (roots_are_lost(engine->roots, error))
		return -ESTALE;
	roots_claim(engine->roots, a->root, a->rel);
	r = unlink_claimed(engine, a);
	roots_unclaim(engine->roots, a->root, a->rel);
	if (r == -EBUSY || r == -EAGAIN)
		return error_set(error, r, "somebody writes it");
	if (r < 0)
		return r;
	journal_stamp_drop(engine->journal, a->root, a->rel);
	hydrate_invalidate(engine->hydrator, a->root, a->rel);
	engine_tell(engine, a->root, a->rel, ENGINE_CHANGE_NAME);
	log_info("'%s' was given back: site '%s' has it", a->rel,
		 engine->config->remote_site);
	return RELEASED;
}

static int work(struct release *release, int64_t *ret_bytes)
{
	struct engine *engine = release->base.engine;
	struct assess_setup setup = engine_assess_setup(engine);
	struct assessment a;
	int r = assess(&setup, release->root, release->rel, 0, &a);

	if (r < 0)
		return r;
	*ret_bytes = a.st.st_size;
	if (!a.path.n_records || a.disk == DISK_NOTHING)
		r = NOT_HERE;
	else if (a.disk != DISK_COPY || a.needs_rehash)
		r = KEPT;
	else
		r = verify(release, &a);
	if (r == 0)
		r = take_away(release, &a);
	assessment_done(&a);
	return r;
}

static void handle_released(struct engine *engine, struct mail *mail)
{
	syncer_job_end(engine);
	syncer_decide(engine, mail->root, mail->rel);
}

static void run_release(struct job *job)
{
	struct release *release = (struct release *)job;
	struct engine *engine = release->base.engine;
	int64_t bytes = 0;
	int r;

	engine_call_begin(engine, &release->call);
	r = work(release, &bytes);
	engine_call_end(engine, &release->call);
	engine_post(engine, mail_new(handle_released, release->root, release->rel));
	note(release->batch, release->rel, r, &release->call.provider.error, bytes);
	release_free(release);
}

/* ---- the request ---- */

struct walk {
	struct engine *engine;
	struct batch batch;
};

static int submit(void *context, int root, const char *rel, enum file_state state,
		  int64_t size)
{
	struct walk *walk = context;
	struct release *release = calloc(1, sizeof(*release));

	if (release)
		release->rel = strdup(rel);
	if (!release || !release->rel) {
		free(release);
		return -ENOMEM;
	}
	release->batch = &walk->batch;
	release->root = root;
	release->base.job.run = run_release;
	release->base.drop = drop_release;
	mutex_lock(&walk->batch.lock);
	walk->batch.n_pending++;
	mutex_unlock(&walk->batch.lock);
	syncer_submit(walk->engine, &release->base, POOL_CHECK, DOC_PRIORITY_DEFAULT);
	return engine_is_stopping(walk->engine) ? -ECANCELED : 0;
}

int release_run(struct engine *engine, int root, const char *rel,
		struct engine_release *ret)
{
	struct walk walk = { .engine = engine };
	int r;

	mutex_init(&walk.batch.lock);
	cond_init(&walk.batch.ended);
	mutex_lock(&walk.batch.lock);
	walk.batch.result = ret;
	mutex_unlock(&walk.batch.lock);
	r = engine_each_file(engine, root, rel, false, submit, &walk);
	mutex_lock(&walk.batch.lock);
	while (walk.batch.n_pending)
		cond_wait(&walk.batch.ended, &walk.batch.lock);
	mutex_unlock(&walk.batch.lock);
	cond_done(&walk.batch.ended);
	mutex_done(&walk.batch.lock);
	return r == INDEX_NONE ? 0 : r;
}
