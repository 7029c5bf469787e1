/* What the kernel hears. */
#include "fs/reply.h"

#include <errno.h>
#include <string.h>

#include "sync/base/clock.h"
#include "sync/base/log.h"

/* Ours that would mislead a program -> what it hears. Everything else passes. */
static const struct {
	int ours, theirs;
} table[] = {
	{ EBADF, EIO },     /* a descriptor of ours */
	{ ENOTCONN, EIO },  /* it would read as "the mount is dead" */
	{ ECANCELED, EIO }, /* we are ending */
	{ EREMOTEIO, EIO },
	{ ENOSYS, EOPNOTSUPP }, /* the kernel would never ask again, for any file */
	{ EMFILE, EIO },        /* our limit, not the caller's */
	{ ENFILE, EIO },
};

static int for_kernel(int r)
{
	if (r >= 0)
		return r ? EIO : 0; /* a positive outcome is to be handled before */
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].ours == -r)
			return table[i].theirs;
	return -r;
}

void reply_error(fuse_req_t req, int r)
{
	if (r == -EMFILE || r == -ENFILE || r == -EBADF || r > 0)
		log_warning("a request failed inside: %s",
			    r > 0 ? "unhandled outcome" : strerror(-r));
	fuse_reply_err(req, for_kernel(r));
}

/* We hear of what others do to names there. */
static bool is_watched(struct fs *fs, int root, uint64_t dev)
{
	return !rootmap_is_remote(fs->rootmap, root) &&
	       watch_covers(fs->watch, root, dev);
}

/* How long an entry may be believed. */
static double entry_timeout(struct fs *fs, const struct inode_facts *facts)
{
	if (facts->kind == INODE_STREAM && facts->size < 0)
		return 0; /* its size is a guess */
	if (facts->dev && !is_watched(fs, facts->root, facts->dev))
		return FS_SHORT_S;
	return rootmap_is_remote(fs->rootmap, facts->root) ? FS_SHORT_S : FS_LONG_S;
}

#define TRUST_PART 0.25 /* of its age */
#define TRUST_MAX_S 10.0
/* ... of what the kernel reads by itself: a wrong size misleads nobody who reads */
#define TRUST_KERNEL_MAX_S 60.0

double reply_trust(int64_t age_s, bool is_by_kernel)
{
	double trust = (double)age_s * TRUST_PART;
	double max = is_by_kernel ? TRUST_KERNEL_MAX_S : TRUST_MAX_S;

	if (trust < FS_SHORT_S)
		return FS_SHORT_S;
	return trust < max ? trust : max;
}

static double file_timeout(struct fs *fs, const struct stat *st)
{
	int64_t changed_s = st->st_mtim.tv_sec > st->st_ctim.tv_sec ? st->st_mtim.tv_sec
								    : st->st_ctim.tv_sec;

	return reply_trust(clock_wall_ms() / 1000 - changed_s,
			   passthrough_is_on(&fs->passthrough));
}

static double attr_timeout(struct fs *fs, const struct inode_facts *facts,
			   const struct stat *st)
{
	double timeout = entry_timeout(fs, facts);

	if (facts->has_writers)
		return 0;
	if (facts->kind != INODE_DISK || timeout <= FS_SHORT_S)
		return timeout;
	return file_timeout(fs, st);
}

int reply_fill_entry(struct folder *folder, const char *name, const struct shown *shown,
		     struct fuse_entry_param *ret)
{
	struct fs *fs = folder->fs;
	struct inode_facts facts;
	int r = inodes_take(&fs->inodes, folder->inode, name, &shown->facts, &facts);

	if (r < 0)
		return r;
	*ret = (struct fuse_entry_param){ .ino = facts.id,
					  .generation = facts.generation,
					  .attr = shown->st };
	ret->attr.st_ino = facts.st_ino;
	ret->attr_timeout = attr_timeout(fs, &facts, &shown->st);
	ret->entry_timeout = entry_timeout(fs, &facts);
	return 0;
}

void reply_entry(fuse_req_t req, struct entry *entry, const struct shown *shown)
{
	struct fs *fs = entry->folder.fs;
	struct fuse_entry_param param;
	int r = reply_fill_entry(&entry->folder, entry->name, shown, &param);

	if (r < 0)
		reply_error(req, r);
	else if (fuse_reply_entry(req, &param) < 0)
		inodes_forget(&fs->inodes, param.ino, 1);
}

void reply_no_entry(fuse_req_t req, const struct entry *entry)
{
	const struct folder *folder = &entry->folder;
	struct fuse_entry_param param = { .entry_timeout = FS_SHORT_S };

	/* somebody may make it on the disk, behind the mount's back */
	if (folder->facts.dev && is_watched(folder->fs, folder->root, folder->facts.dev))
		param.entry_timeout = FS_LONG_S;

	fuse_reply_entry(req, &param);
}

void reply_attr(fuse_req_t req, const struct stat *st, const struct inode_facts *facts)
{
	fuse_reply_attr(req, st, attr_timeout(fs_of(req), facts, st));
}
