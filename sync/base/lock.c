/* Mutex and condition: thin, so that errors of the API are asserted in one place. */
#include "sync/base/lock.h"

#include <assert.h>

#include "sync/base/clock.h"

void mutex_init(struct mutex *mutex)
{
	int r = pthread_mutex_init(&mutex->m, NULL);

	assert(r == 0);
}

void mutex_done(struct mutex *mutex)
{
	pthread_mutex_destroy(&mutex->m);
}

void mutex_lock(struct mutex *mutex) NO_THREAD_SAFETY
{
	int r = pthread_mutex_lock(&mutex->m);

	assert(r == 0);
}

void mutex_unlock(struct mutex *mutex) NO_THREAD_SAFETY
{
	int r = pthread_mutex_unlock(&mutex->m);

	assert(r == 0);
}

void cond_init(struct cond *cond)
{
	pthread_condattr_t attr;
	int r;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	r = pthread_cond_init(&cond->c, &attr);
	assert(r == 0);
	pthread_condattr_destroy(&attr);
}

void cond_done(struct cond *cond)
{
	pthread_cond_destroy(&cond->c);
}

void cond_wait(struct cond *cond, struct mutex *mutex)
{
	pthread_cond_wait(&cond->c, &mutex->m);
}

int cond_wait_until(struct cond *cond, struct mutex *mutex, int64_t deadline_ms)
{
	struct timespec ts;

	if (deadline_ms == INT64_MAX) {
		cond_wait(cond, mutex);
		return 0;
	}
	ts = ns_timespec((deadline_ms - clock_shift_ms()) * 1000000);
	return -pthread_cond_timedwait(&cond->c, &mutex->m, &ts);
}

void cond_signal(struct cond *cond)
{
	pthread_cond_signal(&cond->c);
}

void cond_broadcast(struct cond *cond)
{
	pthread_cond_broadcast(&cond->c);
}
