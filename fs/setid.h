/*
 * Set-user-ID and set-group-ID bits: they go when somebody without privilege writes, truncates or allocates. With
 * FUSE_HANDLE_KILLPRIV_V2 that is ours to do; without, the kernel asks for security.capability before each write(2),
 * and does it by itself.
 *
 * A daemon that is not root need not care: the disk takes them away, as from any user. Capabilities of a file go whoever
 * writes, which the disk sees to as well.
 */
#pragma once

#include "fs/fs.h"

/* Bits that go where an unprivileged caller writes. Such a file is not written by the kernel itself, which would do so as
 * the daemon. */
bool setid_has(const struct fs *fs, const struct stat *st);
/* Before the caller of REQ changes the bytes of FD (O_PATH will do), which is inode INO. */
void setid_drop(fuse_req_t req, fuse_ino_t ino, int fd);
