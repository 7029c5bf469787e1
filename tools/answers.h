/*
 * What the daemon answers on its control socket, verb by verb (tools/control.h): the engine's facts as JSON. Called by
 * tools/server on the threads of connections; nothing here is changed after the start but by the engine.
 */
#pragma once

#include <stddef.h>

#include "sync/engine.h"
#include "tools/server.h"
#include "tools/where.h"

struct answers {
	struct engine *engine;
	struct where where;
	bool is_read_only;
	/* How local files are read, as fs/mount.h says; false and "" without a mount. NULL: never one. */
	bool (*is_passthrough)(void *context, char *reason, size_t size);
	void *context;
};

/* A server_answer_fn; CONTEXT: struct answers. */
void answers_answer(void *context, const struct control_request *request,
		    struct server_call *call);
