/*
 * Hydration, what comes next: which works of a file are submitted, to which pool, at which rank. Called after everything
 * that may change the answer; asks nobody, waits for nothing.
 */
#include <errno.h>

#include "sync/base/clock.h"
#include "sync/hydrate_private.h"

/* ---- works ---- */

static void run(struct job *job)
{
	struct hydrate_work *work = container_of(job, struct hydrate_work, job);

	switch (work->kind) {
	case HYDRATE_LANE:
	case HYDRATE_AHEAD:
	case HYDRATE_SLOT:
		hydrate_run_fetch(work);
		break;
	case HYDRATE_FINISH:
		hydrate_run_finish(work);
		break;
	case HYDRATE_KEEP:
		hydrate_run_keep(work);
		break;
	}
	hydrate_end_work(work);
}

static void init_work(struct hydrate_file *file, struct hydrate_work *work,
		      enum hydrate_kind kind)
{
	*work = (struct hydrate_work){ .job.run = run, .file = file, .kind = kind };
}

void hydrate_init_starter(struct hydrate_file *file)
{
	init_work(file, &file->starter, HYDRATE_SLOT);
}

int hydrate_make_works_locked(struct hydrate_file *file)
{
	static const enum hydrate_kind kinds[HYDRATE_N_MORE] = {
		HYDRATE_LANE, HYDRATE_LANE, HYDRATE_LANE,   HYDRATE_AHEAD, HYDRATE_SLOT,
		HYDRATE_SLOT, HYDRATE_SLOT, HYDRATE_FINISH, HYDRATE_KEEP,
	};

	if (file->more)
		return 0;
	file->more = calloc(HYDRATE_N_MORE, sizeof(*file->more));
	if (!file->more)
		return -ENOMEM;
	for (size_t i = 0; i < HYDRATE_N_MORE; i++)
		init_work(file, &file->more[i], kinds[i]);
	return 0;
}

static void add_locked(struct hydrate_work *work, struct pool *pool, enum pool_rank rank,
		       int priority, struct hydrate_todo *todo) NO_THREAD_SAFETY
{
	bool is_move = work->is_busy;

	if (is_move && work->rank == rank && work->priority == priority)
		return;
	if (!is_move) {
		work->is_busy = true;
		work->pool = pool;
		/* a download that was begun goes on before others; people's reads take turns */
		if (work->kind != HYDRATE_SLOT)
			work->job.age = 0;
		work->file->hydrator->n_busy++;
		work->file->hydrator->n_ahead += work->kind == HYDRATE_AHEAD;
	}
	hydrate_ref_locked(work->file);
	work->rank = rank;
	work->priority = priority;
	todo->works[todo->n_works].work = work;
	todo->works[todo->n_works].pool = work->pool;
	todo->works[todo->n_works].rank = rank;
	todo->works[todo->n_works].priority = priority;
	todo->works[todo->n_works++].is_move = is_move;
}

/* Submits works of a kind until N are on their way to a range. */
static void submit_locked(struct hydrate_file *file, enum hydrate_kind kind, int n,
			  struct hydrate_todo *todo)
{
	struct hydrator *hydrator = file->hydrator;
	enum pool_rank rank = kind == HYDRATE_AHEAD ? POOL_PREFETCH : POOL_READ;
	struct hydrate_work *work;

	for (size_t i = 0; n > 0 && (work = hydrate_work_at(file, i)); i++) {
		if (work->kind != kind || work->has_range)
			continue;
		if (!work->is_busy)
			add_locked(work, hydrator->setup.readers, rank, HYDRATE_PRIORITY,
				   todo);
		n--;
	}
}

/* ---- the plan ---- */

/* Reads that wait for bytes which nobody fetches yet. */
static int count_unserved_locked(const struct hydrate_file *file) NO_THREAD_SAFETY
{
	const struct hydrate_read *read = file->hydrator->first_read;
	struct range gap;
	int n = 0;

	for (; read && file->n_waiting; read = read->next) {
		if (read->hydration->file != file)
			continue;
		n += file->is_small ? rangemap_gap(&file->taken, 0, file->size, &gap)
				    : rangemap_gap(&file->taken, read->offset,
						   read->offset + read->length, &gap);
	}
	return n;
}

static void plan_slots_locked(struct hydrate_file *file,
			      struct hydrate_todo *todo) NO_THREAD_SAFETY
{
	struct hydrator *hydrator = file->hydrator;
	int64_t left = file->size - rangemap_total(&file->taken) -
		       rangemap_total(&file->reserved);
	int64_t chunk = hydrator->config->chunk_bytes;
	enum pool_rank rank = file->is_wanted ? file->rank : POOL_PREFETCH;
	int priority = file->is_wanted ? file->priority : HYDRATE_PRIORITY;
	struct hydrate_work *work;
	int64_t n = (left + chunk - 1) / chunk;

	if (clock_mono_ms() < hydrator->calm_ms) {
		hydrate_set_timer_locked(file, hydrator->calm_ms);
		return;
	}
	if (file->is_rest_wanted && rank > POOL_PREFETCH)
		rank = POOL_PREFETCH;
	/* an unprepared file needs one who prepares, and an empty one as well */
	if (file->phase == HYDRATE_NEW)
		n = 1;
	for (size_t i = 0; n > 0 && (work = hydrate_work_at(file, i)); i++) {
		if (work->kind != HYDRATE_SLOT)
			continue;
		add_locked(work, hydrator->setup.workers, rank, priority, todo);
		n -= !work->has_range;
	}
}

