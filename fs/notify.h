/*
 * The notifier: one thread that tells the kernel what it holds and is no longer so. Anyone puts a notice into its
 * queue and goes on; equal notices that still wait become one. The thread holds no lock while it tells, and the
 * kernel may make it wait for requests on the same folder: so nobody may wait for it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sync/base/cleanup.h"

struct notifier;

enum notice_kind {
	NOTICE_NAME = 1, /* what the name stands for changed */
	NOTICE_ATTR,     /* size or time of a remote-only name */
	NOTICE_STAT,     /* cached attributes of inode ID are to go; REL is "" */
	NOTICE_PAGES,    /* cached pages of inode ID are to go; REL is "" */
	NOTICE_MEMORY, /* nothing for the kernel: ours, of what it forgot, is to go back; REL is "" */
};

struct notice {
	enum notice_kind kind;
	int root;
	uint64_t id;
	const char *rel; /* borrowed during the call */
};

/* TELL is called on the thread, one notice at a time, in order. */
int notifier_new(void (*tell)(void *context, const struct notice *notice), void *context,
		 struct notifier **ret);
/* Ends the thread, waiting for what it tells just now; further notices are kept and not told. Idempotent, one
 * thread at a time. */
void notifier_stop(struct notifier *notifier);
void notifier_free(struct notifier *notifier);
DEFINE_CLEANUP(struct notifier *, notifier_free);

/* Never waits. Without memory the notice is lost, which is logged: the kernel finds out when its timeout ends. */
void notifier_push(struct notifier *notifier, const struct notice *notice);
/* Waiting notices, for tests. */
size_t notifier_waiting(struct notifier *notifier);
