/* Threads that serve the kernel. */
#include "fs/crew.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "sync/base/clock.h"
#include "sync/base/lock.h"
#include "sync/base/proc.h"

#define WORKERS 10
#define TICK_MS 4
#define QUIET_TICKS 5 /* without a request: the one who looks on goes to sleep */
#define FULL_MS 60
#define FULL_PART 0.8 /* of that time at work: too much for one */
#define RUSH_MS 1000
#define WAKE_SIGNAL SIGUSR2
#define WAKE_PERIOD_MS 20

struct worker {
	struct crew *crew;
	pthread_t thread;
	atomic_int tid;
	bool is_running;     /* guarded by the crew's lock */
	atomic_uint n_steps; /* odd: it answers; even: it reads, or has no place */
	unsigned n_seen;     /* of n_steps, at the last look */
};

struct crew {
	struct fuse_session *session;
	struct worker workers[WORKERS];
	atomic_size_t n_places, n_serving; /* changed under the lock */
	atomic_bool is_ending, is_watched;
	struct mutex lock;
	struct cond place; /* workers without one wait */
	struct cond call;  /* who looks on waits */
	size_t n_running GUARDED_BY(&lock);
	int error GUARDED_BY(&lock);
};

int crew_new(struct fuse_session *session, struct crew **ret)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (!crew)
		return -ENOMEM;
	crew->session = session;
	mutex_init(&crew->lock);
	cond_init(&crew->place);
	cond_init(&crew->call);
	atomic_init(&crew->n_places, 1);
	for (size_t i = 0; i < WORKERS; i++)
		crew->workers[i].crew = crew;
	*ret = crew;
	return 0;
}

void crew_free(struct crew *crew)
{
	if (!crew)
		return;
	cond_done(&crew->call);
	cond_done(&crew->place);
	mutex_done(&crew->lock);
	free(crew);
}

static void end(struct crew *crew, int error)
{
	mutex_lock(&crew->lock);
	if (error < 0 && crew->error == 0 && !atomic_load(&crew->is_ending))
		crew->error = error;
	atomic_store(&crew->is_ending, true);
	cond_broadcast(&crew->place);
	cond_broadcast(&crew->call);
	mutex_unlock(&crew->lock);
}

void crew_stop(struct crew *crew)
{
	end(crew, 0);
}

/* ---- a worker ---- */

static void call_watcher(struct crew *crew)
{
	mutex_lock(&crew->lock);
	atomic_store(&crew->is_watched, true);
	cond_broadcast(&crew->call);
	mutex_unlock(&crew->lock);
}

/* False: the end. */
static bool take_place(struct crew *crew)
{
	bool is_ending;

	mutex_lock(&crew->lock);
	while (!atomic_load(&crew->is_ending) &&
	       atomic_load(&crew->n_serving) >= atomic_load(&crew->n_places))
		cond_wait(&crew->place, &crew->lock);
	is_ending = atomic_load(&crew->is_ending);
	if (!is_ending)
		atomic_fetch_add(&crew->n_serving, 1);
	mutex_unlock(&crew->lock);
	return !is_ending;
}

static bool leave_place(struct crew *crew)
{
	bool leaves;

	if (atomic_load(&crew->n_serving) <= atomic_load(&crew->n_places))
		return false;
	mutex_lock(&crew->lock);
	leaves = atomic_load(&crew->n_serving) > atomic_load(&crew->n_places);
	if (leaves)
		atomic_fetch_sub(&crew->n_serving, 1);
	mutex_unlock(&crew->lock);
	return leaves;
}

static void answer(struct worker *worker, struct fuse_buf *buf)
{
	struct crew *crew = worker->crew;

	atomic_fetch_add(&worker->n_steps, 1);
	if (!atomic_load(&crew->is_watched))
		call_watcher(crew);
	fuse_session_process_buf(crew->session, buf);
	atomic_fetch_add(&worker->n_steps, 1);
}

/* Until others are enough, or the end. */
static void serve(struct worker *worker, struct fuse_buf *buf)
{
	struct crew *crew = worker->crew;

	while (!atomic_load(&crew->is_ending)) {
		int n = fuse_session_receive_buf(crew->session, buf);

		if (n > 0)
			answer(worker, buf);
		else if (n != -EINTR && n != -EAGAIN)
			end(crew, n);
		if (fuse_session_exited(crew->session))
			end(crew, 0);
		if (n > 0 && leave_place(crew))
			return;
	}
}

static void *work(void *context)
{
	struct worker *worker = context;
	struct crew *crew = worker->crew;
	struct fuse_buf buf = { 0 };

	atomic_store(&worker->tid, gettid());
	while (take_place(crew))
		serve(worker, &buf);
	free(buf.mem);
	mutex_lock(&crew->lock);
	worker->is_running = false;
	crew->n_running--;
	cond_broadcast(&crew->call);
	mutex_unlock(&crew->lock);
	return NULL;
}

/* ---- who looks on ---- */

/* It waits for something. One that could run and is not let is no reason to bring more. */
static bool is_asleep(const struct worker *worker)
{
	char path[64], text[256];
	const char *state;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat",
		 atomic_load(&worker->tid));
	return proc_stat(path, text, sizeof(text), &state) < 0 || state[0] != 'R';
}

struct look {
	bool is_same;  /* nothing was taken or answered since the last one */
	bool is_stuck; /* somebody waits at the same request */
	size_t n_busy;
};

