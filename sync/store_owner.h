/*
 * Who holds a lease: a process, by its boot, its pid name space, its pid and its start time, so that neither a
 * dead process nor a reused pid, nor one of another container, is taken for it. Values; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct store_owner {
	char boot[64];
	int64_t space; /* inode of the pid name space */
	int64_t pid;   /* 0: not read yet */
	int64_t start;
};

/* This process. */
int store_owner_self(struct store_owner *ret);
/* "BOOT/SPACE/PID/START". NULL: no memory. */
char *store_owner_name(const struct store_owner *owner);
/* False where NAME is none. */
bool store_owner_parse(const char *name, struct store_owner *ret);
bool store_owner_equal(const struct store_owner *a, const struct store_owner *b);
/* The same kernel and pids: store_owner_lives() can tell. */
bool store_owner_is_near(const struct store_owner *a, const struct store_owner *b);
/* Is that process of this pid name space there? One that /proc hides from us is. */
bool store_owner_lives(const struct store_owner *owner);
