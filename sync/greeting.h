/* This host tells the store now and then that its daemon for the site is there, so that others may ask (--site). */
#pragma once

#include <stdint.h>

struct engine;

/* Tells it where that is due, once a minute. A store that cannot be told is no fault. Sync thread. */
void greeting_due(struct engine *engine);
