/* What the path of a root leads to at Drive now. */
#pragma once

#include <stdbool.h>

/* The account's own top folder, as a configuration names it. */
#define ANCHOR_MY_DRIVE "My Drive"

struct errand;

struct anchor_place {
	char *id, *drive_id; /* drive_id NULL: in an account's own drive */
	bool is_drive;       /* the top of a shared drive */
	bool can_add;
};

void anchor_place_done(struct anchor_place *place);

/* Follows the path of the errand's root; makes what is missing below the top where CAN_CREATE. 0, PROVIDER_GONE where it
 * leads nowhere, a site fault, … Any thread. */
int anchor_path_follow(const struct errand *errand, bool can_create,
		       struct anchor_place *ret);
/* PROVIDER_NO_ROOT, with WHY told of the errand's root. */
int anchor_no_root(const struct errand *errand, const char *why);
