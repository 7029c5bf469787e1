/* Passthrough: negotiating it, ids, and replies that carry one. */
#include "fs/passthrough.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "fs/fs.h"
#include "sync/base/log.h"

#define HAS_API (FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17))

/* Of linux/fuse.h from 6.9 on; Debian 12 has an older one. */
#define INIT_EXT (1u << 30)
#define INIT_PASSTHROUGH (UINT64_C(1) << 37)
#define INIT_SETID (1u << 28) /* FUSE_HANDLE_KILLPRIV_V2, Linux 5.11 */
#define OPEN_PASSTHROUGH (1u << 7)
#define STACK_DEPTH 1 /* nothing stacked below; so an overlay may have us below it */

struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define BACKING_OPEN _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

/* ---- on or off ---- */

static void turn_off(struct passthrough *passthrough, const char *reason)
{
	mutex_lock(&passthrough->lock);
	if (!passthrough->reason[0])
		snprintf(passthrough->reason, sizeof(passthrough->reason), "%s", reason);
	mutex_unlock(&passthrough->lock);
	atomic_store(&passthrough->stage, PASSTHROUGH_OFF);
}

/* Of this thread; the workers have the same. */
static bool has_capability(void)
{
	struct __user_cap_header_struct header = { .version =
							   _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[0].effective & 1u << CAP_SYS_ADMIN;
}

void passthrough_init(struct passthrough *passthrough, bool is_wanted)
{
	mutex_init(&passthrough->lock);
	atomic_init(&passthrough->stage, PASSTHROUGH_OPEN);
	atomic_init(&passthrough->init, 0);
	atomic_init(&passthrough->has_setid, false);
	atomic_init(&passthrough->is_told, false);
	if (!is_wanted)
		turn_off(passthrough, "switched off by nopassthrough");
	else if (!has_capability())
		turn_off(passthrough, "the daemon has no CAP_SYS_ADMIN");
}

void passthrough_done(struct passthrough *passthrough)
{
	mutex_done(&passthrough->lock);
}

bool passthrough_is_on(struct passthrough *passthrough)
{
	/* this is a later request: the kernel has the answer to INIT, be its thread still on the way back */
	if (atomic_load(&passthrough->stage) == PASSTHROUGH_ASKING)
		passthrough_settle(passthrough);
	return atomic_load(&passthrough->stage) == PASSTHROUGH_ON;
}

bool passthrough_tell(struct passthrough *passthrough, char *reason, size_t size)
{
	int stage = atomic_load(&passthrough->stage);

	mutex_lock(&passthrough->lock);
	snprintf(reason, size, "%s", passthrough->reason);
	mutex_unlock(&passthrough->lock);
	return stage == PASSTHROUGH_ON || stage == PASSTHROUGH_ASKING;
}

void passthrough_refused(struct passthrough *passthrough, int r)
{
	const char *why = r == -ELOOP ? "they lie on a stacked file system (overlay)"
				      : strerror(-r);
	bool is_new;

	mutex_lock(&passthrough->lock);
	is_new = !passthrough->reason[0];
	if (is_new)
		snprintf(passthrough->reason, sizeof(passthrough->reason),
			 "some files go through the daemon: %s", why);
	mutex_unlock(&passthrough->lock);
	if (is_new)
		log_warning("some local files are read and written through the daemon: "
			    "the kernel refuses them: %s",
			    why);
}

/* A file of memory: what fails is about us and the kernel, not about the disk. */
static int try_one(struct passthrough *passthrough)
{
	_cleanup_(closep) int fd = memfd_create("sitefs", MFD_CLOEXEC);
	int id;

	if (fd < 0)
		return -errno;
	id = passthrough_register(passthrough, fd);
	if (id < 0)
		return id;
	passthrough_release(passthrough, id);
	return 0;
}

void passthrough_settle(struct passthrough *passthrough)
{
	char reason[sizeof(passthrough->reason)];
	int expected = PASSTHROUGH_ASKING, r;

	if (atomic_compare_exchange_strong(&passthrough->stage, &expected,
					   PASSTHROUGH_ON)) {
		r = try_one(passthrough);
		snprintf(reason, sizeof(reason), "the kernel refuses it here: %s",
			 strerror(-r));
		if (r < 0)
			turn_off(passthrough, reason);
	} else if (expected == PASSTHROUGH_ON) {
		return; /* another thread is at it, or was */
	}
	if (atomic_exchange(&passthrough->is_told, true))
		return;
	if (passthrough_tell(passthrough, reason, sizeof(reason)))
		log_info("local files: read and written by the kernel itself");
	else
		log_info("local files: read and written through the daemon: %s", reason);
}

/* ---- ids ---- */

int passthrough_register(struct passthrough *passthrough, int fd)
{
	struct backing_map map = { .fd = fd };
	int id;

	if (!passthrough_is_on(passthrough))
		return -EOPNOTSUPP;
	id = ioctl(fuse_session_fd(passthrough->session), BACKING_OPEN, &map);
	if (id > 0)
		return id;
	return id < 0 ? -errno : -EIO;
}

void passthrough_release(struct passthrough *passthrough, int id)
{
	uint32_t number = (uint32_t)id;

	/* after the end of the session its ids are gone already */
	if (passthrough->session)
		ioctl(fuse_session_fd(passthrough->session), BACKING_CLOSE, &number);
}

#if HAS_API

int passthrough_attach(struct passthrough *passthrough, struct fuse_session *session)
{
	passthrough->session = session;
	return 0;
}

void passthrough_negotiate(struct passthrough *passthrough, struct fuse_conn_info *conn)
{
#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2
	if (fuse_set_feature_flag(conn, FUSE_CAP_HANDLE_KILLPRIV_V2))
		atomic_store(&passthrough->has_setid, true);
#endif
	if (atomic_load(&passthrough->stage) != PASSTHROUGH_OPEN)
		return;
	if (!fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH)) {
		turn_off(passthrough, "the kernel has no passthrough (Linux 6.9 has)");
		return;
	}
	conn->max_backing_stack_depth = FUSE_BACKING_STACKED_UNDER;
	atomic_store(&passthrough->stage, PASSTHROUGH_ASKING);
}

