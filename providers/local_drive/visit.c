/* One call's stay at one root. */
#include "providers/local_drive/visit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "providers/local_drive/fault.h"
#include "sync/base/beneath.h"
#include "sync/base/buf.h"

int visit_begin(struct root *root, const char *path, struct provider_call *call,
		struct visit *ret)
{
	struct visit visit = { .root = root, .fd = -1, .path = path, .call = call };
	int r;

	if (visit_is_canceled(&visit))
		return -ECANCELED;
	r = root_open(root, &call->error, &visit.fd);
	if (r == 0)
		*ret = visit;
	return r;
}

void visit_done(struct visit *visit)
{
	if (visit->fd >= 0)
		close(visit->fd);
}

int visit_check(const struct visit *visit)
{
	_cleanup_(closep) int fd = -1;

	return root_open(visit->root, &visit->call->error, &fd);
}

int visit_say(const struct visit *visit, int outcome, const char *fmt, ...)
{
	struct error text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, ap);
	va_end(ap);
	return error_set(&visit->call->error, outcome, "site '%s': %s %s",
			 visit->root->site, visit->path, text.text);
}

/* Is it the whole root that we may not read or write? */
static bool is_root_denied(const struct visit *visit, bool is_writing)
{
	int mode = is_writing ? R_OK | W_OK | X_OK : R_OK | X_OK;

	return faccessat(visit->fd, ".", mode, AT_EACCESS) < 0;
}

int visit_fault(const struct visit *visit, int r, bool is_writing, const char *what)
{
	int outcome = fault_outcome(-r, is_writing);
	int site_outcome;

	if (outcome == PROVIDER_GONE || outcome == PROVIDER_UNREACHABLE ||
	    (is_writing && r == -ENOENT)) {
		/* a lost root looks like an empty one from inside */
		site_outcome = visit_check(visit);
		if (site_outcome != 0)
			return site_outcome;
		if (outcome == PROVIDER_UNREACHABLE)
			outcome = PROVIDER_BUSY;
	}
	/* one folder of another user does not stop the site; nobody helps it by trying again */
	if (outcome == PROVIDER_DENIED && r != -EROFS &&
	    !is_root_denied(visit, is_writing))
		outcome = PROVIDER_REFUSED;
	return error_set(&visit->call->error, outcome,
			 "site '%s': cannot %s %s in %s: %s", visit->root->site, what,
			 visit->path, visit->root->path, strerror(-r));
}

int visit_private_fault(const struct visit *visit, int r, const char *name)
{
	int outcome = fault_outcome(-r, true);

	/* another user's, or no folder: what is wrong with it is wrong for every object */
	if (outcome == PROVIDER_REFUSED)
		outcome = PROVIDER_DENIED;
	return error_set(&visit->call->error, outcome,
			 "site '%s': cannot use " PRIVATE_FOLDER "/%s in %s: %s",
			 visit->root->site, name, visit->root->path, strerror(-r));
}

int visit_private(const struct visit *visit, const char *name, int *ret_fd)
{
	_cleanup_(freep) char *path = strf("%s/%s", PRIVATE_FOLDER, name);
	int r = path ? beneath_mkdirs(visit->fd, path, 0700, ret_fd) : -ENOMEM;

	return r < 0 ? visit_private_fault(visit, r, name) : 0;
}
