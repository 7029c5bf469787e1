/* What the kernel hears. */
#include "fs/reply.h"

#include <errno.h>
#include <string.h>

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

/* How long attributes and entry may be believed. */
static double timeout_of(struct fs *fs, const struct inode_facts *facts)
{
	if (facts->kind == INODE_STREAM && facts->size < 0)
		return 0; /* a guess */
	if (facts->has_writers)
		return 0;
	if (facts->dev || rootmap_is_remote(fs->rootmap, facts->root))
		return FS_SHORT_S;
	return FS_LONG_S;
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
	ret->attr_timeout = timeout_of(fs, &facts);
	ret->entry_timeout = facts.has_writers ? FS_SHORT_S : ret->attr_timeout;
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
	/* somebody may make it on the disk, behind the mount's back */
	struct fuse_entry_param param = { .entry_timeout = FS_SHORT_S };

	fuse_reply_entry(req, &param);
}

void reply_attr(fuse_req_t req, const struct stat *st, const struct inode_facts *facts)
{
	fuse_reply_attr(req, st, timeout_of(fs_of(req), facts));
}
