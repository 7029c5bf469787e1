/*
 * Files below a root descriptor. Every call resolves beneath the root and follows no symlink on
 * the way (openat2, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS): a symlink met gives -ELOOP, a file
 * where a folder is needed -ENOTDIR. PATH is as in sync/base/path.h; "" is the root itself.
 */
#pragma once

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "sync/base/cleanup.h"

/* A descriptor (O_CLOEXEC is added), or a negative errno. */
int beneath_open(int root_fd, const char *path, int flags, mode_t mode);
/* lstat(2). */
int beneath_stat(int root_fd, const char *path, struct stat *ret);
/* Creates the folder and all above it that are missing, with MODE. An O_PATH descriptor of it
 * goes to ret_fd if not NULL. */
int beneath_mkdirs(int root_fd, const char *path, mode_t mode, int *ret_fd);
/* unlink(2) / rmdir(2) by flags as unlinkat(2) has them. */
int beneath_unlink(int root_fd, const char *path, int flags);
/* renameat2(2) with its flags; falls back to linkat and unlinkat where RENAME_NOREPLACE is
 * unknown (NFS). Both below the same root. */
int beneath_rename(int root_fd, const char *from, const char *to, unsigned flags);
/* fsync of the folder that holds PATH. */
int beneath_sync_parent(int root_fd, const char *path);

/* All LEN bytes or a negative errno; pread: short only at the end of the file. */
ssize_t fd_pread_all(int fd, void *data, size_t len, off_t offset);
int fd_pwrite_all(int fd, const void *data, size_t len, off_t offset);
int fd_write_all(int fd, const void *data, size_t len);
/* Reads a whole regular file of at most MAX bytes into a NUL-terminated allocation. -EFBIG. */
int fd_read_file(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_len);
/* Replaces DIR_FD/NAME by DATA durably: temporary file, fsync, rename, fsync of the folder. */
int fd_replace_file(int dir_fd, const char *name, const void *data, size_t len,
		    mode_t mode);
