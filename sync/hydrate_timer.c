/*
 * Hydration, time: a thread of its own for what happens because time passed. It answers reads whose deadline is over,
 * plans files whose backoff is, and lets go of closed files that lingered. It blocks on its condition only; never on
 * the network, the disk or another lock.
 */
#include <errno.h>
#include <signal.h>

#include "sync/base/clock.h"
#include "sync/hydrate_private.h"

void hydrate_set_timer_locked(struct hydrate_file *file, int64_t ms) NO_THREAD_SAFETY
{
	struct hydrator *hydrator = file->hydrator;

	if (file->has_timer) {
		if (ms < file->timer_ms)
			file->timer_ms = ms;
	} else {
		file->has_timer = true;
		file->timer_ms = ms;
		file->timer_next = hydrator->timers;
		hydrator->timers = file;
		hydrate_ref_locked(file);
	}
	cond_signal(&hydrator->timer_wake);
}

/* A file whose time has come, out of the list, with the list's reference. NULL: *RET_NEXT_MS tells when there is one. */
static struct hydrate_file *take_due_locked(struct hydrator *hydrator, int64_t now_ms,
					    int64_t *ret_next_ms)
	REQUIRES(&hydrator->lock)
{
	struct hydrate_file **at = &hydrator->timers;

	for (*ret_next_ms = INT64_MAX; *at; at = &(*at)->timer_next) {
		struct hydrate_file *file = *at;

		if (file->timer_ms <= now_ms) {
			*at = file->timer_next;
			file->has_timer = false;
			return file;
		}
		if (file->timer_ms < *ret_next_ms)
			*ret_next_ms = file->timer_ms;
	}
	return NULL;
}

/* A closed file that lingered long enough goes, but not while works of it still end. */
static void let_go_locked(struct hydrate_file *file, int64_t now_ms) NO_THREAD_SAFETY
{
	struct hydrate_work *work;

	for (size_t i = 0; (work = hydrate_work_at(file, i)); i++) {
		if (!work->is_busy)
			continue;
		file->idle_until_ms = now_ms + HYDRATE_LINGER_MS;
		hydrate_set_timer_locked(file, file->idle_until_ms);
		return;
	}
	hydrate_delist_locked(file);
}

/* What became due of files. Returns when the next is, 0: look again. */
static int64_t look_at_files_locked(struct hydrator *hydrator, int64_t now_ms)
	REQUIRES(&hydrator->lock)
{
	struct hydrate_todo todo = { 0 };
	int64_t next_ms;
	struct hydrate_file *file = take_due_locked(hydrator, now_ms, &next_ms);

	if (!file)
		return next_ms;
	if (file->is_idle && now_ms >= file->idle_until_ms)
		let_go_locked(file, now_ms);
	else
		hydrate_plan_locked(file, &todo);
	if (file->is_idle && file->is_listed)
		hydrate_set_timer_locked(file, file->idle_until_ms);
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	hydrate_unref(file);
	mutex_lock(&hydrator->lock);
	return 0;
}

/* The same of reads that wait. */
static int64_t look_at_reads_locked(struct hydrator *hydrator, int64_t now_ms)
	REQUIRES(&hydrator->lock)
{
	struct hydrate_todo todo = { 0 };

	hydrate_expire_reads_locked(hydrator, now_ms, &todo);
	if (!todo.answers)
		return hydrator->first_read ? hydrator->first_read->deadline_ms
					    : INT64_MAX;
	mutex_unlock(&hydrator->lock);
	hydrate_settle(&todo);
	mutex_lock(&hydrator->lock);
	return 0;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void *watch(void *context)
{
	struct hydrator *hydrator = context;

	pthread_setname_np(pthread_self(), "hydrate-timer");
	mutex_lock(&hydrator->lock);
	while (!hydrator->is_stopping) {
		int64_t now_ms = clock_mono_ms();
		int64_t next_ms = look_at_files_locked(hydrator, now_ms);
		next_ms = least(next_ms, look_at_reads_locked(hydrator, now_ms));
		next_ms = least(next_ms, hydrate_look_at_learns_locked(hydrator, now_ms));

		/* 0: the lock was left meanwhile, things may have changed */
		if (next_ms > 0 && !hydrator->is_stopping)
			cond_wait_until(&hydrator->timer_wake, &hydrator->lock, next_ms);
	}
	mutex_unlock(&hydrator->lock);
	return NULL;
}

int hydrate_start_timer(struct hydrator *hydrator)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&hydrator->timer, NULL, watch, hydrator);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	hydrator->has_timer = r == 0;
	return -r;
}
