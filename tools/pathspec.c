/* PATH arguments. */
#include "tools/pathspec.h"

#include <errno.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/path.h"

#define FRAME_MAX 999999999999999 /* 15 digits, as tools/sequence.h */
#define RANGES_MAX 1000
#define WIDTH_MAX 15
#define TEXT_MAX (4 * PATH_LENGTH_MAX)

/* ---- frames ---- */

/* A number with an optional sign at *p, which moves behind it. */
static bool take_number(const char **p, int64_t *ret)
{
	bool is_negative = **p == '-';
	int64_t value = 0;
	const char *digits;

	*p += is_negative;
	digits = *p;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		value = value * 10 + (**p - '0');
		if (value > FRAME_MAX)
			return false;
	}
	*ret = is_negative ? -value : value;
	return *p > digits;
}

/* One range at *p, which moves behind it. */
static bool take_range(const char **p, struct frame_range *ret)
{
	*ret = (struct frame_range){ .step = 1 };
	if (!take_number(p, &ret->first))
		return false;
	ret->last = ret->first;
	if (**p == '-') {
		(*p)++;
		if (!take_number(p, &ret->last))
			return false;
	}
	if (**p == 'x') {
		(*p)++;
		if (!take_number(p, &ret->step) || ret->step <= 0)
			return false;
	}
	return ret->last >= ret->first;
}

static int parse_frames(const char *text, size_t len, struct frames *ret)
{
	_cleanup_(frames_done) struct frames frames = { 0 };
	_cleanup_(freep) char *copy = strndup(text, len);
	const char *p = copy;

	if (!copy)
		return -ENOMEM;
	frames.ranges = calloc(RANGES_MAX, sizeof(*frames.ranges));
	if (!frames.ranges)
		return -ENOMEM;
	for (;; p++) {
		if (frames.n == RANGES_MAX || !take_range(&p, &frames.ranges[frames.n]))
			return -EINVAL;
		frames.n++;
		if (!*p)
			break;
		if (*p != ',')
			return -EINVAL;
	}
	ret->n = frames.n;
	ret->ranges = steal(frames.ranges);
	return 0;
}

int frames_parse(const char *text, struct frames *ret, struct error *error)
{
	int r = parse_frames(text, strlen(text), ret);

	if (r == -EINVAL)
		return error_set(error, r,
				 "frames '%.100s' are not like 1001-1100x2,1200", text);
	return r;
}

void frames_done(struct frames *frames)
{
	free(frames->ranges);
	*frames = (struct frames){ 0 };
}

bool frames_contain(const struct frames *frames, int64_t number)
{
	if (!frames->n)
		return true;
	for (size_t i = 0; i < frames->n; i++) {
		const struct frame_range *range = &frames->ranges[i];

		if (number >= range->first && number <= range->last &&
		    (number - range->first) % range->step == 0)
			return true;
	}
	return false;
}

/* ---- sequences ---- */

/* Where the pattern stands in a name and what it says. */
struct pattern {
	size_t offset, length;
	int width;                           /* 0: any */
	size_t frames_offset, frames_length; /* length 0: none in the name */
};

static bool is_frame_char(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == ',' || c == 'x';
}

/* Takes the range that stands before the pattern, "1001-1100" of "1001-1100#", into it. */
static void take_frames_before(const char *name, struct pattern *p)
{
	size_t start = p->offset;
	struct frames frames;

	while (start > 0 && is_frame_char(name[start - 1]))
		start--;
	/* "a-1001-1100#": the longest tail that is a list of frames */
	for (; start < p->offset; start++) {
		/* the '-' of "a-1001" is part of the name, that of "a.-5" a sign */
		if (name[start] == '-' && start > 0 && name[start - 1] != '.')
			continue;
		if (parse_frames(name + start, p->offset - start, &frames) < 0)
			continue;
		frames_done(&frames);
		p->frames_offset = start;
		p->frames_length = p->offset - start;
		p->length += p->frames_length;
		p->offset = start;
		return;
	}
}

/* "####", "@@": a run of one character. */
static bool find_run(const char *name, char c, struct pattern *ret)
{
	const char *first = strchr(name, c);
	size_t n = 0;

	if (!first)
		return false;
	while (first[n] == c)
		n++;
	*ret = (struct pattern){ .offset = (size_t)(first - name), .length = n };
	ret->width = c == '@' ? 0 : n == 1 ? 4 : (int)(n > WIDTH_MAX ? WIDTH_MAX : n);
	take_frames_before(name, ret);
	return true;
}

/* INTRO, digits, OUTRO: "%04d" and "$F4"; without digits any width. */
static bool find_counted(const char *name, const char *intro, const char *outro,
			 struct pattern *ret)
{
	const char *start = name;

	while ((start = strstr(start, intro)) != NULL) {
		const char *p = start + strlen(intro);
		int width = 0;

		while (*p >= '0' && *p <= '9' && width <= WIDTH_MAX)
			width = width * 10 + (*p++ - '0');
		if (width <= WIDTH_MAX && !strncmp(p, outro, strlen(outro))) {
			*ret = (struct pattern){ .offset = (size_t)(start - name),
						 .width = width };
			ret->length = (size_t)(p - start) + strlen(outro);
			return true;
		}
		start++;
	}
	return false;
}

static bool find_udim(const char *name, struct pattern *ret)
{
	const char *start = strstr(name, "<UDIM>");

	if (!start)
		return false;
	*ret = (struct pattern){ .offset = (size_t)(start - name),
				 .length = strlen("<UDIM>"),
				 .width = 4 };
	return true;
}

