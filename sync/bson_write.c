/* Writes BSON into a struct buf. Layout: bsonspec.org, version 1.1; all numbers little-endian. */
#include "sync/bson_write.h"

#include <string.h>

#include <bson/bson.h>

#include "sync/base/digest.h"

#define OID_SIZE 12

static void add_int32(struct buf *buf, uint32_t value)
{
	value = BSON_UINT32_TO_LE(value);
	buf_add(buf, &value, sizeof(value));
}

static void add_int64(struct buf *buf, uint64_t value)
{
	value = BSON_UINT64_TO_LE(value);
	buf_add(buf, &value, sizeof(value));
}

static void add_head(struct buf *buf, uint8_t type, const char *key)
{
	buf_addc(buf, (char)type);
	buf_add(buf, key, strlen(key) + 1);
}

size_t bson_write_begin(struct buf *buf)
{
	size_t begin = buf->len;

	add_int32(buf, 0);
	return begin;
}

size_t bson_write_open(struct buf *buf, enum bson_write_type type, const char *key)
{
	add_head(buf, (uint8_t)type, key);
	return bson_write_begin(buf);
}

void bson_write_end(struct buf *buf, size_t begin)
{
	uint32_t len;

	buf_addc(buf, 0);
	if (buf->has_failed)
		return;
	len = BSON_UINT32_TO_LE((uint32_t)(buf->len - begin));
	memcpy(buf->data + begin, &len, sizeof(len));
}

void bson_write_text(struct buf *buf, const char *key, const char *text)
{
	size_t size = strlen(text) + 1;

	add_head(buf, BSON_TYPE_UTF8, key);
	add_int32(buf, (uint32_t)size);
	buf_add(buf, text, size);
}

void bson_write_int32(struct buf *buf, const char *key, int32_t value)
{
	add_head(buf, BSON_TYPE_INT32, key);
	add_int32(buf, (uint32_t)value);
}

void bson_write_int64(struct buf *buf, const char *key, int64_t value)
{
	add_head(buf, BSON_TYPE_INT64, key);
	add_int64(buf, (uint64_t)value);
}

void bson_write_double(struct buf *buf, const char *key, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	add_head(buf, BSON_TYPE_DOUBLE, key);
	add_int64(buf, bits);
}

void bson_write_date(struct buf *buf, const char *key, int64_t ms)
{
	add_head(buf, BSON_TYPE_DATE_TIME, key);
	add_int64(buf, (uint64_t)ms);
}

void bson_write_bool(struct buf *buf, const char *key, bool value)
{
	add_head(buf, BSON_TYPE_BOOL, key);
	buf_addc(buf, value ? 1 : 0);
}

void bson_write_null(struct buf *buf, const char *key)
{
	add_head(buf, BSON_TYPE_NULL, key);
}

void bson_write_id(struct buf *buf, const char *key, const char *id)
{
	uint8_t oid[OID_SIZE];

	if (id[0] == '=') {
		bson_write_text(buf, key, id + 1);
	} else if (hex_decode(id, oid, sizeof(oid)) == 0) {
		bson_write_raw(buf, BSON_TYPE_OID, key, oid, sizeof(oid));
	} else {
		/* No id of ours reads like this; a null says so instead of a wrong one. */
		bson_write_null(buf, key);
	}
}

void bson_write_raw(struct buf *buf, uint8_t type, const char *key, const void *value,
		    size_t len)
{
	add_head(buf, type, key);
	buf_add(buf, value, len);
}
