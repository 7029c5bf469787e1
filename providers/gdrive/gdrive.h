/*
 * Google Drive as a remote: objects are files below the site's root folders, by their normal names, as rclone and people
 * see them. Drive API v3 with service accounts.
 *
 * id = document id = Drive's file id; revision = headRevisionId. What a store replaces stays among the file's older
 * versions; trash() moves into Drive's trash. A site that can only be read is read: store() and trash() are
 * PROVIDER_DENIED.
 */
#pragma once

#include "sync/provider.h"

/* As provider_open() in providers/registry.h. -EINVAL: no key file named, no root, an endpoint that is no https. */
int gdrive_new(const struct config_site *site, struct provider **ret,
	       struct error *error);
