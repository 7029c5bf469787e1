/*
 * An upload has ended: what follows, on the sync thread. Trouble of the moment is no try; a fault of the site stops its
 * queue; else the try is counted and the reason told.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/engine_private.h"
#include "sync/progress.h"

static void count_try(struct engine *engine, struct plan *plan, const char *text)
{
	struct outbox_rows rows = { 0 };
	struct index_path path = { 0 };

	if (index_find_path(engine->index, plan->root, plan->rel, &path) == 0) {
		for (size_t i = 0; i < path.n_records; i++) {
			const struct index_record *record = &path.records[i];
			struct record *row;

			if (record->ours.presence != DOC_PRESENT ||
			    record->remote.presence != DOC_WANTED)
				continue;
			row = outbox_rows_add(&rows, RECORD_FAILED, record,
					      engine->config->remote_site,
					      &record->remote);
			if (!row)
				continue;
			row->tries = record->remote.tries + 1;
			row->error = strdup(text);
			row->failed_ms = clock_wall_ms();
		}
		index_path_done(&path);
	}
	outbox_commit(engine, &rows);
	outbox_rows_done(&rows);
}

static void failed(struct engine *engine, struct plan *plan, const struct mail *mail)
{
	const char *text = mail->text ? mail->text : "unknown error";
	int64_t again_ms;

	/* a quota says when it opens: that is no failure */
	if (mail->result != PROVIDER_BUSY || mail->again_ms <= 0)
		plan->n_faults++;
	again_ms = act_backoff_ms(engine->config, plan->n_faults);
	if (again_ms < mail->again_ms)
		again_ms = mail->again_ms;
	plan_set_due(&engine->plans, plan, clock_mono_ms() + again_ms);
	if (mail->result == PROVIDER_BUSY || mail->result == PROVIDER_SOURCE_CHANGED ||
	    mail->result == PROVIDER_CHANGED || mail->result == -ECANCELED)
		return;
	if (provider_is_site_fault(mail->result)) {
		engine_set_upload_fault(engine, mail->result, text);
		return;
	}
	log_warning("cannot upload '%s': %s", plan->rel, text);
	plan_set_error(&engine->plans, plan, text, true);
	events_emit(&engine->events, (struct engine_event){ .root = plan->root,
							    .rel = plan->rel,
							    .what = "failed",
							    .state = FILE_FAILED,
							    .text = text });
	plan_set_patient(&engine->plans, plan, true);
	if (mail->result == PROVIDER_EXISTS) {
		plan_set_due(&engine->plans, plan, INT64_MAX);
		return;
	}
	count_try(engine, plan, text);
}

void uploaded_handle(struct engine *engine, struct mail *mail)
{
	struct plan *plan = plans_find(&engine->plans, mail->root, mail->rel);

	syncer_job_end(engine);
	upload_sent(engine, mail->root, mail->rel);
	/* a void job has left the plan alone */
	if (!plan || mail->flag)
		return;
	plan_set_phase(&engine->plans, plan, PLAN_IDLE);
	plan->is_forced = false;
	if (mail->result == 0)
		lease_linger(engine, plan);
	else
		lease_release(engine, plan);
	if (plan->is_held && mail->result == -ECANCELED) {
		plan->is_held = false;
		progress_clear(engine, mail->root, mail->rel);
		syncer_decide(engine, mail->root, mail->rel);
		return;
	}
	plan->is_held = false;
	if (mail->result != 0) {
		failed(engine, plan, mail);
		return;
	}
	plan_set_error(&engine->plans, plan, NULL, false);
	plan->n_faults = 0;
	check_forget_trouble(engine, mail);
	events_emit(&engine->events, (struct engine_event){ .root = mail->root,
							    .rel = mail->rel,
							    .what = "recorded",
							    .state = FILE_LOCAL,
							    .progress = 1 });
	syncer_decide(engine, mail->root, mail->rel);
}
