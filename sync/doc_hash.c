/* `hash` of a document's file: name, time and size, with every dot turned into a comma. It is no
 * hash of the content, and only its time is of use. */
#include <string.h>

#include "sync/doc.h"

#define SECONDS_MAX (INT64_MAX / 1000000000 - 1)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits of a fraction as ns; those beyond the ninth are cut off. */
static int64_t read_fraction(const char **p)
{
	int64_t ns = 0, unit = 100000000;

	for (; is_digit(**p); (*p)++, unit /= 10)
		ns += (**p - '0') * unit;
	return ns;
}

int64_t doc_hash_mtime_ns(const char *hash)
{
	const char *size =
		strrchr(hash, '|'); /* a name may hold one too: count from the end */
	const char *p = size ? memrchr(hash, '|', (size_t)(size - hash)) : NULL;
	int64_t seconds = 0, fraction = 0;

	if (!p || !is_digit(p[1]))
		return -1;
	for (p++; is_digit(*p); p++) {
		seconds = seconds * 10 + (*p - '0');
		if (seconds > SECONDS_MAX)
			return -1;
	}
	if (*p == ',' || *p == '.') {
		p++;
		fraction = read_fraction(&p);
	}
	return p == size ? seconds * 1000000000 + fraction : -1;
}
