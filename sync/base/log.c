/* The log: one line, one write(2), so that lines of threads and processes never mix. */
#include "sync/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"

static _Atomic int max_level = LOG_LEVEL_INFO;
static atomic_bool has_systemd, has_times;

void log_set_level(enum log_level level)
{
	atomic_store(&max_level, (int)level);
}

void log_set_systemd(bool is_on)
{
	atomic_store(&has_systemd, is_on);
}

void log_set_times(bool is_on)
{
	atomic_store(&has_times, is_on);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	char when[CLOCK_RFC3339_SIZE];
	int saved = errno;
	va_list ap;

	if ((int)level > atomic_load(&max_level))
		return;
	if (atomic_load(&has_systemd)) {
		buf_addf(&line, "<%d>", (int)level);
	} else if (atomic_load(&has_times)) {
		clock_format(clock_wall_ms(), when);
		buf_addf(&line, "%s ", when);
	}
	buf_adds(&line, "sitefs: ");
	va_start(ap, fmt);
	buf_addv(&line, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] == '\n')
			line.data[i] = ' ';
	if (buf_adds(&line, "\n") == 0 && write(STDERR_FILENO, line.data, line.len) < 0) {
		/* nowhere left to say it */
	}
	errno = saved;
}
