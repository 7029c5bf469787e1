/* Typed values of the configuration: durations, sizes, modes and numbers, from text and to it. */
#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/config_private.h"

struct unit {
	const char *name;
	int64_t factor;
};

/* The largest first: so that formatting finds the shortest text. */
static const struct unit duration_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 },
	{ "s", 1000 },     { "ms", 1 },      { NULL },
};
static const struct unit size_units[] = {
	{ "T", INT64_C(1) << 40 }, { "G", 1 << 30 }, { "M", 1 << 20 },
	{ "K", 1 << 10 },          { "", 1 },        { NULL },
};

static bool has_digits_only(const char *text)
{
	return text[0] && strspn(text, "0123456789") == strlen(text);
}

/* Digits with at most one point among them. */
static int parse_decimal(const char *text, double *ret, const char **ret_rest)
{
	size_t whole = strspn(text, "0123456789");
	size_t len = whole;
	char *end;

	if (text[len] == '.')
		len += 1 + strspn(text + len + 1, "0123456789");
	if (!whole || len > 30)
		return -EINVAL;
	*ret = strtod(text, &end);
	*ret_rest = text + len;
	return end == text + len ? 0 : -EINVAL;
}

static int parse_with_unit(const char *text, const struct unit *units, int64_t *ret)
{
	const char *rest;
	double number;

	if (parse_decimal(text, &number, &rest) < 0)
		return -EINVAL;
	rest += strspn(rest, " ");
	for (; units->name; units++) {
		double value = number * (double)units->factor;

		if (strcmp(rest, units->name) != 0)
			continue;
		if (!(value < 0x1p62))
			return -EINVAL;
		*ret = (int64_t)(value + 0.5);
		return 0;
	}
	return -EINVAL;
}

static int parse_duration(const char *text, bool can_be_none, int64_t *ret)
{
	if (can_be_none && strcmp(text, "none") == 0) {
		*ret = -1;
		return 0;
	}
	if (strcmp(text, "0") == 0) {
		*ret = 0;
		return 0;
	}
	return parse_with_unit(text, duration_units, ret);
}

/* "8M", "8MB" and "8MiB" are all 8 * 2^20. */
static int parse_size(const char *text, int64_t *ret)
{
	size_t len = strlen(text);
	_cleanup_(freep) char *bare = NULL;

	if (len && text[len - 1] == 'B')
		len--;
	if (len && text[len - 1] == 'i')
		len--;
	bare = strndup(text, len);
	return bare ? parse_with_unit(bare, size_units, ret) : -ENOMEM;
}

static int parse_seconds(const char *text, int64_t *ret)
{
	const char *rest;
	double seconds;

	if (parse_decimal(text, &seconds, &rest) < 0 || rest[0] || !(seconds < 1e12))
		return parse_duration(text, false, ret);
	*ret = (int64_t)(seconds * 1000 + 0.5);
	return 0;
}

static int parse_int(const char *text, int base, int64_t *ret)
{
	char *end;

	if (!has_digits_only(text))
		return -EINVAL;
	errno = 0;
	*ret = strtoll(text, &end, base);
	return errno || *end ? -EINVAL : 0;
}

static int parse(const struct config_range *range, const char *text, int64_t *ret)
{
	switch (range->type) {
	case CONFIG_INT:
		return parse_int(text, 10, ret);
	case CONFIG_MODE: /* three digits at least: 644 as a number is a mistake that looks alike */
		return text[0] == '0' ? parse_int(text, 8, ret) : -EINVAL;
	case CONFIG_SECONDS:
		return parse_seconds(text, ret);
	case CONFIG_DURATION:
		return parse_duration(text, range->min == -1, ret);
	case CONFIG_SIZE:
		return parse_size(text, ret);
	case CONFIG_NAME:
	case CONFIG_PATH:
	case CONFIG_STORE:
	case CONFIG_NAMES:
		break;
	}
	return -EINVAL;
}

static const char *what_is_right(enum config_type type)
{
	switch (type) {
	case CONFIG_INT:
		return "whole number";
	case CONFIG_SECONDS:
		return "number of seconds";
	case CONFIG_DURATION:
		return "duration (\"500ms\", \"30s\", \"10m\", \"2h\")";
	case CONFIG_SIZE:
		return "size (\"512K\", \"8M\", \"1G\")";
	case CONFIG_MODE:
		return "octal mode (\"0644\")";
	case CONFIG_NAME:
	case CONFIG_PATH:
	case CONFIG_STORE:
	case CONFIG_NAMES:
		break;
	}
	return "text";
}

int config_value_parse(const struct config_range *range, const char *text, int64_t *ret,
		       struct error *error)
{
	int64_t least = range->min == -1 ? 1 : range->min;
	_cleanup_(freep) char *min = NULL, *max = NULL;
	int64_t value;
	int r;

	r = parse(range, text, &value);
	if (r == 0 && ((value >= least && value <= range->max) || value == range->min)) {
		*ret = value;
		return 0;
	}
	min = config_value_format(range->type, least);
	max = config_value_format(range->type, range->max);
	if (r == -ENOMEM || !min || !max)
		return -ENOMEM;
	return error_set(error, -EINVAL, "\"%s\" is no %s from %s to %s%s", text,
			 what_is_right(range->type), min, max,
			 range->min == -1 ? " or \"none\"" : "");
}

static char *format_with_unit(const struct unit *unit, int64_t value)
{
	while (unit[1].name && (value % unit->factor || !value))
		unit++;
	return strf("\"%lld%s\"", (long long)(value / unit->factor), unit->name);
}

char *config_value_format(enum config_type type, int64_t value)
{
	switch (type) {
	case CONFIG_SECONDS:
		return strf("%.15g", (double)value / 1000);
	case CONFIG_DURATION:
		return value == -1 ? strdup("\"none\"")
				   : format_with_unit(duration_units, value);
	case CONFIG_SIZE:
		return format_with_unit(size_units, value);
	case CONFIG_MODE:
		return strf("\"%04llo\"", (unsigned long long)value);
	case CONFIG_INT:
	case CONFIG_NAME:
	case CONFIG_PATH:
	case CONFIG_STORE:
	case CONFIG_NAMES:
		break;
	}
	return strf("%lld", (long long)value);
}
