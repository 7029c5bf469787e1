/* The inside of fs/inode.h, for fs/inode.c and fs/inode_use.c only. Everything is guarded by the table's lock. */
#pragma once

#include "fs/inode.h"

struct name {
	struct chain_link link;
	struct inode *parent, *inode; /* holds the parent */
	struct name *next;            /* of the inode */
	char text[];
};

enum inode_copy { INODE_COPY_NONE = 0, INODE_COPY_PARTIAL, INODE_COPY_WHOLE };

/* What an inode has from its first open or listing on: most never have it. */
struct inode_use {
	struct handle *handles;
	struct backing *backing;
	struct inode *idle_next, *idle_prev;
	uint32_t n_writers, n_reads;
	bool is_idle;  /* in the list of idle backings */
	bool has_seen; /* the next three are of something that was not young */
	bool wants_drop; /* pages, when the last read is answered, or the copy has its end */
	unsigned char copy; /* enum inode_copy */
	int64_t seen_size;  /* INODE_FOLDER: n_changes */
	struct timespec seen_mtime, seen_ctime;
};

/* A million of them are no rarity: 120 bytes, and a name. See struct inode_facts. */
struct inode {
	struct chain_link link; /* in disks, where is_chained */
	struct inode *next, *prev;
	struct name *names;
	struct name *
		last; /* where it has none: the one that it had last, for an OPEN that comes after */
	struct inode_use *use;
	uint64_t n_lookups;
	uint64_t generation, st_ino;
	union {
		struct {
			uint64_t dev, ino;
		} disk;
		struct {
			int64_t size, mtime_ns;
		} stream; /* INODE_STREAM */
	};
	union {
		uint64_t n_changes; /* INODE_FOLDER, INODE_TOP */
		uint64_t n_opens;   /* INODE_STREAM: ever */
	};
	uint32_t n_refs; /* names in it, handles */
	int32_t root;
	uint16_t type;           /* S_IFMT bits */
	unsigned char kind, way; /* enum inode_kind, inode_way */
	bool is_top, is_chained;
};
_Static_assert(sizeof(struct inode) <= 120, "malloc has it in 128");

struct name *inode_find_name(struct inodes *inodes, const struct inode *parent,
			     const char *text, size_t len) REQUIRES(&inodes->lock);
void inode_drop_name(struct inodes *inodes, struct name *name) REQUIRES(&inodes->lock);
/* Frees the inode if nobody holds it; folders above follow where they were held by it alone. */
void inode_put(struct inodes *inodes, struct inode *inode) REQUIRES(&inodes->lock);
/* Unlocks, and frees the backings that were dropped meanwhile. */
void inodes_unlock(struct inodes *inodes) RELEASE(&inodes->lock);
/* The backing, if no handle uses it, goes at the next inodes_unlock(). */
void inode_drop_backing(struct inodes *inodes, struct inode *inode)
	REQUIRES(&inodes->lock);
void inode_copy_facts(const struct inode *inode, struct inode_facts *ret);
uint64_t inode_id(const struct inode *inode);
/* A name in it came, went or changed. */
void inode_count_change(struct inode *inode);
/* Its use, made where it has none; NULL: no memory. */
struct inode_use *inode_make_use(struct inode *inode);
static inline bool inode_has_handles(const struct inode *inode)
{
	return inode->use && inode->use->handles;
}
