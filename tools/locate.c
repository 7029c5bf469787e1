/* Where an absolute path lies in the active site. */
#include "tools/locate.h"

#include <errno.h>
#include <string.h>

#include "sync/base/path.h"
#include "tools/client.h"

/* What follows ABOVE in PATH, without slash; NULL where it is not below. */
static const char *rest_below(const char *path, const char *above)
{
	size_t len = above[1] ? strlen(above) : 0;

	if (strncmp(path, above, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path + len + (path[len] == '/');
}

static int find_name(const struct config_site *site, const char *name, size_t len)
{
	for (size_t i = 0; i < site->n_roots; i++)
		if (strlen(site->roots[i].name) == len &&
		    !strncmp(site->roots[i].name, name, len))
			return (int)i;
	return -1;
}

static const char *find_in_mount(const struct config_site *site,
				 const struct daemon_facts *facts, const char *path,
				 int *ret_root)
{
	const char *rest = facts->mountpoint ? rest_below(path, facts->mountpoint) : NULL;
	size_t len;

	if (!rest || strcmp(facts->active_site, site->name) != 0)
		return NULL;
	if (facts->only_root) {
		*ret_root = find_name(site, facts->only_root, strlen(facts->only_root));
		return *ret_root >= 0 ? rest : NULL;
	}
	len = strcspn(rest, "/");
	*ret_root = find_name(site, rest, len);
	return *ret_root >= 0 ? rest + len + (rest[len] == '/') : NULL;
}

static const char *find_in_roots(const struct config_site *site, const char *path,
				 int *ret_root)
{
	for (size_t i = 0; i < site->n_roots; i++) {
		_cleanup_(freep) char *real = realpath(site->roots[i].path, NULL);
		const char *rest = rest_below(path, real ? real : site->roots[i].path);

		*ret_root = (int)i;
		if (rest)
			return rest;
	}
	return NULL;
}

int locate(const struct config *config, const char *absolute, int *ret_root,
	   char **ret_rel)
{
	const struct config_site *site = config_find_site(config, config->active_site);
	struct daemon_facts *list = NULL;
	const char *rest;
	size_t n = 0;

	if (!site)
		return -ENOENT;
	/* a mount may lie over its root: then either says the same */
	rest = find_in_roots(site, absolute, ret_root);
	if (!rest && client_list(&list, &n) == 0)
		for (size_t i = 0; i < n && !rest; i++)
			rest = find_in_mount(site, &list[i], absolute, ret_root);
	daemon_list_free(list, n);
	return rest ? path_normalise(rest, ret_rel) : -ENOENT;
}
