/*
 * Time. Wall-clock milliseconds since 1970 for records and people, monotonic milliseconds for
 * deadlines and ages. Tests may shift both with clock_advance(). Any thread.
 */
#pragma once

#include <stdint.h>
#include <time.h>

#define CLOCK_RFC3339_SIZE 32

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
/* Moves both clocks ahead by MS, for tests; sleeping threads are not woken. */
void clock_advance(int64_t ms);
/* How far they were moved: for who hands a deadline to the kernel. */
int64_t clock_shift_ms(void);

/* "2023-11-27T08:56:24.512Z", UTC. */
void clock_format(int64_t wall_ms, char ret[CLOCK_RFC3339_SIZE]);

static inline int64_t timespec_ns(struct timespec ts)
{
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static inline struct timespec ns_timespec(int64_t ns)
{
	int64_t rest = ns % 1000000000;
	int64_t sec = ns / 1000000000;

	if (rest < 0) {
		rest += 1000000000;
		sec--;
	}
	return (struct timespec){ .tv_sec = sec, .tv_nsec = rest };
}
