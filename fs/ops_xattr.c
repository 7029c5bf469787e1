/*
 * Extended attributes. `user.sitefs.*` tell the state of a published file and are computed; `security.*` are answered
 * without asking anybody, as ls asks for one per file; the rest is the disk's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "fs/entry.h"
#include "fs/fs.h"
#include "fs/remote.h"
#include "fs/reply.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"

#define OURS "user.sitefs."
#define SECURITY "security."
#define LIST_MAX ((size_t)65536) /* the kernel's XATTR_LIST_MAX */

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* ---- ours ---- */

static int add_state(const struct config *config, const struct engine_file *file,
		     struct buf *ret)
{
	return buf_adds(ret, file_state_name(file->state));
}

static int add_pinned(const struct config *config, const struct engine_file *file,
		      struct buf *ret)
{
	return buf_adds(ret, file->is_pinned ? "1" : "0");
}

static int add_progress(const struct config *config, const struct engine_file *file,
			struct buf *ret)
{
	return buf_addf(ret, "%.4g", file->progress);
}

static int add_entry(struct buf *ret, const char *site, const struct index_entry *entry)
{
	char text[CLOCK_RFC3339_SIZE] = "-";

	if (entry->created_ms > 0)
		clock_format(entry->created_ms, text);
	return buf_addf(ret, "%s%s %s", ret->len ? "\n" : "", site, text);
}

/* One line per record and site: "studio 2023-11-27T08:56:24.512Z", "gdrive -". */
static int add_sites(const struct config *config, const struct engine_file *file,
		     struct buf *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < file->path.n_records; i++) {
		r = add_entry(ret, config->active_site, &file->path.records[i].ours);
		if (r == 0 && config->remote_site[0])
			r = add_entry(ret, config->remote_site,
				      &file->path.records[i].remote);
	}
	return r;
}

static int add_repre(const struct config *config, const struct engine_file *file,
		     struct buf *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < file->path.n_records; i++)
		r = buf_addf(ret, "%s%s", i ? "\n" : "", file->path.records[i].repre);
	return r;
}

static int add_remote_id(const struct config *config, const struct engine_file *file,
			 struct buf *ret)
{
	const char *id = file->path.object.id;

	for (size_t i = 0; !id && i < file->path.n_records; i++)
		id = file->path.records[i].remote.id;
	return id ? buf_adds(ret, id) : -ENODATA;
}

static int add_error(const struct config *config, const struct engine_file *file,
		     struct buf *ret)
{
	return file->error ? buf_adds(ret, file->error) : -ENODATA;
}

static const struct ours {
	const char *name; /* after OURS */
	int (*add)(const struct config *config, const struct engine_file *file,
		   struct buf *ret);
} ours[] = {
	{ "state", add_state }, { "pinned", add_pinned }, { "progress", add_progress },
	{ "sites", add_sites }, { "repre", add_repre },   { "remote_id", add_remote_id },
	{ "error", add_error },
};

/* What the engine knows of the file; -ENODATA where that is nothing, or INODE is no file. */
static int describe(struct fs *fs, struct inode *inode, struct engine_file *ret)
{
	_cleanup_(freep) char *rel = NULL;
	struct inode_facts facts;
	int r = inodes_path(&fs->inodes, inode, 0, &rel, &facts);

	if (r == -ESTALE) {
		/* one that was remote-only has another inode by now, which the kernel finds; else the file has no name */
		inodes_facts(&fs->inodes, inode, &facts);
		return facts.kind == INODE_STREAM ? -ESTALE : -ENODATA;
	}
	if (r < 0 || facts.kind == INODE_FOLDER || facts.kind == INODE_TOP)
		return -ENODATA;
	r = engine_describe(fs->engine, facts.root, rel, ret);
	return r > 0 ? -ENODATA : r;
}

static int get_ours(struct fs *fs, struct inode *inode, const char *name, struct buf *ret)
{
	struct engine_file file = { 0 };
	int r = describe(fs, inode, &file);

	if (r < 0)
		return r;
	r = -ENODATA;
	/* an unpublished file is local; there is no more to tell */
	for (size_t i = 0; i < (file.is_published ? ARRAY_SIZE(ours) : 1); i++)
		if (strcmp(ours[i].name, name + strlen(OURS)) == 0)
			r = ours[i].add(engine_config(fs->engine), &file, ret);
	engine_file_done(&file);
	return r;
}

static int list_ours(struct fs *fs, struct inode *inode, struct buf *ret)
{
	struct engine_file file = { 0 };
	_cleanup_(buf_done) struct buf value = { 0 };
	int r = describe(fs, inode, &file);

	if (r < 0)
		return r == -ENODATA ? 0 : r;
	/* not listed for unpublished files: tools that copy attributes would trip over them */
	for (size_t i = 0; r == 0 && file.is_published && i < ARRAY_SIZE(ours); i++) {
		buf_clear(&value);
		if (ours[i].add(engine_config(fs->engine), &file, &value) == 0)
			r = buf_addf(ret, OURS "%s%c", ours[i].name, '\0');
	}
	engine_file_done(&file);
	return r;
}

