/* One object of a local_drive site: a regular file below a root, and the revision that its attributes make. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "providers/local_drive/visit.h"

/* "inode:size:mtime_ns:ctime_ns"; NULL on -ENOMEM. */
char *object_revision(const struct stat *st);
/* True where both are the same content of the same file, its ctime aside: a rename and a link change that. */
bool object_is_same_content(const struct stat *a, const struct stat *b);
/* 0 or -ENOMEM. No digest: a folder tells none. */
int object_fill(const char *path, const struct stat *st, struct provider_object *ret);

/* Attributes of what lies at the visit's path. PROVIDER_GONE, also where it is no regular file. */
int object_find(const struct visit *visit, struct stat *ret);
/* Opens it for reading. REVISION may be NULL. PROVIDER_GONE, _CHANGED. */
int object_open(const struct visit *visit, const char *revision, struct stat *ret_st,
		int *ret_fd);
/* After reading: what is open is still what it was. PROVIDER_CHANGED. */
int object_check(const struct visit *visit, int fd, const struct stat *st);
/* LENGTH bytes from OFFSET of what is open. PROVIDER_TORN where it ends before. */
int object_read(const struct visit *visit, int fd, uint64_t offset, uint64_t length,
		provider_sink *sink, void *context);
/* Digest of all of what is open; it is what ST says before and after. */
int object_digest(const struct visit *visit, int fd, const struct stat *st,
		  struct digest *ret);
