/*
 * Probing the remote (law 8): one that stands still is asked by single requests, one not asked yet before anything else.
 * Its roots' identities are kept in the journal: another folder, or an empty mount point, is no root.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/engine_private.h"

#define METER_MS 60000    /* a crash forgets what was sent in so long */
#define BUSY_PROBES_MAX 5 /* then it is a fault */

static const struct config_site *remote_of(const struct engine *engine)
{
	return config_find_site(engine->config, engine->config->remote_site);
}

static char *fact_of(const struct engine *engine, const char *root)
{
	return strf("remote:%s:%s", engine->config->remote_site, root);
}

static void load_meter(struct engine *engine)
{
	_cleanup_(freep) char *fact = strf("meter:%s", engine->config->remote_site);
	struct provider *provider = engine->provider;

	if (!provider || !provider->ops->set_meter || !fact ||
	    journal_get(engine->journal, fact, &engine->meter) != 0)
		return;
	provider->ops->set_meter(provider, engine->meter);
}

void probe_expect(struct engine *engine)
{
	const struct config_site *site = remote_of(engine);
	struct provider *provider = engine->provider;

	load_meter(engine);
	if (!site || !provider || !provider->ops->expect || engine->setup.can_adopt)
		return;
	for (size_t i = 0; i < site->n_roots; i++) {
		_cleanup_(freep) char *fact = fact_of(engine, site->roots[i].name);
		_cleanup_(freep) char *identity = NULL;

		if (fact && journal_get(engine->journal, fact, &identity) == 0)
			provider->ops->expect(provider, site->roots[i].name, identity);
	}
}

void probe_keep_meter(struct engine *engine, bool now)
{
	_cleanup_(freep) char *fact = NULL;
	_cleanup_(freep) char *meter = NULL;
	struct provider *provider = engine->provider;

	if (!provider || !provider->ops->meter ||
	    (!now && clock_mono_ms() < engine->next_meter_ms))
		return;
	engine->next_meter_ms = clock_mono_ms() + METER_MS;
	meter = provider->ops->meter(provider);
	fact = strf("meter:%s", engine->config->remote_site);
	if (!meter || !fact || (engine->meter && strcmp(meter, engine->meter) == 0) ||
	    (!engine->meter && !meter[0]))
		return;
	if (journal_set(engine->journal, fact, meter) < 0)
		return;
	free(engine->meter);
	engine->meter = steal(meter);
}

static void remember_roots(struct engine *engine)
{
	const struct config_site *site = remote_of(engine);
	struct provider *provider = engine->provider;

	if (!site || !provider->ops->identity)
		return;
	for (size_t i = 0; i < site->n_roots; i++) {
		_cleanup_(freep) char *fact = fact_of(engine, site->roots[i].name);
		_cleanup_(freep) char *identity = NULL;
		_cleanup_(freep) char *known = NULL;

		if (!fact || provider->ops->identity(provider, site->roots[i].name,
						     &identity) != 0)
			continue;
		if (journal_get(engine->journal, fact, &known) != 0 ||
		    strcmp(known, identity) != 0)
			journal_set(engine->journal, fact, identity);
	}
}

/* Trouble of the moment says nothing about the site: it is asked again, and stays what it was taken for. */
static bool is_to_be_asked_again(struct engine *engine, const struct mail *mail)
{
	int64_t wait_ms = act_backoff_ms(engine->config, ++engine->n_busy_probes);

	if (mail->result != PROVIDER_BUSY || engine->n_busy_probes >= BUSY_PROBES_MAX) {
		engine->n_busy_probes = 0;
		return false;
	}
	if (wait_ms < mail->again_ms)
		wait_ms = mail->again_ms;
	mutex_lock(&engine->lock);
	engine->remote.next_probe_ms = clock_mono_ms() + wait_ms;
	mutex_unlock(&engine->lock);
	return true;
}

static void handle_probed(struct engine *engine, struct mail *mail)
{
	engine->is_probing = false;
	syncer_job_end(engine);
	if (mail->result == -ECANCELED || is_to_be_asked_again(engine, mail))
		return;
	engine->has_probed = true;
	if (mail->result == 0)
		remember_roots(engine);
	engine_set_remote_fault(engine, mail->result, mail->text);
	if (mail->result == 0)
		plans_wake_all(&engine->plans);
}

struct probe_job {
	struct engine_job base;
	struct call call;
};

static void drop_probe(struct engine_job *job)
{
	free(job);
}

static void run_probe(struct job *job)
{
	struct probe_job *probe = (struct probe_job *)job;
	struct engine *engine = probe->base.engine;
	struct provider *provider = engine->provider;
	struct mail *mail = mail_new(handle_probed, 0, NULL);

	if (mail) {
		engine_call_begin(engine, &probe->call);
		mail->result = provider->ops->probe(
			provider, engine->setup.can_create_root, &probe->call.provider);
		engine_call_end(engine, &probe->call);
		mail->again_ms = probe->call.provider.retry_after_ms;
		mail->text =
			strdup(error_text(&probe->call.provider.error, mail->result));
	}
	free(probe);
	engine_post(engine, mail);
}

void probe_due(struct engine *engine)
{
	struct probe_job *probe;
	struct fault fault;
	bool is_wanted = engine_has_fault(engine, &fault) || !engine->has_probed;

	if (!engine->provider || engine->is_probing || !is_wanted ||
	    clock_mono_ms() < fault.next_probe_ms)
		return;
	probe = calloc(1, sizeof(*probe));
	if (!probe)
		return;
	probe->base.job.run = run_probe;
	probe->base.drop = drop_probe;
	engine->is_probing = true;
	syncer_submit(engine, &probe->base, POOL_CHECK, DOC_PRIORITY_DEFAULT);
}
