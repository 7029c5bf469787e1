/* That this host's daemon is there. */
#include "sync/greeting.h"

#include <stdio.h>
#include <unistd.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"
#include "sync/base/path.h"
#include "sync/engine_private.h"

#define EVERY_MS 60000
#define HOST_MAX 256

void greeting_due(struct engine *engine)
{
	char host[HOST_MAX] = "";
	int64_t now = clock_mono_ms();
	int r;

	if (!engine->store || engine_is_passive(engine) || now < engine->next_greeting_ms)
		return;
	engine->next_greeting_ms = now + EVERY_MS;
	if (gethostname(host, sizeof(host) - 1) < 0 || !host[0] || !path_is_utf8(host))
		snprintf(host, sizeof(host), "?");
	r = engine->store->ops->greet(engine->store, engine->config->active_site, host);
	if (r < 0)
		log_debug("cannot tell the store that this host is there: %s",
			  error_text(NULL, r));
}
