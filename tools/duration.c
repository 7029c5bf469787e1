/* Spans of time as people type them. */
#include "tools/duration.h"

#include <string.h>

#include "sync/base/cleanup.h"

#define LONGEST_MS (INT64_C(100) * 366 * 86400 * 1000)

bool duration_parse(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {
		{ "", 1000 },     { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
		{ "min", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};
	int64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (*p - '0');
		if (value > LONGEST_MS)
			return false;
	}
	if (p == text)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(units[i].unit, p) != 0)
			continue;
		if (value > LONGEST_MS / units[i].ms)
			return false;
		*ret_ms = value * units[i].ms;
		return true;
	}
	return false;
}
