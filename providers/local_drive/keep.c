/*
 * Moving an object out of its place so that it stays recoverable.
 *
 * Whoever replaces an object locks it, so that providers on any host do so one after the other. The part is moved to the
 * name that the old object will have, and the two are exchanged: one step, after which what came out is compared with
 * what should have, since people take no locks. File systems without RENAME_EXCHANGE (NFS, SMB, exFAT) get a second
 * link (or copy) of the old object and a rename over it.
 */
#include "providers/local_drive/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "providers/local_drive/object.h"
#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"

#define SUPERSEDED PRIVATE_FOLDER "/superseded"
#define TRASH PRIVATE_FOLDER "/trash"
#define NAMES 100 /* that many may be moved aside in one millisecond */

/* The Ith name for what lay at PATH: the time, without the colons that some file systems refuse. */
static char *name_aside(const char *dir, int i)
{
	char time[CLOCK_RFC3339_SIZE], *out = time;

	clock_format(clock_wall_ms(), time);
	for (const char *p = time; *p; p++) {
		if (*p != ':')
			*out++ = *p;
	}
	*out = '\0';
	return i ? strf("%s/%s-%d", dir, time, i) : strf("%s/%s", dir, time);
}

static int link_beneath(int root_fd, const char *from, const char *to)
{
	_cleanup_(freep) char *from_dir = path_parent(from), *to_dir = path_parent(to);
	_cleanup_(closep) int from_fd = -1, to_fd = -1;

	if (!from_dir || !to_dir)
		return -ENOMEM;
	from_fd = beneath_open(root_fd, from_dir, O_PATH | O_DIRECTORY, 0);
	if (from_fd < 0)
		return from_fd;
	to_fd = beneath_open(root_fd, to_dir, O_PATH | O_DIRECTORY, 0);
	if (to_fd < 0)
		return to_fd;
	return linkat(from_fd, path_name(from), to_fd, path_name(to), 0) < 0 ? -errno : 0;
}

static int rename_beneath(int root_fd, const char *from, const char *to)
{
	return beneath_rename(root_fd, from, to, RENAME_NOREPLACE);
}

/* Gives FROM, by MOVE (a link or a rename), a free name in the folder of KIND for the visit's path. */
static int move_aside(const struct visit *visit, const char *kind, const char *from,
		      int (*move)(int root_fd, const char *from, const char *to),
		      char **ret)
{
	_cleanup_(freep) char *dir = strf("%s/%s", kind, visit->path);
	int r;

	if (!dir)
		return -ENOMEM;
	r = beneath_mkdirs(visit->fd, dir, 0700, NULL);
	for (int i = 0; r == 0 && i < NAMES; i++) {
		_cleanup_(freep) char *to = name_aside(dir, i);

		if (!to)
			return -ENOMEM;
		r = move(visit->fd, from, to);
		if (r == 0)
			*ret = steal(to);
		if (r != -EEXIST)
			return r;
		r = 0;
	}
	return r < 0 ? r : -EEXIST;
}

static int changed(const struct visit *visit)
{
	return visit_say(visit, PROVIDER_CHANGED, "was replaced by somebody else");
}

/* What lies at PATH is the content of ST. PROVIDER_CHANGED. */
static int check_at(const struct visit *visit, const char *path, const struct stat *st)
{
	struct stat now;
	int r = beneath_stat(visit->fd, path, &now);

	if (r == -ENOENT || (r == 0 && !object_is_same_content(&now, st)))
		return changed(visit);
	return r < 0 ? visit_fault(visit, r, true, "look at") : 0;
}

static int sync_both(const struct visit *visit, const char *aside)
{
	int r = beneath_sync_parent(visit->fd, aside);

	if (r == 0)
		r = beneath_sync_parent(visit->fd, visit->path);
	return r < 0 ? visit_fault(visit, r, true, "sync the folder of") : 0;
}

/* ---- by exchange ---- */

/* The part goes back to where it came from; it lies aside. */
static void move_back(const struct visit *visit, struct part *part, char **aside,
		      char **incoming)
{
	if (rename_beneath(visit->fd, *aside, *incoming) == 0)
		part->path = steal(*incoming);
	else
		part->path = steal(*aside);
}

/* The exchange brought out something else. A third hand may exchange it meanwhile, too: what then lies aside is no part of
 * ours and stays there. */
static void exchange_back(const struct visit *visit, struct part *part, char **aside,
			  char **incoming)
{
	struct stat ours;

	beneath_rename(visit->fd, *aside, visit->path, RENAME_EXCHANGE);
	if (fstat(part->fd, &ours) == 0 && check_at(visit, *aside, &ours) == 0)
		move_back(visit, part, aside, incoming);
}

/* -EOPNOTSUPP where the file system cannot. */
static int replace_by_exchange(const struct visit *visit, const struct stat *st,
			       struct part *part)
{
	_cleanup_(freep) char *aside = NULL, *incoming = NULL;
	int r = move_aside(visit, SUPERSEDED, part->path, rename_beneath, &aside);

