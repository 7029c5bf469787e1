/* The one thread that sends invalidations, and its queue. */
#include "fs/notify.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "fs/chain.h"
#include "sync/base/lock.h"
#include "sync/base/log.h"

struct item {
	struct chain_link link;
	struct item *next;
	enum notice_kind kind;
	int root;
	uint64_t id;
	char rel[];
};

struct notifier {
	void (*tell)(void *context, const struct notice *notice);
	void *context;
	pthread_t thread;
	struct mutex lock;
	struct cond wake;
	struct chains waiting GUARDED_BY(&lock);
	struct item *first GUARDED_BY(&lock), *last GUARDED_BY(&lock);
	bool is_ending GUARDED_BY(&lock);
	bool is_joined; /* of who stops it */
};

static uint64_t hash_notice(const struct notice *notice)
{
	uint64_t seed = (uint64_t)notice->kind << 32 ^ (uint64_t)notice->root ^
			notice->id * UINT64_C(0x9e3779b97f4a7c15);

	return XXH3_64bits_withSeed(notice->rel, strlen(notice->rel), seed);
}

static bool is_waiting(struct notifier *notifier, const struct notice *notice,
		       uint64_t hash) REQUIRES(&notifier->lock)
{
	struct chain_link *link = chains_first(&notifier->waiting, hash);

	for (; link; link = chains_next(link)) {
		struct item *item = (struct item *)link;

		if (item->kind == notice->kind && item->root == notice->root &&
		    item->id == notice->id && strcmp(item->rel, notice->rel) == 0)
			return true;
	}
	return false;
}

static struct item *new_item(const struct notice *notice)
{
	size_t len = strlen(notice->rel);
	struct item *item = malloc(sizeof(*item) + len + 1);

	if (!item)
		return NULL;
	*item = (struct item){ .kind = notice->kind,
			       .root = notice->root,
			       .id = notice->id };
	memcpy(item->rel, notice->rel, len + 1);
	return item;
}

static int push_locked(struct notifier *notifier, const struct notice *notice,
		       uint64_t hash) REQUIRES(&notifier->lock)
{
	struct item *item;

	if (is_waiting(notifier, notice, hash))
		return 0;
	item = new_item(notice);
	if (!item || chains_reserve(&notifier->waiting) < 0) {
		free(item);
		return -ENOMEM;
	}
	chains_add(&notifier->waiting, &item->link, hash);
	if (notifier->last)
		notifier->last->next = item;
	else
		notifier->first = item;
	notifier->last = item;
	cond_signal(&notifier->wake);
	return 0;
}

void notifier_push(struct notifier *notifier, const struct notice *notice)
{
	uint64_t hash = hash_notice(notice);
	int r;

	mutex_lock(&notifier->lock);
	r = push_locked(notifier, notice, hash);
	mutex_unlock(&notifier->lock);
	if (r < 0)
		log_warning("out of memory: the kernel is not told of \"%s\"",
			    notice->rel);
}

size_t notifier_waiting(struct notifier *notifier)
{
	size_t n;

	mutex_lock(&notifier->lock);
	n = notifier->waiting.n_used;
	mutex_unlock(&notifier->lock);
	return n;
}

/* The next one, waited for; NULL at the end. It no longer waits: a change from now on is a new notice. */
static struct item *take(struct notifier *notifier)
{
	struct item *item;

	mutex_lock(&notifier->lock);
	while (!notifier->first && !notifier->is_ending)
		cond_wait(&notifier->wake, &notifier->lock);
	item = notifier->is_ending ? NULL : notifier->first;
	if (item) {
		notifier->first = item->next;
		if (!notifier->first)
			notifier->last = NULL;
		chains_remove(&notifier->waiting, &item->link);
	}
	mutex_unlock(&notifier->lock);
	return item;
}

static void *run(void *context)
{
	struct notifier *notifier = context;
	struct item *item;

	pthread_setname_np(pthread_self(), "notifier");
	while ((item = take(notifier))) {
		struct notice notice = { .kind = item->kind,
					 .root = item->root,
					 .id = item->id,
					 .rel = item->rel };

		notifier->tell(notifier->context, &notice);
		free(item);
	}
	return NULL;
}

static int start(struct notifier *notifier)
{
	sigset_t all, old;
	int r;

	/* signals are for the threads that ask for them */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&notifier->thread, NULL, run, notifier);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

int notifier_new(void (*tell)(void *context, const struct notice *notice), void *context,
		 struct notifier **ret)
{
	struct notifier *notifier = calloc(1, sizeof(*notifier));
	int r;

	if (!notifier)
		return -ENOMEM;
	notifier->tell = tell;
	notifier->context = context;
	mutex_init(&notifier->lock);
	cond_init(&notifier->wake);
	r = start(notifier);
	if (r < 0) {
		cond_done(&notifier->wake);
		mutex_done(&notifier->lock);
		free(notifier);
		return r;
	}
	*ret = notifier;
	return 0;
}

void notifier_stop(struct notifier *notifier)
{
	if (notifier->is_joined)
		return;
	mutex_lock(&notifier->lock);
	notifier->is_ending = true;
	cond_signal(&notifier->wake);
	mutex_unlock(&notifier->lock);
	pthread_join(notifier->thread, NULL);
	notifier->is_joined = true;
}

void notifier_free(struct notifier *notifier)
{
	struct item *item;

	if (!notifier)
		return;
	notifier_stop(notifier);
	mutex_lock(&notifier->lock);
	while ((item = notifier->first)) {
		notifier->first = item->next;
		free(item);
	}
	chains_done(&notifier->waiting);
	mutex_unlock(&notifier->lock);
	cond_done(&notifier->wake);
	mutex_done(&notifier->lock);
	free(notifier);
}
