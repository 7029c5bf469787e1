/* Several things of one name in one folder: Drive allows it, a path does not. */
#pragma once

#include "providers/gdrive/errand.h"

/* As the port's merge(). */
_must_check_ int twins_merge(const struct errand *errand, const char *id, int *ret);
