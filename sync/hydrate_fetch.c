/*
 * Hydration, ranges: which one a work takes, how it is fetched into the staged file, and what a failure means.
 *
 * The background asks for long ranges, since each request costs. Of such a range it takes a piece at a time, ahead of
 * where it is, so that people get the others at once; where somebody else has the next piece, it ends there. Pieces
 * count as they come: the file is verified when it is whole.
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

/* For all of the file, so that nothing is begun that the disk cannot hold. */
static int allocate(struct hydrate_file *file) REQUIRES(&file->room)
{
	struct hydrator *hydrator = file->hydrator;
	int64_t missing;
	int r;

	if (file->is_allocated)
		return 0;
	mutex_lock(&hydrator->lock);
	missing = file->size - rangemap_total(&file->present);
	mutex_unlock(&hydrator->lock);
	r = staging_check_room(file->staging, missing, reserve_of(file));
	if (r == 0)
		r = staging_allocate(file->staging);
	file->is_allocated = r == 0;
	return r;
}

/* The background leaves the reserve free and takes its room at once; people may use the reserve. */
static int take_room(struct hydrate_work *work, struct range range)
{
	struct hydrate_file *file = work->file;
	int r;

	if (work->kind != HYDRATE_SLOT)
		return staging_check_room(file->staging, range.end - range.start,
					  work->kind == HYDRATE_LANE ? 0
								     : reserve_of(file));
	mutex_lock(&file->room);
	r = allocate(file);
	mutex_unlock(&file->room);
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
	struct hydrate_work *work;
	struct provider_call *call;
	struct staging_writer *writer;
	int64_t counted; /* what is before it is present */
	int64_t at;
	int64_t claimed; /* end of what is taken */
	int64_t end;     /* of the request */
};

/* What has come since the last time counts, and readers get it. */
static int count_piece(struct sink *sink)
{
	struct hydrate_file *file = sink->work->file;
	struct hydrator *hydrator = file->hydrator;
	struct hydrate_todo todo = { 0 };
	int r = staging_end(sink->writer);

	if (r < 0)
		return r;
	mutex_lock(&hydrator->lock);
	r = rangemap_add(&file->present, sink->counted, sink->at);
	if (r == 0) {
		file->n_busy = file->n_torn = 0;
		hydrator->bytes_done += sink->at - sink->counted;
		sink->counted = sink->at;
		hydrate_answer_locked(hydrator, file, 0, &todo);
	}
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	return r;
}

static int begin_piece(struct sink *sink)
{
	struct hydrate_file *file = sink->work->file;
	int r = count_piece(sink);

	staging_writer_free(steal(sink->writer));
	return r == 0 ? staging_begin(file->staging, sink->at, &sink->writer) : r;
}

/* Takes the next piece, as far as nobody else has it. */
static int claim(struct sink *sink)
{
	struct hydrate_file *file = sink->work->file;
	struct hydrator *hydrator = file->hydrator;
	int64_t end = sink->claimed + hydrator->config->chunk_bytes;
	struct range gap;
	int r = 0;

	mutex_lock(&hydrator->lock);
	sink->work->span.start = sink->at;
	if (rangemap_gap(&file->taken, sink->claimed, end < sink->end ? end : sink->end,
			 &gap) &&
	    gap.start == sink->claimed) {
		r = rangemap_add(&file->taken, gap.start, gap.end);
		if (r == 0)
			r = rangemap_remove(&file->reserved, gap.start, gap.end);
		if (r == 0)
			sink->claimed = gap.end;
	}
	mutex_unlock(&hydrator->lock);
	return r;
}

