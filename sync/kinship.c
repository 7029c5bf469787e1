/* Hosts of one site have one root. */
#include "sync/kinship.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sync/base/buf.h"

#define HOST_MAX 256

/* "IDENTITY HOST PATH" */
static char *describe(const struct kinship *kinship)
{
	char host[HOST_MAX] = "?";

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '?';
	host[strcspn(host, " ")] = '\0';
	return strf("%s %s %s", kinship->identity, host, kinship->path);
}

static int refuse(const struct kinship *kinship, const char *theirs, struct error *error)
{
	size_t len = strcspn(theirs, " ");
	const char *host = theirs[len] ? theirs + len + 1 : "?";
	size_t host_len = strcspn(host, " ");
	const char *path = host[host_len] ? host + host_len + 1 : "?";

	return error_set(
		error, -EXDEV,
		"root '%s' of site '%s' at %s (identity %s) is another one than on "
		"host %.*s at %s (identity %.*s): give this machine a site of its "
		"own (SITEFS_ACTIVE_SITE), mount the right disk, or --adopt makes "
		"this root the site's",
		kinship->root, kinship->site, kinship->path, kinship->identity,
		(int)host_len, host, path, (int)len, theirs);
}

int kinship_check(struct store *store, const struct kinship *kinship, bool can_adopt,
		  bool is_look, struct error *error)
{
	_cleanup_(freep) char *key = strf("root:%s:%s", kinship->site, kinship->root);
	_cleanup_(freep) char *ours = describe(kinship), *theirs = NULL;
	const char *keys[] = { key }, *texts[] = { is_look ? NULL : ours };
	size_t len = strlen(kinship->identity);
	int r;

	if (!key || !ours)
		return -ENOMEM;
	r = store->ops->reserve(store, keys, texts, 1, &theirs);
	if (r < 0 || !theirs ||
	    (strncmp(theirs, ours, len) == 0 && (theirs[len] == ' ' || !theirs[len])))
		return r;
	if (!can_adopt)
		return refuse(kinship, theirs, error);
	r = store->ops->forget(store, key);
	if (r < 0)
		return r;
	free(steal(theirs));
	return store->ops->reserve(store, keys, texts, 1, &theirs);
}
