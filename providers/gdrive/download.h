/* Content of one object: ranges of one revision, and its digest. */
#pragma once

#include "providers/gdrive/errand.h"

struct download {
	const char *id, *revision; /* as in provider_ops */
	uint64_t offset, length;
	provider_sink *sink;
	void *context;
};
_must_check_ int download_fetch(const struct errand *errand,
				const struct download *download);
_must_check_ int download_digest(const struct errand *errand, const char *id,
				 const char *revision, struct digest *ret);