static int take_bytes(void *context, const void *data, size_t len, uint64_t offset)
{
	struct sink *sink = context;
	int64_t chunk = sink->work->file->hydrator->config->chunk_bytes;
	size_t part = len;
	int r;

	if (__atomic_load_n(&sink->call->cancel, __ATOMIC_RELAXED))
		return -ECANCELED;
	if ((int64_t)offset != sink->at || (int64_t)len > sink->end - sink->at)
		return -EBADMSG;
	while (sink->claimed < sink->end &&
	       sink->claimed - sink->at - (int64_t)len < chunk / 2) {
		int64_t before = sink->claimed;

		r = claim(sink);
		if (r != 0)
			return r;
		if (sink->claimed == before)
			break;
	}
	if ((int64_t)part > sink->claimed - sink->at)
		part = (size_t)(sink->claimed - sink->at);
	r = staging_write(sink->writer, data, part);
	sink->at += (int64_t)part;
	if (r == 0 && part < len)
		return -EALREADY; /* the rest is another's */
	if (r == 0 && sink->at - sink->counted >= chunk && sink->at < sink->end)
		r = begin_piece(sink);
	return r;
}

/* 0: all of GAP is here, or as far as *RET_END, from where on somebody else has it. */
static int request(struct hydrate_work *work, struct range gap,
		   struct provider_call *call, int64_t *ret_end)
{
	struct hydrate_file *file = work->file;
	struct provider *provider = file->hydrator->setup.provider;
	struct provider_ref ref = hydrate_ref_of(file);
	int64_t claimed = *ret_end;
	struct sink sink = { .work = work,
			     .call = call,
			     .counted = gap.start,
			     .at = gap.start,
			     .claimed = claimed,
			     .end = gap.end };
	int r = staging_begin(file->staging, gap.start, &sink.writer);

	if (r < 0)
		return r;
	call->max_age_ms = HYDRATE_SEEN_MS;
	if (hydrate_begin_call(work, call)) {
		r = provider->ops->fetch(
			provider, &ref, file->revision, (uint64_t)gap.start,
			(uint64_t)(gap.end - gap.start), take_bytes, &sink, call);
		hydrate_end_call(work);
	} else {
		r = -ECANCELED;
	}
	if (r == -EALREADY && sink.at == sink.claimed)
		r = 0;
	else if (r == 0 && sink.at != gap.end)
		r = error_set(&call->error, PROVIDER_TORN,
			      "the remote sent less than it was asked for");
	if (r == 0 && sink.at > sink.counted)
		r = count_piece(&sink);
	staging_writer_free(sink.writer);
	*ret_end = sink.claimed;
	return r;
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

/* *RET_END: in, end of what is taken of GAP; out, the same when it has ended. */
static int fetch_gap(struct hydrate_work *work, struct range gap, int64_t *ret_end)
{
	struct hydrate_file *file = work->file;
	struct provider_call call = { 0 };
	int r = request(work, gap, &call, ret_end);

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

bool hydrate_is_coming_locked(struct hydrate_file *file, int64_t at) NO_THREAD_SAFETY
{
	int64_t soon = 4 * file->hydrator->config->chunk_bytes;
	const struct hydrate_work *work;

	for (size_t i = 0; (work = hydrate_work_at(file, i)); i++) {
		if (work->kind == HYDRATE_SLOT && work->has_range &&
		    at >= work->span.start && at < work->span.end &&
		    at - work->span.start < soon)
			return true;
	}
	return false;
}

static bool find_ahead_locked(struct hydrate_file *file, struct range *ret)
{
	return rangemap_gap(&file->taken, file->ahead.start, file->ahead.end, ret) &&
	       !hydrate_is_coming_locked(file, ret->start);
}

/* The first range from POS on that nobody has or will have. */
static bool find_free_locked(const struct hydrate_file *file, int64_t pos,
			     struct range *ret)
{
	struct range gap;

	while (rangemap_gap(&file->taken, pos, file->size, &gap)) {
		if (rangemap_gap(&file->reserved, gap.start, gap.end, ret))
			return true;
		pos = gap.end;
	}
	return false;
}

/* In order from where somebody read last, then from the start. */
static bool find_rest_locked(struct hydrate_file *file, struct range *ret)
{
	int64_t chunk = file->hydrator->config->chunk_bytes;
	int64_t most = (file->size / 4 + chunk - 1) / chunk * chunk;

	if (!hydrate_has_background(file))
		return false;
	if (!find_free_locked(file, file->next_pos, ret) &&
	    !find_free_locked(file, 0, ret))
		return false;
	if (most < chunk)
		most = chunk;
	if (most > HYDRATE_SPAN_MAX && chunk < HYDRATE_SPAN_MAX)
		most = HYDRATE_SPAN_MAX;
	if (ret->end > ret->start + most)
		ret->end = ret->start + most;
	file->next_pos = ret->end;
	return true;
}

/* What a work takes at once of its range: a slot a piece, and the rest is reserved; others all of it. */
static int hold_locked(struct hydrate_work *work, struct range range, int64_t *ret_end)
{
	struct hydrate_file *file = work->file;
	int64_t end = range.start + file->hydrator->config->chunk_bytes;
	int r = 0;

	if (work->kind != HYDRATE_SLOT || end > range.end)
		end = range.end;
	if (end < range.end)
		r = rangemap_add(&file->reserved, end, range.end);
	if (r == 0)
		r = rangemap_add(&file->taken, range.start, end);
	work->span = range;
	*ret_end = end;
	return r;
}

static bool take_range(struct hydrate_work *work, struct range *ret, int64_t *ret_end)
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
	if (is_found && hold_locked(work, *ret, ret_end) < 0)
		is_found = false;
	work->has_range = is_found;
	mutex_unlock(&hydrator->lock);
	return is_found;
}

/* The next gap of RANGE that is ours; *END is how far it is taken, beyond that it is taken as it comes. */
static bool find_gap(struct hydrate_work *work, struct range range, int64_t *end,
		     struct range *ret)
{
	struct hydrate_file *file = work->file;
	struct hydrator *hydrator = file->hydrator;
	struct range more;
	bool is_found;

