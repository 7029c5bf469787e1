/* Claims on names: a map of the held ones; those who wait sleep on one condition, since they are few and rare. */
#include "sync/claims.h"

#include <assert.h>
#include <errno.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/lock.h"
#include "sync/base/map.h"

#define RETRY_MS 10 /* no memory for the claim: it comes back, or the kernel ends us */

struct claims {
	struct mutex lock;
	struct cond released;
	struct map held GUARDED_BY(&lock); /* "ROOT:REL" -> the struct itself */
};

int claims_new(struct claims **ret)
{
	struct claims *claims = calloc(1, sizeof(*claims));

	if (!claims)
		return -ENOMEM;
	mutex_init(&claims->lock);
	cond_init(&claims->released);
	*ret = claims;
	return 0;
}

void claims_free(struct claims *claims) NO_THREAD_SAFETY
{
	if (!claims)
		return;
	assert(map_size(&claims->held) == 0);
	map_done(&claims->held, NULL);
	cond_done(&claims->released);
	mutex_done(&claims->lock);
	free(claims);
}

static char *key_of(int root, const char *rel)
{
	return strf("%d:%s", root, rel);
}

/* 0, or the time until which to wait before the next try (INT64_MAX: until a release). */
static int64_t try_locked(struct claims *claims, int root, const char *rel)
	REQUIRES(&claims->lock)
{
	_cleanup_(freep) char *key = key_of(root, rel);

	if (key && map_get(&claims->held, key))
		return INT64_MAX;
	if (key && map_put(&claims->held, key, claims, NULL) == 0)
		return 0;
	return clock_mono_ms() + RETRY_MS;
}

void claims_take(struct claims *claims, int root, const char *rel)
{
	int64_t until;

	mutex_lock(&claims->lock);
	while ((until = try_locked(claims, root, rel)) != 0)
		cond_wait_until(&claims->released, &claims->lock, until);
	mutex_unlock(&claims->lock);
}

/* A release cannot fail, although its key is allocated. */
static void remove_locked(struct claims *claims, int root, const char *rel)
	REQUIRES(&claims->lock)
{
	_cleanup_(freep) char *key = NULL;
	void *held;

	while (!(key = key_of(root, rel)))
		cond_wait_until(&claims->released, &claims->lock,
				clock_mono_ms() + RETRY_MS);
	held = map_remove(&claims->held, key);
	assert(held);
}

void claims_release(struct claims *claims, int root, const char *rel)
{
	mutex_lock(&claims->lock);
	remove_locked(claims, root, rel);
	cond_broadcast(&claims->released);
	mutex_unlock(&claims->lock);
}
