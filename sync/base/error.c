/* What a person needs to hear of a failure. */
#include "sync/base/error.h"

#include <stdarg.h>
#include <string.h>

int error_set(struct error *error, int r, const char *fmt, ...)
{
	va_list ap;

	if (!error)
		return r;
	va_start(ap, fmt);
	vsnprintf(error->text, sizeof(error->text), fmt, ap);
	va_end(ap);
	return r;
}

const char *error_text(const struct error *error, int r)
{
	const char *name;

	if (error && error->text[0])
		return error->text;
	name = strerrordesc_np(r < 0 ? -r : r);
	return name ? name : "unknown error";
}
