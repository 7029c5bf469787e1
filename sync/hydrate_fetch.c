/*
 * Hydration, ranges: which one a work takes, how it is fetched into the staged file, and what a failure means. A range
 * counts only after the whole request ended well, since a provider may find at its end that the object changed.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/hydrate_private.h"

struct provider_ref hydrate_ref_of(const struct hydrate_file *file)
{
	struct hydrator *hydrator = file->hydrator;
	const struct truth_remote *remote =
		truth_find_remote(&file->facts.truth, hydrator->config->remote_site);
	const char *id = file->id ? file->id : file->facts.object.id;

	if (!id && remote)
		id = remote->id;
	return (struct provider_ref){
		.root = roots_name(hydrator->setup.roots, file->root),
		.path = file->rel,
		.id = id,
	};
}

/* ---- calls ---- */

bool hydrate_begin_call(struct hydrate_work *work, struct provider_call *call)
{
	struct hydrate_file *file = work->file;
	bool may_begin;

	mutex_lock(&file->hydrator->lock);
	may_begin = !file->hydrator->is_stopping && file->phase != HYDRATE_FAILED;
	if (may_begin)
		work->call = call;
	mutex_unlock(&file->hydrator->lock);
	return may_begin;
}

void hydrate_end_call(struct hydrate_work *work)
{
	mutex_lock(&work->file->hydrator->lock);
	work->call = NULL;
	mutex_unlock(&work->file->hydrator->lock);
}

int64_t hydrate_backoff_ms(const struct hydrator *hydrator, int n, int64_t asked_ms)
{
	const struct config_timing *timing = &hydrator->config->timing;
	int64_t ms = timing->retry_min_ms;
	uint32_t chance = 0;

	for (int i = 1; i < n && ms < timing->retry_max_ms; i++)
		ms *= 2;
	if (ms > timing->retry_max_ms)
		ms = timing->retry_max_ms;
	if (getrandom(&chance, sizeof(chance), 0) < 0)
		chance = 0;
	ms = ms / 2 + (int64_t)(chance % (uint32_t)(ms / 2 + 1));
	return ms > asked_ms ? ms : asked_ms;
}

static void back_off(struct hydrate_file *file, const struct provider_call *call)
{
	struct hydrator *hydrator = file->hydrator;
	int64_t ms;

	mutex_lock(&hydrator->lock);
	ms = hydrate_backoff_ms(hydrator, ++file->n_busy, call->retry_after_ms);
	file->wake_ms = clock_mono_ms() + ms;
	hydrator->calm_ms = file->wake_ms;
	mutex_unlock(&hydrator->lock);
	log_debug("%s: the remote is busy, again in %d ms", file->rel, (int)ms);
}

void hydrate_judge(struct hydrate_file *file, int r, const struct provider_call *call)
{
	bool is_torn_again;

	if (r == -ECANCELED)
		return;
	if (r > 0 && provider_is_site_fault(r)) {
		hydrate_meet_fault(file->hydrator, r, error_text(&call->error, r));
		return;
	}
	if (r == PROVIDER_BUSY) {
		back_off(file, call);
		return;
	}
	if (r == PROVIDER_TORN) {
		mutex_lock(&file->hydrator->lock);
		is_torn_again = ++file->n_torn >= HYDRATE_TORN_MAX;
		mutex_unlock(&file->hydrator->lock);
		if (!is_torn_again)
			return;
	}
	if (r > 0)
		hydrate_fail(file, r,
			     call->error.text[0] ? call->error.text
						 : provider_outcome_name(r));
	else
		hydrate_stop_file(file, r, error_text(&call->error, r));
}

/* ---- room ---- */

static int64_t reserve_of(const struct hydrate_file *file)
{
	int64_t reserve = file->hydrator->config->reserve_bytes;
	struct statvfs fs;

	if (fstatvfs(staging_fd(file->staging), &fs) == 0) {
		int64_t part = (int64_t)((uint64_t)fs.f_blocks * fs.f_frsize / 20);

		if (part < reserve)
			reserve = part;
	}
	return reserve;
}

