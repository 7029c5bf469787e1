/*
 * Replies: the one table from outcomes to what the kernel hears, and entries with their timeouts. Each function here
 * answers its request exactly once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fs/entry.h"

/* R is a negative errno, or 0 where the request is answered by "done". What user space should not see is
 * mapped. */
void reply_error(fuse_req_t req, int r);
/* The entry of a name that was found or made: one lookup more, given back where the kernel did not take it. */
void reply_entry(fuse_req_t req, struct entry *entry, const struct shown *shown);
/* Nothing has this name; the kernel may remember that. */
void reply_no_entry(fuse_req_t req, const struct entry *entry);
void reply_attr(fuse_req_t req, const struct stat *st, const struct inode_facts *facts);

/* How long the kernel may believe size and times of a file that was changed AGE_S ago. That somebody goes on writing is
 * told at the close only: who has not for long will hardly do so soon. */
double reply_trust(int64_t age_s, bool is_by_kernel);
/* Counts the lookup and fills what FUSE wants. 0 or a negative errno. */
int reply_fill_entry(struct folder *folder, const char *name, const struct shown *shown,
		     struct fuse_entry_param *ret) _must_check_;
