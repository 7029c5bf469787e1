/* A JSON file that a person wrote. */
#include "sync/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/map.h"
#include "sync/json_check.h"

/*
 * cJSON knows no lines. json_check() notes them in the order of the text, which is that of the tree
 * walked from the top; they are kept in `valueint`, of which nothing else here makes use.
 */
struct json_file {
	char *name;
	char *warning; /* or NULL */
	cJSON *top;
	bool is_document; /* of a database */
};

static const cJSON *node_of(struct json_at at)
{
	return at.node;
}

void json_file_free(struct json_file *file)
{
	if (!file)
		return;
	cJSON_Delete(file->top);
	free(file->warning);
	free(file->name);
	free(file);
}

static size_t set_lines(cJSON *node, const struct json_lines *lines, size_t i)
{
	if (i < lines->n)
		node->valueint = lines->lines[i++];
	for (cJSON *child = node->child; child; child = child->next)
		i = set_lines(child, lines, i);
	return i;
}

static void drop_map(struct map *map)
{
	map_done(map, NULL);
}

static int warn_of_double(struct json_file *file, const cJSON *first, const cJSON *last)
{
	if (file->warning)
		return 0;
	file->warning =
		strf("%s:%d: key \"%s\" stands in line %d already: the last counts",
		     file->name, last->valueint, last->string, first->valueint);
	return file->warning ? 0 : -ENOMEM;
}

static int drop_doubled_of(struct json_file *file, cJSON *object)
{
	_cleanup_(drop_map) struct map keys = { 0 };
	int r;

	for (cJSON *child = object->child; child; child = child->next) {
		void *first = NULL;

		r = map_put(&keys, child->string, child, &first);
		if (r == 0 && first)
			r = warn_of_double(file, first, child);
		if (r < 0)
			return r;
		if (first)
			cJSON_Delete(cJSON_DetachItemViaPointer(object, first));
	}
	return 0;
}

static int drop_doubled(struct json_file *file, cJSON *node)
{
	int r = cJSON_IsObject(node) ? drop_doubled_of(file, node) : 0;

	for (cJSON *child = node->child; child && r == 0; child = child->next)
		r = drop_doubled(file, child);
	return r;
}

static int line_of(const char *text, const char *where)
{
	int line = 1;

	for (; text < where; text++)
		line += *text == '\n';
	return line;
}

/* Fills the tree from checked TEXT. */
static int build(struct json_file *file, const char *text, size_t len,
		 const struct json_lines *lines, struct error *error)
{
	const char *end = text;

	if (!lines->n) {
		file->top = cJSON_CreateObject();
		return file->top ? 0 : -ENOMEM;
	}
	file->top = cJSON_ParseWithLengthOpts(text, len + 1, &end, true);
	if (!file->top) /* what the check lets pass: half a surrogate pair, no memory */
		return error_set(error, -EINVAL, "%s:%d: this is not valid JSON",
				 file->name, line_of(text, end));
	set_lines(file->top, lines, 0);
	return drop_doubled(file, file->top);
}

/* Changes TEXT. */
static int parse(const char *name, char *text, size_t len, struct json_file **ret,
		 struct error *error)
{
	_cleanup_(json_file_freep) struct json_file *file = calloc(1, sizeof(*file));
	struct json_lines lines = { 0 };
	struct json_fault fault = { 0 };
	int r;

	if (!file)
		return -ENOMEM;
	file->name = strdup(name);
	if (!file->name)
		return -ENOMEM;
	r = json_check(text, len, &lines, &fault);
	if (r == -EINVAL)
		error_set(error, r, "%s:%d: %s", name, fault.line, fault.text);
	if (r == 0)
		r = build(file, text, len, &lines, error);
	free(lines.lines);
	if (r < 0)
		return r;
	*ret = steal(file);
	return 0;
}

int json_file_parse(const char *name, const char *text, size_t len,
		    struct json_file **ret, struct error *error)
{
	_cleanup_(freep) char *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return parse(name, copy, len, ret, error);
}

int json_file_parse_document(const char *name, const char *text, struct json_file **ret,
			     struct error *error)
{
	int r = json_file_parse(name, text, strlen(text), ret, error);

	if (r == 0)
		(*ret)->is_document = true;
	return r;
}

int json_file_load(const char *path, struct json_file **ret, struct error *error)
{
	_cleanup_(freep) char *text = NULL;
	size_t len;
	int r;

	r = fd_read_file(AT_FDCWD, path, JSON_FILE_MAX, &text, &len);
	if (r == -EFBIG)
		return error_set(error, r,
				 "%s: is larger than %d bytes: no file of settings is",
				 path, JSON_FILE_MAX);
	if (r == -EINVAL)
		return error_set(error, r, "%s: is no file", path);
	if (r < 0)
		return error_set(error, r, "%s: cannot be read: %s", path,
				 strerrordesc_np(-r));
	return parse(path, text, len, ret, error);
}

