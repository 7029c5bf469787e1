/* A progress line for a site at work, drawn by a thread of its own while stderr is a terminal. */
#pragma once

#include "sync/engine.h"
#include "tools/cli.h"

struct site_progress;

/* NULL where nothing is to be drawn. ENGINE is borrowed until site_progress_free(), which wipes the line. */
struct site_progress *site_progress_new(const struct cli *cli, struct engine *engine);
void site_progress_free(struct site_progress *progress);
DEFINE_CLEANUP(struct site_progress *, site_progress_free);
