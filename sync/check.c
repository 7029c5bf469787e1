/* Small questions on worker threads: is the object at the remote what the truth says, is the disk file? */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/engine_private.h"
#include "sync/republish.h"

struct check {
	struct engine_job base;
	struct call call;
	int root;
	char *rel, *project, *key;
	struct truth truth; /* size -1: none */
	struct truth
		signature; /* the files of which a record is that is put: as they were before the remote was asked */
	struct stat st; /* of the disk file that is meant */
	bool is_accept;
	struct provider_object object;
	struct digest digest;
};

static void check_free(struct check *check)
{
	if (!check)
		return;
	truth_done(&check->truth);
	truth_done(&check->signature);
	provider_object_done(&check->object);
	free(check->rel);
	free(check->project);
	free(check->key);
	free(check);
}
DEFINE_CLEANUP(struct check *, check_free);

static void drop_check(struct engine_job *job)
{
	check_free((struct check *)job);
}

static int start(struct engine *engine, const struct assessment *assessment,
		 bool is_accept, void (*run)(struct job *job))
{
	_cleanup_(check_freep) struct check *check = calloc(1, sizeof(*check));
	const struct index_path *path = &assessment->path;
	int r;

	if (!check)
		return -ENOMEM;
	check->truth.size = -1;
	check->root = assessment->root;
	check->st = assessment->st;
	check->is_accept = is_accept;
	check->rel = strdup(assessment->rel);
	if (!check->rel)
		return -ENOMEM;
	if (path->n_records) {
		check->project = strdup(path->records[0].project);
		check->key = strdup(path->records[0].key);
		if (!check->project || !check->key)
			return -ENOMEM;
	}
	r = republish_sign(path, is_accept, &check->signature);
	if (r == 0 && path->truth.size >= 0)
		r = truth_copy(&path->truth, &check->truth);
	if (r < 0)
		return r;
	check->base.job.run = run;
	check->base.drop = drop_check;
	syncer_submit(engine, &steal(check)->base, POOL_CHECK, DOC_PRIORITY_DEFAULT);
	return 0;
}

static struct provider_ref ref_of(const struct check *check)
{
	const struct engine *engine = check->base.engine;
	const struct truth_remote *remote =
		truth_find_remote(&check->truth, engine->config->remote_site);

	return (struct provider_ref){
		.root = roots_name(engine->roots, check->root),
		.path = check->rel,
		.id = remote ? remote->id : NULL,
	};
}

static int digest_object(struct check *check)
{
	struct provider *provider = check->base.engine->provider;
	struct provider_ref ref = ref_of(check);

	check->digest = check->object.digest;
	if (check->digest.has_sha256 || check->digest.has_md5)
		return 0;
	return provider->ops->digest(provider, &ref, check->object.revision,
				     &check->call.provider, &check->digest);
}

/* ---- the object ---- */

/* A newer publish may have taken the path, and its document may tell that this is not its object. */
static int judge_without_truth(struct check *check, enum index_object_state *ret)
{
	const struct engine *engine = check->base.engine;
	struct index_path path = { 0 };
	int r = index_find_path(engine->index, check->root, check->rel, &path);

	if (r == 0 &&
	    republish_refusal(&path, engine->config->remote_site, &check->object))
		*ret = OBJECT_DIFFERENT;
	index_path_done(&path);
	return r < 0 ? r : 0;
}

static int judge_object(struct check *check, enum index_object_state *ret)
{
	const struct engine *engine = check->base.engine;
	const struct truth_remote *remote =
		truth_find_remote(&check->truth, engine->config->remote_site);
	int r = 0;

	*ret = OBJECT_PRESENT;
	if (check->truth.size < 0)
		return judge_without_truth(check, ret);
	if (remote && remote->revision &&
	    strcmp(remote->revision, check->object.revision) == 0)
		return 0;
	if (check->object.size != check->truth.size) {
		*ret = OBJECT_DIFFERENT;
		return 0;
	}
	r = digest_object(check);
	if (r == 0 && !digest_equal(&check->digest, &check->truth.digest))
		*ret = OBJECT_DIFFERENT;
	return r;
}

/* What is there now becomes the truth (retry --accept), or the truth learns this remote's revision. */
static int put_truth(struct check *check, bool replace)
{
	struct engine *engine = check->base.engine;
	struct outbox_rows rows = { 0 };
	struct truth truth = { .size = check->object.size,
			       .mtime_ns = check->object.mtime_ns };
	int r;

	truth.project = strdup(check->project);
	truth.key = strdup(check->key);
	truth.digest = check->digest;
	r = truth.project && truth.key ? 0 : -ENOMEM;
	if (r == 0)
		r = truth_copy_files(&check->signature, &truth);
	if (r == 0)
		r = truth_set_remote(&truth, engine->config->remote_site,
				     check->object.id, check->object.revision);
	if (r == 0)
		r = outbox_rows_add_truth(&rows, &truth, replace);
	if (r == 0)
		r = outbox_commit(engine, &rows);
	outbox_rows_done(&rows);
	truth_done(&truth);
	return r;
}

