/* What is asked of the disk below to be kept, counted; and a disk that fails. Linked with --wrap. */
#pragma once

#include <stdint.h>

struct sync_fake {
	int n_fsync, n_fdatasync;
	uint64_t ino; /* of the last one */
};

/* Any thread. */
void sync_fake_look(struct sync_fake *ret);
/* The next fsync(2) or fdatasync(2) fails with this error. */
void sync_fake_fail(int error);
