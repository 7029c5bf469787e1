/* Judges the text of a JSON file that a person wrote. */
#include "sync/json_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "sync/base/path.h"

struct scanner {
	char *p, *end; /* *end is NUL */
	int line;
	int depth;
	struct json_lines *lines;
	struct json_fault *fault;
};

static int check_value(struct scanner *s);

static int fault(struct scanner *s, const char *fmt, ...) _printf_(2, 3);

static int fault(struct scanner *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->fault->text, sizeof(s->fault->text), fmt, ap);
	va_end(ap);
	s->fault->line = s->line;
	return -EINVAL;
}

/* How many characters of remark begin here; 0: none does. */
static int remark_length(const struct scanner *s)
{
	static const char *const remarks[] = { "--", "//", "/*", "#" };

	for (size_t i = 0; i < ARRAY_SIZE(remarks); i++)
		if (strncmp(s->p, remarks[i], strlen(remarks[i])) == 0)
			return (int)strlen(remarks[i]);
	return 0;
}

static int skip_blanks(struct scanner *s)
{
	int len;

	for (; s->p < s->end; s->p++) {
		if (*s->p == '\n')
			s->line++;
		else if (*s->p != ' ' && *s->p != '\t' && *s->p != '\r')
			break;
	}
	len = remark_length(s);
	if (!len)
		return 0;
	return fault(s, "remarks (\"%.*s\") are not allowed in JSON: remove it", len,
		     s->p);
}

/* WANTED was expected here, and something else is. */
static int unexpected(struct scanner *s, const char *wanted)
{
	if (s->p == s->end)
		return fault(s, "the file ends where %s should be", wanted);
	if (*s->p == '\'')
		return fault(s,
			     "a text stands in double quotes (\"), not in single ones");
	if (*s->p > ' ' && *s->p < 0x7f)
		return fault(s, "%s should be where \"%c\" is", wanted, *s->p);
	return fault(s, "%s should be here", wanted);
}

static int note_line(struct scanner *s)
{
	struct json_lines *lines = s->lines;

	if (lines->n == lines->cap) {
		size_t cap = lines->cap ? lines->cap * 2 : 64;
		int *grown = reallocarray(lines->lines, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		lines->lines = grown;
		lines->cap = cap;
	}
	lines->lines[lines->n++] = s->line;
	return 0;
}

static int check_escape(struct scanner *s)
{
	char c = s->p[1];

	if (c && strchr("\"\\/bfnrt", c)) {
		s->p += 2;
		return 0;
	}
	if (c != 'u')
		return fault(
			s,
			"a single back-slash in a text: write \"\\\\\", or \"/\" in paths");
	if (strspn(s->p + 2, "0123456789abcdefABCDEF") < 4)
		return fault(s, "\"\\u\" needs four hex digits after it");
	if (strncmp(s->p + 2, "0000", 4) == 0)
		return fault(s, "a text must not hold a NUL (\"\\u0000\")");
	s->p += 6;
	return 0;
}

static int check_text(struct scanner *s)
{
	for (s->p++; *s->p != '"';) {
		if (s->p == s->end || *s->p == '\n')
			return fault(s, "a text has no closing quote (\") on its line");
		if ((unsigned char)*s->p < ' ' && *s->p != '\t')
			return fault(s, "a text holds a control character");
		if (*s->p != '\\') {
			s->p++;
			continue;
		}
		if (check_escape(s) < 0)
			return -EINVAL;
	}
	s->p++;
	return 0;
}

static size_t skip_digits(struct scanner *s)
{
	size_t n = strspn(s->p, "0123456789");

	s->p += n;
	return n;
}

static int check_number(struct scanner *s)
{
	bool has_zero;
	size_t n;

	s->p += *s->p == '-';
	has_zero = *s->p == '0';
	n = skip_digits(s);
	if (!n)
		return unexpected(s, "a digit");
	if (has_zero && n > 1)
		return fault(
			s,
			"a number with a 0 in front: leave it out, or put it in quotes");
	if (*s->p == '.') {
		s->p++;
		if (!skip_digits(s))
			return unexpected(s, "a digit");
	}
	if (*s->p == 'e' || *s->p == 'E') {
		s->p++;
		s->p += *s->p == '+' || *s->p == '-';
		if (!skip_digits(s))
			return unexpected(s, "a digit");
	}
	return 0;
}

static int check_word(struct scanner *s)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i]);

		if (strncmp(s->p, words[i], len) != 0)
			continue;
		s->p += len;
		return 0;
	}
	return unexpected(
		s,
		"a text in double quotes, a number, true, false, null, \"{\" or \"[\"");
}

static int check_member(struct scanner *s)
{
	int r;

	if (*s->p != '"')
		return unexpected(s, "a key in double quotes");
	r = check_text(s);
	if (r == 0)
		r = skip_blanks(s);
	if (r < 0)
		return r;
	if (*s->p != ':')
		return unexpected(s, "\":\"");
	s->p++;
	return check_value(s);
}

/* From the opening bracket on. */
static int check_container(struct scanner *s)
{
	bool is_object = *s->p == '{';
	char close = is_object ? '}' : ']';
	int opened = s->line, r;
	char *comma = NULL;

	if (++s->depth > JSON_DEPTH_MAX)
		return fault(s, "nested more than %d deep", JSON_DEPTH_MAX);
	for (s->p++;;) {
		r = skip_blanks(s);
		if (r < 0)
			return r;
		if (*s->p == close)
			break;
		if (s->p == s->end)
			return fault(s, "the \"%c\" of line %d is never closed",
				     is_object ? '{' : '[', opened);
		r = is_object ? check_member(s) : check_value(s);
		if (r == 0)
			r = skip_blanks(s);
		if (r < 0)
			return r;
		comma = NULL;
		if (*s->p == ',')
			comma = s->p++;
		else if (*s->p != close && s->p < s->end)
			return unexpected(s, is_object ? "\",\" or \"}\""
						       : "\",\" or \"]\"");
	}
	if (comma)
		*comma = ' ';
	s->p++;
	s->depth--;
	return 0;
}

static int check_value(struct scanner *s)
{
	int r = skip_blanks(s);

	if (r == 0)
		r = note_line(s);
	if (r < 0)
		return r;
	switch (*s->p) {
	case '{':
	case '[':
		return check_container(s);
	case '"':
		return check_text(s);
	case '-':
	case '0' ... '9':
		return check_number(s);
	default:
		return check_word(s);
	}
}

int json_check(char *text, size_t len, struct json_lines *ret_lines,
	       struct json_fault *ret_fault)
{
	struct scanner s = {
		.p = text,
		.end = text + len,
		.line = 1,
		.lines = ret_lines,
		.fault = ret_fault,
	};
	int r;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		memset(text, ' ', 3);
	r = skip_blanks(&s);
	if (r < 0 || s.p == s.end)
		return r;
	r = check_value(&s);
	if (r == 0)
		r = skip_blanks(&s);
	if (r < 0)
		return r;
	if (s.p < s.end)
		return fault(&s, "the file goes on after its last closing bracket");
	return path_is_utf8(text) ? 0 : fault(&s, "the file is not UTF-8");
}
