/*
 * Inodes: what the kernel holds by number, and the names under which it knows them. No descriptor is kept per
 * inode: one is found again by its names, and device and inode of the disk tell whether it is still the same.
 *
 *        names                    inodes                     on the disk
 *   (top, "shot") ──────────► FOLDER, st_ino for life ◄────  nothing, later a real folder
 *   (shot, "a.exr") ─────┐
 *   (shot, "a_link.exr") ┴──► DISK  ◄───────────────────────  one (device, inode), any number of names
 *   (shot, "b.exr") ────────► STREAM ◄──────────────────────  nothing: bytes come from the remote
 *                   └ ─ ─ ─ ► after completion: another inode, DISK, same st_ino
 *
 * An inode has one kind for life. What changes what a name stands for takes the name away (inodes_unname()): the
 * next lookup makes a new inode, and the one without a name serves only the handles that it has.
 *
 * Any thread; one lock, held for memory only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "fs/chain.h"
#include "sync/base/lock.h"

#define INODE_TOP_ID 1 /* the kernel's number of the mount point */

struct backing;
struct handle;
struct inode;

enum inode_kind {
	INODE_TOP = 1, /* the mount point above several roots */
	INODE_FOLDER, /* a real one or one of the view; stays the same when it becomes real */
	INODE_STREAM, /* a remote-only file: cached reads, deferred replies */
	INODE_DISK,   /* whatever else is on the disk */
};

/* What a lookup found, and what an inode was made for. */
struct inode_facts {
	enum inode_kind kind;
	mode_t type;            /* S_IFMT bits */
	int root;               /* -1: INODE_TOP */
	uint64_t dev, ino;      /* on the disk; 0, 0: only in the view */
	nlink_t n_links;        /* on the disk; of what was found only */
	uint64_t st_ino;        /* shown */
	int64_t size, mtime_ns; /* INODE_STREAM; -1 unknown */
	/* set by the table */
	uint64_t id, generation;
	bool is_named, has_writers, has_handles;
	bool has_opens; /* INODE_STREAM: it was opened, the kernel may have pages of it */
	uint64_t n_changes; /* INODE_FOLDER: of names in it, so far as we know */
};

/* How the bytes of an INODE_DISK go, for life: the kernel refuses (EIO) an open that meets another way. */
enum inode_way {
	INODE_WAY_OPEN = 0, /* nobody has opened it yet */
	INODE_WAY_DAEMON,   /* read and written through us, cached */
	INODE_WAY_KERNEL,   /* passthrough, by one backing */
};

struct inodes {
	struct mutex lock;
	struct inode *top GUARDED_BY(&lock);
	struct inode *all GUARDED_BY(&lock);   /* list of every inode, for the end */
	struct chains names GUARDED_BY(&lock); /* by (parent, name) */
	struct chains
		disks GUARDED_BY(&lock); /* INODE_DISK that have a name, by (dev, ino) */
	uint64_t generation GUARDED_BY(&lock);
	size_t n_inodes GUARDED_BY(&lock);
	size_t n_peak GUARDED_BY(&lock); /* since inodes_have_shrunk() said so */
	/* backings that no handle uses, the longest unused first */
	struct inode *idle_first GUARDED_BY(&lock), *idle_last GUARDED_BY(&lock);
	size_t n_idle GUARDED_BY(&lock), idle_max GUARDED_BY(&lock);
	struct backing *dropped GUARDED_BY(&lock); /* to be freed without the lock */
};

/* TOP describes the mount point: INODE_TOP or the INODE_FOLDER of the only root. 0 or -ENOMEM. */
int inodes_init(struct inodes *inodes, const struct inode_facts *top);
/* At the end of the mount, when no request runs: every inode goes, held or not. */
void inodes_done(struct inodes *inodes);
size_t inodes_count(struct inodes *inodes);

/* The inode behind a number that the kernel holds. */
struct inode *inodes_at(struct inodes *inodes, uint64_t id);
void inodes_facts(struct inodes *inodes, struct inode *inode, struct inode_facts *ret);

/* NAME in PARENT stands for what FOUND says: finds or makes its inode, tells the name, counts one lookup.
 * FACTS gets what the inode is. 0 or -ENOMEM. */
int inodes_take(struct inodes *inodes, struct inode *parent, const char *name,
		const struct inode_facts *found, struct inode_facts *ret) _must_check_;
/* The kernel gives N lookups back; the last one frees the inode. */
void inodes_forget(struct inodes *inodes, uint64_t id, uint64_t n);
/* Half of many inodes are gone since this was true last (or since there were most): time for inodes_shrink(). */
bool inodes_have_shrunk(struct inodes *inodes);
/* The tables get the size of what is left in them. */
void inodes_shrink(struct inodes *inodes);

/* Path below its root by its Nth name (0 = first), allocated; "" is a root's folder (for INODE_TOP too). -ESTALE where there is
 * no such name. FACTS may be NULL. */
int inodes_path(struct inodes *inodes, struct inode *inode, size_t n, char **ret,
		struct inode_facts *facts);
/* Path by the name that an inode without names had last; -ESTALE. */
int inodes_last_path(struct inodes *inodes, struct inode *inode, char **ret);
/* st_ino of what NAME in PARENT is known as, or 0. */
uint64_t inodes_known_ino(struct inodes *inodes, struct inode *parent, const char *name);
/* st_ino of the folder above (its own at the top). */
uint64_t inodes_parent_ino(struct inodes *inodes, struct inode *inode);
/* Number of the folder that its first name is in; 0 where it has no name. */
uint64_t inodes_parent_id(struct inodes *inodes, struct inode *inode);