int passthrough_reply_open(fuse_req_t req, struct fuse_file_info *fi, int id)
{
	fi->backing_id = id;
	return fuse_reply_open(req, fi);
}

int passthrough_reply_create(fuse_req_t req, const struct fuse_entry_param *param,
			     struct fuse_file_info *fi, int id)
{
	fi->backing_id = id;
	return fuse_reply_create(req, param, fi);
}

#else

/* ---- the session's own I/O ---- */

#define ANSWERED UINT64_MAX /* INIT is */

/* What INIT says starts after the header: major, minor, readahead, flags, more flags. */
static void look_at_init(struct passthrough *passthrough, const char *data, size_t size)
{
	const size_t body = sizeof(struct fuse_in_header);
	struct fuse_in_header header;
	uint32_t words[5];

	if (size < body + sizeof(words))
		return;
	memcpy(&header, data, sizeof(header));
	memcpy(words, data + body, sizeof(words));
	if (header.opcode != FUSE_INIT)
		return;
	passthrough->offers_setid = words[3] & INIT_SETID;
	passthrough->offers_it = words[3] & INIT_EXT && words[4] & INIT_PASSTHROUGH >> 32;
	atomic_store(&passthrough->init, header.unique);
}

static ssize_t io_read(int fd, void *data, size_t size, void *context)
{
	struct passthrough *passthrough = &((struct fs *)context)->passthrough;
	ssize_t n = read(fd, data, size);

	if (n > 0 && !atomic_load(&passthrough->init))
		look_at_init(passthrough, data, (size_t)n);
	return n;
}

/* As the kernel has it since 7.36, 64 bytes. */
struct init_out {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion_threshold;
	uint32_t max_write, time_gran;
	uint16_t max_pages, map_alignment;
	uint32_t flags2, max_stack_depth, unused[6];
};
_Static_assert(sizeof(struct init_out) == 64, "the kernel's layout");

/* The answer to INIT, completed. */
static ssize_t write_init(struct passthrough *passthrough, int fd,
			  const struct iovec *iov, int count)
{
	struct iovec copy[2];
	struct init_out out;

	if (count != 2 || iov[1].iov_len != sizeof(out)) {
		turn_off(passthrough, "this libfuse answers INIT in another way");
		return writev(fd, iov, count);
	}
	memcpy(copy, iov, sizeof(copy));
	memcpy(&out, iov[1].iov_base, sizeof(out));
	if (atomic_load(&passthrough->stage) == PASSTHROUGH_ASKING) {
		out.flags |= INIT_EXT;
		out.flags2 |= (uint32_t)(INIT_PASSTHROUGH >> 32);
		out.max_stack_depth = STACK_DEPTH;
	}
	if (passthrough->offers_setid) {
		out.flags |= INIT_SETID;
		atomic_store(&passthrough->has_setid, true);
	}
	copy[1].iov_base = &out;
	return writev(fd, copy, count);
}

