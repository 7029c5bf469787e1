/* What became of an object, and by whom, as far as Drive tells. */
#pragma once

#include "providers/gdrive/errand.h"
#include "providers/gdrive/wire.h"

/* As the port's trace(). */
_must_check_ int trace_object(const struct errand *errand, const char *id,
			      const char *revision, struct provider_trace *ret);
/* The one of FILE's folders, or FILE itself, that somebody put into the trash. RET is zeroed first, and the caller's
 * to end. */
_must_check_ int trace_trashed(const struct errand *errand, const struct wire_file *file,
			       struct wire_file *ret);