/* The name is gone or stands for something else. */
void inodes_unname(struct inodes *inodes, struct inode *parent, const char *name);
/* After a rename on the disk or in the view; what was known as the new name loses it. -ENOMEM: both names are
 * forgotten. */
int inodes_rename(struct inodes *inodes, struct inode *parent, const char *name,
		  struct inode *new_parent, const char *new_name);
/* Each of the two names stands for what the other did. */
void inodes_exchange(struct inodes *inodes, struct inode *parent, const char *name,
		     struct inode *other_parent, const char *other_name);

/* A folder of the view is real now. */
void inodes_set_disk(struct inodes *inodes, struct inode *inode, uint64_t dev,
		     uint64_t ino);
/* INODE_DISK: true where ST is unchanged since the last call and was not young then, so that cached pages
 * may stay. */
bool inodes_keep_pages(struct inodes *inodes, struct inode *inode, const struct stat *st);

/* INODE_FOLDER: a listing was taken of it while it was ST, after N_CHANGES. */
void inodes_list(struct inodes *inodes, struct inode *inode, uint64_t n_changes,
		 const struct stat *st);
/* True where ST, and what we know of its names, are as at the last listing: the kernel's copy may stay. */
bool inodes_keep_listing(struct inodes *inodes, struct inode *inode,
			 const struct stat *st);

/*
 * The kernel's copy of a listing. It is filled by the answers to READDIR, from the first to the last, and used when it has
 * its end. Pages that are dropped before are a gap which the kernel never closes: it would keep no listing of this folder
 * any more (fs/fuse/readdir.c of Linux 6.18). So whoever wants them dropped waits for the end.
 *
 *   NONE ── first answer ──► PARTIAL ── last answer ──► WHOLE ── dropped ──► NONE
 */

/* READDIR is about to be answered from the start. */
void inodes_begin_copy(struct inodes *inodes, struct inode *inode);
/* The end is about to be answered; true: the copy is to be dropped. */
bool inodes_end_copy(struct inodes *inodes, struct inode *inode);
/* A handle that was never asked for its listing is closed; true where the copy was to be dropped and is used, it seems. */
bool inodes_unread_copy(struct inodes *inodes, struct inode *inode);
/* The copy of the folder that holds PATH's deepest known component is outdated. True: it can be dropped now. */
bool inodes_drop_copy_path(struct inodes *inodes, const char *path);

/* ---- handles: kept in a list per inode; they hold the inode ---- */

/* A handle with DECIDES offers its backing (or none, NULL), which stays the caller's; it gets the inode's one, referenced, or
 * NULL where the inode's way is through the daemon. -EIO: the way is the kernel's, and neither has a backing. */
int inodes_add_handle(struct inodes *inodes, struct handle *handle) _must_check_;
void inodes_remove_handle(struct inodes *inodes, struct handle *handle);
/* An open handle with a descriptor, a writable one if there is any; referenced: end with handle_unref().
 * NULL where there is none. */
struct handle *inodes_borrow_handle(struct inodes *inodes, struct inode *inode);
/* The inode's backing, referenced; or NULL. WAY may be NULL. */
struct backing *inodes_borrow_backing(struct inodes *inodes, struct inode *inode,
				      enum inode_way *way);
/* At most N backings are kept for the next open of their files. */
void inodes_set_idle_max(struct inodes *inodes, size_t n);
/* Any handle left, for the end of the mount; NULL when there are none. */
struct handle *inodes_any_handle(struct inodes *inodes);

/* An open of an INODE_STREAM, counted before it looks at what the name is now; taken back where it fails. Its path, as
 * inodes_path() tells it, comes in the same moment: who sees the open may take the name away. */
int inodes_begin_open(struct inodes *inodes, struct inode *inode, char **ret,
		      struct inode_facts *facts) _must_check_;
void inodes_fail_open(struct inodes *inodes, struct inode *inode);

/* ---- reads that wait: pages may be dropped only where none does ---- */

void inodes_begin_read(struct inodes *inodes, struct inode *inode);
/* True: it was the last one, and the pages were to be dropped meanwhile. */
bool inodes_end_read(struct inodes *inodes, struct inode *inode);

/* ---- by path from the mount point, for the notifier ---- */

/* How far a path is known. */
struct inode_spot {
	uint64_t parent_id; /* deepest known folder on the way */
	const char *
		name; /* the component in it, borrowed from the path; its end is name_len */
	size_t name_len;
	bool is_whole; /* that component is the path's last and known: FACTS is its inode */
	struct inode_facts facts;
};
/* A change at PATH is about to be told: counted in n_changes of that folder. */
void inodes_walk(struct inodes *inodes, const char *path, struct inode_spot *ret);
/* Takes the name at PATH from the inode that FACTS tell of, if it is still that one: an id may be another's by now, a
 * generation never. Pages of an INODE_STREAM are to be dropped: true where that can be done now, false where
 * inodes_end_read() will tell. */
bool inodes_unname_path(struct inodes *inodes, const char *path,
			const struct inode_facts *facts);
/* INODE_STREAM: size and time became known, where PATH is still that inode. */
void inodes_set_size_path(struct inodes *inodes, const char *path,
			  const struct inode_facts *facts, int64_t size,
			  int64_t mtime_ns);