/* What is wrong with it, by whom and since when, as far as anybody knows or knew. */
static int trace_object(struct check *check, struct index_object *object,
			struct provider_trace *trace)
{
	const struct engine *engine = check->base.engine;
	struct provider *provider = engine->provider;
	struct provider_ref ref = ref_of(check);
	const struct truth_remote *remote =
		truth_find_remote(&check->truth, engine->config->remote_site);
	int r;

	if (!provider->ops->trace)
		return 0;
	r = provider->ops->trace(provider, &ref, remote ? remote->revision : NULL,
				 &check->call.provider, trace);
	if (r != 0)
		return r;
	object->fate = trace->fate;
	object->who = trace->by;
	object->at_ms = trace->when_ms;
	return 0;
}

static int tell_object(struct check *check, struct index_object *object,
		       struct mail *mail)
{
	_cleanup_(provider_trace_done) struct provider_trace trace = { 0 };
	struct index_path known = { 0 };
	int r = 0;

	if (object->state == OBJECT_MISSING || object->state == OBJECT_DIFFERENT)
		r = trace_object(check, object, &trace);
	/* the feed told once when it was removed: nobody tells again */
	if (r == 0 && object->fate && !object->at_ms &&
	    index_find_path(check->base.engine->index, check->root, check->rel, &known) ==
		    0 &&
	    known.object.fate == object->fate) {
		object->at_ms = known.object.at_ms;
		if (!object->who)
			object->who = known.object.who;
	}
	if (r == 0)
		r = index_object_copy(object, &mail->object);
	index_path_done(&known);
	return r;
}

static int ask_object(struct check *check, struct mail *mail)
{
	struct engine *engine = check->base.engine;
	struct provider *provider = engine->provider;
	struct provider_ref ref = ref_of(check);
	struct index_object object = { .size = -1, .mtime_ns = -1 };
	int r = provider->ops->stat(provider, &ref, &check->call.provider,
				    &check->object);

	object.seen_ms = clock_wall_ms();
	if (r == PROVIDER_GONE) {
		object.state = OBJECT_MISSING;
		return tell_object(check, &object, mail);
	}
	if (r == 0 && check->is_accept) {
		r = digest_object(check);
		if (r == 0)
			r = put_truth(check, true);
		object.state = OBJECT_PRESENT;
	} else if (r == 0) {
		r = judge_object(check, &object.state);
	}
	if (r != 0)
		return r;
	object.id = check->object.id;
	object.revision = check->object.revision;
	object.document_id = check->object.document_id;
	object.size = check->object.size;
	object.mtime_ns = check->object.mtime_ns;
	return tell_object(check, &object, mail);
}

/* A question that could not be answered is asked again; one about the site stops the site. */
static void not_answered(struct engine *engine, struct plan *plan,
			 const struct mail *mail)
{
	if (provider_is_site_fault(mail->result))
		engine_set_remote_fault(engine, mail->result, mail->text);
	if (!plan)
		return;
	plan->n_faults++;
	plan_set_due(&engine->plans, plan,
		     clock_mono_ms() + act_backoff_ms(engine->config, plan->n_faults));
}

static struct plan *answered(struct engine *engine, const struct mail *mail)
{
	struct plan *plan = plans_find(&engine->plans, mail->root, mail->rel);

	syncer_job_end(engine);
	if (plan)
		plan_set_phase(&engine->plans, plan, PLAN_IDLE);
	return plan;
}

static void handle_object(struct engine *engine, struct mail *mail)
{
	struct plan *plan = answered(engine, mail);
	int r;

	if (mail->result != 0) {
		not_answered(engine, plan, mail);
		return;
	}
	/* first the truth record: else who fetches at once compares with the one of before */
	if (mail->flag && engine->store)
		outbox_replay(engine);
	r = index_begin(engine->index);
	if (r == 0)
		r = index_put_object(engine->index, mail->root, mail->rel, &mail->object,
				     syncer_touched, engine);
	if (r == 0)
		r = index_commit(engine->index);
	else
		index_rollback(engine->index);
	if (r < 0)
		log_error("cannot note the object of '%s': %s", mail->rel,
			  error_text(NULL, r));
	syncer_decide(engine, mail->root, mail->rel);
}

static void run_object(struct job *job)
{
	_cleanup_(check_freep) struct check *check = (struct check *)job;
	struct engine *engine = check->base.engine;
	struct mail *mail = mail_new(handle_object, check->root, check->rel);

	engine_call_begin(engine, &check->call);
	if (mail) {
		mail->result = ask_object(check, mail);
		mail->flag = check->is_accept;
		mail->text =
			strdup(error_text(&check->call.provider.error, mail->result));
	}
	engine_call_end(engine, &check->call);
	engine_post(engine, mail);
}

int check_object_start(struct engine *engine, const struct assessment *assessment,
		       bool accept)
{
	return start(engine, assessment, accept, run_object);
}

int check_note_object(const struct provider_object *object, struct index_object *ret)
{
	const struct index_object now = {
		.state = OBJECT_PRESENT,
		.id = object->id,
		.revision = object->revision,
		.document_id = object->document_id,
		.size = object->size,
		.mtime_ns = object->mtime_ns,
		.seen_ms = clock_wall_ms(),
	};

	return index_object_copy(&now, ret);
}

