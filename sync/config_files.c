/* Where presets lie: which folder, and which files in it. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"
#include "sync/config_private.h"

#define PRESETS "config.json"
#define OURS "sitefs.json"
#define SYSTEM_DIR "/etc/sitefs"

/* Below the folder, and below a project's folder in it: ours, Pype's, and Pype's of a project. */
static const char *const layouts[] = { "", "sync_server/", "presets/sync_server/" };

/* The path of the first layout that has the file; *ret stays NULL where none has. */
static int find_file(const char *dir, const char *name, char **ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		_cleanup_(freep) char *path = strf("%s/%s%s", dir, layouts[i], name);

		if (!path)
			return -ENOMEM;
		if (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		*ret = steal(path);
		return 0;
	}
	return 0;
}

/* 1 where DIR has presets, or our settings, which may name a store that has the rest. */
static int has_presets(const char *dir)
{
	_cleanup_(freep) char *path = NULL;
	int r = find_file(dir, PRESETS, &path);

	if (r == 0 && !path)
		r = find_file(dir, OURS, &path);
	return r < 0 ? r : path != NULL;
}

static int no_presets(const char *where, struct error *error)
{
	return error_set(
		error, -ENOENT,
		"no " PRESETS
		" in %s (nor in sync_server/ below): run \"sitefs init\", or name "
		"the folder of presets with --config",
		where);
}

/* The user's own folder, or NULL where there is none (no HOME). */
static int user_dir(char **ret)
{
	const char *base = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	*ret = NULL;
	if (base && base[0] == '/')
		*ret = strf("%s/sitefs", base);
	else if (home && home[0] == '/')
		*ret = strf("%s/.config/sitefs", home);
	else
		return 0;
	return *ret ? 0 : -ENOMEM;
}

static int named_dir(const char *named, bool can_lack, char **ret, struct error *error)
{
	_cleanup_(freep) char *dir = NULL;
	int r = config_absolute(named, NULL, &dir);

	if (r < 0)
		return error_set(error, r,
				 "%s: the working folder is gone: give the full path",
				 named);
	r = has_presets(dir);
	if (r == 0 && !(can_lack && access(dir, R_OK | X_OK) == 0))
		return no_presets(dir, error);
	if (r >= 0)
		*ret = steal(dir);
	return r < 0 ? r : 0;
}

int config_files_dir(const char *option, bool can_lack, char **ret, struct error *error)
{
	const char *variable = getenv("SITEFS_CONFIG");
	_cleanup_(freep) char *dir = NULL, *both = NULL;
	int r;

	if (option && option[0])
		return named_dir(option, can_lack, ret, error);
	if (variable && variable[0])
		return named_dir(variable, can_lack, ret, error);
	r = user_dir(&dir);
	if (r == 0)
		r = dir ? has_presets(dir) : 0;
	if (r == 0) {
		both = strf("%s%s" SYSTEM_DIR, dir ? dir : "", dir ? " or " : "");
		free(dir);
		dir = strdup(SYSTEM_DIR);
		r = both && dir ? has_presets(dir) : -ENOMEM;
	}
	if (r == 0 && !can_lack)
		return no_presets(both, error);
	if (r >= 0)
		*ret = steal(dir);
	return r < 0 ? r : 0;
}

static int load_one(const char *dir, const char *name, struct config_files *files,
		    struct error *error)
{
	_cleanup_(freep) char *path = NULL;
	struct json_file *file = NULL;
	int r;

	r = find_file(dir, name, &path);
	if (r < 0 || !path)
		return r;
	r = json_file_load(path, &file, error);
	if (r < 0)
		return r;
	files->files[files->n++] = file;
	if (json_file_warning(file))
		log_warning("%s", json_file_warning(file));
	if (json_at_is_object(json_file_top(file)))
		return 0;
	return json_at_error(
		json_file_top(file), error,
		"an object in curly brackets is expected, like {\"key\": \"value\"}");
}

static bool can_be_folder(const char *project)
{
	return project && project[0] && project[0] != '.' && !strchr(project, '/');
}

int config_files_load(const char *dir, const char *project, const char *name,
		      struct config_files *ret, struct error *error)
{
	struct config_files files = { 0 };
	int r = 0;

	if (can_be_folder(project)) {
		_cleanup_(freep) char *own = strf("%s/%s", dir, project);

		r = own ? load_one(own, name, &files, error) : -ENOMEM;
	}
	if (r == 0)
		r = load_one(dir, name, &files, error);
	if (r < 0) {
		config_files_done(&files);
		return r;
	}
	*ret = files;
	return 0;
}

void config_files_done(struct config_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		json_file_free(files->files[i]);
	files->n = 0;
}

char *config_runtime_dir(void)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	unsigned uid = geteuid();
	char session[32];
	struct stat st;

	if (base && base[0] == '/')
		return strf("%s/sitefs", base);
	if (!uid)
		return strdup("/run/sitefs");
	snprintf(session, sizeof(session), "/run/user/%u", uid);
	if (lstat(session, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == uid)
		return strf("%s/sitefs", session);
	return strf("/tmp/sitefs-%u", uid);
}
