/* The list of providers. */
#include "providers/registry.h"

#include <errno.h>
#include <string.h>

#include "providers/gdrive/gdrive.h"
#include "providers/local_drive/local_drive.h"

static const struct {
	const char *name;
	/* NULL: known, and left out of this build */
	int (*open)(const struct config_site *site, struct provider **ret,
		    struct error *error);
} providers[] = {
	{ "gdrive", gdrive_new },
	{ "local_drive", local_drive_new },
};

int provider_open(const struct config_site *site, struct provider **ret,
		  struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(providers); i++) {
		if (strcmp(site->provider, providers[i].name) != 0)
			continue;
		if (!providers[i].open)
			return error_set(error, -EOPNOTSUPP,
					 "site '%s': this build has no %s provider",
					 site->name, site->provider);
		return providers[i].open(site, ret, error);
	}
	return error_set(error, -EINVAL, "site '%s': there is no provider '%s'",
			 site->name, site->provider);
}
