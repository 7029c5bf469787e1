/* Subscribers to what happens. */
#include "sync/events.h"

#include <errno.h>
#include <stdlib.h>

#include "sync/base/clock.h"

#define MAX_SUBSCRIBERS 64

struct events_slot {
	struct events_slot *next;
	engine_event_fn *fn;
	void *context;
};

void events_init(struct events *events)
{
	mutex_init(&events->lock);
	cond_init(&events->idle);
}

void events_done(struct events *events)
{
	struct events_slot *slot, *next;

	mutex_lock(&events->lock);
	slot = events->first;
	events->first = NULL;
	mutex_unlock(&events->lock);
	for (; slot; slot = next) {
		next = slot->next;
		free(slot);
	}
	cond_done(&events->idle);
	mutex_done(&events->lock);
}

int events_subscribe(struct events *events, engine_event_fn *fn, void *context)
{
	struct events_slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return -ENOMEM;
	slot->fn = fn;
	slot->context = context;
	mutex_lock(&events->lock);
	slot->next = events->first;
	events->first = slot;
	mutex_unlock(&events->lock);
	return 0;
}

void events_unsubscribe(struct events *events, engine_event_fn *fn, void *context)
{
	struct events_slot *gone = NULL;

	mutex_lock(&events->lock);
	for (struct events_slot **at = &events->first; *at; at = &(*at)->next) {
		if ((*at)->fn != fn || (*at)->context != context)
			continue;
		gone = *at;
		*at = gone->next;
		break;
	}
	while (events->n_running > 0)
		cond_wait(&events->idle, &events->lock);
	mutex_unlock(&events->lock);
	free(gone);
}

void events_emit(struct events *events, struct engine_event event)
{
	struct events_slot called[MAX_SUBSCRIBERS];
	size_t n = 0;

	mutex_lock(&events->lock);
	event.seq = ++events->seq;
	for (struct events_slot *slot = events->first; slot && n < MAX_SUBSCRIBERS;
	     slot = slot->next)
		called[n++] = *slot;
	events->n_running++;
	mutex_unlock(&events->lock);
	event.wall_ms = clock_wall_ms();
	for (size_t i = 0; i < n; i++)
		called[i].fn(called[i].context, &event);
	mutex_lock(&events->lock);
	events->n_running--;
	cond_broadcast(&events->idle);
	mutex_unlock(&events->lock);
}
