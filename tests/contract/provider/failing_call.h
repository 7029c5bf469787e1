/*
 * A file system that is worse than the one the tests run on: executables linked with this (meson: failing_call_dep) go
 * through it for the system calls that change files. It can lack what NFS or exFAT lack, and fail at a given
 * call. Arm it in one thread.
 */
#pragma once

#include <stdbool.h>

enum fs_kind {
	FS_LOCAL,   /* as it is */
	FS_NFS,     /* no RENAME_NOREPLACE, no RENAME_EXCHANGE */
	FS_NO_LINK, /* exFAT: no RENAME_EXCHANGE, no links */
};
void failing_call_set_kind(enum fs_kind kind);

/* The Nth call from now (1 = the next) fails with ERROR, once; 0: none does. */
void failing_call_at(unsigned n, int error);
/* FN is called before the Nth call from now, once; 0: never. */
void failing_call_do(unsigned n, void (*fn)(void *context), void *context);
/* True once that one has failed. */
bool failing_call_has_failed(void);
