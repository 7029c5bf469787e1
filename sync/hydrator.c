/* The hydrator itself: made, stopped, freed. */
#include <errno.h>
#include <string.h>

#include "sync/base/log.h"
#include "sync/hydrate_private.h"

int hydrator_new(const struct hydrator_setup *setup, struct hydrator **ret)
{
	_cleanup_(hydrator_freep) struct hydrator *hydrator =
		calloc(1, sizeof(*hydrator));
	int r;

	if (!hydrator)
		return -ENOMEM;
	mutex_init(&hydrator->lock);
	cond_init(&hydrator->timer_wake);
	cond_init(&hydrator->ended);
	hydrator->setup = *setup;
	hydrator->config = setup->config;
	r = staging_load_host(setup->journal, &hydrator->host);
	if (r == 0)
		r = staging_sweep(setup->journal, setup->roots, hydrator->host);
	if (r == 0)
		r = hydrate_start_timer(hydrator);
	if (r < 0)
		return r;
	*ret = steal(hydrator);
	return 0;
}

/* Takes the file's queued works back from their pools; those that run end by themselves. */
static void take_works_back(struct hydrate_file *file)
{
	struct hydrator *hydrator = file->hydrator;
	struct hydrate_work *work;

	for (size_t i = 0; (work = hydrate_work_at(file, i)); i++) {
		struct pool *pool;

		mutex_lock(&hydrator->lock);
		pool = work->is_busy ? work->pool : NULL;
		mutex_unlock(&hydrator->lock);
		if (pool && pool_remove(pool, &work->job))
			hydrate_end_work(work);
	}
}

/* Every listed file, one after the other; nobody lists new ones any more. */
static void each_file(struct hydrator *hydrator, void (*fn)(struct hydrate_file *file))
{
	struct hydrate_file *chain = NULL, *file;
	struct map_slot *slot;
	size_t pos = 0;

	mutex_lock(&hydrator->lock);
	while ((slot = map_next(&hydrator->files, &pos))) {
		file = slot->value;
		file->refs++;
		file->stop_next = chain;
		chain = file;
	}
	mutex_unlock(&hydrator->lock);
	while ((file = chain)) {
		chain = file->stop_next;
		fn(file);
		hydrate_unref(file);
	}
}

static void keep(struct hydrate_file *file)
{
	int r = file->staging ? staging_commit(file->staging) : 0;

	if (r < 0)
		log_debug("%s: its staged ranges are not kept: %s", file->rel,
			  strerror(-r));
}

void hydrator_stop(struct hydrator *hydrator)
{
	struct hydrate_learn *learns;
	struct hydrate_todo todo = { 0 };
	struct map_slot *slot;
	size_t pos = 0;

	mutex_lock(&hydrator->lock);
	hydrator->is_stopping = true;
	while ((slot = map_next(&hydrator->files, &pos)))
		hydrate_cancel_calls_locked(slot->value, 0);
	hydrate_answer_locked(hydrator, NULL, -EIO, &todo);
	learns = hydrate_take_learns_locked(hydrator);
	cond_broadcast(&hydrator->timer_wake);
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	hydrate_answer_learns(learns, -EIO);
	hydrate_stop_learning(hydrator);
	if (hydrator->has_timer)
		pthread_join(hydrator->timer, NULL);
	hydrator->has_timer = false;

	each_file(hydrator, take_works_back);
	mutex_lock(&hydrator->lock);
	while (hydrator->n_busy)
		cond_wait(&hydrator->ended, &hydrator->lock);
	mutex_unlock(&hydrator->lock);
	each_file(hydrator, keep);
}

void hydrator_free(struct hydrator *hydrator) NO_THREAD_SAFETY
{
	struct map_slot *slot;
	size_t pos = 0;

	if (!hydrator)
		return;
	hydrator_stop(hydrator);
	while (hydrator->timers) {
		struct hydrate_file *file = hydrator->timers;

		hydrator->timers = file->timer_next;
		hydrate_unref(file);
	}
	while ((slot = map_next(&hydrator->files, &pos)))
		hydrate_unref(slot->value);
	map_done(&hydrator->files, NULL);
	hydrate_free_learning(hydrator);
	free(hydrator->fault);
	free(hydrator->host);
	cond_done(&hydrator->timer_wake);
	cond_done(&hydrator->ended);
	mutex_done(&hydrator->lock);
	free(hydrator);
}