const char *json_file_name(const struct json_file *file)
{
	return file->name;
}

const char *json_file_warning(const struct json_file *file)
{
	return file->warning;
}

struct json_at json_file_top(const struct json_file *file)
{
	return (struct json_at){ file, file->top };
}

struct json_at json_at_find(struct json_at object, const char *key)
{
	const cJSON *found = NULL;

	if (json_at_is_object(object))
		found = cJSON_GetObjectItemCaseSensitive(node_of(object), key);
	return (struct json_at){ object.file, found };
}

struct json_at json_at_first(struct json_at container)
{
	return (struct json_at){ container.file,
				 container.node ? node_of(container)->child : NULL };
}

struct json_at json_at_next(struct json_at member)
{
	return (struct json_at){ member.file, node_of(member)->next };
}

const char *json_at_key(struct json_at at)
{
	return at.node ? node_of(at)->string : NULL;
}

int json_at_line(struct json_at at)
{
	return at.node && node_of(at)->valueint > 0 ? node_of(at)->valueint : 1;
}

bool json_at_is_document(struct json_at at)
{
	return at.file && at.file->is_document;
}

struct json_where json_at_where(struct json_at at)
{
	struct json_where where;
	int n;

	if (at.file->is_document)
		n = snprintf(where.text, sizeof(where.text), "%s", at.file->name);
	else
		n = snprintf(where.text, sizeof(where.text), "%s:%d", at.file->name,
			     json_at_line(at));
	if (n < 0)
		where.text[0] = 0;
	return where;
}

bool json_at_is_object(struct json_at at)
{
	return at.node && cJSON_IsObject(node_of(at));
}

bool json_at_is_list(struct json_at at)
{
	return at.node && cJSON_IsArray(node_of(at));
}

bool json_at_is_text(struct json_at at)
{
	return at.node && cJSON_IsString(node_of(at));
}

bool json_at_is_number(struct json_at at)
{
	return at.node && cJSON_IsNumber(node_of(at));
}

bool json_at_is_null(struct json_at at)
{
	return at.node && cJSON_IsNull(node_of(at));
}

/* Puts "studio.root.work" into PATH if WANTED lies below NODE. */
static bool find_path(const cJSON *node, const cJSON *wanted, struct buf *path)
{
	size_t len = path->len;

	if (node == wanted)
		return true;
	for (const cJSON *child = node->child; child; child = child->next) {
		if (child->string)
			buf_addf(path, "%s%s", len ? "." : "", child->string);
		if (find_path(child, wanted, path))
			return true;
		path->len = len;
		if (path->data)
			path->data[len] = '\0';
	}
	return false;
}

int json_at_error(struct json_at at, struct error *error, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&text, fmt, ap);
	va_end(ap);
	find_path(at.file->top, at.node, &path);
	if (text.has_failed || path.has_failed)
		return -ENOMEM;
	return error_set(error, -EINVAL, "%s: %s%s%s", json_at_where(at).text,
			 buf_str(&path), path.len ? ": " : "", buf_str(&text));
}

int json_at_text(struct json_at at, const char **ret, struct error *error)
{
	if (!json_at_is_text(at))
		return json_at_error(at, error, "a text in double quotes is expected");
	*ret = node_of(at)->valuestring;
	return 0;
}

const char *json_at_find_text(struct json_at object, const char *key)
{
	struct json_at at = json_at_find(object, key);
	const char *text = json_at_is_text(at) ? node_of(at)->valuestring : NULL;

	return text && text[0] ? text : NULL;
}

int json_at_number(struct json_at at, double *ret, struct error *error)
{
	const char *text = json_at_is_text(at) ? node_of(at)->valuestring : NULL;
	char *end;
	double value;

	if (json_at_is_number(at)) {
		value = node_of(at)->valuedouble;
	} else if (text && text[0] && strspn(text, "0123456789.-") == strlen(text)) {
		value = strtod(text, &end);
		if (*end)
			return json_at_error(at, error, "a number is expected");
	} else {
		return json_at_error(at, error, "a number is expected");
	}
	if (!isfinite(value))
		return json_at_error(at, error, "the number is too large");
	*ret = value;
	return 0;
}

int json_at_bool(struct json_at at, bool *ret, struct error *error)
{
	const char *text = json_at_is_text(at) ? node_of(at)->valuestring : "";

	if ((at.node && cJSON_IsTrue(node_of(at))) || strcasecmp(text, "true") == 0)
		*ret = true;
	else if ((at.node && cJSON_IsFalse(node_of(at))) ||
		 strcasecmp(text, "false") == 0)
		*ret = false;
	else
		return json_at_error(at, error, "true or false is expected");
	return 0;
}