/* The background leaves the reserve free and takes its room at once; people may use the reserve. */
static int take_room(struct hydrate_work *work, struct range range)
{
	struct hydrate_file *file = work->file;
	struct hydrator *hydrator = file->hydrator;
	int64_t missing;
	bool is_allocated;
	int r;

	if (work->kind != HYDRATE_SLOT)
		return staging_check_room(file->staging, range.end - range.start,
					  work->kind == HYDRATE_LANE ? 0
								     : reserve_of(file));
	mutex_lock(&hydrator->lock);
	is_allocated = file->is_allocated;
	missing = file->size - rangemap_total(&file->present);
	file->is_allocated = true;
	mutex_unlock(&hydrator->lock);
	if (is_allocated)
		return 0;
	r = staging_check_room(file->staging, missing, reserve_of(file));
	if (r == 0)
		r = staging_allocate(file->staging);
	if (r < 0) {
		mutex_lock(&hydrator->lock);
		file->is_allocated = false;
		mutex_unlock(&hydrator->lock);
	}
	return r;
}

static void tell_no_room(struct hydrate_work *work, int r)
{
	struct hydrate_file *file = work->file;

	if (work->kind == HYDRATE_SLOT) {
		mutex_lock(&file->hydrator->lock);
		file->is_cramped = true;
		mutex_unlock(&file->hydrator->lock);
		hydrate_stop_background(file, r, "no room is left on its root's disk");
	} else if (work->kind == HYDRATE_AHEAD) {
		mutex_lock(&file->hydrator->lock);
		file->ahead = (struct range){ 0 };
		mutex_unlock(&file->hydrator->lock);
	} else {
		hydrate_stop_file(file, r, "no room is left on its root's disk");
	}
}

/* ---- one range ---- */

struct sink {
	struct provider_call *call;
	struct staging_writer *writer;
	int64_t at, end;
};

static int take_bytes(void *context, const void *data, size_t len, uint64_t offset)
{
	struct sink *sink = context;

	if (__atomic_load_n(&sink->call->cancel, __ATOMIC_RELAXED))
		return -ECANCELED;
	if ((int64_t)offset != sink->at || (int64_t)len > sink->end - sink->at)
		return -EBADMSG;
	sink->at += (int64_t)len;
	return staging_write(sink->writer, data, len);
}

static int request(struct hydrate_work *work, struct range gap,
		   struct provider_call *call)
{
	_cleanup_(staging_writer_freep) struct staging_writer *writer = NULL;
	struct hydrate_file *file = work->file;
	struct provider *provider = file->hydrator->setup.provider;
	struct provider_ref ref = hydrate_ref_of(file);
	struct sink sink = { .call = call, .at = gap.start, .end = gap.end };
	int r = staging_begin(file->staging, gap.start, &writer);

	if (r < 0)
		return r;
	sink.writer = writer;
	if (!hydrate_begin_call(work, call))
		return -ECANCELED;
	r = provider->ops->fetch(provider, &ref, file->revision, (uint64_t)gap.start,
				 (uint64_t)(gap.end - gap.start), take_bytes, &sink,
				 call);
	hydrate_end_call(work);
	if (r == 0 && sink.at != gap.end)
		return error_set(&call->error, PROVIDER_TORN,
				 "the remote sent less than it was asked for");
	return r == 0 ? staging_end(writer) : r;
}

/* Gives back what was taken of the range and is not here. */
static void untake_locked(struct hydrate_file *file, struct range range)
{
	struct range gap;

	while (rangemap_gap(&file->present, range.start, range.end, &gap)) {
		/* no memory to tell: the bytes count as in flight for good, reads time out */
		if (rangemap_remove(&file->taken, gap.start, gap.end) < 0)
			return;
		range.start = gap.end;
	}
}

static int fetch_gap(struct hydrate_work *work, struct range gap)
{
	struct hydrate_file *file = work->file;
	struct hydrator *hydrator = file->hydrator;
	struct provider_call call = { 0 };
	struct hydrate_todo todo = { 0 };
	int r = request(work, gap, &call);

	if (r == 0) {
		mutex_lock(&hydrator->lock);
		r = rangemap_add(&file->present, gap.start, gap.end);
		if (r == 0) {
			file->n_busy = file->n_torn = 0;
			hydrator->bytes_done += gap.end - gap.start;
			hydrate_answer_locked(hydrator, file, 0, &todo);
		}
		mutex_unlock(&hydrator->lock);
		hydrate_settle(&todo);
	}
	if (r == -ENOSPC || r == -EDQUOT)
		tell_no_room(work, -ENOSPC);
	else if (r != 0)
		hydrate_judge(file, r, &call);
	return r;
}

