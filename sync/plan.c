/* Plans: what is under way or to be looked at again, per path. */
#include "sync/plan.h"

#include <stdlib.h>
#include <string.h>

static void plan_free(void *data)
{
	struct plan *plan = data;

	free(plan->rel);
	free(plan->error);
	free(plan);
}

void plans_init(struct plans *plans)
{
	mutex_init(&plans->lock);
	mutex_lock(&plans->lock);
	plans->next_due_ms = INT64_MAX;
	mutex_unlock(&plans->lock);
}

void plan_set_due(struct plans *plans, struct plan *plan, int64_t due_ms)
{
	mutex_lock(&plans->lock);
	plan->due_ms = due_ms;
	if (due_ms < plans->next_due_ms)
		plans->next_due_ms = due_ms;
	mutex_unlock(&plans->lock);
}

void plans_done(struct plans *plans)
{
	map_done(&plans->map, plan_free);
	mutex_done(&plans->lock);
}

static char *plan_key(int root, const char *rel)
{
	return strf("%d:%s", root, rel);
}

static struct plan *find_locked(const struct plans *plans, int root, const char *rel)
	REQUIRES(&plans->lock)
{
	_cleanup_(freep) char *key = plan_key(root, rel);

	return key ? map_get(&plans->map, key) : NULL;
}

struct plan *plans_find(struct plans *plans, int root, const char *rel)
{
	struct plan *plan;

	mutex_lock(&plans->lock);
	plan = find_locked(plans, root, rel);
	mutex_unlock(&plans->lock);
	return plan;
}

struct plan *plans_get(struct plans *plans, int root, const char *rel)
{
	struct plan *plan = plans_find(plans, root, rel);
	_cleanup_(freep) char *key = NULL;
	int r;

	if (plan)
		return plan;
	key = plan_key(root, rel);
	plan = calloc(1, sizeof(*plan));
	if (plan)
		plan->rel = strdup(rel);
	if (!key || !plan || !plan->rel) {
		free(plan);
		return NULL;
	}
	plan->root = root;
	plan->due_ms = INT64_MAX;
	mutex_lock(&plans->lock);
	r = map_put(&plans->map, key, plan, NULL);
	mutex_unlock(&plans->lock);
	if (r < 0) {
		plan_free(plan);
		return NULL;
	}
	return plan;
}

void plans_drop(struct plans *plans, struct plan *plan)
{
	_cleanup_(freep) char *key = plan_key(plan->root, plan->rel);

	if (!key)
		return;
	mutex_lock(&plans->lock);
	map_remove(&plans->map, key);
	mutex_unlock(&plans->lock);
	plan_free(plan);
}

void plan_set_phase(struct plans *plans, struct plan *plan, enum plan_phase phase)
{
	mutex_lock(&plans->lock);
	plan->phase = phase;
	plan->bytes = 0;
	mutex_unlock(&plans->lock);
}

void plan_set_wanted(struct plans *plans, struct plan *plan, enum plan_phase wanted,
		     int64_t size)
{
	mutex_lock(&plans->lock);
	plan->wanted = wanted;
	if (wanted != PLAN_IDLE && plan->phase == PLAN_IDLE)
		plan->size = size;
	mutex_unlock(&plans->lock);
}

void plan_set_error(struct plans *plans, struct plan *plan, const char *text,
		    bool is_failed)
{
	char *copy = text ? strdup(text) : NULL;

	mutex_lock(&plans->lock);
	free(plan->error);
	plan->error = copy;
	plan->is_failed = is_failed;
	mutex_unlock(&plans->lock);
}

void plan_set_bytes(struct plans *plans, int root, const char *rel, int64_t bytes)
{
	struct plan *plan;

	mutex_lock(&plans->lock);
	plan = find_locked(plans, root, rel);
	if (plan)
		plan->bytes = bytes;
	mutex_unlock(&plans->lock);
}

void plan_set_patient(struct plans *plans, struct plan *plan, bool is_patient)
{
	mutex_lock(&plans->lock);
	plan->is_patient = is_patient;
	mutex_unlock(&plans->lock);
}

uint64_t plan_begin_job(struct plans *plans, struct plan *plan, int priority,
			int64_t size)
{
	uint64_t job;

	mutex_lock(&plans->lock);
	job = plan->job = ++plans->last_job;
	plan->is_running = false;
	plan->priority = priority;
	plan->size = size;
	mutex_unlock(&plans->lock);
	return job;
}

bool plans_claim(struct plans *plans, int root, const char *rel, uint64_t job)
{
	struct plan *plan;
	bool is_ours;

	mutex_lock(&plans->lock);
	plan = find_locked(plans, root, rel);
	is_ours = plan && plan->job == job;
	if (is_ours)
		plan->is_running = true;
	mutex_unlock(&plans->lock);
	return is_ours;
}

bool plan_void_job(struct plans *plans, struct plan *plan)
{
	bool is_void;

	mutex_lock(&plans->lock);
	is_void = !plan->is_running;
	if (is_void)
		plan->job = 0;
	mutex_unlock(&plans->lock);
	return is_void;
}

void plan_set_told(struct plans *plans, int root, const char *rel)
{
	struct plan *plan;

	mutex_lock(&plans->lock);
	plan = find_locked(plans, root, rel);
	if (plan)
		plan->is_told = true;
	mutex_unlock(&plans->lock);
}

bool plans_are_moving(struct plans *plans, int root, const char *rel)
{
	const struct plan *plan;
	bool are_moving;

	mutex_lock(&plans->lock);
	plan = find_locked(plans, root, rel);
	are_moving = plan && (plan->phase == PLAN_DOWNLOAD ||
			      plan->phase == PLAN_UPLOAD || plan->is_told);
	mutex_unlock(&plans->lock);
	return are_moving;
}

