/*
 * Worker threads and their queue: a pairing heap whose links lie in the jobs, so that queueing never
 * allocates and never fails, and costs the same with ten jobs or a million.
 */
#include "sync/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "sync/base/lock.h"

#define NAME_SIZE 16 /* pthread_setname_np(3) */

struct pool {
	char name[NAME_SIZE];
	struct mutex lock;
	struct cond has_work;
	struct job *top GUARDED_BY(&lock);
	size_t n_queued[POOL_N_RANKS] GUARDED_BY(&lock);
	uint64_t last_age GUARDED_BY(&lock);
	bool is_stopping GUARDED_BY(&lock);
	void (*drop)(struct job *job) GUARDED_BY(&lock);
	pthread_t *threads; /* of new and stop only */
	int n_threads;
};

/* ---- the heap: `child` is the first of the jobs that come after this one, `next` its next sibling, `prev`
 * its previous sibling or, of a first child, the parent ---- */

static bool is_before(const struct job *a, const struct job *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank;
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a->age < b->age;
}

/* Two heaps without siblings become one. Either may be NULL. */
static struct job *meld(struct job *a, struct job *b)
{
	struct job *first, *second;

	if (!a || !b)
		return a ? a : b;
	first = is_before(b, a) ? b : a;
	second = first == a ? b : a;
	second->prev = first;
	second->next = first->child;
	if (second->next)
		second->next->prev = second;
	first->child = second;
	return first;
}

/* The children of a job that leaves, as one heap: melded in pairs, then from the last pair back. */
static struct job *meld_children(struct job *job)
{
	struct job *rest = job->child, *pairs = NULL, *all = NULL;

	job->child = NULL;
	while (rest) {
		struct job *a = rest, *b = a->next;

		rest = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct job *a = pairs;

		pairs = a->next;
		a->next = NULL;
		all = meld(all, a);
	}
	return all;
}

static void put_locked(struct pool *pool, struct job *job) REQUIRES(&pool->lock)
{
	if (!job->age)
		job->age = ++pool->last_age;
	job->child = job->next = job->prev = NULL;
	job->is_queued = true;
	pool->n_queued[job->rank]++;
	pool->top = meld(pool->top, job);
}

static void take_locked(struct pool *pool, struct job *job) REQUIRES(&pool->lock)
{
	struct job *children = meld_children(job);

	if (job == pool->top) {
		pool->top = children;
	} else {
		if (job->prev->child == job)
			job->prev->child = job->next;
		else
			job->prev->next = job->next;
		if (job->next)
			job->next->prev = job->prev;
		pool->top = meld(pool->top, children);
	}
	job->next = job->prev = NULL;
	job->is_queued = false;
	pool->n_queued[job->rank]--;
}

/* ---- threads ---- */

static void *work(void *context)
{
	struct pool *pool = context;

	pthread_setname_np(pthread_self(), pool->name);
	mutex_lock(&pool->lock);
	while (!pool->is_stopping) {
		struct job *job = pool->top;

		if (!job) {
			cond_wait(&pool->has_work, &pool->lock);
			continue;
		}
		take_locked(pool, job);
		mutex_unlock(&pool->lock);
		job->run(job);
		mutex_lock(&pool->lock);
	}
	mutex_unlock(&pool->lock);
	return NULL;
}

/* Signals belong to the main thread. */
static int start_threads(struct pool *pool, int n)
{
	sigset_t all, old;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (pool->n_threads < n && r == 0) {
		r = pthread_create(&pool->threads[pool->n_threads], NULL, work, pool);
		pool->n_threads += r == 0;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

int pool_new(const char *name, int n_threads, struct pool **ret)
{
	_cleanup_(pool_freep) struct pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return -ENOMEM;
	mutex_init(&pool->lock);
	cond_init(&pool->has_work);
	snprintf(pool->name, sizeof(pool->name), "%.*s", NAME_SIZE - 1, name);
	pool->threads = calloc((size_t)n_threads, sizeof(*pool->threads));
	if (!pool->threads)
		return -ENOMEM;
	r = start_threads(pool, n_threads);
	if (r < 0)
		return r;
	*ret = steal(pool);
	return 0;
}

void pool_stop(struct pool *pool, void (*drop)(struct job *job))
{
	mutex_lock(&pool->lock);
	pool->is_stopping = true;
	pool->drop = drop;
	cond_broadcast(&pool->has_work);
	mutex_unlock(&pool->lock);
	for (; pool->n_threads > 0; pool->n_threads--)
		pthread_join(pool->threads[pool->n_threads - 1], NULL);

	mutex_lock(&pool->lock);
	while (pool->top) {
		struct job *job = pool->top;

		take_locked(pool, job);
		mutex_unlock(&pool->lock);
		if (drop)
			drop(job);
		mutex_lock(&pool->lock);
	}
	mutex_unlock(&pool->lock);
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pool_stop(pool, NULL);
	cond_done(&pool->has_work);
	mutex_done(&pool->lock);
	free(pool->threads);
	free(pool);
}

void pool_submit(struct pool *pool, struct job *job, enum pool_rank rank, int priority)
{
	void (*drop)(struct job *job) = NULL;
	bool is_stopping;

	mutex_lock(&pool->lock);
	is_stopping = pool->is_stopping;
	if (job->is_queued)
		take_locked(pool, job);
	job->rank = rank;
	job->priority = priority;
	if (is_stopping)
		drop = pool->drop;
	else
		put_locked(pool, job);
	cond_signal(&pool->has_work);
	mutex_unlock(&pool->lock);
	if (is_stopping && drop)
		drop(job);
}

bool pool_move(struct pool *pool, struct job *job, enum pool_rank rank, int priority)
{
	bool was_queued;

	mutex_lock(&pool->lock);
	was_queued = job->is_queued;
	if (was_queued) {
		take_locked(pool, job);
		job->rank = rank;
		job->priority = priority;
		put_locked(pool, job);
	}
	mutex_unlock(&pool->lock);
	return was_queued;
}

bool pool_remove(struct pool *pool, struct job *job)
{
	bool was_queued;

	mutex_lock(&pool->lock);
	was_queued = job->is_queued;
	if (was_queued)
		take_locked(pool, job);
	mutex_unlock(&pool->lock);
	return was_queued;
}

size_t pool_queued(struct pool *pool, enum pool_rank rank)
{
	size_t n;

	mutex_lock(&pool->lock);
	n = pool->n_queued[rank];
	mutex_unlock(&pool->lock);
	return n;
}
