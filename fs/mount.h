/*
 * The mount: one FUSE session that shows the active site's roots. The engine is running and its index may be shown
 * before; the roots are open, so that the mount point may be a root itself.
 *
 *   mount_new()   mounts; no thread yet
 *   mount_run()   answers, until somebody unmounts or calls mount_stop()
 *   mount_free()  unmounts what is still mounted
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sync/base/cleanup.h"
#include "sync/engine.h"

struct mount;

struct mount_setup {
	struct engine *engine; /* borrowed; outlives the mount */
	const char *mountpoint;
	const char *root;        /* NAME of the only root to be shown, or NULL */
	bool is_read_only;       /* every change is EROFS */
	bool is_shared;          /* allow_other */
	bool has_no_passthrough; /* every read and write goes through the daemon */
	/* Called once when the mount begins to answer, on a thread of the mount; or NULL. */
	void (*ready)(void *context);
	void *context;
};

/* Details go to ERROR. -ENOENT: no such root or mount point; -EPERM, -EACCES, ...: as mount(2) says. */
int mount_new(const struct mount_setup *setup, struct mount **ret, struct error *error)
	_must_check_;
/* Blocks. 0 after an unmount or mount_stop(); a negative errno where the connection broke. Requests that
 * waited are answered when it returns. Starts threads: fork before. Uses SIGUSR2 inside of its own threads. */
int mount_run(struct mount *mount) _must_check_;
/* How local files are read and written: true: by the kernel itself. REASON, one line: why not, or why not all; or "". Any
 * thread, while the mount is there. */
bool mount_is_passthrough(struct mount *mount, char *reason, size_t size);
/* Before there is one: this process may have local files read by the kernel. REASON, one line: why not. */
bool mount_could_passthrough(char *reason, size_t size);
/* Ends mount_run(), from any thread, not from a signal handler: unmounts; where files are open the mount is
 * detached, and who has them gets ENOTCONN. Idempotent. */
void mount_stop(struct mount *mount);
/* Not while mount_run() or mount_stop() runs; after engine_stop(), before engine_free(). */
void mount_free(struct mount *mount);
DEFINE_CLEANUP(struct mount *, mount_free);

/* A dead mount of sitefs at PATH (ENOTCONN) is taken away. 0, also where there is none; -EBUSY where something else
 * that is dead is mounted there. */
int mount_clear_stale(const char *path, struct error *error) _must_check_;
