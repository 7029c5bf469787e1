/* The decision chain of one path in plain lines: document, entries, disk, remote, what happens next. */
#include <errno.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/engine_private.h"

static const char *const presence_words[] = {
	[DOC_ABSENT] = "no entry",
	[DOC_WANTED] = "wanted, not there",
	[DOC_PRESENT] = "there",
};

static const char *const disk_words[] = {
	[DISK_NOTHING] = "nothing",
	[DISK_COPY] = "a copy that sitefs downloaded",
	[DISK_UPLOADED] = "an original that was uploaded",
	[DISK_FOREIGN] = "an original",
	[DISK_BLOCKED] = "something else at this name (folder, symlink or special)",
};

static const char *const object_words[] = {
	[OBJECT_UNKNOWN] = "not asked yet",
	[OBJECT_PRESENT] = "there and right",
	[OBJECT_MISSING] = "missing",
	[OBJECT_DIFFERENT] = "changed: not what was uploaded",
};

static void say_entry(struct buf *ret, const char *site, const struct index_entry *entry,
		      int retry_cnt)
{
	char when[CLOCK_RFC3339_SIZE] = "";

	buf_addf(ret, "site %s: %s", site, presence_words[entry->presence]);
	if (entry->created_ms) {
		clock_format(entry->created_ms, when);
		buf_addf(ret, " since %s", when);
	}
	if (entry->is_paused)
		buf_adds(ret, ", paused");
	if (entry->tries)
		buf_addf(ret, ", %d of %d tries failed", entry->tries, retry_cnt);
	if (entry->error)
		buf_addf(ret, " (%s)", entry->error);
	buf_addc(ret, '\n');
}

static void say_inactive(const struct config *config, const char *project,
			 struct buf *ret)
{
	struct config_reason reason;

	if (config_leaves_out(config, project, NULL, 0, &reason))
		buf_addf(ret, "project %s has no background transfers: %s\n", project,
			 reason.text);
	else
		buf_addf(ret, "project %s is inactive: no background transfers\n",
			 project);
}

static void say_records(struct engine *engine, const struct assessment *a,
			struct buf *ret)
{
	const struct config *config = engine->config;

	if (!a->path.n_records) {
		buf_adds(ret, "document: none names this path; it is not published\n");
		return;
	}
	for (size_t i = 0; i < a->path.n_records; i++) {
		const struct index_record *record = &a->path.records[i];

		buf_addf(ret, "document: %s %s %s %s %s (representation %s)\n",
			 record->project, record->asset, record->subset, record->version,
			 record->name, record->repre);
		say_entry(ret, config->active_site, &record->ours, config->retry_cnt);
		if (config->remote_site[0])
			say_entry(ret, config->remote_site, &record->remote,
				  config->retry_cnt);
		if (record->is_arriving)
			buf_adds(
				ret,
				"other files of the representation are still on their way "
				"to the remote\n");
		if (record->is_inactive)
			say_inactive(config, record->project, ret);
		if (lost_projects_has(&engine->lost_projects, record->project))
			buf_addf(ret, "project %s was dropped or emptied in the store\n",
				 record->project);
	}
}

static void say_truth(const struct assessment *a, struct buf *ret)
{
	char hex[DIGEST_HEX_SIZE];

	if (!a->path.n_records)
		return;
	if (a->path.former.files.n) {
		buf_adds(ret,
			 "truth record: of a publish before, none of this one yet\n");
		return;
	}
	if (a->path.truth.size < 0) {
		buf_adds(ret, "truth record: none yet\n");
		return;
	}
	buf_addf(ret, "truth record: %lld bytes", (long long)a->path.truth.size);
	if (a->path.truth.digest.has_sha256) {
		hex_encode(a->path.truth.digest.sha256, DIGEST_SHA256_SIZE, hex);
		buf_addf(ret, ", SHA-256 %s", hex);
	}
	buf_addc(ret, '\n');
}

/* Of one that is missing or different: what became of it, by whom, when. */
static void say_object(struct engine *engine, const struct assessment *a, struct buf *ret)
{
	const struct index_object *object = &a->path.object;
	const char *fate = provider_fate_name(object->fate);
	char when[CLOCK_RFC3339_SIZE];

	if (!a->path.n_records || !engine->provider)
		return;
	buf_addf(ret, "object at the remote: %s", object_words[object->state]);
	if (fate)
		buf_addf(ret, "; %s", fate);
	if (fate && object->who)
		buf_addf(ret, " by %s", object->who);
	if (fate && object->at_ms) {
		clock_format(object->at_ms, when);
		buf_addf(ret, " at %s", when);
	}
	buf_addc(ret, '\n');
}

static void say_site(struct engine *engine, struct buf *ret)
{
	struct error lost = { 0 };
	struct fault fault;

	if (roots_are_lost(engine->roots, &lost))
		buf_addf(ret, "root: lost: %s\n", lost.text);
	if (!engine->provider)
		buf_adds(ret, "remote: no remote site is configured\n");
	else if (engine_has_fault(engine, &fault))
		buf_addf(ret, "remote: site %s stands still: %s\n",
			 engine->config->remote_site, fault.text);
}

static void say_next(const struct plan_glance *plan, bool has_plan, struct buf *ret)
{
	int64_t left = plan->due_ms - clock_mono_ms();

	if (!has_plan)
		return;
	if (plan->error[0])
		buf_addf(ret, "last failure: %s\n", plan->error);
	if (plan->phase == PLAN_DOWNLOAD || plan->phase == PLAN_UPLOAD)
		buf_addf(ret, "under way: %lld of %lld bytes\n", (long long)plan->bytes,
			 (long long)plan->size);
	else if (plan->due_ms != INT64_MAX)
		buf_addf(ret, "looked at again in %lld s\n",
			 (long long)(left > 0 ? (left + 999) / 1000 : 0));
}

int engine_explain(struct engine *engine, int root, const char *rel, struct buf *ret)
{
	struct assess_setup setup = engine_assess_setup(engine);
	struct plan_glance plan = { 0 };
	struct assessment a;
	enum file_state state;
	bool has_plan;
	int r = engine_get_state(engine, root, rel, &state);

	if (r != 0)
		return r;
	r = assess(&setup, root, rel, 0, &a);
	if (r < 0)
		return r;
	has_plan = plans_glance(&engine->plans, root, rel, &plan);
	buf_addf(ret, "state: %s\n", file_state_name(state));
	say_records(engine, &a, ret);
	say_truth(&a, ret);
	buf_addf(ret, "disk: %s\n", disk_words[a.disk]);
	say_object(engine, &a, ret);
	say_site(engine, ret);
	say_next(&plan, has_plan, ret);
	buf_addf(ret, "%s\n", a.whole.why);
	assessment_done(&a);
	return ret->has_failed ? -ENOMEM : 0;
}
