/* Moving files between `.sitefs` and their names. */
#include "sync/place.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"

#define STAGED ".sitefs/staged"
#define SUPERSEDED ".sitefs/superseded"
#define STAMP_FORM "########T######.###Z" /* '#' is a digit: sorts by time */
#define STAMP_SIZE sizeof(STAMP_FORM)
#define LONG_NAME 230 /* a longer one leaves no room for the time within 255 bytes */
#define SHORT_NAME 200

/* ---- folders ---- */

/* The nearest folder at or above PATH that exists; -ENOTDIR, -ELOOP where something else is in the way. */
static int find_real_folder(int root_fd, const char *path, struct stat *ret)
{
	_cleanup_(freep) char *at = strdup(path);
	_cleanup_(closep) int fd = -1;

	if (!at)
		return -ENOMEM;
	for (;;) {
		char *slash;

		fd = beneath_open(root_fd, at, O_PATH | O_DIRECTORY, 0);
		if (fd != -ENOENT || !at[0])
			break;
		slash = strrchr(at, '/');
		*(slash ? slash : at) = '\0';
	}
	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

/* chown as far as we may: the whole, else the group alone, else not at all. */
static int give_owner(int fd, const struct stat *folder)
{
	if (fchown(fd, folder->st_uid, folder->st_gid) == 0)
		return 0;
	if (errno != EPERM && errno != EACCES)
		return -errno;
	if (fchown(fd, (uid_t)-1, folder->st_gid) < 0 && errno != EPERM &&
	    errno != EACCES)
		return -errno;
	return 0;
}

/* ABOVE is NULL for a private folder, which stays ours. */
static int make_folder(int root_fd, const char *path, mode_t mode,
		       const struct stat *above)
{
	_cleanup_(freep) char *parent = path_parent(path);
	_cleanup_(closep) int parent_fd = -1, fd = -1;
	int r;

	if (!parent)
		return -ENOMEM;
	parent_fd = beneath_open(root_fd, parent, O_PATH | O_DIRECTORY, 0);
	if (parent_fd < 0)
		return parent_fd;
	if (mkdirat(parent_fd, path_name(path), mode) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (above) {
		fd = beneath_open(root_fd, path, O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return fd;
		r = give_owner(fd, above);
		if (r < 0)
			return r;
		/* the umask took bits off; the set-group-id bit is that of the folder above */
		if (fchmod(fd, mode | (above->st_mode & S_ISGID)) < 0)
			return -errno;
	}
	return beneath_sync_parent(root_fd, path);
}

/* Makes what is missing of PATH, each synced and, unless private, with the owner of the nearest folder that was
 * there. */
static int make_folders(int root_fd, const char *path, mode_t mode, bool is_private)
{
	_cleanup_(freep) char *at = NULL;
	struct stat above, st;
	int r = find_real_folder(root_fd, path, &above);

	if (r < 0)
		return r;
	at = strdup(path);
	if (!at)
		return -ENOMEM;
	for (char *end = at; end && at[0] && r == 0;) {
		end = strchr(end, '/');
		if (end)
			*end = '\0';
		r = beneath_stat(root_fd, at, &st);
		if (r == -ENOENT)
			r = make_folder(root_fd, at, mode, is_private ? NULL : &above);
		if (end)
			*end++ = '/';
	}
	return r;
}

static int sync_both(int root_fd, const char *from, const char *to)
{
	int r = beneath_sync_parent(root_fd, to);

	return r < 0 ? r : beneath_sync_parent(root_fd, from);
}

/* ---- into place ---- */

static int dress(const struct place *place, const struct stat *folder)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW },
				     ns_timespec(place->mtime_ns) };
	int r = give_owner(place->fd, folder);

	if (r < 0)
		return r;
	if (fchmod(place->fd, place->file_mode) < 0 || futimens(place->fd, times) < 0)
		return -errno;
	return fsync(place->fd) < 0 ? -errno : 0;
}

static int move_claimed(const struct place *place, const char *from, const char *folder,
			struct stat *ret)
{
	int root_fd = roots_fd(place->roots, place->root);
	struct stat st;
	int r = beneath_stat(root_fd, place->rel, &st);

	if (r != -ENOENT)
		return r < 0 ? r : -EEXIST;
	r = place->check(place->context);
	if (r != 0)
		return r;
	r = make_folders(root_fd, folder, place->dir_mode, false);
	if (r < 0)
		return r;
	r = beneath_rename(root_fd, from, place->rel, RENAME_NOREPLACE);
	if (r < 0)
		return r;
	r = sync_both(root_fd, from, place->rel);
	if (r < 0)
		return r;
	/* still claimed: nobody of ours has touched it since */
	return fstat(place->fd, ret) < 0 ? -errno : 0;
}

static int place_dressed(const struct place *place, const char *from, const char *folder,
			 struct stat *ret)
{
	struct stat real;
	int r = find_real_folder(roots_fd(place->roots, place->root), folder, &real);

	if (r < 0)
		return r;
	r = dress(place, &real);
	if (r < 0)
		return r;
	roots_claim(place->roots, place->root, place->rel);
	r = move_claimed(place, from, folder, ret);
	roots_unclaim(place->roots, place->root, place->rel);
	return r;
}

