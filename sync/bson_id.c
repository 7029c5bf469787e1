/* Ids as text, and single values of BSON. */
#include "sync/bson_id.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "sync/base/buf.h"

#define OID_DIGITS 24

static bool is_object_id(const char *id)
{
	return strlen(id) == OID_DIGITS && strspn(id, "0123456789abcdef") == OID_DIGITS;
}

int bson_id_append(bson_t *b, const char *key, const char *id)
{
	bson_oid_t oid;

	if (id[0] == '=')
		return bson_append_utf8(b, key, -1, id + 1, -1) ? 0 : -E2BIG;
	if (!is_object_id(id))
		return -EINVAL;
	bson_oid_init_from_string(&oid, id);
	return bson_append_oid(b, key, -1, &oid) ? 0 : -E2BIG;
}

char *bson_id_text(const bson_iter_t *iter)
{
	char digits[OID_DIGITS + 1];
	const char *text;

	if (BSON_ITER_HOLDS_OID(iter)) {
		bson_oid_to_string(bson_iter_oid(iter), digits);
		return strdup(digits);
	}
	text = bson_get_text(iter);
	return text ? strf("=%s", text) : NULL;
}

int64_t bson_id_seconds(const char *id)
{
	bson_oid_t oid;

	if (!is_object_id(id))
		return -1;
	bson_oid_init_from_string(&oid, id);
	return bson_oid_get_time_t(&oid);
}

const char *bson_get_text(const bson_iter_t *iter)
{
	const char *text;
	uint32_t len;

	if (!BSON_ITER_HOLDS_UTF8(iter))
		return NULL;
	text = bson_iter_utf8(iter, &len);
	return bson_utf8_validate(text, len, false) ? text : NULL;
}

static bool text_to_int64(const char *text, int64_t *ret)
{
	char *end;
	long long value;

	if (!text || !text[text[0] == '-'])
		return false;
	if (text[0] != '-' && (text[0] < '0' || text[0] > '9'))
		return false;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || *end)
		return false;
	*ret = value;
	return true;
}

static bool double_to_int64(double value, int64_t *ret)
{
	/* The first doubles that int64_t cannot hold, up and down. NaN fails both. */
	if (!(value < 0x1p63 && value > -0x1p63))
		return false;
	*ret = (int64_t)value;
	return true;
}

bool bson_get_int64(const bson_iter_t *iter, int64_t *ret)
{
	if (BSON_ITER_HOLDS_INT32(iter))
		*ret = bson_iter_int32(iter);
	else if (BSON_ITER_HOLDS_INT64(iter))
		*ret = bson_iter_int64(iter);
	else if (BSON_ITER_HOLDS_DOUBLE(iter))
		return double_to_int64(bson_iter_double(iter), ret);
	else
		return text_to_int64(bson_get_text(iter), ret);
	return true;
}

bool bson_get_double(const bson_iter_t *iter, double *ret)
{
	double value;

	if (BSON_ITER_HOLDS_INT32(iter))
		value = bson_iter_int32(iter);
	else if (BSON_ITER_HOLDS_INT64(iter))
		value = (double)bson_iter_int64(iter);
	else if (BSON_ITER_HOLDS_DOUBLE(iter))
		value = bson_iter_double(iter);
	else
		return false;
	if (!isfinite(value))
		return false;
	*ret = value;
	return true;
}

bool bson_get_date_ms(const bson_iter_t *iter, int64_t *ret)
{
	if (!BSON_ITER_HOLDS_DATE_TIME(iter))
		return false;
	*ret = bson_iter_date_time(iter);
	return true;
}
