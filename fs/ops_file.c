/* Operations on the bytes of an open file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/reply.h"
#include "fs/setid.h"

#define COPY_MAX ((size_t)64 << 20) /* per request: a worker is held meanwhile */

void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *fi)
{
	_cleanup_(handle_unrefp) struct handle *handle = handle_hold(fi->fh);
	struct fuse_bufvec buf = FUSE_BUFVEC_INIT(size);
	int fd;

	if (handle->hydration) {
		stream_read(fs_of(req), req, handle, offset, size);
		return;
	}
	fd = handle_fd(handle);
	if (fd < 0) {
		reply_error(req, fd);
		return;
	}
	/* RETRY: a short answer would be the end of the file */
	buf.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK | FUSE_BUF_FD_RETRY;
	buf.buf[0].fd = fd;
	buf.buf[0].pos = offset;
	fuse_reply_data(req, &buf, 0);
}

static ssize_t write_at(int fd, struct fuse_bufvec *in, off_t offset)
{
	struct fuse_bufvec out = FUSE_BUFVEC_INIT(fuse_buf_size(in));

	out.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK | FUSE_BUF_FD_RETRY;
	out.buf[0].fd = fd;
	out.buf[0].pos = offset;
	return fuse_buf_copy(&out, in, 0);
}

/* The disk knows where the end is, also where somebody else appends. */
static ssize_t append(int fd, struct fuse_bufvec *in)
{
	size_t size = fuse_buf_size(in);
	struct fuse_bufvec memory = FUSE_BUFVEC_INIT(size);
	_cleanup_(freep) char *data = malloc(size ? size : 1);
	struct iovec iov = { .iov_base = data };
	ssize_t n;

	if (!data)
		return -ENOMEM;
	memory.buf[0].mem = data;
	n = fuse_buf_copy(&memory, in, 0);
	if (n < 0)
		return n;
	iov.iov_len = (size_t)n;
	n = pwritev2(fd, &iov, 1, 0, RWF_APPEND);
	return n < 0 ? -errno : n;
}

void fs_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t offset,
		  struct fuse_file_info *fi)
{
	_cleanup_(handle_unrefp) struct handle *handle = handle_hold(fi->fh);
	ssize_t n;

	/* before, so that a close that comes meanwhile tells the engine */
	atomic_store(&handle->is_dirty, true);
	if (!fi->writepage)
		setid_drop(req, ino, handle->fd);
	/* a page of a mapping goes where it belongs, whatever the flags of the handle that brings it */
	if (fi->flags & O_APPEND && !fi->writepage)
		n = append(handle->fd, in);
	else
		n = write_at(handle->fd, in, offset);
	if (n < 0)
		reply_error(req, (int)n);
	else
		fuse_reply_write(req, (size_t)n);
}

void fs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	_cleanup_(handle_unrefp) struct handle *handle = handle_hold(fi->fh);
	int r = 0, fd = handle->hydration ? -1 : handle_fd(handle);

	/* nothing of what is at the remote was written here */
	if (!handle->hydration && fd < 0)
		r = fd;
	else if (fd >= 0 && (datasync ? fdatasync(fd) : fsync(fd)) < 0)
		r = -errno;
	reply_error(req, r);
}

/* As FUSE has it: six parameters. */
void fs_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		  struct fuse_file_info *fi)
{
	_cleanup_(handle_unrefp) struct handle *handle = handle_hold(fi->fh);
	int fd = handle_fd(handle), r = 0;

	if (fd < 0) {
		reply_error(req, fd);
		return;
	}
	atomic_store(&handle->is_dirty, true);
	setid_drop(req, ino, fd);
	if (fallocate(fd, mode, offset, length) < 0)
		r = -errno;
	reply_error(req, r);
}

/* A remote-only file is one extent: cp and tar must not take what is not here for holes. */
static off_t seek_stream(const struct handle *handle, off_t offset, int whence)
{
	if (offset < 0 || offset >= handle->size)
		return -ENXIO;
	return whence == SEEK_DATA ? offset : handle->size;
}

static off_t seek_disk(struct handle *handle, off_t offset, int whence)
{
	int fd = handle_fd(handle);
	off_t r = fd < 0 ? fd : lseek(fd, offset, whence);

	return fd >= 0 && r < 0 ? -errno : r;
}

void fs_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
	      struct fuse_file_info *fi)
{
	_cleanup_(handle_unrefp) struct handle *handle = handle_hold(fi->fh);
	off_t r;

	if (handle->hydration) {
		r = seek_stream(handle, offset, whence);
	} else {
		r = seek_disk(handle, offset, whence);
	}
	if (r < 0)
		reply_error(req, (int)r);
	else
		fuse_reply_lseek(req, r);
}

/* As FUSE has it: nine parameters. */
void fs_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
			struct fuse_file_info *fi_out, size_t len, int flags)
{
	_cleanup_(handle_unrefp) struct handle *in = handle_hold(fi_in->fh);
	_cleanup_(handle_unrefp) struct handle *out = handle_hold(fi_out->fh);
	int from = handle_fd(in), to = handle_fd(out);
	ssize_t n;

	if (from < 0 || to < 0) {
		reply_error(req, -EXDEV);
		return;
	}
	atomic_store(&out->is_dirty, true);
	setid_drop(req, ino_out, to);
	n = copy_file_range(from, &off_in, to, &off_out, len < COPY_MAX ? len : COPY_MAX,
			    (unsigned)flags);
	if (n < 0)
		reply_error(req, -errno);
	else
		fuse_reply_write(req, (size_t)n);
}
