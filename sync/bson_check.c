/* Is this BSON, to the bottom? */
#include "sync/bson_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <bson/bson.h>

static bool is_sound(const uint8_t *data, size_t len, int depth);

/* The documents inside of the element, if there are any. */
static bool is_content_sound(const bson_iter_t *it, int depth)
{
	const uint8_t *data = NULL;
	uint32_t len = 0, code_len;

	switch (bson_iter_type(it)) {
	case BSON_TYPE_DOCUMENT:
		bson_iter_document(it, &len, &data);
		return is_sound(data, len, depth + 1);
	case BSON_TYPE_ARRAY:
		bson_iter_array(it, &len, &data);
		return is_sound(data, len, depth + 1);
	case BSON_TYPE_CODEWSCOPE:
		bson_iter_codewscope(it, &code_len, &len, &data);
		return is_sound(data, len, depth + 1);
	default:
		return true;
	}
}

static bool is_sound(const uint8_t *data, size_t len, int depth)
{
	bson_iter_t it;

	/* Also: LEN is the length that the document says, and its last byte is 0. */
	if (!data || depth > BSON_CHECK_MAX_DEPTH ||
	    !bson_iter_init_from_data(&it, data, len))
		return false;
	while (bson_iter_next(&it))
		if (!is_content_sound(&it, depth))
			return false;
	return it.err_off == 0 && bson_iter_offset(&it) == len - 1;
}

int bson_check(const void *data, size_t len)
{
	if (len > BSON_CHECK_MAX_SIZE || !is_sound(data, len, 1))
		return -EBADMSG;
	return 0;
}
