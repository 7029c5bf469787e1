/* Whether sites and roots can work together: found at the start, not when bytes are at stake. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"
#include "sync/base/path.h"
#include "sync/config_private.h"

static bool is_local(const struct config_site *site)
{
	return strcmp(site->provider, CONFIG_LOCAL_DRIVE) == 0;
}

/* Where the name of a site comes from, to begin an error with. */
static const char *origin_of(const struct config *config, const char *name)
{
	const char *origin = config_origin_of(config, name);

	return strcmp(origin, "default") == 0 ? config->dir : origin;
}

/* Something is missing that OpenPype's settings could say, too. */
static _printf_(3, 4) int missing(const struct config *config, struct error *error,
				  const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&text, fmt, ap);
	va_end(ap);
	if (config->openpype_fault)
		buf_addf(&text, " (OpenPype's settings were not read: %s)",
			 config->openpype_fault);
	else if (config->openpype)
		buf_adds(&text, ", or in OpenPype's settings");
	if (text.has_failed)
		return -ENOMEM;
	return error_set(error, config->openpype_fault ? config->openpype_errno : -EINVAL,
			 "%s", text.data);
}

static int check_active(const struct config *config, const struct config_site *site,
			struct error *error)
{
	const char *name = config->active_site;
	const char *origin = origin_of(config, "active_site");

	if (!site)
		return missing(config, error,
			       "%s: active_site \"%s\" is not in local_drive.json: add "
			       "{\"%s\": {\"root\": \"/FOLDER\"}} to it in %s",
			       origin, name, name, config->dir);
	if (!is_local(site))
		return error_set(
			error, -EINVAL,
			"%s: active_site \"%s\" is a site of %s: the active site's folders "
			"are here, name a site of local_drive.json",
			origin, name, site->provider);
	if (!site->n_roots)
		return missing(
			config, error,
			"%s: site \"%s\" has no root: add \"root\": \"/FOLDER\" to it in "
			"local_drive.json",
			origin, name);
	return 0;
}

static int check_remote(const struct config *config, const struct config_site *site,
			struct error *error)
{
	const char *name = config->remote_site;
	const char *origin = origin_of(config, "remote_site");

	if (strcmp(name, config->active_site) == 0)
		return error_set(
			error, -EINVAL,
			"%s: active_site and remote_site are both \"%s\": name another "
			"remote_site, or leave it empty to sync nothing",
			origin, name);
	if (!site)
		return missing(config, error,
			       "%s: remote_site \"%s\" is neither in gdrive.json nor in "
			       "local_drive.json of %s: add it to one",
			       origin, name, config->dir);
	if (!site->n_roots)
		return missing(
			config, error,
			"%s: site \"%s\" has no root: add \"root\" to it in %s.json",
			origin, name, site->provider);
	return 0;
}

/* One is the other, or lies in it: by name, through links, or as a second mount of the same. */
static bool overlap(const char *a, const char *b)
{
	_cleanup_(freep) char *linked_a = realpath(a, NULL); /* NULL: not there yet */
	_cleanup_(freep) char *linked_b = realpath(b, NULL);
	const char *real_a = linked_a ? linked_a : a;
	const char *real_b = linked_b ? linked_b : b;
	struct stat sa, sb;

	if (path_is_below(a, b) || path_is_below(b, a))
		return true;
	if (path_is_below(real_a, real_b) || path_is_below(real_b, real_a))
		return true;
	return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

static int check_roots_of(const struct config_site *site, struct error *error)
{
	if (!is_local(site))
		return 0;
	for (size_t i = 0; i < site->n_roots; i++)
		for (size_t j = i + 1; j < site->n_roots; j++)
			if (overlap(site->roots[i].path, site->roots[j].path))
				return error_set(
					error, -EINVAL,
					"local_drive.json: two roots of site \"%s\" lie in each "
					"other (%s and %s): each needs a folder of its own",
					site->name, site->roots[i].path,
					site->roots[j].path);
	return 0;
}

/* Two sites in one folder would take each file for its own backup. */
static int check_apart(const struct config_site *active, const struct config_site *remote,
		       struct error *error)
{
	for (size_t i = 0; i < active->n_roots && is_local(remote); i++)
		for (size_t j = 0; j < remote->n_roots; j++)
			if (overlap(active->roots[i].path, remote->roots[j].path))
				return error_set(
					error, -EINVAL,
					"local_drive.json: the folders of sites \"%s\" and \"%s\" "
					"lie in each other (%s and %s): two sites are two places",
					active->name, remote->name, active->roots[i].path,
					remote->roots[j].path);
	return 0;
}

/* Two roots into one folder: files of one name would meet there. */
static int check_folders(const struct config_site *active,
			 const struct config_site *remote, struct error *error)
{
	if (active->n_roots < 2 || remote->n_roots != 1 || remote->roots[0].name[0])
		return 0;
	return error_set(
		error, -EINVAL,
		"%s.json: site \"%s\" has one folder for the %zu roots of \"%s\": give it "
		"a map with one for each, like {\"%s\": \"%s/%s\"}",
		remote->provider, remote->name, active->n_roots, active->name,
		active->roots[0].name, remote->roots[0].path, active->roots[0].name);
}

static void warn_of_lone_roots(const struct config_site *active,
			       const struct config_site *remote)
{
	for (size_t i = 0; i < active->n_roots; i++)
		if (config_site_root(remote, active->roots[i].name) < 0)
			log_warning(
				"root \"%s\" of site \"%s\" has none of that name at \"%s\": "
				"its files are not synced",
				active->roots[i].name, active->name, remote->name);
}

int config_check(const struct config *config, struct error *error)
{
	const struct config_site *active = config_find_site(config, config->active_site);
	const struct config_site *remote = config_find_site(config, config->remote_site);
	int r;

	r = check_active(config, active, error);
	if (r == 0)
		r = check_roots_of(active, error);
	if (r < 0 || !config->remote_site[0])
		return r;
	r = check_remote(config, remote, error);
	if (r == 0)
		r = check_roots_of(remote, error);
	if (r == 0)
		r = check_apart(active, remote, error);
	if (r == 0)
		r = check_folders(active, remote, error);
	if (r == 0)
		warn_of_lone_roots(active, remote);
	if (r == 0 && config->timing.retry_min_ms > config->timing.retry_max_ms)
		return error_set(error, -EINVAL,
				 "%s: timing.retry_min is longer than timing.retry_max",
				 config_origin_of(config, "timing.retry_min"));
	return r;
}
