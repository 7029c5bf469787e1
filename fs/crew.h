/*
 * The crew: threads that read requests from the kernel and answer them. One serves as long as requests are short, for
 * waking a second costs more than answering. When one takes long, or they come faster than one thread answers, all
 * serve for a while:
 *
 *           a request longer than a tick or two; no pause between requests
 *   ONE ────────────────────────────────────────────────────────────────► ALL
 *       ◄────────────────────────────────────────────────────────────────
 *           after a second, if nothing is stuck
 *
 * Who sees to that is the thread that runs the crew: it looks on at every tick while there are requests, and sleeps while
 * there are none.
 */
#pragma once

#include <fuse_lowlevel.h>

#include "sync/base/cleanup.h"

struct crew;

int crew_new(struct fuse_session *session, struct crew **ret) _must_check_;
void crew_free(struct crew *crew);
DEFINE_CLEANUP(struct crew *, crew_free);

/* Blocks until the session's end or crew_stop(), and till each request that was read is answered or deferred. 0, or a
 * negative errno where the connection broke. Once. Uses SIGUSR2 inside of its threads. */
int crew_run(struct crew *crew) _must_check_;
/* Any thread, at any time. */
void crew_stop(struct crew *crew);
