/*
 * remove-site at a site that is not this machine's: what the daemons of that site told that they hold without entries
 * (sync/presence) is forgotten for the files that are meant. A daemon that still runs and finds them there tells it again;
 * a machine that is gone does not.
 */
#pragma once

#include "tools/edits.h"

/* After edits_run() with that SETUP. 0 or an exit code, said. */
int forget_held(const struct edits_setup *setup) _must_check_;
