/*
 * Writes BSON into a struct buf, byte for byte as asked: what was read elsewhere is copied verbatim,
 * so that nothing that libbson would tidy up changes. A failed allocation is remembered in
 * buf->has_failed: look once, at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/buf.h"

/* Types of elements (bsonspec.org) that are written as containers or copied. */
enum bson_write_type {
	BSON_WRITE_DOCUMENT = 0x03,
	BSON_WRITE_ARRAY = 0x04,
};

/* A document without a key: the outermost one. Returns what bson_write_end() needs. */
size_t bson_write_begin(struct buf *buf);
/* An element that is a document or an array; what follows until bson_write_end() lies in it. */
size_t bson_write_open(struct buf *buf, enum bson_write_type type, const char *key);
void bson_write_end(struct buf *buf, size_t begin);

void bson_write_text(struct buf *buf, const char *key, const char *text);
void bson_write_int32(struct buf *buf, const char *key, int32_t value);
void bson_write_int64(struct buf *buf, const char *key, int64_t value);
void bson_write_double(struct buf *buf, const char *key, double value);
void bson_write_date(struct buf *buf, const char *key, int64_t ms);
void bson_write_bool(struct buf *buf, const char *key, bool value);
void bson_write_null(struct buf *buf, const char *key);
/* An id as text (sync/bson_id.h): an ObjectId, or a string. */
void bson_write_id(struct buf *buf, const char *key, const char *id);
/* Type byte, key and a value as its bytes. */
void bson_write_raw(struct buf *buf, uint8_t type, const char *key, const void *value,
		    size_t len);
