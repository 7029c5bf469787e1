/*
 * Who may ask Drive now: quota units a minute, the pauses that it orders, bytes a day. Shared by all threads of a site;
 * one lane per identity, since Google counts each as a user. Nobody sleeps here: who may not go is told for how long,
 * and how long nobody may go is one number for all.
 *
 * What was sent is counted by hours of the wall clock, and the count outlives the process (governor_save). A lane that
 * was refused a write is paced from then on: some three a second, more as long as that goes well.
 *
 * Figures (projects made since May 2026): 325,000 units a minute and user, 1,000,000 and project; 750 GB a day and
 * user, uploaded and copied. Pauses: min(2^n s + up to 1 s, 64 s), Retry-After instead where it is given.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sync/base/lock.h"
#include "sync/provider.h"

#define GOVERNOR_DAY_BYTES 750000000000LL

enum governor_units {
	UNITS_GET = 5,
	UNITS_LIST = 100,
	UNITS_MEDIA = 200,
	UNITS_EDIT = 50,
	UNITS_OTHER = 5,
};

struct lane {
	double units;      /* that may be spent */
	int64_t filled_ms; /* up to when they were earned */
	int64_t closed_ms; /* nobody goes before */
	unsigned n_refusals;
	int64_t day[25];     /* bytes by hour, of the last 24 and this one */
	int64_t hour;        /* of day[hour % 25], since 1970 */
	double writes_per_s; /* 0: not paced */
	int64_t write_ms;    /* no write before */
};

struct governor {
	struct mutex lock;
	struct lane *lanes GUARDED_BY(&lock);
	size_t n_lanes;
	size_t next GUARDED_BY(&lock);
	struct lane project GUARDED_BY(&lock); /* its units only */
};

/* 0 or -ENOMEM; N_LANES >= 1. */
int governor_init(struct governor *governor, size_t n_lanes);
void governor_done(struct governor *governor);

/* The lane for a request of so many units, in turn. 0 with the lane; or -EAGAIN with the ms to wait for. */
int governor_enter(struct governor *governor, int units, size_t *ret_lane,
		   int64_t *ret_wait_ms);
/* The same for an upload of BYTES: the lane that has sent least today. -EDQUOT: all have reached the day's line. */
int governor_enter_upload(struct governor *governor, int64_t bytes, size_t *ret_lane,
			  int64_t *ret_wait_ms);
/* The lane was told to slow down; RETRY_AFTER_MS < 0: not for how long. The ms until it opens. */
int64_t governor_refused(struct governor *governor, size_t lane, int64_t retry_after_ms);
/* The same, and it was a write: the lane is paced. */
void governor_pace(struct governor *governor, size_t lane);
void governor_went_well(struct governor *governor, size_t lane, bool is_write);
void governor_sent(struct governor *governor, size_t lane, int64_t bytes);
void governor_get_quota(struct governor *governor, struct provider_quota *ret);
/* What was sent, as text: a line for each lane that sent something, "NAME HOUR:BYTES …". NULL on -ENOMEM. */
char *governor_save(struct governor *governor, const char *const *names);
/* Adds what an earlier process saved, as far as it is of these lanes and of the last day. Odd lines are left out. */
void governor_load(struct governor *governor, const char *const *names, const char *text);
