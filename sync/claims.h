/*
 * Claims on names below roots: whoever moves a file onto, away from or over a name holds its claim meanwhile, so
 * that a publish, a removal and a finished download never meet in the middle. Single names only, never a tree.
 * Any thread. A thread that needs two names takes them in the byte order of their paths.
 */
#pragma once

#include "sync/base/cleanup.h"

struct claims;

int claims_new(struct claims **ret);
/* No claim may be held. */
void claims_free(struct claims *claims);
DEFINE_CLEANUP(struct claims *, claims_free);

/* Waits while another holds it; not recursive. */
void claims_take(struct claims *claims, int root, const char *rel);
void claims_release(struct claims *claims, int root, const char *rel);
