/*
 * Passthrough: local files that the kernel reads, writes and maps by itself, once it was given the file below by a
 * number (a backing id). From libfuse 3.17 by its API. Before, by the session's own I/O functions, which libfuse
 * has for sandboxes: one message is completed on its way out, the answer to INIT, and OPEN is answered by us.
 *
 *   kernel ── INIT, "I can" ──► read() ─► libfuse ─► on_init ─► libfuse ──► writev(): + "do" ──► kernel
 *
 * Why it is for a daemon with CAP_SYS_ADMIN only: the kernel opens the file below anew, asking nobody for permission.
 * What it does not do: sizes (answered from the disk while a writer has the file open), truncate, fallocate, locks.
 *
 * Facts: linux/fuse.h (7.40 and later), fs/fuse/passthrough.c and backing.c of Linux 6.9 and later.
 */
#pragma once

#include <fuse_lowlevel.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sync/base/cleanup.h"
#include "sync/base/lock.h"

struct passthrough {
	struct fuse_session *session; /* NULL: not mounted yet */
	atomic_int stage;             /* enum passthrough_stage */
	atomic_uint_least64_t init;   /* number of INIT, until it is answered */
	bool offers_it, offers_setid; /* what INIT says */
	atomic_bool has_setid;        /* see fs/setid.h */
	atomic_bool is_told;          /* in the log */
	struct mutex lock;
	char reason[192] GUARDED_BY(&lock); /* why not, or not for all; or "" */
};

/* Forward only. */
enum passthrough_stage {
	PASSTHROUGH_OPEN = 0, /* INIT has not been answered yet */
	PASSTHROUGH_ASKING,   /* the answer to INIT is on its way */
	PASSTHROUGH_ON,
	PASSTHROUGH_OFF,
};

/* WANTED false: off, for the reason that the user said so. */
void passthrough_init(struct passthrough *passthrough, bool is_wanted);
void passthrough_done(struct passthrough *passthrough);

/* After fuse_session_mount(), before the first message. The session's user data is the struct fs. -ENOMEM. */
int passthrough_attach(struct passthrough *passthrough, struct fuse_session *session);
/* In the session's init. */
void passthrough_negotiate(struct passthrough *passthrough, struct fuse_conn_info *conn);
/* The answer to INIT has gone: tries, and logs what is so. On any thread, once or more. */
void passthrough_settle(struct passthrough *passthrough);

bool passthrough_is_on(struct passthrough *passthrough);
/* The kernel refused one file: logged and kept as the reason, the first time. */
void passthrough_refused(struct passthrough *passthrough, int r);
/* True where it is on. REASON, one line: why not, or why not for every file; or "". */
bool passthrough_tell(struct passthrough *passthrough, char *reason, size_t size);

/* An id for the regular file FD, which may be O_PATH and may be closed after. Positive, or a negative errno: ELOOP a file
 * system that is stacked itself, EOPNOTSUPP passthrough is off. */
int passthrough_register(struct passthrough *passthrough, int fd);
void passthrough_release(struct passthrough *passthrough, int id);

/* fuse_reply_open() and fuse_reply_create() with a backing id, or without (0). With an id and direct_io, reads and writes
 * come to the daemon and only mappings are the kernel's; both kinds of handles may meet. */
int passthrough_reply_open(fuse_req_t req, struct fuse_file_info *fi, int id);
int passthrough_reply_create(fuse_req_t req, const struct fuse_entry_param *param,
			     struct fuse_file_info *fi, int id);