int place_file(const struct place *place, struct stat *ret)
{
	_cleanup_(freep) char *from = path_join(STAGED, place->name);
	_cleanup_(freep) char *folder = path_parent(place->rel);
	struct stat there, held;
	int r;

	if (!from || !folder)
		return -ENOMEM;
	r = beneath_stat(roots_fd(place->roots, place->root), from, &there);
	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	if (fstat(place->fd, &held) < 0)
		return -errno;
	if (there.st_dev != held.st_dev || there.st_ino != held.st_ino)
		return -ESTALE;
	r = place_dressed(place, from, folder, ret);
	return r == -ENOTDIR || r == -ELOOP ? -EEXIST : r;
}

/* ---- aside, and back ---- */

/* What superseded files of REL begin with; a name that is too long is cut and told apart by its hash. */
static char *aside_stem(const char *rel)
{
	const char *name = path_name(rel);
	_cleanup_(freep) char *folder = path_parent(rel);
	_cleanup_(freep) char *dir = NULL, *short_name = NULL;

	if (!folder)
		return NULL;
	dir = folder[0] ? path_join(SUPERSEDED, folder) : strdup(SUPERSEDED);
	if (!dir)
		return NULL;
	if (strlen(name) <= LONG_NAME)
		return path_join(dir, name);
	short_name = strf("%.*s~%016llx", SHORT_NAME, name,
			  (unsigned long long)XXH3_64bits(name, strlen(name)));
	return short_name ? path_join(dir, short_name) : NULL;
}

static void format_stamp(int64_t wall_ms, char ret[STAMP_SIZE])
{
	char text[CLOCK_RFC3339_SIZE];
	size_t n = 0;

	clock_format(wall_ms, text);
	for (const char *p = text; *p && n < STAMP_SIZE - 1; p++)
		if (*p != '-' && *p != ':')
			ret[n++] = *p;
	ret[n] = '\0';
}

static bool is_stamp(const char *text)
{
	if (strlen(text) != STAMP_SIZE - 1)
		return false;
	for (size_t i = 0; text[i]; i++)
		if (STAMP_FORM[i] == '#' ? !isdigit((unsigned char)text[i])
					 : text[i] != STAMP_FORM[i])
			return false;
	return true;
}

static int move_aside(int root_fd, const char *rel, const char *stem)
{
	_cleanup_(freep) char *folder = path_parent(stem);
	int64_t now_ms = clock_wall_ms();
	int r;

	if (!folder)
		return -ENOMEM;
	r = make_folders(root_fd, folder, 0700, true);
	if (r < 0)
		return r;
	for (int i = 0; i < 1000; i++) {
		_cleanup_(freep) char *to = NULL;
		char stamp[STAMP_SIZE];

		format_stamp(now_ms + i, stamp);
		to = strf("%s.%s", stem, stamp);
		if (!to)
			return -ENOMEM;
		r = beneath_rename(root_fd, rel, to, RENAME_NOREPLACE);
		if (r == 0)
			return sync_both(root_fd, rel, to);
		if (r != -EEXIST)
			return r;
	}
	return r;
}

int place_aside(struct roots *roots, int root, const char *rel, place_check_fn *check,
		void *context)
{
	_cleanup_(freep) char *stem = aside_stem(rel);
	struct stat st;
	int root_fd = roots_fd(roots, root), r;

	if (!stem)
		return -ENOMEM;
	if (!roots_is_writable(roots, root))
		return -EROFS;
	roots_claim(roots, root, rel);
	r = beneath_stat(root_fd, rel, &st);
	if (r == 0)
		r = check(context, &st);
	if (r == 0)
		r = move_aside(root_fd, rel, stem);
	roots_unclaim(roots, root, rel);
	return r == -ENOENT || r == -ENOTDIR ? PLACE_NONE : r;
}

/* The newest of the files STEM.TIME; its path. PLACE_NONE. */
static int find_newest(int root_fd, const char *stem, char **ret)
{
	_cleanup_(freep) char *folder = path_parent(stem), *newest = NULL;
	const char *name = path_name(stem);
	size_t len = strlen(name);
	struct dirent *entry;
	int fd, r = 0;
	DIR *dir;

	if (!folder)
		return -ENOMEM;
	fd = beneath_open(root_fd, folder, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd == -ENOENT ? PLACE_NONE : fd;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	while (r == 0 && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, name, len) != 0 || entry->d_name[len] != '.' ||
		    !is_stamp(entry->d_name + len + 1) ||
		    (newest && strcmp(path_name(newest), entry->d_name) >= 0))
			continue;
		free(newest);
		newest = path_join(folder, entry->d_name);
		r = newest ? 0 : -ENOMEM;
	}
	closedir(dir);
	if (r == 0 && !newest)
		return PLACE_NONE;
	if (r == 0)
		*ret = steal(newest);
	return r;
}

int place_back(struct roots *roots, int root, const char *rel, mode_t dir_mode)
{
	_cleanup_(freep) char *stem = aside_stem(rel), *from = NULL;
	_cleanup_(freep) char *folder = path_parent(rel);
	int root_fd = roots_fd(roots, root), r;

	if (!stem || !folder)
		return -ENOMEM;
	roots_claim(roots, root, rel);
	r = find_newest(root_fd, stem, &from);
	if (r == 0)
		r = make_folders(root_fd, folder, dir_mode, false);
	if (r == 0)
		r = beneath_rename(root_fd, from, rel, RENAME_NOREPLACE);
	if (r == 0)
		r = sync_both(root_fd, from, rel);
	roots_unclaim(roots, root, rel);
	return r;
}