/* All is here and nothing in flight any more: one work verifies. For people, if one waits. */
static void plan_finish_locked(struct hydrate_file *file, struct hydrate_todo *todo)
{
	struct hydrate_work *finish = &file->more[HYDRATE_N_MORE - 2];
	bool is_waited_for = file->n_waiting > 0;

	if (finish->is_busy)
		return;
	file->phase = HYDRATE_FINISHING;
	add_locked(finish,
		   is_waited_for ? file->hydrator->setup.readers
				 : file->hydrator->setup.workers,
		   is_waited_for     ? POOL_READ
		   : file->is_wanted ? file->rank
				     : POOL_PREFETCH,
		   file->is_wanted ? file->priority : HYDRATE_PRIORITY, todo);
}

void hydrate_plan_locked(struct hydrate_file *file,
			 struct hydrate_todo *todo) NO_THREAD_SAFETY
{
	struct hydrator *hydrator = file->hydrator;
	struct range gap;
	int n;

	if (hydrator->is_stopping || hydrator->fault ||
	    (file->phase != HYDRATE_NEW && file->phase != HYDRATE_READY))
		return;
	if (clock_mono_ms() < file->wake_ms) {
		hydrate_set_timer_locked(file, file->wake_ms);
		return;
	}
	if (file->phase == HYDRATE_READY && rangemap_has(&file->present, 0, file->size)) {
		plan_finish_locked(file, todo);
		return;
	}
	n = file->phase == HYDRATE_NEW ? file->n_waiting > 0
				       : count_unserved_locked(file);
	if (n)
		submit_locked(file, HYDRATE_LANE, n, todo);
	/* reading ahead leaves half of the readers to those who wait */
	if (file->phase == HYDRATE_READY && file->n_handles &&
	    hydrator->n_ahead < (hydrator->config->n_readers + 1) / 2 &&
	    rangemap_gap(&file->taken, file->ahead.start, file->ahead.end, &gap) &&
	    !hydrate_is_coming_locked(file, gap.start))
		submit_locked(file, HYDRATE_AHEAD, 1, todo);
	if (hydrate_has_background(file))
		plan_slots_locked(file, todo);
}

void hydrate_keep_locked(struct hydrate_file *file,
			 struct hydrate_todo *todo) NO_THREAD_SAFETY
{
	struct hydrate_work *keep = file->more ? &file->more[HYDRATE_N_MORE - 1] : NULL;

	if (keep && file->staging && file->phase == HYDRATE_READY && !keep->is_busy &&
	    !file->hydrator->is_stopping)
		add_locked(keep, file->hydrator->setup.workers, POOL_CHECK,
			   HYDRATE_PRIORITY, todo);
}

/* ---- outside the lock ---- */

void hydrate_settle(struct hydrate_todo *todo)
{
	for (size_t i = 0; i < todo->n_works; i++) {
		struct hydrate_work *work = todo->works[i].work;

		if (todo->works[i].is_move)
			pool_move(todo->works[i].pool, &work->job, todo->works[i].rank,
				  todo->works[i].priority);
		else
			pool_submit(todo->works[i].pool, &work->job, todo->works[i].rank,
				    todo->works[i].priority);
		/* a submitted work has a reference of its own from is_busy on: it ends that */
		if (todo->works[i].is_move)
			hydrate_unref(work->file);
	}
	todo->n_works = 0;
	while (todo->answers) {
		struct hydrate_read *read = todo->answers;

		todo->answers = read->next;
		/* from here on it belongs to the caller again */
		read->done(read, read->result, read->fd);
	}
}

void hydrate_plan(struct hydrate_file *file)
{
	struct hydrator *hydrator = file->hydrator;
	struct hydrate_todo todo = { 0 };

	mutex_lock(&hydrator->lock);
	hydrate_plan_locked(file, &todo);
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
}

void hydrate_chain_locked(struct hydrate_file *file, struct hydrate_file **chain)
{
	if (file->is_chained)
		return;
	file->is_chained = true;
	hydrate_ref_locked(file);
	file->chain_next = *chain;
	*chain = file;
}

void hydrate_plan_chain(struct hydrate_file *chain)
{
	while (chain) {
		struct hydrate_file *file = chain;
		struct hydrate_todo todo = { 0 };

		chain = file->chain_next;
		mutex_lock(&file->hydrator->lock);
		file->is_chained = false;
		hydrate_plan_locked(file, &todo);
		mutex_unlock(&file->hydrator->lock);
		hydrate_settle(&todo);
		hydrate_unref(file);
	}
}

void hydrate_end_work(struct hydrate_work *work)
{
	struct hydrate_file *file = work->file;
	struct hydrator *hydrator = file->hydrator;
	struct hydrate_todo todo = { 0 };

	mutex_lock(&hydrator->lock);
	work->is_busy = work->has_range = false;
	hydrator->n_ahead -= work->kind == HYDRATE_AHEAD;
	hydrate_plan_locked(file, &todo);
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	hydrate_unref(file);

	mutex_lock(&hydrator->lock);
	hydrator->n_busy--;
	if (!hydrator->n_busy)
		cond_broadcast(&hydrator->ended);
	mutex_unlock(&hydrator->lock);
}
