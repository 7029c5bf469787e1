/*
 * The log: levels, one sink (stderr, with systemd's "<N>" prefixes when asked). The layer that
 * decides logs, once: what was tried, on what, why it failed. Modules below log at debug only.
 * Never a token, a URL with a query or file content. Callable from any thread.
 */
#pragma once

#include <stdbool.h>

#include "sync/base/cleanup.h"

enum log_level {
	LOG_LEVEL_ERROR = 3, /* numbers of syslog(3) */
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

void log_set_level(enum log_level level);
/* Prefix each line with "<N>", as sd-daemon(3) reads it from stderr. */
void log_set_systemd(bool is_on);
/* Prefix each line with the wall-clock time: for log files. */
void log_set_times(bool is_on);

void log_write(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Logs and evaluates to R, so that a failing branch is one line. */
#define log_error_r(r, ...)             \
	({                              \
		log_error(__VA_ARGS__); \
		(r);                    \
	})
