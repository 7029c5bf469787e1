/* One object of a local_drive site. */
#include "providers/local_drive/object.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"

#define CHUNK ((size_t)1 << 20)

char *object_revision(const struct stat *st)
{
	return strf("%ju:%jd:%" PRId64 ":%" PRId64, (uintmax_t)st->st_ino,
		    (intmax_t)st->st_size, timespec_ns(st->st_mtim),
		    timespec_ns(st->st_ctim));
}

bool object_is_same_content(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       timespec_ns(a->st_mtim) == timespec_ns(b->st_mtim);
}

int object_fill(const char *path, const struct stat *st, struct provider_object *ret)
{
	struct provider_object object = {
		.id = strdup(path),
		.revision = object_revision(st),
		.document_id = strdup(path_name(path)),
		.size = st->st_size,
		.mtime_ns = timespec_ns(st->st_mtim),
	};

	if (!object.id || !object.revision || !object.document_id) {
		provider_object_done(&object);
		return -ENOMEM;
	}
	*ret = object;
	return 0;
}

int object_find(const struct visit *visit, struct stat *ret)
{
	int r = beneath_stat(visit->fd, visit->path, ret);

	if (r < 0)
		return visit_fault(visit, r, false, "look at");
	if (!S_ISREG(ret->st_mode))
		return visit_say(visit, PROVIDER_GONE, "is no regular file");
	return 0;
}

int object_open(const struct visit *visit, const char *revision, struct stat *ret_st,
		int *ret_fd)
{
	_cleanup_(freep) char *actual = NULL;
	_cleanup_(closep) int fd = -1;
	struct stat st;
	int r;

	/* before opening: a device could do anything then */
	r = object_find(visit, &st);
	if (r != 0)
		return r;
	fd = beneath_open(visit->fd, visit->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return visit_fault(visit, fd, false, "open");
	if (fstat(fd, &st) < 0)
		return visit_fault(visit, -errno, false, "look at");
	if (!S_ISREG(st.st_mode))
		return visit_say(visit, PROVIDER_GONE, "is no regular file");
	actual = object_revision(&st);
	if (!actual)
		return -ENOMEM;
	if (revision && strcmp(revision, actual) != 0)
		return visit_say(visit, PROVIDER_CHANGED, "is revision %s, not %s",
				 actual, revision);
	*ret_st = st;
	*ret_fd = steal_fd(fd);
	return 0;
}

int object_check(const struct visit *visit, int fd, const struct stat *st)
{
	struct stat now;

	if (fstat(fd, &now) < 0)
		return visit_fault(visit, -errno, false, "look at");
	if (!object_is_same_content(&now, st) ||
	    timespec_ns(now.st_ctim) != timespec_ns(st->st_ctim))
		return visit_say(visit, PROVIDER_CHANGED, "changed while it was read");
	return 0;
}

int object_read(const struct visit *visit, int fd, uint64_t offset, uint64_t length,
		provider_sink *sink, void *context)
{
	struct provider_call *call = visit->call;
	_cleanup_(freep) char *chunk = malloc(CHUNK);
	uint64_t done = 0;
	int r;

	if (!chunk)
		return -ENOMEM;
	while (done < length) {
		size_t want = length - done < CHUNK ? (size_t)(length - done) : CHUNK;
		ssize_t n;

		if (visit_is_canceled(visit))
			return -ECANCELED;
		n = fd_pread_all(fd, chunk, want, (off_t)(offset + done));
		if (n < 0)
			return visit_fault(visit, (int)n, false, "read");
		if ((size_t)n < want)
			return visit_say(visit, PROVIDER_TORN,
					 "ends at byte %" PRIu64 ", before %" PRIu64,
					 offset + done + (uint64_t)n, offset + length);
		r = sink(context, chunk, want, offset + done);
		if (r < 0)
			return r;
		done += want;
		if (call->progress)
			call->progress(call->progress_context, done);
	}
	return 0;
}

static int hash(void *context, const void *data, size_t len, uint64_t offset)
{
	hasher_add(context, data, len);
	return 0;
}

int object_digest(const struct visit *visit, int fd, const struct stat *st,
		  struct digest *ret)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	int r = hasher_new(&hasher);
	int changed;

	if (r < 0)
		return r;
	/* what the disk or the server holds, not what we remember of it */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	r = object_read(visit, fd, 0, (uint64_t)st->st_size, hash, hasher);
	if (r < 0)
		return r;
	/* an end before its time is a change if it is one */
	changed = object_check(visit, fd, st);
	if (changed != 0)
		return changed;
	if (r == 0)
		hasher_take(hasher, ret);
	return r;
}