/* Bytes of an earlier run count once their block was read again. */
static int use_kept(struct hydrate_file *file, struct range range)
{
	struct hydrator *hydrator = file->hydrator;
	struct rangemap good = { 0 };
	struct hydrate_todo todo = { 0 };
	int r = staging_check(file->staging, range, &good);

	mutex_lock(&hydrator->lock);
	if (r == 0)
		r = rangemap_add_all(&file->taken, &good);
	if (r == 0)
		r = rangemap_add_all(&file->present, &good);
	if (r == 0)
		hydrate_answer_locked(hydrator, file, 0, &todo);
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	rangemap_done(&good);
	return r;
}

/* ---- what to fetch ---- */

static bool find_wanted_locked(const struct hydrate_file *file,
			       struct range *ret) NO_THREAD_SAFETY
{
	const struct hydrate_read *read = file->hydrator->first_read;
	struct range all = { 0, file->size };
	struct range gap;
	int64_t end;

	for (; read; read = read->next) {
		if (read->hydration->file != file)
			continue;
		if (file->is_small && rangemap_gap(&file->taken, 0, file->size, ret))
			return true;
		end = read->offset + read->length;
		if (!file->is_small &&
		    rangemap_gap(&file->taken, read->offset, end, &gap))
			break;
	}
	if (!read)
		return false;
	/* rounded to both sides, as far as nobody else has it */
	rangemap_hole(&file->taken, gap.start, all, ret);
	if (ret->start < gap.start / HYDRATE_ALIGN * HYDRATE_ALIGN)
		ret->start = gap.start / HYDRATE_ALIGN * HYDRATE_ALIGN;
	end = hydrate_end_of_wanted(gap.start, end - gap.start);
	if (ret->end > end)
		ret->end = end;
	return true;
}

static bool find_ahead_locked(const struct hydrate_file *file, struct range *ret)
{
	return rangemap_gap(&file->taken, file->ahead.start, file->ahead.end, ret);
}

/* In order from where somebody read last, then from the start. */
static bool find_rest_locked(struct hydrate_file *file, struct range *ret)
{
	int64_t chunk = file->hydrator->config->chunk_bytes;

	if (!hydrate_has_background(file))
		return false;
	if (!rangemap_gap(&file->taken, file->next_pos, file->size, ret) &&
	    !rangemap_gap(&file->taken, 0, file->size, ret))
		return false;
	if (ret->end > ret->start + chunk)
		ret->end = ret->start + chunk;
	file->next_pos = ret->end;
	return true;
}

static bool take_range(struct hydrate_work *work, struct range *ret)
{
	struct hydrate_file *file = work->file;
	struct hydrator *hydrator = file->hydrator;
	bool is_found = false;

	mutex_lock(&hydrator->lock);
	if (!hydrator->is_stopping && !hydrator->fault && file->phase == HYDRATE_READY &&
	    clock_mono_ms() >= file->wake_ms) {
		if (work->kind == HYDRATE_LANE)
			is_found = find_wanted_locked(file, ret);
		else if (work->kind == HYDRATE_AHEAD)
			is_found = find_ahead_locked(file, ret);
		else if (clock_mono_ms() >= hydrator->calm_ms)
			is_found = find_rest_locked(file, ret);
	}
	if (is_found && rangemap_add(&file->taken, ret->start, ret->end) < 0)
		is_found = false;
	work->has_range = is_found;
	mutex_unlock(&hydrator->lock);
	return is_found;
}

void hydrate_run_fetch(struct hydrate_work *work)
{
	struct hydrate_file *file = work->file;
	struct hydrator *hydrator = file->hydrator;
	struct range range, gap;
	bool is_missing = true;
	int r;

	if (!hydrate_prepare(work) || !take_range(work, &range))
		return;
	r = use_kept(file, range);
	if (r < 0)
		hydrate_stop_file(file, r, "its staged file cannot be read");
	for (int64_t at = range.start; r == 0; at = gap.end) {
		mutex_lock(&hydrator->lock);
		is_missing = rangemap_gap(&file->present, at, range.end, &gap);
		mutex_unlock(&hydrator->lock);
		if (!is_missing)
			break;
		r = take_room(work, gap);
		if (r < 0)
			tell_no_room(work, r);
		else
			r = fetch_gap(work, gap);
	}
	mutex_lock(&hydrator->lock);
	untake_locked(file, range);
	mutex_unlock(&hydrator->lock);
}

void hydrate_run_keep(struct hydrate_work *work)
{
	int r = staging_commit(work->file->staging);

	if (r < 0)
		log_debug("%s: its staged ranges are not kept: %s", work->file->rel,
			  strerror(-r));
}