/* And not a notice, which has no number. */
static bool is_answer(const struct iovec *iov, int count, uint64_t unique)
{
	struct fuse_out_header header;

	if (count < 1 || iov[0].iov_len < sizeof(header))
		return false;
	memcpy(&header, iov[0].iov_base, sizeof(header));
	return header.unique == unique;
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *context)
{
	struct passthrough *passthrough = &((struct fs *)context)->passthrough;
	uint64_t init = atomic_load(&passthrough->init);
	ssize_t n;

	if (!init || init == ANSWERED || !is_answer(iov, count, init))
		return writev(fd, iov, count);
	atomic_store(&passthrough->init, ANSWERED);
	n = write_init(passthrough, fd, iov, count);
	passthrough_settle(passthrough);
	return n;
}

/* As libfuse has it: seven parameters. */
static ssize_t io_splice(int from, off_t *from_offset, int to, off_t *to_offset,
			 size_t size, unsigned flags, void *context)
{
	return splice(from, from_offset, to, to_offset, size, flags);
}

int passthrough_attach(struct passthrough *passthrough, struct fuse_session *session)
{
	const struct fuse_custom_io io = { .read = io_read,
					   .writev = io_writev,
					   .splice_receive = io_splice,
					   .splice_send = io_splice };
	int r;

	passthrough->session = session;
	r = fuse_session_custom_io(session, &io, fuse_session_fd(session));
	return r < 0 ? -ENOMEM : 0;
}

void passthrough_negotiate(struct passthrough *passthrough, struct fuse_conn_info *conn)
{
	if (atomic_load(&passthrough->stage) != PASSTHROUGH_OPEN)
		return;
	if (passthrough->offers_it)
		atomic_store(&passthrough->stage, PASSTHROUGH_ASKING);
	else
		turn_off(passthrough, "the kernel has no passthrough (Linux 6.9 has)");
}

/* The kernel's fuse_open_out; libfuse before 3.17 leaves the id out. */
struct open_out {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing_id;
};

static struct open_out make_open(const struct fuse_file_info *fi, int id)
{
	return (struct open_out){
		.fh = fi->fh,
		.open_flags = OPEN_PASSTHROUGH | (fi->noflush ? FOPEN_NOFLUSH : 0) |
			      (fi->direct_io ? FOPEN_DIRECT_IO : 0),
		.backing_id = id,
	};
}

int passthrough_reply_open(fuse_req_t req, struct fuse_file_info *fi, int id)
{
	struct open_out out;

	if (!id)
		return fuse_reply_open(req, fi);
	out = make_open(fi, id);
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static void fill_attr(struct fuse_attr *attr, const struct stat *st)
{
	*attr = (struct fuse_attr){ .ino = st->st_ino,
				    .size = (uint64_t)st->st_size,
				    .blocks = (uint64_t)st->st_blocks,
				    .atime = (uint64_t)st->st_atim.tv_sec,
				    .mtime = (uint64_t)st->st_mtim.tv_sec,
				    .ctime = (uint64_t)st->st_ctim.tv_sec,
				    .atimensec = (uint32_t)st->st_atim.tv_nsec,
				    .mtimensec = (uint32_t)st->st_mtim.tv_nsec,
				    .ctimensec = (uint32_t)st->st_ctim.tv_nsec,
				    .mode = st->st_mode,
				    .nlink = (uint32_t)st->st_nlink,
				    .uid = st->st_uid,
				    .gid = st->st_gid,
				    .rdev = (uint32_t)st->st_rdev,
				    .blksize = (uint32_t)st->st_blksize };
}

static void split_seconds(double seconds, uint64_t *s, uint32_t *ns)
{
	*s = (uint64_t)seconds;
	*ns = (uint32_t)((seconds - (double)*s) * 1e9);
}

int passthrough_reply_create(fuse_req_t req, const struct fuse_entry_param *param,
			     struct fuse_file_info *fi, int id)
{
	struct {
		struct fuse_entry_out entry;
		struct open_out open;
	} out = { 0 };

	if (!id)
		return fuse_reply_create(req, param, fi);
	out.entry.nodeid = param->ino;
	out.entry.generation = param->generation;
	split_seconds(param->entry_timeout, &out.entry.entry_valid,
		      &out.entry.entry_valid_nsec);
	split_seconds(param->attr_timeout, &out.entry.attr_valid,
		      &out.entry.attr_valid_nsec);
	fill_attr(&out.entry.attr, &param->attr);
	out.open = make_open(fi, id);
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

#endif
