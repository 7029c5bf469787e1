/*
 * Settling what was stored: whether a name is ours alone is asked for some hundred at a time, or when nothing else is
 * under way. Only then is it recorded.
 */
#include <stdlib.h>

#include "sync/base/clock.h"
#include "sync/upload_private.h"

#define SETTLE_MAX 100 /* at once: then it is done */
#define SETTLE_MS 5000 /* and no success waits longer for its record */

static struct upload *take_unsettled_locked(struct engine *engine) REQUIRES(&engine->lock)
{
	struct upload *first = engine->unsettled;

	engine->unsettled = NULL;
	engine->n_unsettled = 0;
	return first;
}

/* Takes the list. */
static void settle(struct engine *engine, struct upload *first, size_t n)
{
	_cleanup_(freep) struct provider_settle *stores = calloc(n, sizeof(*stores));
	struct provider *provider = engine->provider;
	struct call call = { 0 };
	size_t i = 0;
	int r = stores ? 0 : -ENOMEM;

	for (struct upload *upload = first; r == 0 && upload; upload = upload->next)
		stores[i++] = (struct provider_settle){ .ref = upload_ref(upload),
							.object = &upload->object };
	engine_call_begin(engine, &call);
	if (r == 0)
		r = provider->ops->settle(provider, stores, n, &call.provider);
	engine_call_end(engine, &call);
	i = 0;
	while (first) {
		struct upload *upload = first;
		const struct error *error = r ? &call.provider.error : &stores[i].error;

		first = upload->next;
		upload->mail->result = r ? r : stores[i].result;
		upload->digest = upload->object.digest;
		upload->call.provider.retry_after_ms = call.provider.retry_after_ms;
		upload_end(upload, upload->mail, error);
		i++;
	}
}

void upload_settle_later(struct upload *upload)
{
	struct engine *engine = upload->base.engine;
	struct upload *batch = NULL;
	bool is_last;

	mutex_lock(&engine->lock);
	if (!engine->unsettled)
		engine->unsettled_ms = clock_mono_ms();
	upload->next = engine->unsettled;
	engine->unsettled = upload;
	engine->n_unsettled++;
	if (engine->n_unsettled == SETTLE_MAX)
		batch = take_unsettled_locked(engine);
	is_last = engine->n_unsettled >= (size_t)engine->n_jobs;
	mutex_unlock(&engine->lock);
	if (batch)
		settle(engine, batch, SETTLE_MAX);
	else if (is_last)
		engine_wake(engine);
}

struct settle_job {
	struct engine_job base;
	struct upload *first;
	size_t n;
};

static void drop_settle(struct engine_job *base)
{
	struct settle_job *job = (struct settle_job *)base;

	while (job->first) {
		struct upload *upload = job->first;

		job->first = upload->next;
		upload_free(upload);
	}
	free(job);
}

static void handle_settled(struct engine *engine, struct mail *mail)
{
	syncer_job_end(engine);
}

static void run_settle(struct job *base)
{
	_cleanup_(freep) struct settle_job *job = (struct settle_job *)base;
	struct engine *engine = job->base.engine;

	settle(engine, job->first, job->n);
	engine_post(engine, mail_new(handle_settled, 0, NULL));
}

int64_t upload_settle_due(struct engine *engine)
{
	struct settle_job *job;
	int64_t wait_ms = INT64_MAX;
	size_t n;

	mutex_lock(&engine->lock);
	n = engine->n_unsettled;
	if (n)
		wait_ms = engine->unsettled_ms + SETTLE_MS - clock_mono_ms();
	if (n && n >= (size_t)engine->n_jobs)
		wait_ms = 0;
	mutex_unlock(&engine->lock);
	if (wait_ms > 0)
		return wait_ms;
	job = calloc(1, sizeof(*job));
	if (!job)
		return SETTLE_MS;
	mutex_lock(&engine->lock);
	job->n = engine->n_unsettled;
	job->first = take_unsettled_locked(engine);
	mutex_unlock(&engine->lock);
	if (!job->n) {
		free(job);
		return INT64_MAX;
	}
	job->base.job.run = run_settle;
	job->base.drop = drop_settle;
	syncer_submit(engine, &job->base, POOL_CHECK, DOC_PRIORITY_DEFAULT);
	return INT64_MAX;
}

void upload_drop_unsettled(struct engine *engine)
{
	struct upload *first;

	mutex_lock(&engine->lock);
	first = take_unsettled_locked(engine);
	mutex_unlock(&engine->lock);
	while (first) {
		struct upload *upload = first;

		first = upload->next;
		upload_free(upload);
	}
}