void check_forget_trouble(struct engine *engine, const struct mail *mail)
{
	struct index_path path = { 0 };
	int r;

	if (index_find_path(engine->index, mail->root, mail->rel, &path) != 0)
		return;
	if (path.object.state == OBJECT_MISSING ||
	    path.object.state == OBJECT_DIFFERENT) {
		r = index_begin(engine->index);
		if (r == 0)
			r = index_put_object(engine->index, mail->root, mail->rel,
					     &mail->object, syncer_touched, engine);
		if (r >= 0)
			index_commit(engine->index);
		else
			index_rollback(engine->index);
	}
	index_path_done(&path);
}

/* ---- the disk file ---- */

/* Where no truth record is, the remote's own digest is the best there is, and becomes one. */
static int learn_truth(struct check *check)
{
	struct engine *engine = check->base.engine;
	struct provider_ref ref = ref_of(check);
	struct digest ours = check->digest;
	int r = engine->provider ? engine->provider->ops->stat(engine->provider, &ref,
							       &check->call.provider,
							       &check->object)
				 : PROVIDER_GONE;

	if (r != 0 || check->object.size != check->st.st_size)
		return r == PROVIDER_GONE ? 0 : r;
	r = digest_object(check);
	if (r == 0 && digest_equal(&check->digest, &ours)) {
		check->digest = ours;
		r = put_truth(check, false);
	}
	check->digest = ours;
	return r;
}

static int hash_disk(struct check *check, struct mail *mail)
{
	struct engine *engine = check->base.engine;
	_cleanup_(closep) int fd = beneath_open(roots_fd(engine->roots, check->root),
						check->rel, O_RDONLY | O_NOFOLLOW, 0);
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &mail->st) < 0)
		return -errno;
	r = digest_fd(fd, 0, -1, &check->call.provider.cancel, &check->digest, NULL);
	if (r == 0 && check->truth.size < 0 && check->key && !engine_is_passive(engine))
		r = learn_truth(check);
	mail->digest = check->digest;
	return r;
}

void check_stamp(struct engine *engine, const struct assessment *assessment,
		 enum stamp_kind kind, const struct digest *digest)
{
	const struct truth_remote *remote =
		truth_find_remote(&assessment->path.truth, engine->config->remote_site);
	struct stamp stamp = { .kind = kind, .digest = *digest };
	int r = assess_stamp_files(&assessment->path, &stamp);

	stamp_take_stat(&stamp, &assessment->st);
	if (remote && remote->id)
		stamp.remote_id = strdup(remote->id);
	if (remote && remote->revision)
		stamp.revision = strdup(remote->revision);
	if (r == 0)
		r = journal_stamp_put(engine->journal, assessment->root, assessment->rel,
				      &stamp);
	if (r < 0)
		log_error("cannot stamp '%s': %s", assessment->rel, error_text(NULL, r));
	stamp_done(&stamp);
}

/* What the digest says about the file: still what its stamp says, or what the truth says, or foreign. */
static void judge_disk(struct engine *engine, const struct assessment *now,
		       const struct digest *digest)
{
	const struct truth *truth = &now->path.truth;
	enum stamp_kind kind = STAMP_FOREIGN;

	if (now->has_stamp && stamp_compare(&now->stamp, &now->st) != STAMP_OTHER &&
	    digest_equal(&now->stamp.digest, digest))
		kind = now->stamp.kind;
	else if (truth->size == now->st.st_size && digest_equal(&truth->digest, digest))
		kind = STAMP_UPLOADED;
	check_stamp(engine, now, kind, digest);
}

static void handle_disk(struct engine *engine, struct mail *mail)
{
	struct assess_setup setup = engine_assess_setup(engine);
	struct plan *plan = answered(engine, mail);
	struct assessment now;

	if (mail->result != 0) {
		not_answered(engine, plan, mail);
		return;
	}
	if (assess(&setup, mail->root, mail->rel, 0, &now) == 0) {
		/* the file that was read, and not another since */
		if (now.disk != DISK_NOTHING && now.st.st_ino == mail->st.st_ino &&
		    timespec_ns(now.st.st_ctim) == timespec_ns(mail->st.st_ctim))
			judge_disk(engine, &now, &mail->digest);
		assessment_done(&now);
	}
	syncer_decide(engine, mail->root, mail->rel);
}

static void run_disk(struct job *job)
{
	_cleanup_(check_freep) struct check *check = (struct check *)job;
	struct engine *engine = check->base.engine;
	struct mail *mail = mail_new(handle_disk, check->root, check->rel);

	engine_call_begin(engine, &check->call);
	if (mail) {
		mail->result = hash_disk(check, mail);
		mail->text =
			strdup(error_text(&check->call.provider.error, mail->result));
	}
	engine_call_end(engine, &check->call);
	engine_post(engine, mail);
}

int check_disk_start(struct engine *engine, const struct assessment *assessment)
{
	return start(engine, assessment, false, run_disk);
}
