/*
 * The least that a mount can cost here: a daemon of one thread that keeps the names and numbers of what was looked up, hands
 * files to the kernel once, and does nothing but answer. For bench_mount.py; what a real mount takes beyond it is its own.
 *
 *   bench_mount_floor FOLDER MOUNTPOINT       as root; ends when it is unmounted
 *
 * The protocol is that of linux/fuse.h; what Debian 12's lacks is from Linux 6.9.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sync/base/buf.h"
#include "sync/base/cleanup.h"

#define MINOR 40
#define CALL ((size_t)1 << 20)
#define VALID_S 86400
#define INIT_EXT (1u << 30)
#define INIT2_PASSTHROUGH (1u << 5)
#define OPEN_PASSTHROUGH (1u << 7)
#define OPEN_NOFLUSH (1u << 5)

struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define BACKING_OPEN _IOW(229, 1, struct backing_map)

struct node {
	char *rel;
	int backing; /* the kernel's number of the file, 0: none yet */
};

struct floor {
	int dev, root;
	struct node *nodes; /* by node id - FUSE_ROOT_ID */
	size_t n, cap;
};

static void must(const char *what, bool is_fine)
{
	if (is_fine)
		return;
	fprintf(stderr, "bench_mount_floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void reply(const struct floor *floor, uint64_t unique, int error, void *data,
		  size_t size)
{
	struct fuse_out_header header = { .len = (uint32_t)(sizeof(header) + size),
					  .error = error,
					  .unique = unique };
	struct iovec iov[] = { { &header, sizeof(header) }, { data, size } };
	ssize_t n = writev(floor->dev, iov, size ? 2 : 1);

	/* ENOENT: the caller was killed */
	must("answer", n > 0 || errno == ENOENT);
}

static uint64_t add_node(struct floor *floor, const char *parent, const char *name)
{
	if (floor->n == floor->cap) {
		floor->cap = floor->cap ? floor->cap * 2 : 1024;
		floor->nodes =
			reallocarray(floor->nodes, floor->cap, sizeof(*floor->nodes));
		must("memory", floor->nodes);
	}
	floor->nodes[floor->n] = (struct node){ .rel = strf("%s/%s", parent, name) };
	must("memory", floor->nodes[floor->n].rel);
	return FUSE_ROOT_ID + floor->n++;
}

static bool get_attr(const struct floor *floor, uint64_t id, struct fuse_attr *ret)
{
	struct stat st;

	if (fstatat(floor->root, floor->nodes[id - FUSE_ROOT_ID].rel, &st,
		    AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*ret = (struct fuse_attr){ .ino = st.st_ino,
				   .size = (uint64_t)st.st_size,
				   .blocks = (uint64_t)st.st_blocks,
				   .mtime = (uint64_t)st.st_mtime,
				   .mode = st.st_mode,
				   .nlink = (uint32_t)st.st_nlink,
				   .uid = st.st_uid,
				   .gid = st.st_gid,
				   .blksize = (uint32_t)st.st_blksize };
	return true;
}

static void init(const struct floor *floor, uint64_t unique,
		 const struct fuse_init_in *in)
{
	/* 64 bytes since 7.23: major, minor, read-ahead, flags, background, max_write, granularity, pages, flags2, depth */
	uint32_t out[16] = {
		FUSE_KERNEL_VERSION,
		MINOR,
		in->max_readahead,
		INIT_EXT | FUSE_BIG_WRITES | FUSE_MAX_PAGES,
		512 | 512 << 16,
		CALL,
		1,
		CALL / 4096,
		INIT2_PASSTHROUGH,
		1,
	};

	reply(floor, unique, 0, out, sizeof(out));
}

static void look_up(struct floor *floor, const struct fuse_in_header *header,
		    const char *name)
{
	struct fuse_entry_out out = { .entry_valid = VALID_S, .attr_valid = VALID_S };

	out.nodeid =
		add_node(floor, floor->nodes[header->nodeid - FUSE_ROOT_ID].rel, name);
	if (get_attr(floor, out.nodeid, &out.attr))
		reply(floor, header->unique, 0, &out, sizeof(out));
	else
		reply(floor, header->unique, -errno, NULL, 0);
}

static void attributes(const struct floor *floor, const struct fuse_in_header *header)
{
	struct fuse_attr_out out = { .attr_valid = VALID_S };

	if (get_attr(floor, header->nodeid, &out.attr))
		reply(floor, header->unique, 0, &out, sizeof(out));
	else
		reply(floor, header->unique, -errno, NULL, 0);
}

static void open_file(struct floor *floor, const struct fuse_in_header *header)
{
	struct node *node = &floor->nodes[header->nodeid - FUSE_ROOT_ID];
	struct {
		uint64_t handle;
		uint32_t flags;
		int32_t backing;
	} out = { .flags = OPEN_PASSTHROUGH | OPEN_NOFLUSH };

	if (!node->backing) {
		_cleanup_(closep) int fd =
			openat(floor->root, node->rel, O_RDONLY | O_CLOEXEC);
		struct backing_map map = { .fd = fd };

		must(node->rel, fd >= 0);
		node->backing = ioctl(floor->dev, BACKING_OPEN, &map);
		must("passthrough", node->backing > 0);
	}
	out.backing = node->backing;
	reply(floor, header->unique, 0, &out, sizeof(out));
}

static void answer(struct floor *floor, const struct fuse_in_header *header)
{
	const void *body = header + 1;

	switch (header->opcode) {
	case FUSE_INIT:
		init(floor, header->unique, body);
		return;
	case FUSE_LOOKUP:
		look_up(floor, header, body);
		return;
	case FUSE_GETATTR:
		attributes(floor, header);
		return;
	case FUSE_OPEN:
		open_file(floor, header);
		return;
	case FUSE_RELEASE:
		reply(floor, header->unique, 0, NULL, 0);
		return;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	default:
		/* the kernel's word for it: it asks no more, and does it by itself or refuses it */
		reply(floor, header->unique, -ENOSYS, NULL, 0);
	}
}

int main(int argc, char **argv)
{
	static _Alignas(4096) char buffer[CALL + 4096];
	struct floor floor = { .dev = open("/dev/fuse", O_RDWR | O_CLOEXEC) };
	char options[128];
	ssize_t n;

	if (argc != 3) {
		fputs("usage: bench_mount_floor FOLDER MOUNTPOINT\n", stderr);
		return 2;
	}
	must("/dev/fuse", floor.dev >= 0);
	floor.root = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(argv[1], floor.root >= 0);
	add_node(&floor, ".", ".");
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions",
		 floor.dev);
	must("mount",
	     mount("floor", argv[2], "fuse.floor", MS_NOSUID | MS_NODEV, options) == 0);
	while ((n = read(floor.dev, buffer, sizeof(buffer))) > 0 || errno != ENODEV)
		if (n >= (ssize_t)sizeof(struct fuse_in_header))
			answer(&floor,
			       (const struct fuse_in_header *)(const void *)buffer);
	return 0;
}
