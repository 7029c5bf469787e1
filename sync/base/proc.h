/* What proc(5) tells of a process or a thread. */
#pragma once

#include <stddef.h>

/* A file of proc, which has no size to go by, as a text; these are short and come in one piece. 0 or -errno. */
int proc_read(const char *path, char *ret, size_t size);
/* A stat file, into TEXT; its fields from the third on, "STATE PPID ...", which lie there, in RET: the name before them may
 * hold anything. 0, -errno, -EIO. */
int proc_stat(const char *path, char *text, size_t size, const char **ret);
