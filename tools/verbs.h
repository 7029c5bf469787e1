/* The table of verbs: what `sitefs --help`, the dispatcher and the completion list. */
#pragma once

#include "tools/cli.h"

/* In the order of --help; NULL at the end. */
extern const struct verb *const verbs[];

extern const struct verb verb_version;

/* NULL if there is none of that name. */
const struct verb *verb_find(const char *name);
