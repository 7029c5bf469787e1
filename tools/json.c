/* JSON over cJSON. */
#include "tools/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/path.h"

/* struct json is a cJSON that nobody else can look into. */
static struct json *wrap(cJSON *item)
{
	return (struct json *)item;
}

static cJSON *unwrap(struct json *json)
{
	return (cJSON *)json;
}

static const cJSON *peek(const struct json *json)
{
	return (const cJSON *)json;
}

struct json *json_object(void)
{
	return wrap(cJSON_CreateObject());
}

struct json *json_array(void)
{
	return wrap(cJSON_CreateArray());
}

struct json *json_text_value(const char *text)
{
	return wrap(text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

struct json *json_int_value(int64_t value)
{
	char digits[24];

	/* cJSON prints what exceeds an int as a double, and 10^15 as "1e+15" */
	if (value >= INT32_MIN && value <= INT32_MAX)
		return wrap(cJSON_CreateNumber((double)value));
	snprintf(digits, sizeof(digits), "%lld", (long long)value);
	return wrap(cJSON_CreateRaw(digits));
}

struct json *json_document(void)
{
	struct json *json = json_object();

	json_set_int(json, "schema", 1);
	return json;
}

void json_free(struct json *json)
{
	cJSON_Delete(unwrap(json));
}

void json_set(struct json *object, const char *key, struct json *value)
{
	if (!object || !value ||
	    !cJSON_AddItemToObject(unwrap(object), key, unwrap(value)))
		json_free(value);
}

void json_append(struct json *array, struct json *value)
{
	if (!array || !value || !cJSON_AddItemToArray(unwrap(array), unwrap(value)))
		json_free(value);
}

void json_set_text(struct json *object, const char *key, const char *text)
{
	json_set(object, key, json_text_value(text));
}

void json_set_int(struct json *object, const char *key, int64_t value)
{
	json_set(object, key, json_int_value(value));
}

void json_set_double(struct json *object, const char *key, double value)
{
	json_set(object, key, wrap(cJSON_CreateNumber(value)));
}

void json_set_bool(struct json *object, const char *key, bool value)
{
	json_set(object, key, wrap(cJSON_CreateBool(value)));
}

void json_set_time(struct json *object, const char *key, int64_t wall_ms)
{
	char when[CLOCK_RFC3339_SIZE];

	if (wall_ms > 0)
		clock_format(wall_ms, when);
	json_set_text(object, key, wall_ms > 0 ? when : NULL);
}

void json_set_json(struct json *object, const char *key, const char *text)
{
	cJSON *value = text ? cJSON_ParseWithOpts(text, NULL, 1) : NULL;

	json_set(object, key, wrap(value ? value : cJSON_CreateNull()));
}

/* "\u0000" that is not the tail of an escaped back-slash: cJSON would end the string there. */
static bool has_escaped_nul(const char *text, size_t len)
{
	const char *end = text + len;

	for (const char *p = text; (p = memchr(p, '\\', (size_t)(end - p))) != NULL;
	     p += 2) {
		if (end - p >= 6 && !memcmp(p + 1, "u0000", 5))
			return true;
		if (end - p < 2)
			break;
	}
	return false;
}

int json_parse(const char *text, size_t len, struct json **ret, struct error *error)
{
	_cleanup_(freep) char *copy = NULL;
	const char *end = NULL;
	cJSON *item;

	if (memchr(text, '\0', len) || has_escaped_nul(text, len))
		return error_set(error, -EBADMSG, "JSON with a NUL in it");
	copy = strndup(text, len);
	if (!copy)
		return -ENOMEM;
	item = cJSON_ParseWithOpts(copy, &end, 1);
	if (!item)
		return error_set(error, -EBADMSG, "not JSON from byte %zu on",
				 end ? (size_t)(end - copy) : (size_t)0);
	*ret = wrap(item);
	return 0;
}

bool json_is_object(const struct json *json)
{
	return cJSON_IsObject(peek(json));
}

bool json_is_array(const struct json *json)
{
	return cJSON_IsArray(peek(json));
}

struct json *json_get(const struct json *object, const char *key)
{
	return wrap(cJSON_GetObjectItemCaseSensitive(peek(object), key));
}

const char *json_as_text(const struct json *value)
{
	return cJSON_GetStringValue(peek(value));
}

const char *json_get_text(const struct json *object, const char *key)
{
	return json_as_text(json_get(object, key));
}

static double as_double(const struct json *value, double otherwise)
{
	return cJSON_IsNumber(peek(value)) ? peek(value)->valuedouble : otherwise;
}

int64_t json_as_int(const struct json *value, int64_t otherwise)
{
	double number = as_double(value, NAN);

	/* 2^63 is a double, INT64_MAX is not; NAN fails both comparisons */
	if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0))
		return otherwise;
	return (int64_t)number;
}

int64_t json_get_int(const struct json *object, const char *key, int64_t otherwise)
{
	return json_as_int(json_get(object, key), otherwise);
}

double json_get_double(const struct json *object, const char *key, double otherwise)
{
	return as_double(json_get(object, key), otherwise);
}

bool json_get_bool(const struct json *object, const char *key)
{
	return cJSON_IsTrue(peek(json_get(object, key)));
}

struct json *json_first(const struct json *container)
{
	return container ? wrap(peek(container)->child) : NULL;
}

struct json *json_next(const struct json *member)
{
	return wrap(peek(member)->next);
}

const char *json_key(const struct json *member)
{
	return peek(member)->string;
}

size_t json_size(const struct json *container)
{
	return container ? (size_t)cJSON_GetArraySize(peek(container)) : 0;
}

struct json *json_detach(struct json *object, const char *key)
{
	return wrap(cJSON_DetachItemFromObjectCaseSensitive(unwrap(object), key));
}

struct json *json_copy(const struct json *json)
{
	return wrap(cJSON_Duplicate(peek(json), 1));
}

bool json_equal(const struct json *a, const struct json *b)
{
	return cJSON_Compare(peek(a), peek(b), 1);
}

char *json_line(const struct json *json)
{
	return json ? cJSON_PrintUnformatted(peek(json)) : NULL;
}

char *json_pretty(const struct json *json)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(freep) char *raw = json ? cJSON_Print(peek(json)) : NULL;

	if (!raw)
		return NULL;
	/* cJSON writes "key":<tab>value and indents with tabs; none can stand in a string unescaped */
	for (const char *p = raw; *p; p++) {
		if (*p != '\t')
			buf_addc(&text, *p);
		else
			buf_adds(&text, p > raw && p[-1] == ':' ? " " : "  ");
	}
	buf_addc(&text, '\n');
	return buf_take(&text);
}

static void write_valid(const char *text)
{
	while (*text) {
		size_t len = path_utf8_length(text);

		if (len)
			fwrite(text, 1, len, stdout);
		else
			printf("\\udc%02x", (unsigned char)*text);
		text += len ? len : 1;
	}
}

int json_print_piece(const struct json *json)
{
	_cleanup_(freep) char *line = json_line(json);

	if (!line)
		return -ENOMEM;
	write_valid(line);
	return 0;
}

int json_print(const struct json *json)
{
	int r = json_print_piece(json);

	if (r == 0)
		putchar('\n');
	return r;
}
