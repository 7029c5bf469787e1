/* The providers that this build has, by the name that a site's preset file gives. The only list of them. */
#pragma once

#include "sync/provider.h"

/* The provider of SITE, which is borrowed and outlives it. No I/O: probe() is the first to look. -EINVAL: no such
 * provider, or settings that it cannot work with; -EOPNOTSUPP: left out of this build. */
int provider_open(const struct config_site *site, struct provider **ret,
		  struct error *error);