/* ---- the disk's ---- */

/* An O_PATH descriptor, -ENODATA where it is not on the disk. MAKES: a folder of the view becomes real. */
static int open_disk(struct fs *fs, fuse_ino_t ino, bool makes)
{
	struct inode *inode = inodes_at(&fs->inodes, ino);
	_cleanup_(folder_done) struct folder folder = { .fd = -1 };
	struct inode_facts facts;
	int r;

	inodes_facts(&fs->inodes, inode, &facts);
	if (facts.kind == INODE_DISK)
		return entry_open_inode(fs, inode, O_PATH, NULL);
	if (facts.kind == INODE_STREAM)
		return makes ? remote_refuse(fs, inode, -ENODATA) : -ENODATA;
	if (facts.kind == INODE_TOP)
		return -ENODATA;
	r = folder_open(fs, ino, &folder);
	if (r == 0 && makes)
		r = folder_make_real(&folder);
	if (r < 0)
		return r;
	return folder.fd < 0 ? -ENODATA : steal_fd(folder.fd);
}

static void name_fd(int fd, char ret[64])
{
	snprintf(ret, 64, "/proc/self/fd/%d", fd);
}

static int get_disk(struct fs *fs, fuse_ino_t ino, const char *name, struct buf *ret)
{
	_cleanup_(closep) int fd = open_disk(fs, ino, false);
	char path[64];
	ssize_t n;

	if (fd < 0)
		return fd;
	if (buf_reserve(ret, LIST_MAX) < 0)
		return -ENOMEM;
	name_fd(fd, path);
	n = getxattr(path, name, ret->data, LIST_MAX);
	if (n < 0)
		return -errno;
	ret->len = (size_t)n;
	return 0;
}

static int list_disk(struct fs *fs, fuse_ino_t ino, struct buf *ret)
{
	_cleanup_(closep) int fd = open_disk(fs, ino, false);
	_cleanup_(freep) char *names = malloc(LIST_MAX);
	char path[64];
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return fd == -ENODATA ? 0 : fd;
	if (!names)
		return -ENOMEM;
	name_fd(fd, path);
	n = listxattr(path, names, LIST_MAX);
	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (char *name = names; r == 0 && name < names + n; name += strlen(name) + 1)
		if (!has_prefix(name, SECURITY) && !has_prefix(name, OURS))
			r = buf_add(ret, name, strlen(name) + 1);
	return r;
}

/* ---- operations ---- */

static void reply_value(fuse_req_t req, size_t size, const struct buf *value)
{
	if (size == 0)
		fuse_reply_xattr(req, value->len);
	else if (value->len > size)
		reply_error(req, -ERANGE);
	else
		fuse_reply_buf(req, buf_str(value), value->len);
}

void fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct fs *fs = fs_of(req);
	_cleanup_(buf_done) struct buf value = { 0 };
	int r;

	if (has_prefix(name, SECURITY))
		r = -ENODATA;
	else if (has_prefix(name, OURS))
		r = get_ours(fs, inodes_at(&fs->inodes, ino), name, &value);
	else
		r = get_disk(fs, ino, name, &value);
	if (r < 0)
		reply_error(req, r);
	else
		reply_value(req, size, &value);
}

void fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct fs *fs = fs_of(req);
	_cleanup_(buf_done) struct buf names = { 0 };
	int r = list_disk(fs, ino, &names);

	if (r == 0)
		r = list_ours(fs, inodes_at(&fs->inodes, ino), &names);
	if (r < 0)
		reply_error(req, r);
	else
		reply_value(req, size, &names);
}

/* 0: the disk decides. Ours are computed; a file that is not here has no place for any. */
static int refuse_change(struct fs *fs, const char *name)
{
	if (fs->is_read_only)
		return -EROFS;
	if (strcmp(name, OURS "pin") == 0)
		return -EOPNOTSUPP; /* this build has no pins */
	if (has_prefix(name, OURS))
		return -EPERM;
	return has_prefix(name, SECURITY) ? -EOPNOTSUPP : 0;
}

void fs_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		 size_t size, int flags)
{
	struct fs *fs = fs_of(req);
	_cleanup_(closep) int fd = -1;
	char path[64];
	int r = refuse_change(fs, name);

	if (r == 0) {
		fd = open_disk(fs, ino, true);
		r = fd == -ENODATA ? -EPERM : fd < 0 ? fd : 0;
	}
	if (r == 0) {
		name_fd(fd, path);
		if (setxattr(path, name, value, size, flags) < 0)
			r = -errno;
	}
	reply_error(req, r);
}

void fs_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct fs *fs = fs_of(req);
	_cleanup_(closep) int fd = -1;
	char path[64];
	int r = refuse_change(fs, name);

	if (r == 0) {
		fd = open_disk(fs, ino, false);
		r = fd < 0 ? fd : 0;
	}
	if (r == 0) {
		name_fd(fd, path);
		if (removexattr(path, name) < 0)
			r = -errno;
	}
	reply_error(req, r);
}
