/* What others do at the remote: the questions, on worker threads. */
#include "sync/news_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/republish.h"

void news_errand_free(void *data)
{
	struct errand *errand = data;

	for (size_t i = 0; i < errand->n_suspects; i++) {
		free(errand->suspects[i].rel);
		free(errand->suspects[i].by);
	}
	for (size_t i = 0; i < errand->n_changes; i++) {
		free(errand->changes[i].id);
		free(errand->changes[i].path);
		provider_object_done(&errand->changes[i].object);
		provider_trace_done(&errand->changes[i].trace);
	}
	for (size_t i = 0; i < errand->n_found; i++) {
		free(errand->found[i].rel);
		free(errand->found[i].project);
		free(errand->found[i].key);
		index_object_done(&errand->found[i].object);
		truth_done(&errand->found[i].signature);
	}
	free(errand->suspects);
	free(errand->changes);
	free(errand->found);
	free(errand->token);
	free(errand->next_token);
	free(errand->folder);
	free(errand);
}

char *news_copy(const char *text, int *r)
{
	char *result = text ? strdup(text) : NULL;

	if (text && !result)
		*r = -ENOMEM;
	return result;
}

/* Ours that goes by the remote's name. */
static int root_of(const struct engine *engine, const char *name)
{
	const struct config_site *active =
		config_find_site(engine->config, engine->config->active_site);

	return active ? config_site_root(active, name) : -1;
}

static int take_change(void *context, const struct provider_change *news)
{
	struct errand *errand = context;
	struct change change = { .root = -1, .is_folder = news->is_folder };
	int r = 0;

	if (errand->n_changes == errand->cap_changes) {
		size_t cap = errand->cap_changes ? 2 * errand->cap_changes : 64;
		struct change *grown = reallocarray(errand->changes, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		errand->changes = grown;
		errand->cap_changes = cap;
	}
	if (news->root)
		change.root = root_of(errand->engine, news->root);
	change.id = news_copy(news->id, &r);
	change.path = news_copy(change.root < 0 ? NULL : news->path, &r);
	change.trace.fate = news->trace.fate;
	change.trace.when_ms = news->trace.when_ms;
	change.trace.by = news_copy(news->trace.by, &r);
	if (news->object) {
		change.has_object = true;
		change.object = *news->object;
		change.object.id = news_copy(news->object->id, &r);
		change.object.revision = news_copy(news->object->revision, &r);
		change.object.document_id = news_copy(news->object->document_id, &r);
	}
	errand->changes[errand->n_changes++] = change;
	return r;
}

int news_take_finding(void *context, const struct survey_finding *finding)
{
	struct errand *errand = context;
	struct found *found;
	int r = 0;

	if (!finding->is_news && !finding->is_learnt && !finding->n_twins)
		return 0;
	if (errand->n_found == errand->cap_found) {
		size_t cap = errand->cap_found ? 2 * errand->cap_found : 64;
		struct found *grown = reallocarray(errand->found, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		errand->found = grown;
		errand->cap_found = cap;
	}
	found = &errand->found[errand->n_found++];
	*found = (struct found){ .root = finding->root,
				 .is_learnt = finding->is_learnt,
				 .is_news = finding->is_news || finding->is_learnt,
				 .has_twins = finding->n_twins > 0 };
	found->rel = news_copy(finding->rel, &r);
	/* what no document names may have twins all the same */
	if (finding->path) {
		found->project = news_copy(finding->path->records[0].project, &r);
		found->key = news_copy(finding->path->records[0].key, &r);
	}
	if (r == 0 && finding->is_learnt)
		r = republish_sign(finding->path, false, &found->signature);
	return r < 0 ? r : index_object_copy(&finding->object, &found->object);
}

/* The feed may tell what nobody else does: when something was removed. */
static int take_suspect(void *context, const struct survey_finding *finding)
{
	struct errand *errand = context;
	struct survey_finding better = *finding;
	const struct suspect *suspect = NULL;

	for (size_t i = 0; i < errand->n_suspects; i++)
		if (errand->suspects[i].root == finding->root &&
		    strcmp(errand->suspects[i].rel, finding->rel) == 0)
			suspect = &errand->suspects[i];
	if (suspect && better.object.fate && !better.object.at_ms) {
		better.object.at_ms = suspect->when_ms;
		if (!better.object.who)
			better.object.who = suspect->by;
		better.is_news = true;
	}
	return news_take_finding(errand, &better);
}

static int run_errand(struct errand *errand)
{
	struct engine *engine = errand->engine;
	struct provider *provider = engine->provider;
	struct survey survey = {
		.engine = engine,
		.call = errand->call,
		.wants_others = errand->folder,
		.fn = errand->folder ? news_take_finding : take_suspect,
		.context = errand,
	};
	int r = 0;

	if (errand->is_ask)
		return provider->ops->changes(provider, errand->token, take_change,
					      errand, errand->call, &errand->next_token);
	if (errand->folder)
		return survey_folder(&survey, errand->root, errand->folder);
	for (size_t i = 0; r == 0 && i < errand->n_suspects; i++)
		r = survey_path(&survey, errand->suspects[i].root,
				errand->suspects[i].rel);
	return r;
}

struct news_job {
	struct engine_job base;
	struct call call;
	struct mail *mail;
};

static void drop_job(struct engine_job *base)
{
	struct news_job *job = (struct news_job *)base;

	mail_free(job->mail);
	free(job);
}

static void run_job(struct job *base)
{
	struct news_job *job = (struct news_job *)base;
	struct engine *engine = job->base.engine;
	struct mail *mail = job->mail;
	struct errand *errand = mail->data;

	engine_call_begin(engine, &job->call);
	errand->call = &job->call.provider;
	mail->result = run_errand(errand);
	mail->text = strdup(error_text(&job->call.provider.error, mail->result));
	mail->again_ms = job->call.provider.retry_after_ms;
	engine_call_end(engine, &job->call);
	free(job);
	engine_post(engine, mail);
}

void news_start(struct engine *engine, struct errand *errand)
{
	struct news_job *job = calloc(1, sizeof(*job));
	struct mail *mail = mail_new(news_handle, 0, NULL);

	if (!job || !mail) {
		news_errand_free(errand);
		mail_free(mail);
		free(job);
		engine->news.not_before_ms = clock_mono_ms() + 1000;
		return;
	}
	errand->engine = engine;
	mail->data = errand;
	mail->free_data = news_errand_free;
	job->mail = mail;
	job->base.job.run = run_job;
	job->base.drop = drop_job;
	job->base.engine = engine;
	engine->news.is_busy = true;
	pool_submit(engine->workers, &job->base.job, POOL_CHECK, DOC_PRIORITY_DEFAULT);
}