static struct look look_at(struct crew *crew)
{
	struct look look = { .is_same = true };

	for (size_t i = 0; i < WORKERS; i++) {
		struct worker *worker = &crew->workers[i];
		unsigned n = atomic_load(&worker->n_steps);
		bool is_same = n == worker->n_seen;

		look.n_busy += n & 1;
		look.is_stuck |= n & 1 && is_same && is_asleep(worker);
		look.is_same &= is_same;
		worker->n_seen = n;
	}
	return look;
}

/* What all have worked so far. */
static int64_t worked_ns(const struct crew *crew)
{
	int64_t sum = 0;

	for (size_t i = 0; i < WORKERS; i++) {
		struct timespec time;
		clockid_t clock;

		if (crew->workers[i].is_running &&
		    pthread_getcpuclockid(crew->workers[i].thread, &clock) == 0 &&
		    clock_gettime(clock, &time) == 0)
			sum += timespec_ns(time);
	}
	return sum;
}

/* One thread is hardly enough any more. Asked again and again; judges once in a while. */
struct load {
	int64_t since_ms, worked_ns;
};

static bool is_full(const struct crew *crew, struct load *load)
{
	struct load now = { .since_ms = clock_mono_ms() };
	double part;

	if (load->since_ms && now.since_ms - load->since_ms < FULL_MS)
		return false;
	now.worked_ns = worked_ns(crew);
	part = (double)(now.worked_ns - load->worked_ns) /
	       ((double)(now.since_ms - load->since_ms) * 1e6);
	part = load->since_ms ? part : 0;
	*load = now;
	return part >= FULL_PART;
}

static void set_places(struct crew *crew, size_t n) REQUIRES(&crew->lock)
{
	atomic_store(&crew->n_places, n);
	cond_broadcast(&crew->place);
}

/* A request that came before the watcher was gone is seen here, one that comes later calls it. */
static void sleep_deeply(struct crew *crew) REQUIRES(&crew->lock)
{
	atomic_store(&crew->is_watched, false);
	if (!look_at(crew).is_same)
		atomic_store(&crew->is_watched, true);
	while (!atomic_load(&crew->is_watched) && !atomic_load(&crew->is_ending))
		cond_wait(&crew->call, &crew->lock);
}

static void watch_one(struct crew *crew) REQUIRES(&crew->lock)
{
	struct load load = { 0 };
	unsigned n_quiet = 0;

	while (!atomic_load(&crew->is_ending)) {
		struct look look;

		cond_wait_until(&crew->call, &crew->lock, clock_mono_ms() + TICK_MS);
		look = look_at(crew);
		n_quiet = look.is_same && !look.n_busy ? n_quiet + 1 : 0;
		if (n_quiet >= QUIET_TICKS) {
			sleep_deeply(crew);
			n_quiet = 0;
		}
		if (look.is_stuck && look.n_busy >= atomic_load(&crew->n_serving))
			return;
		if (is_full(crew, &load))
			return;
	}
}

static void watch_all(struct crew *crew) REQUIRES(&crew->lock)
{
	set_places(crew, WORKERS);
	while (!atomic_load(&crew->is_ending)) {
		int64_t until = clock_mono_ms() + RUSH_MS;

		while (!atomic_load(&crew->is_ending) && clock_mono_ms() < until)
			cond_wait_until(&crew->call, &crew->lock, until);
		if (!look_at(crew).is_stuck)
			break;
	}
	set_places(crew, 1);
}

/* Whoever reads is woken, again and again: the signal may come just before the reading. */
static void wake_all(struct crew *crew) REQUIRES(&crew->lock)
{
	while (crew->n_running) {
		for (size_t i = 0; i < WORKERS; i++) {
			struct worker *worker = &crew->workers[i];

			if (worker->is_running && !(atomic_load(&worker->n_steps) & 1))
				pthread_kill(worker->thread, WAKE_SIGNAL);
		}
		cond_wait_until(&crew->call, &crew->lock,
				clock_mono_ms() + WAKE_PERIOD_MS);
	}
}

/* ---- beginning and end ---- */

static void do_nothing(int signal)
{
}

/* Workers hear no signal but ours, which only interrupts what waits. */
static int start(struct crew *crew) REQUIRES(&crew->lock)
{
	struct sigaction action = { .sa_handler = do_nothing };
	sigset_t others, old;
	int r = 0;

	sigaction(WAKE_SIGNAL, &action, NULL);
	sigfillset(&others);
	sigdelset(&others, WAKE_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &others, &old);
	for (size_t i = 0; r == 0 && i < WORKERS; i++) {
		struct worker *worker = &crew->workers[i];

		r = -pthread_create(&worker->thread, NULL, work, worker);
		worker->is_running = r == 0;
		crew->n_running += worker->is_running;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

int crew_run(struct crew *crew)
{
	size_t n;
	int r;

	mutex_lock(&crew->lock);
	r = start(crew);
	n = crew->n_running;
	if (r < 0)
		atomic_store(&crew->is_ending, true);
	while (!atomic_load(&crew->is_ending)) {
		watch_one(crew);
		if (!atomic_load(&crew->is_ending))
			watch_all(crew);
	}
	cond_broadcast(&crew->place);
	wake_all(crew);
	if (r == 0)
		r = crew->error;
	mutex_unlock(&crew->lock);
	for (size_t i = 0; i < n; i++)
		pthread_join(crew->workers[i].thread, NULL);
	return r;
}
