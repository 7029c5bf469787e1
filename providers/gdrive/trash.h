/* Taking objects out of Drive's trash. */
#pragma once

#include "providers/gdrive/errand.h"

/* As the port's untrash(). Where a folder above was put into the trash, that comes back, with all that went with it. */
_must_check_ int trash_restore(const struct errand *errand, const char *id,
			       const struct provider_object *wanted,
			       struct provider_object *ret);
