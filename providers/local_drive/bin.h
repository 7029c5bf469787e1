/* The trash of a local_drive site: `.sitefs/trash/PATH/TIME`, looked into and taken out of. */
#pragma once

#include "providers/local_drive/visit.h"

/* As the port's trace(): a folder tells when, never who. */
int bin_trace(const struct visit *visit, const char *revision,
	      struct provider_trace *ret);
/* As the port's untrash(): the newest that fits. */
int bin_restore(const struct visit *visit, const struct provider_object *wanted,
		struct provider_object *ret);