/* "[1001-1100]", as our own listings say it. */
static bool find_brackets(const char *name, struct pattern *ret)
{
	const char *start = name;

	while ((start = strchr(start, '[')) != NULL) {
		size_t len = strspn(start + 1, "0123456789-,x");
		struct frames frames;

		if (start[1 + len] == ']' && parse_frames(start + 1, len, &frames) == 0) {
			frames_done(&frames);
			*ret = (struct pattern){ .offset = (size_t)(start - name),
						 .length = len + 2 };
			ret->frames_offset = ret->offset + 1;
			ret->frames_length = len;
			ret->width = (int)strspn(start + 1, "0123456789");
			if (ret->width > WIDTH_MAX)
				ret->width = WIDTH_MAX;
			return true;
		}
		start++;
	}
	return false;
}

static bool find_pattern(const char *name, struct pattern *ret)
{
	return find_udim(name, ret) || find_counted(name, "%", "d", ret) ||
	       find_counted(name, "$F", "", ret) || find_run(name, '#', ret) ||
	       find_run(name, '@', ret) || find_brackets(name, ret);
}

static int parse_sequence(const char *text, const struct pattern *p, const char *frames,
			  struct pathspec *ret, struct error *error)
{
	const char *name = path_name(text);
	size_t folder_len = (size_t)(name - text);
	int r;

	/* without the slash, unless it is the root's */
	ret->folder = strndup(text, folder_len > 1 ? folder_len - 1 : folder_len);
	ret->prefix = strndup(name, p->offset);
	ret->suffix = strdup(name + p->offset + p->length);
	if (!ret->folder || !ret->prefix || !ret->suffix)
		return -ENOMEM;
	ret->kind = PATHSPEC_SEQUENCE;
	ret->width = p->width;
	if (frames)
		return frames_parse(frames, &ret->frames, error);
	if (!p->frames_length)
		return 0;
	r = parse_frames(name + p->frames_offset, p->frames_length, &ret->frames);
	if (r == -EINVAL)
		error_set(error, r, "'%.200s' holds a frame range that is none", name);
	return r;
}

bool pathspec_matches(const struct pathspec *spec, const char *name)
{
	size_t len = strlen(name), before = strlen(spec->prefix),
	       after = strlen(spec->suffix);
	char digits[WIDTH_MAX + 2]; /* with a sign */
	const char *p = digits;
	int64_t number;
	size_t n;

	if (len <= before + after || strncmp(name, spec->prefix, before) != 0 ||
	    strcmp(name + len - after, spec->suffix) != 0)
		return false;
	/* what follows the number may begin with a digit too */
	n = len - before - after;
	if (n >= sizeof(digits))
		return false;
	memcpy(digits, name + before, n);
	digits[n] = '\0';
	if (!take_number(&p, &number) || *p)
		return false;
	/* as printf: a number that is longer than the padding has none */
	if (spec->width && n != (size_t)spec->width &&
	    (n < (size_t)spec->width || digits[0] == '0'))
		return false;
	return frames_contain(&spec->frames, number);
}

/* ---- pipeline names ---- */

static int parse_pub(const char *text, struct pathspec *ret, struct error *error)
{
	char **parts[] = { &ret->project, &ret->asset, &ret->subset, &ret->version,
			   &ret->name };
	const char *p = text;

	for (size_t i = 0;; i++) {
		size_t len = strcspn(p, "/");

		if (!len && i > 0 && !*p)
			break; /* a slash at the end */
		if (!len || i >= ARRAY_SIZE(parts))
			return error_set(
				error, -EINVAL,
				"'pub:%.200s' is not like pub:PROJECT/asset/subset/v003",
				text);
		*parts[i] = strndup(p, len);
		if (!*parts[i])
			return -ENOMEM;
		p += len;
		if (!*p)
			break;
		p++;
	}
	ret->kind = PATHSPEC_PUB;
	return 0;
}

static int parse_repre(const char *text, struct pathspec *ret, struct error *error)
{
	if (!text[0])
		return error_set(error, -EINVAL, "'repre:' names no id");
	ret->kind = PATHSPEC_REPRE;
	ret->repre = strdup(text);
	return ret->repre ? 0 : -ENOMEM;
}

/* ---- all ---- */

static int parse(const char *text, const char *frames, struct pathspec *ret,
		 struct error *error)
{
	struct pattern pattern;

	if (!text[0])
		return error_set(error, -EINVAL, "a path is empty");
	if (strlen(text) > TEXT_MAX)
		return error_set(error, -EINVAL, "a path is longer than %d bytes",
				 TEXT_MAX);
	ret->text = strdup(text);
	if (!ret->text)
		return -ENOMEM;
	if (!strncmp(text, "pub:", 4))
		return parse_pub(text + 4, ret, error);
	if (!strncmp(text, "repre:", 6))
		return parse_repre(text + 6, ret, error);
	if (find_pattern(path_name(text), &pattern))
		return parse_sequence(text, &pattern, frames, ret, error);
	if (frames)
		return error_set(
			error, -EINVAL,
			"--frames needs a sequence like name.####.exr, not '%.200s'",
			text);
	ret->kind = PATHSPEC_PATH;
	return 0;
}

int pathspec_parse(const char *text, const char *frames, struct pathspec *ret,
		   struct error *error)
{
	struct pathspec spec = { 0 };
	int r = parse(text, frames, &spec, error);

	if (r < 0)
		pathspec_done(&spec);
	else
		*ret = spec;
	return r;
}

void pathspec_done(struct pathspec *spec)
{
	free(spec->text);
	free(spec->folder);
	free(spec->prefix);
	free(spec->suffix);
	frames_done(&spec->frames);
	free(spec->project);
	free(spec->asset);
	free(spec->subset);
	free(spec->version);
	free(spec->name);
	free(spec->repre);
	*spec = (struct pathspec){ 0 };
}
