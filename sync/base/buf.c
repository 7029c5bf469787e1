/* A growable string or byte buffer. */
#include "sync/base/buf.h"

#include <errno.h>
#include <string.h>

int buf_reserve(struct buf *buf, size_t more)
{
	size_t cap = buf->cap ? buf->cap : 64;
	char *data;

	if (more >= SIZE_MAX / 2 - buf->len) {
		buf->has_failed = true;
		return -ENOMEM;
	}
	while (cap < buf->len + more + 1)
		cap *= 2;
	if (cap == buf->cap)
		return 0;
	data = realloc(buf->data, cap);
	if (!data) {
		buf->has_failed = true;
		return -ENOMEM;
	}
	buf->data = data;
	buf->cap = cap;
	buf->data[buf->len] = '\0';
	return 0;
}

int buf_add(struct buf *buf, const void *data, size_t len)
{
	int r = buf_reserve(buf, len);

	if (r < 0)
		return r;
	if (len)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
	return 0;
}

int buf_adds(struct buf *buf, const char *s)
{
	return buf_add(buf, s, strlen(s));
}

int buf_addc(struct buf *buf, char c)
{
	return buf_add(buf, &c, 1);
}

int buf_addv(struct buf *buf, const char *fmt, va_list ap)
{
	va_list again;
	int n, r;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0) {
		buf->has_failed = true;
		return -EINVAL;
	}
	r = buf_reserve(buf, (size_t)n);
	if (r < 0)
		return r;
	vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, ap);
	buf->len += (size_t)n;
	return 0;
}

int buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = buf_addv(buf, fmt, ap);
	va_end(ap);
	return r;
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->has_failed = false;
	if (buf->data)
		buf->data[0] = '\0';
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ 0 };
}

const char *buf_str(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

char *buf_take(struct buf *buf)
{
	char *data;

	if (buf->has_failed || buf_reserve(buf, 0) < 0)
		return NULL;
	data = steal(buf->data);
	*buf = (struct buf){ 0 };
	return data;
}

char *strf(const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf buf = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&buf, fmt, ap);
	va_end(ap);
	return buf_take(&buf);
}

void str_cut(char *ret, size_t size, const char *text)
{
	size_t len = strnlen(text, size - 1);

	memcpy(ret, text, len);
	ret[len] = '\0';
}
