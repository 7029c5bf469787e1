/* The part file of one upload. */
#include "providers/local_drive/part.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "providers/local_drive/object.h"
#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"

#define INCOMING PRIVATE_FOLDER "/incoming"
#define UNUSED_MS ((int64_t)7 * 24 * 3600 * 1000)

void part_done(struct part *part)
{
	if (part->fd >= 0)
		close(part->fd);
	free(part->path);
	hasher_free(part->hasher);
	*part = (struct part){ .fd = -1 };
}

/* False where another process or thread has it. Where locks are unknown the random name must do. */
static bool can_lock(int fd)
{
	int r;

	do
		r = flock(fd, LOCK_EX | LOCK_NB);
	while (r < 0 && errno == EINTR);
	return r == 0 || errno != EWOULDBLOCK;
}

static int create(const struct visit *visit, const struct provider_put *put,
		  struct part *part)
{
	_cleanup_(freep) char *prefix = token_part_prefix(put);
	uint64_t random;
	int r;

	if (!prefix)
		return -ENOMEM;
	if (getrandom(&random, sizeof(random), 0) < 0)
		return -errno;
	part->path = strf(INCOMING "/%s%016" PRIx64, prefix, random);
	if (!part->path)
		return -ENOMEM;
	r = hasher_new(&part->hasher);
	if (r == 0)
		r = visit_private(visit, "incoming", NULL);
	if (r != 0)
		return r;
	part->fd = beneath_open(visit->fd, part->path, O_RDWR | O_CREAT | O_EXCL, 0644);
	if (part->fd < 0)
		return visit_private_fault(visit, part->fd, "incoming");
	can_lock(part->fd);
	return 0;
}

int part_create(const struct visit *visit, const struct provider_put *put,
		struct part *part)
{
	int r = create(visit, put, part);

	if (r != 0)
		part_done(part);
	return r;
}

static int hash(void *context, const void *data, size_t len, uint64_t offset)
{
	hasher_add(context, data, len);
	return 0;
}

/* Opens the part that TOKEN names and reads what should be safe in it. Whatever is wrong with it: -ENOENT. */
static int open_part(const struct visit *visit, const struct token *token,
		     struct part *part)
{
	struct digest digest;
	struct stat st;
	int r;

	part->fd = beneath_open(visit->fd, part->path, O_RDWR | O_NONBLOCK, 0);
	if (part->fd < 0 || fstat(part->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size < token->offset || !can_lock(part->fd))
		return -ENOENT;
	r = object_read(visit, part->fd, 0, token->offset, hash, part->hasher);
	if (r == 0)
		r = hasher_peek(part->hasher, &digest);
	if (r < 0)
		return r;
	if (r > 0 || !digest_equal(&digest, &token->prefix) ||
	    ftruncate(part->fd, (off_t)token->offset) < 0)
		return -ENOENT;
	return 0;
}

static int resume(const struct visit *visit, const struct provider_put *put,
		  struct part *part)
{
	_cleanup_(freep) char *prefix = token_part_prefix(put);
	struct token token;
	int r;

	if (!prefix)
		return -ENOMEM;
	if (!put->resume || !put->resume->token ||
	    token_parse(put->resume->token, &token) < 0 || !token_is_of(&token, put) ||
	    !token_is_part(token.part, prefix))
		return -ENOENT;
	part->path = strf(INCOMING "/%s", token.part);
	if (!part->path)
		return -ENOMEM;
	r = hasher_new(&part->hasher);
	if (r == 0)
		r = open_part(visit, &token, part);
	if (r == 0)
		part->offset = part->saved = token.offset;
	return r;
}

int part_resume(const struct visit *visit, const struct provider_put *put,
		struct part *part)
{
	int r = resume(visit, put, part);

	if (r != 0)
		part_done(part);
	return r;
}

static bool is_zero(const char *data, size_t len)
{
	return len > 0 && data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

int part_add(struct part *part, const struct visit *visit, const void *data, size_t len)
{
	int r = 0;

	if (part->fd >= 0 && !is_zero(data, len))
		r = fd_pwrite_all(part->fd, data, len, (off_t)part->offset);
	if (r < 0)
		return visit_fault(visit, r, true, "store");
	hasher_add(part->hasher, data, len);
	part->offset += len;
	return 0;
}

/* A hole at the end is none until the size says so. */
static int sync_part(struct part *part, const struct visit *visit)
{
	struct stat st;

	if (fstat(part->fd, &st) < 0 ||
	    ((uint64_t)st.st_size < part->offset &&
	     ftruncate(part->fd, (off_t)part->offset) < 0) ||
	    fdatasync(part->fd) < 0)
		return visit_fault(visit, -errno, true, "store");
	return 0;
}

int part_save(struct part *part, const struct visit *visit,
	      const struct provider_put *put)
{
	struct provider_resume *resume = put->resume;
	struct token token = {
		.offset = part->offset,
		.size = put->size,
		.mtime_ns = put->mtime_ns,
		.source = put->digest,
	};
	char *text;
	int r = sync_part(part, visit);

	if (r != 0)
		return r;
	r = hasher_peek(part->hasher, &token.prefix);
	if (r < 0)
		return r;
	snprintf(token.part, sizeof(token.part), "%s", strrchr(part->path, '/') + 1);
	text = token_format(&token);
	if (!text)
		return -ENOMEM;
	free(resume->token);
	resume->token = text;
	part->saved = part->offset;
	return resume->save(resume->context, text, part->offset);
}

int part_finish(struct part *part, const struct visit *visit,
		const struct provider_put *put, struct digest *ret_sent)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW },
				     ns_timespec(put->mtime_ns) };
	int r = sync_part(part, visit);

	if (r != 0)
		return r;
	/* after the data: writing behind would set the time anew on a network file system */
	if (futimens(part->fd, times) < 0 || fsync(part->fd) < 0)
		return visit_fault(visit, -errno, true, "store");
	hasher_take(part->hasher, ret_sent);
	return 0;
}

int part_verify(struct part *part, const struct visit *visit, const struct digest *sent)
{
	struct digest held;
	uint64_t len;
	int r;

	/* what the disk or the server holds, not what we remember of it */
	posix_fadvise(part->fd, 0, 0, POSIX_FADV_DONTNEED);
	r = digest_fd(part->fd, 0, -1, &visit->call->cancel, &held, &len);
	if (r == -ECANCELED || r == -ENOMEM)
		return r;
	if (r < 0)
		return visit_fault(visit, r, false, "verify");
	if (len != part->offset || !digest_equal(&held, sent))
		return visit_say(
			visit, PROVIDER_TORN,
			"does not hold what was sent: bad disk, memory or link?");
	return 0;
}

void part_discard(struct part *part, const struct visit *visit,
		  const struct provider_put *put)
{
	if (part->path)
		beneath_unlink(visit->fd, part->path, 0);
	if (part->path && put->resume) {
		free(put->resume->token);
		put->resume->token = NULL;
	}
	part_done(part);
}

/* ---- parts of nobody ---- */

static void sweep_one(int dir_fd, const char *name)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;

	if (!token_is_part(name, NULL) ||
	    fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return;
	/* not by mtime: that is the source's from a certain moment on */
	if (clock_wall_ms() - timespec_ns(st.st_ctim) / 1000000 < UNUSED_MS)
		return;
	fd = openat(dir_fd, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && can_lock(fd))
		unlinkat(dir_fd, name, 0);
}

void part_sweep(int root_fd)
{
	int fd = beneath_open(root_fd, INCOMING, O_RDONLY | O_DIRECTORY, 0);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		sweep_one(fd, entry->d_name);
	closedir(dir);
}
