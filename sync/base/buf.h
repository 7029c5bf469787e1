/* A growable string or byte buffer; always followed by a NUL that is not counted. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sync/base/cleanup.h"

struct buf {
	char *data; /* NULL until the first byte */
	size_t len, cap;
	bool has_failed; /* an addition failed: the content is short */
};

/* Each addition: 0, or -ENOMEM with the buffer unchanged and has_failed set. */
int buf_add(struct buf *buf, const void *data, size_t len);
int buf_adds(struct buf *buf, const char *s);
int buf_addc(struct buf *buf, char c);
int buf_addf(struct buf *buf, const char *fmt, ...) _printf_(2, 3);
int buf_addv(struct buf *buf, const char *fmt, va_list ap) _printf_(2, 0);
int buf_reserve(struct buf *buf, size_t more);
void buf_clear(struct buf *buf);
void buf_done(struct buf *buf);
/* The string so far ("" when empty); borrowed. */
const char *buf_str(const struct buf *buf);
/* Hands the string over (never NULL-terminated content lost); NULL if an addition failed. */
char *buf_take(struct buf *buf);

/* asprintf that returns NULL on failure. */
char *strf(const char *fmt, ...) _printf_(1, 2);
/* Equal, or both NULL. */
static inline bool str_is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}
/* Copies TEXT into an array of SIZE bytes, cut at the end where it is longer. */
void str_cut(char *ret, size_t size, const char *text);
