/* Unmounting, as root by ourselves and as a person through fusermount3; and dead mounts that a crash left behind. */
#pragma once

/* Where nobody uses it; the kernel writes back changed pages before. 0, -EBUSY, or another negative errno. */
int unmount_clean(const char *path);
/* Takes it out of sight, whoever uses it. 0 or a negative errno. */
int unmount_detach(const char *path);
/* Makes the kernel write changed pages of mappings, as far as it can. */
void unmount_flush(const char *path);
