/*
 * Hosts of one site have one root: its identity (`.sitefs/root-id`) is agreed on in the store, by site and root name. A
 * host that starts under the name of a site whose root is another one would record there what the others do not have.
 */
#pragma once

#include "sync/base/error.h"
#include "sync/store.h"

/* One root of this host. */
struct kinship {
	const char *site, *root; /* names */
	const char *path, *identity;
};

/* 0: the other hosts have this root too, or there are none (from now on it is the site's). -EXDEV: they have another one;
 * both are named in ERROR. Else as the store port. ADOPT: from now on this is the site's, whatever the others had. LOOK:
 * nothing is agreed on. */
int kinship_check(struct store *store, const struct kinship *kinship, bool can_adopt,
		  bool is_look, struct error *error);