bool plans_glance(struct plans *plans, int root, const char *rel, struct plan_glance *ret)
{
	struct plan *plan;

	mutex_lock(&plans->lock);
	plan = find_locked(plans, root, rel);
	if (plan) {
		*ret = (struct plan_glance){
			.phase = plan->phase,
			.is_failed = plan->is_failed,
			.bytes = plan->bytes,
			.size = plan->size,
			.due_ms = plan->due_ms,
		};
		snprintf(ret->error, sizeof(ret->error), "%s",
			 plan->error ? plan->error : "");
	}
	mutex_unlock(&plans->lock);
	return plan != NULL;
}

static void count_wanted(const struct plan *plan, struct plan_totals *ret)
{
	if (plan->is_failed)
		return;
	if (plan->wanted == PLAN_UPLOAD) {
		ret->n_upload_later++;
		ret->upload_bytes += plan->size;
	} else if (plan->wanted == PLAN_DOWNLOAD) {
		ret->n_download_later++;
		ret->download_later_bytes += plan->size;
	}
}

void plans_count(struct plans *plans, struct plan_totals *ret)
{
	struct map_slot *slot;
	size_t pos = 0;

	*ret = (struct plan_totals){ .next_due_ms = INT64_MAX };
	mutex_lock(&plans->lock);
	while ((slot = map_next(&plans->map, &pos))) {
		const struct plan *plan = slot->value;

		ret->n_download += plan->phase == PLAN_DOWNLOAD;
		ret->n_upload += plan->phase == PLAN_UPLOAD;
		ret->n_check += plan->phase == PLAN_CHECK;
		ret->n_failed += plan->is_failed;
		if (plan->phase == PLAN_UPLOAD)
			ret->upload_bytes += plan->size - plan->bytes;
		if (plan->phase != PLAN_IDLE || plan->due_ms == INT64_MAX)
			continue;
		count_wanted(plan, ret);
		ret->n_patient += plan->is_patient && !plan->is_failed;
		ret->n_waiting += !plan->is_patient;
		if (!plan->is_patient && plan->due_ms < ret->next_due_ms)
			ret->next_due_ms = plan->due_ms;
	}
	mutex_unlock(&plans->lock);
}

/* The due plans, copied out, so that FN may change the table. */
struct due {
	int root;
	char *rel;
};

static int take_due(struct plans *plans, int64_t now_ms, struct due **ret, size_t *ret_n,
		    int64_t *ret_next) REQUIRES(&plans->lock)
{
	struct due *due = calloc(map_size(&plans->map) + 1, sizeof(*due));
	struct map_slot *slot;
	size_t pos = 0, n = 0;

	if (!due)
		return -1;
	while ((slot = map_next(&plans->map, &pos))) {
		struct plan *plan = slot->value;

		if (plan->due_ms > now_ms) {
			if (plan->due_ms < *ret_next)
				*ret_next = plan->due_ms;
			continue;
		}
		due[n].rel = strdup(plan->rel);
		if (!due[n].rel)
			continue;
		due[n++].root = plan->root;
		plan->due_ms = INT64_MAX;
	}
	*ret = due;
	*ret_n = n;
	return 0;
}

bool plans_are_busy(struct plans *plans)
{
	struct map_slot *slot;
	bool is_busy = false;
	size_t pos = 0;

	mutex_lock(&plans->lock);
	while (!is_busy && (slot = map_next(&plans->map, &pos))) {
		const struct plan *plan = slot->value;

		is_busy = plan->phase == PLAN_UPLOAD || plan->phase == PLAN_DOWNLOAD;
	}
	mutex_unlock(&plans->lock);
	return is_busy;
}

void plans_each_busy(struct plans *plans,
		     void (*fn)(void *context, int root, const char *rel), void *context)
{
	struct due *busy;
	struct map_slot *slot;
	size_t pos = 0, n = 0;

	mutex_lock(&plans->lock);
	busy = calloc(map_size(&plans->map) + 1, sizeof(*busy));
	while (busy && (slot = map_next(&plans->map, &pos))) {
		const struct plan *plan = slot->value;

		if (plan->phase != PLAN_UPLOAD && plan->phase != PLAN_DOWNLOAD)
			continue;
		busy[n].root = plan->root;
		busy[n].rel = strdup(plan->rel);
		n += busy[n].rel != NULL;
	}
	mutex_unlock(&plans->lock);
	for (size_t i = 0; i < n; i++) {
		fn(context, busy[i].root, busy[i].rel);
		free(busy[i].rel);
	}
	free(busy);
}

int64_t plans_take_due(struct plans *plans, int64_t now_ms,
		       void (*fn)(void *context, int root, const char *rel),
		       void *context)
{
	int64_t next = INT64_MAX;
	struct due *due = NULL;
	size_t n = 0;

	mutex_lock(&plans->lock);
	if (plans->next_due_ms > now_ms)
		next = plans->next_due_ms;
	else if (take_due(plans, now_ms, &due, &n, &next) == 0)
		plans->next_due_ms = next;
	mutex_unlock(&plans->lock);
	for (size_t i = 0; i < n; i++) {
		fn(context, due[i].root, due[i].rel);
		free(due[i].rel);
	}
	free(due);
	return next;
}

void plans_wake_all(struct plans *plans)
{
	struct map_slot *slot;
	size_t pos = 0;

	mutex_lock(&plans->lock);
	while ((slot = map_next(&plans->map, &pos))) {
		struct plan *plan = slot->value;

		if (plan->phase == PLAN_IDLE && plan->due_ms != INT64_MAX &&
		    !plan->is_failed)
			plan->due_ms = 0;
	}
	plans->next_due_ms = 0;
	mutex_unlock(&plans->lock);
}
