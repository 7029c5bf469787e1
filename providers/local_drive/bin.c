/* The trash of a local_drive site. */
#include "providers/local_drive/bin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "providers/local_drive/object.h"
#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"

#define TRASH PRIVATE_FOLDER "/trash"

/* What was moved there from the visit's path, newest first. */
struct bin {
	char *folder;
	char **names;
	size_t n;
};

static void bin_done(struct bin *bin)
{
	for (size_t i = 0; i < bin->n; i++)
		free(bin->names[i]);
	free(bin->names);
	free(bin->folder);
}

/* Their names are times. */
static int newest_first(const void *a, const void *b)
{
	return strcmp(*(char *const *)b, *(char *const *)a);
}

static int add_names(struct bin *bin, DIR *dir)
{
	for (;;) {
		struct dirent *entry;
		char **grown;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return -errno;
		if (entry->d_name[0] == '.')
			continue;
		grown = reallocarray(bin->names, bin->n + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		bin->names = grown;
		grown[bin->n] = strdup(entry->d_name);
		if (!grown[bin->n])
			return -ENOMEM;
		bin->n++;
	}
}

/* None is no error. */
static int bin_open(const struct visit *visit, struct bin *ret)
{
	int fd, r;
	DIR *dir;

	*ret = (struct bin){ .folder = strf("%s/%s", TRASH, visit->path) };
	if (!ret->folder)
		return -ENOMEM;
	fd = beneath_open(visit->fd, ret->folder, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0)
		return visit_fault(visit, fd, false, "look into the trash for");
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	r = add_names(ret, dir);
	closedir(dir);
	if (r < 0)
		return r == -ENOMEM
			       ? r
			       : visit_fault(visit, r, false, "look into the trash for");
	if (ret->n > 1)
		qsort(ret->names, ret->n, sizeof(*ret->names), newest_first);
	return 0;
}

static int64_t ms_of(struct timespec time)
{
	return timespec_ns(time) / 1000000;
}

/* When something was moved there its change time says: a rename sets it. */
static int trace_gone(const struct visit *visit, struct provider_trace *ret)
{
	_cleanup_(bin_done) struct bin bin = { 0 };
	int r = bin_open(visit, &bin);

	if (r != 0)
		return r;
	*ret = (struct provider_trace){ .fate = FATE_REMOVED };
	for (size_t i = 0; i < bin.n; i++) {
		_cleanup_(freep) char *path = path_join(bin.folder, bin.names[i]);
		struct stat st;

		if (!path)
			return -ENOMEM;
		if (beneath_stat(visit->fd, path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		ret->fate = FATE_TRASHED;
		ret->when_ms = ms_of(st.st_ctim);
		return 0;
	}
	return 0;
}

int bin_trace(const struct visit *visit, const char *revision, struct provider_trace *ret)
{
	_cleanup_(freep) char *now = NULL;
	struct stat st;
	int r = object_find(visit, &st);

	if (r == PROVIDER_GONE)
		return trace_gone(visit, ret);
	if (r != 0)
		return r;
	*ret = (struct provider_trace){ 0 };
	now = object_revision(&st);
	if (!now)
		return -ENOMEM;
	if (revision && strcmp(now, revision) != 0)
		*ret = (struct provider_trace){ .fate = FATE_EDITED,
						.when_ms = ms_of(st.st_ctim) };
	return 0;
}

/* The bytes are the wanted ones. 0, PROVIDER_GONE, or an error. */
static int check_bytes(const struct visit *visit, const char *path,
		       const struct provider_object *wanted)
{
	_cleanup_(closep) int fd =
		beneath_open(visit->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	struct digest digest = { 0 };
	struct stat st;
	int r;

	if (fd < 0)
		return fd == -ENOENT || fd == -ELOOP
			       ? PROVIDER_GONE
			       : visit_fault(visit, fd, false, "read in the trash");
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (wanted->size >= 0 && st.st_size != wanted->size))
		return PROVIDER_GONE;
	if (!wanted->digest.has_sha256 && !wanted->digest.has_md5)
		return 0;
	r = digest_fd(fd, 0, -1, &visit->call->cancel, &digest, NULL);
	if (r < 0)
		return r == -ECANCELED
			       ? r
			       : visit_fault(visit, r, false, "read in the trash");
	return digest_differs(&digest, &wanted->digest) ? PROVIDER_GONE : 0;
}

static int put_back(const struct visit *visit, const char *path,
		    struct provider_object *ret)
{
	_cleanup_(freep) char *dir = path_parent(visit->path);
	struct stat st;
	int r = dir ? beneath_mkdirs(visit->fd, dir, 0777, NULL) : -ENOMEM;

	if (r == 0)
		r = beneath_rename(visit->fd, path, visit->path, RENAME_NOREPLACE);
	if (r == -EEXIST)
		return visit_say(visit, PROVIDER_EXISTS,
				 "is in the trash, but something else has the name by "
				 "now");
	if (r == 0)
		r = beneath_sync_parent(visit->fd, visit->path);
	if (r < 0)
		return visit_fault(visit, r, true, "take out of the trash");
	r = object_find(visit, &st);
	return r == 0 ? object_fill(visit->path, &st, ret) : r;
}

int bin_restore(const struct visit *visit, const struct provider_object *wanted,
		struct provider_object *ret)
{
	_cleanup_(bin_done) struct bin bin = { 0 };
	int r = bin_open(visit, &bin);

	for (size_t i = 0; r == 0 && i < bin.n; i++) {
		_cleanup_(freep) char *path = path_join(bin.folder, bin.names[i]);

		r = path ? check_bytes(visit, path, wanted) : -ENOMEM;
		if (r == 0)
			return put_back(visit, path, ret);
		r = r == PROVIDER_GONE ? 0 : r;
	}
	return r == 0 ? visit_say(visit, PROVIDER_GONE,
				  "is not in the trash with the right bytes")
		      : r;
}
