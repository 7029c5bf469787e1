/*
 * Network file systems, where a SQLite database is not safe: their locks and shared memory do not
 * reach the other hosts. FUSE is no such: it may be anything.
 */
#pragma once

/* The name of the kind ("NFS") by statfs(2)'s f_type; NULL where it is none that we know. */
const char *netfs_kind(long type);
/* 0: PATH (an existing file or folder) is local; -EREMOTE: *ret_kind says what it is; else a
 * negative errno of statfs(2). */
int netfs_check(const char *path, const char **ret_kind);