	if (r < 0)
		return visit_fault(visit, r, true, "keep the old");
	incoming = steal(part->path);
	r = beneath_rename(visit->fd, aside, visit->path, RENAME_EXCHANGE);
	if (r == 0) {
		r = check_at(visit, aside, st);
		if (r == 0)
			return sync_both(visit, aside);
		exchange_back(visit, part, &aside, &incoming);
		return r;
	}
	move_back(visit, part, &aside, &incoming);
	if (r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP)
		return -EOPNOTSUPP;
	return r == -ENOENT ? changed(visit) : visit_fault(visit, r, true, "replace");
}

/* ---- by link and rename ---- */

static int write_copy(void *context, const void *data, size_t len, uint64_t offset)
{
	int *fd = context;

	return fd_pwrite_all(*fd, data, len, (off_t)offset);
}

static int create_beneath(int root_fd, const char *from, const char *to)
{
	int fd = beneath_open(root_fd, to, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* For file systems without links. */
static int copy_aside(const struct visit *visit, const struct stat *st, char **ret)
{
	_cleanup_(freep) char *aside = NULL;
	_cleanup_(closep) int from_fd = -1, to_fd = -1;
	struct stat opened;
	int r = object_open(visit, NULL, &opened, &from_fd);

	if (r != 0)
		return r;
	r = move_aside(visit, SUPERSEDED, visit->path, create_beneath, &aside);
	if (r < 0)
		return visit_fault(visit, r, true, "keep the old");
	to_fd = beneath_open(visit->fd, aside, O_WRONLY, 0);
	r = to_fd < 0 ? to_fd : 0;
	if (r == 0)
		r = object_read(visit, from_fd, 0, (uint64_t)opened.st_size, write_copy,
				&to_fd);
	if (r == 0)
		r = object_check(visit, from_fd, st);
	if (r == 0 && fsync(to_fd) < 0)
		r = -errno;
	if (r == 0)
		*ret = steal(aside);
	else
		beneath_unlink(visit->fd, aside, 0);
	return r < 0 && r != -ECANCELED ? visit_fault(visit, r, true, "keep the old") : r;
}

static int link_aside(const struct visit *visit, const struct stat *st, char **ret)
{
	_cleanup_(freep) char *aside = NULL;
	int r = move_aside(visit, SUPERSEDED, visit->path, link_beneath, &aside);

	if (r == -EPERM || r == -EOPNOTSUPP || r == -ENOSYS || r == -EMLINK ||
	    r == -EINVAL)
		return copy_aside(visit, st, ret);
	if (r == -ENOENT)
		return changed(visit);
	if (r < 0)
		return visit_fault(visit, r, true, "keep the old");
	r = check_at(visit, aside, st);
	if (r == 0)
		*ret = steal(aside);
	else
		beneath_unlink(visit->fd, aside, 0);
	return r;
}

static int replace_by_rename(const struct visit *visit, const struct stat *st,
			     struct part *part)
{
	_cleanup_(freep) char *aside = NULL;
	int r = link_aside(visit, st, &aside);

	if (r != 0)
		return r;
	r = beneath_rename(visit->fd, part->path, visit->path, 0);
	if (r < 0) {
		beneath_unlink(visit->fd, aside, 0);
		return visit_fault(visit, r, true, "replace");
	}
	free(steal(part->path));
	return sync_both(visit, aside);
}

/* ---- both ---- */

/* Locks the object, which is then still what ST says. Without a lock where the file system knows none. */
static int lock_object(const struct visit *visit, const struct stat *st, int *ret_fd)
{
	_cleanup_(closep) int fd = -1;
	int flags = O_NONBLOCK | O_NOCTTY;
	int r;

	/* a lock across hosts (NFS) wants a descriptor that can write */
	fd = beneath_open(visit->fd, visit->path, O_RDWR | flags, 0);
	if (fd == -EACCES || fd == -EPERM || fd == -ETXTBSY)
		fd = beneath_open(visit->fd, visit->path, O_RDONLY | flags, 0);
	if (fd == -ENOENT)
		return changed(visit);
	if (fd < 0)
		return visit_fault(visit, fd, true, "replace");
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return visit_say(visit, PROVIDER_BUSY,
					 "is locked: somebody replaces or uses it");
		if (errno != EINTR)
			break;
	}
	r = check_at(visit, visit->path, st);
	if (r == 0)
		*ret_fd = steal_fd(fd);
	return r;
}

int keep_replace(const struct visit *visit, const struct stat *st, struct part *part)
{
	_cleanup_(closep) int lock_fd = -1;
	int r = lock_object(visit, st, &lock_fd);

	if (r == 0)
		r = replace_by_exchange(visit, st, part);
	return r == -EOPNOTSUPP ? replace_by_rename(visit, st, part) : r;
}

int keep_trash(const struct visit *visit, const struct stat *st)
{
	_cleanup_(freep) char *aside = NULL;
	int r = move_aside(visit, TRASH, visit->path, rename_beneath, &aside);

	if (r == -ENOENT)
		return visit_fault(visit, r, false, "move into the trash");
	if (r < 0)
		return visit_fault(visit, r, true, "move into the trash");
	r = check_at(visit, aside, st);
	if (r == 0)
		return sync_both(visit, aside);
	rename_beneath(visit->fd, aside, visit->path);
	return r;
}
