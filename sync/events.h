/* Subscribers to what happens (watch): a small list, called from the thread where it happens. */
#pragma once

#include "sync/base/lock.h"
#include "sync/engine.h"

struct events {
	struct mutex lock;
	struct events_slot *first GUARDED_BY(&lock);
	uint64_t seq GUARDED_BY(&lock);
	int n_running GUARDED_BY(&lock); /* calls under way: unsubscribe waits for them */
	struct cond idle;
};

void events_init(struct events *events);
void events_done(struct events *events);
int events_subscribe(struct events *events, engine_event_fn *fn, void *context);
void events_unsubscribe(struct events *events, engine_event_fn *fn, void *context);
/* Fills in seq and time and calls every subscriber. Any thread, no lock held. */
void events_emit(struct events *events, struct engine_event event);
