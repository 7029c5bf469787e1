/* Documents that were removed, until that is believed. */
#include "sync/departed.h"

#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"

/* Where something goes all the time: so many quiet times at most. */
#define PATIENCE 10

void departed_done(struct departed *departed)
{
	map_done(&departed->docs, NULL);
}

int departed_add(struct departed *departed, const char *project, const char *id,
		 int64_t now_ms)
{
	_cleanup_(freep) char *key = strf("%s\n%s", project, id);

	if (!key)
		return -ENOMEM;
	if (!map_size(&departed->docs))
		departed->first_ms = now_ms;
	departed->last_ms = now_ms;
	return map_put(&departed->docs, key, departed, NULL);
}

void departed_remove(struct departed *departed, const char *project, const char *id)
{
	_cleanup_(freep) char *key = NULL;

	if (!map_size(&departed->docs))
		return;
	key = strf("%s\n%s", project, id);
	if (key)
		map_remove(&departed->docs, key);
}

int64_t departed_due_ms(const struct departed *departed, int64_t quiet_ms)
{
	int64_t due = departed->last_ms + quiet_ms;
	int64_t latest = departed->first_ms + PATIENCE * quiet_ms;

	if (!map_size(&departed->docs))
		return INT64_MAX;
	return due < latest ? due : latest;
}

int departed_each(struct departed *departed, departed_fn *fn, void *context)
{
	struct map_slot *slot;
	size_t pos = 0;
	int r = 0;

	while (r == 0 && (slot = map_next(&departed->docs, &pos))) {
		size_t len = strcspn(slot->key, "\n");
		_cleanup_(freep) char *project = strndup(slot->key, len);

		r = project ? fn(context, project, slot->key + len + 1) : -ENOMEM;
	}
	if (r == 0)
		map_done(&departed->docs, NULL);
	return r;
}