	mutex_lock(&hydrator->lock);
	is_found = rangemap_gap(&file->present, range.start, *end, ret);
	/* all of it that was taken is here, as far as it is up to us */
	if (!is_found && *end < range.end) {
		is_found = rangemap_gap(&file->taken, *end, range.end, ret) &&
			   ret->start == *end;
		if (is_found) {
			struct range rest = *ret;

			is_found = rangemap_remove(&file->reserved, rest.start,
						   rest.end) == 0 &&
				   hold_locked(work, rest, end) == 0;
		}
	} else if (is_found && ret->end == *end &&
		   rangemap_gap(&file->taken, *end, range.end, &more) &&
		   more.start == *end) {
		ret->end = more.end;
	}
	mutex_unlock(&hydrator->lock);
	return is_found;
}

void hydrate_run_fetch(struct hydrate_work *work)
{
	struct hydrate_file *file = work->file;
	struct hydrator *hydrator = file->hydrator;
	struct range range, gap;
	int64_t end = 0;
	int r;

	if (!hydrate_prepare(work) || !take_range(work, &range, &end))
		return;
	r = use_kept(file, range);
	if (r < 0)
		hydrate_stop_file(file, r, "its staged file cannot be read");
	while (r == 0 && find_gap(work, range, &end, &gap)) {
		r = take_room(work, gap);
		if (r < 0)
			tell_no_room(work, r);
		else
			r = fetch_gap(work, gap, &end);
	}
	mutex_lock(&hydrator->lock);
	untake_locked(file, (struct range){ range.start, end });
	if (range.end > end)
		rangemap_remove(&file->reserved, end, range.end);
	mutex_unlock(&hydrator->lock);
}

void hydrate_run_keep(struct hydrate_work *work)
{
	int r = staging_commit(work->file->staging);

	if (r < 0)
		log_debug("%s: its staged ranges are not kept: %s", work->file->rel,
			  strerror(-r));
}
