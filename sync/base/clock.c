/* Time: the two clocks and their RFC 3339 form. */
#include "sync/base/clock.h"

#include <stdatomic.h>
#include <stdio.h>

static _Atomic int64_t shift_ms;

static int64_t read_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return timespec_ns(ts) / 1000000 + atomic_load(&shift_ms);
}

int64_t clock_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

void clock_advance(int64_t ms)
{
	atomic_fetch_add(&shift_ms, ms);
}

int64_t clock_shift_ms(void)
{
	return atomic_load(&shift_ms);
}

void clock_format(int64_t wall_ms, char ret[CLOCK_RFC3339_SIZE])
{
	struct timespec ts = ns_timespec(wall_ms * 1000000);
	char head[24];
	struct tm tm;

	if (!gmtime_r(&ts.tv_sec, &tm) ||
	    strftime(head, sizeof(head), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		head[0] = '\0';
	snprintf(ret, CLOCK_RFC3339_SIZE, "%s.%03dZ", head, (int)(ts.tv_nsec / 1000000));
}
