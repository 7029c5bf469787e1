/*
 * Mutex and condition with annotations that clang's -Wthread-safety checks. Locks are taken
 * and released in plain sight, never by a scope guard: the checker does not follow those.
 *
 * Order in which two locks may be held: none may. A path that needs two is a design error;
 * copy what is needed out under the first, drop it, take the second.
 *
 * The checker wants addresses: GUARDED_BY(&lock) of a member, REQUIRES(&noun->lock) of a parameter. A field
 * guarded by the lock of another struct cannot be told to it: a comment says so.
 */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <time.h>

#if defined(__clang__) && __clang_major__ >= 19
#define THREAD_ANNOTATION(x) __attribute__((x))
#else
#define THREAD_ANNOTATION(x)
#endif

#define CAPABILITY(x) THREAD_ANNOTATION(capability(x))
#define GUARDED_BY(x) THREAD_ANNOTATION(guarded_by(x))
#define PT_GUARDED_BY(x) THREAD_ANNOTATION(pt_guarded_by(x))
#define REQUIRES(x) THREAD_ANNOTATION(requires_capability(x))
#define EXCLUDES(x) THREAD_ANNOTATION(locks_excluded(x))
#define ACQUIRE(x) THREAD_ANNOTATION(acquire_capability(x))
#define RELEASE(x) THREAD_ANNOTATION(release_capability(x))
#define NO_THREAD_SAFETY THREAD_ANNOTATION(no_thread_safety_analysis)

struct CAPABILITY("mutex") mutex {
	pthread_mutex_t m;
};

struct cond {
	pthread_cond_t c;
};

#define MUTEX_INIT { PTHREAD_MUTEX_INITIALIZER }

/* A condition waits on the monotonic clock, hence no static initialiser. */
void mutex_init(struct mutex *mutex);
void mutex_done(struct mutex *mutex);
void mutex_lock(struct mutex *mutex) ACQUIRE(mutex);
void mutex_unlock(struct mutex *mutex) RELEASE(mutex);

void cond_init(struct cond *cond);
void cond_done(struct cond *cond);
void cond_wait(struct cond *cond, struct mutex *mutex) REQUIRES(mutex);
/* Until deadline_ms on clock_mono_ms(); INT64_MAX waits for ever. 0, or -ETIMEDOUT. */
int cond_wait_until(struct cond *cond, struct mutex *mutex, int64_t deadline_ms)
	REQUIRES(mutex);
void cond_signal(struct cond *cond);
void cond_broadcast(struct cond *cond);
