/*
 * One call's stay at one root: the root is opened anew for it, and everything that the call does happens beneath that
 * descriptor. Turns what goes wrong there into outcomes.
 */
#pragma once

#include <stdbool.h>

#include "providers/local_drive/root.h"

struct visit {
	struct root *root;
	int fd;           /* O_PATH of the root folder */
	const char *path; /* of the object, or of the folder to list */
	struct provider_call *call;
};

/* 0, a site fault, or -ECANCELED and the like. The path is the caller's to check. */
int visit_begin(struct root *root, const char *path, struct provider_call *call,
		struct visit *ret);
void visit_done(struct visit *visit);

/* The root's path still leads to the same folder: 0 or a site fault. */
int visit_check(const struct visit *visit);
/* R, a negative errno met while trying WHAT ("read") on the object: the outcome, with the text set. A fault that turns
 * out to be one of the object alone is none of the site. */
int visit_fault(const struct visit *visit, int r, bool is_writing, const char *what);
/* Sets "site 'S': PATH " and the rest as the text, and evaluates to OUTCOME. */
int visit_say(const struct visit *visit, int outcome, const char *fmt, ...)
	_printf_(3, 4);
/* The same while using `.sitefs/NAME`, which is the whole site's. */
int visit_private_fault(const struct visit *visit, int r, const char *name);
/* O_PATH descriptor of `.sitefs/NAME` (ret_fd may be NULL), made where missing: 0, or as
 * visit_private_fault(). */
int visit_private(const struct visit *visit, const char *name, int *ret_fd);

static inline bool visit_is_canceled(const struct visit *visit)
{
	return __atomic_load_n(&visit->call->cancel, __ATOMIC_RELAXED);
}
