/* The inside of fs/inode.h, for fs/inode.c and fs/inode_use.c only. Everything is guarded by the table's lock. */
#pragma once

#include "fs/inode.h"

struct name {
	struct chain_link link;
	struct inode *parent, *inode; /* holds the parent */
	struct name *next;            /* of the inode */
	char text[];
};

struct inode {
	struct chain_link link; /* in disks, where is_chained */
	struct inode *next, *prev;
	struct inode_facts facts; /* is_named, has_writers are filled when asked for */
	struct name *names;
	struct name *
		last; /* where it has none: the one that it had last, for an OPEN that comes after */
	struct handle *handles;
	uint64_t n_lookups;
	uint32_t n_refs; /* names in it, handles */
	uint32_t n_writers, n_reads;
	uint64_t n_opens; /* INODE_STREAM: ever */
	bool is_chained;
	bool is_idle; /* in the list of idle backings */
	enum inode_way way;
	struct backing *backing;
	struct inode *idle_next, *idle_prev;
	bool has_seen;     /* the next three are of something that was not young */
	bool wants_drop;   /* pages, when the last read is answered */
	int64_t seen_size; /* INODE_FOLDER: n_changes */
	struct timespec seen_mtime, seen_ctime;
};

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
