/* Whether a mount may be put somewhere. */
#include "tools/mountpoint.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/mount.h"
#include "sync/base/buf.h"
#include "sync/base/path.h"
#include "tools/client.h"
#include "tools/mounts.h"

static bool is_within(const char *below, const char *above)
{
	return path_is_below(below, above[1] ? above : "");
}

/* PATH without symlinks as far as it exists; NULL on -ENOMEM. */
static char *resolve(const char *path)
{
	char *real = realpath(path, NULL), *partly = NULL;

	if (real)
		return real;
	return client_absolute(path, false, &partly) == 0 ? partly : strdup(path);
}

/* The place must be neither above nor below OTHER, called WHAT. */
static int check_apart(const char *place, const char *other, const char *what,
		       struct error *error)
{
	_cleanup_(freep) char *real = resolve(other);

	if (!real)
		return -ENOMEM;
	if (is_within(real, place))
		return error_set(
			error, -EINVAL,
			"cannot mount on %s: %s (%s) lies below it, and would be "
			"hidden by the mount: choose another mount point",
			place, what, real);
	if (is_within(place, real))
		return error_set(error, -EINVAL,
				 "cannot mount on %s: it lies in %s (%s): choose another "
				 "mount point",
				 place, what, real);
	return 0;
}

static int check_site(const char *place, const struct config_site *site, const char *what,
		      struct error *error)
{
	int r = 0;

	if (!site || strcmp(site->provider, "local_drive") != 0)
		return 0;
	for (size_t i = 0; i < site->n_roots && r == 0; i++)
		r = check_apart(place, site->roots[i].path, what, error);
	return r;
}

/* True where the place is the site's only root itself. */
static bool is_the_root(const char *place, const struct config_site *site)
{
	struct stat a, b;

	return site && site->n_roots == 1 && stat(place, &a) == 0 &&
	       stat(site->roots[0].path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static int check_empty(const char *place, struct error *error)
{
	const struct dirent *entry;
	DIR *dir = opendir(place);
	bool is_empty = true;

	if (!dir)
		return error_set(error, -EINVAL, "cannot mount on %s: %s", place,
				 strerror(errno));
	while (is_empty && (entry = readdir(dir)) != NULL)
		is_empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	closedir(dir);
	if (!is_empty)
		return error_set(error, -EINVAL,
				 "cannot mount on %s: it is not empty, and what is in it "
				 "would be hidden: choose an empty folder",
				 place);
	return 0;
}

static int check_folder(const char *place, struct error *error)
{
	struct stat st;

	if (stat(place, &st) < 0)
		return error_set(error, -EINVAL,
				 "cannot mount on %s: %s: create the folder first", place,
				 strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return error_set(error, -EINVAL, "cannot mount on %s: it is no folder",
				 place);
	if (mounts_find(place) == MOUNTS_OURS)
		return error_set(error, -EINVAL,
				 "%s is mounted already: 'sitefs umount %s' ends it",
				 place, place);
	return 0;
}

static int check_neighbours(const struct config *config, const char *place, bool is_root,
			    struct error *error)
{
	const struct config_site *active = config_find_site(config, config->active_site);
	const struct config_site *remote = config_find_site(config, config->remote_site);
	int r;

	r = check_apart(place, config->state_dir, "the state folder", error);
	if (r == 0 && config->store_uri && !strncmp(config->store_uri, "sqlite:", 7))
		r = check_apart(place, config->store_uri + 7, "the store", error);
	if (r == 0)
		r = check_site(place, remote, "a folder of the remote site", error);
	if (r == 0 && !is_root)
		r = check_site(place, active, "a root of the active site", error);
	return r;
}

int mountpoint_check(const struct config *config, const char *path, bool is_root_fine,
		     char **ret, struct error *error)
{
	_cleanup_(freep) char *place = NULL;
	bool is_root;
	int r;

	/* a dead mount answers nothing: its name is resolved up to it, and then again */
	r = client_absolute(path, false, &place);
	if (r == 0)
		r = mount_clear_stale(place, error);
	if (r < 0)
		return error_set(error, -EINVAL, "cannot mount on %s: %s", path,
				 error_text(error, r));
	r = check_folder(place, error);
	if (r < 0)
		return r;
	free(place);
	place = realpath(path, NULL);
	if (!place)
		return -errno;
	is_root = is_root_fine &&
		  is_the_root(place, config_find_site(config, config->active_site));
	r = check_neighbours(config, place, is_root, error);
	if (r == 0 && !is_root)
		r = check_empty(place, error);
	if (r < 0)
		return r;
	*ret = steal(place);
	return is_root ? MOUNTPOINT_ROOT : 0;
}
