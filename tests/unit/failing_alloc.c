/* Allocation that fails when a test wants it: the linker's --wrap leads here. One thread. */
#include "tests/unit/failing_alloc.h"

#include <errno.h>
#include <stddef.h>

static unsigned countdown;
static bool has_failed;

void failing_alloc_at(unsigned n)
{
	countdown = n;
	has_failed = false;
}

bool failing_alloc_has_failed(void)
{
	return has_failed;
}

static bool fails(void)
{
	if (!countdown || --countdown)
		return false;
	has_failed = true;
	errno = ENOMEM;
	return true;
}

#define WRAP(name, parameters, ...)                \
	void *__real_##name parameters;            \
	void *__wrap_##name parameters;            \
	void *__wrap_##name parameters             \
	{                                          \
		if (fails())                       \
			return NULL;               \
		return __real_##name(__VA_ARGS__); \
	}

WRAP(malloc, (size_t size), size)
WRAP(calloc, (size_t n, size_t size), n, size)
WRAP(realloc, (void *p, size_t size), p, size)
WRAP(reallocarray, (void *p, size_t n, size_t size), p, n, size)
WRAP(strdup, (const char *s), s)
WRAP(strndup, (const char *s, size_t n), s, n)
