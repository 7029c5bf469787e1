/* The JSON of Drive and of the token endpoint. */
#include "providers/gdrive/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"

#define MAX_TEXT 4096 /* bytes of any single text */
#define SCOPE "https://www.googleapis.com/auth/drive"
#define NS 1000000000LL

static void json_free(cJSON *json)
{
	cJSON_Delete(json);
}
DEFINE_CLEANUP(cJSON *, json_free);

static int parse(const char *text, size_t len, cJSON **ret)
{
	cJSON *json = text && len ? cJSON_ParseWithLength(text, len) : NULL;

	if (!json)
		return -EINVAL;
	if (!cJSON_IsObject(json)) {
		cJSON_Delete(json);
		return -EINVAL;
	}
	*ret = json;
	return 0;
}

/* ---- values ---- */

static const char *text_of(const cJSON *object, const char *key)
{
	const char *text =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

	return text && strlen(text) <= MAX_TEXT ? text : NULL;
}

/* A copy, NULL where there is none. 0 or -ENOMEM. */
static int take_text(const cJSON *object, const char *key, char **ret)
{
	const char *text = text_of(object, key);

	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static bool is_true(const cJSON *object, const char *key)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, key));
}

/* Drive sends 64-bit numbers as texts. */
static int64_t number_of(const cJSON *object, const char *key, int64_t missing)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	const char *text = cJSON_GetStringValue(item);
	long long value;
	char *end;

	if (cJSON_IsNumber(item))
		return item->valuedouble >= 0 && item->valuedouble < 9e15
			       ? (int64_t)item->valuedouble
			       : missing;
	if (!text || *text < '0' || *text > '9')
		return missing;
	errno = 0;
	value = strtoll(text, &end, 10);
	return errno || *end ? missing : value;
}

static bool take_digits(const char **text, int n, int *ret)
{
	*ret = 0;
	for (int i = 0; i < n; i++, ++*text) {
		if (**text < '0' || **text > '9')
			return false;
		*ret = *ret * 10 + (**text - '0');
	}
	return true;
}

static bool take_char(const char **text, const char *any)
{
	if (!**text || !strchr(any, **text))
		return false;
	++*text;
	return true;
}

/* "Z", "+01:30": seconds east of UTC. */
static bool take_zone(const char **text, int *ret)
{
	int sign = **text == '-' ? -1 : 1, hours, minutes;

	*ret = 0;
	if (take_char(text, "Zz"))
		return true;
	if (!take_char(text, "+-") || !take_digits(text, 2, &hours) ||
	    !take_char(text, ":") || !take_digits(text, 2, &minutes))
		return false;
	*ret = sign * (hours * 3600 + minutes * 60);
	return true;
}

int wire_parse_time(const char *text, int64_t *ret)
{
	struct tm tm = { 0 };
	int64_t fraction = 0, scale = NS;
	int zone;

	if (!take_digits(&text, 4, &tm.tm_year) || !take_char(&text, "-") ||
	    !take_digits(&text, 2, &tm.tm_mon) || !take_char(&text, "-") ||
	    !take_digits(&text, 2, &tm.tm_mday) || !take_char(&text, "Tt ") ||
	    !take_digits(&text, 2, &tm.tm_hour) || !take_char(&text, ":") ||
	    !take_digits(&text, 2, &tm.tm_min) || !take_char(&text, ":") ||
	    !take_digits(&text, 2, &tm.tm_sec))
		return -EINVAL;
	if (take_char(&text, ".")) {
		for (; *text >= '0' && *text <= '9'; text++) {
			scale /= 10;
			fraction += (*text - '0') * scale;
		}
	}
	if (!take_zone(&text, &zone) || *text || tm.tm_year < 1678 || tm.tm_year > 2261 ||
	    tm.tm_mon < 1 || tm.tm_mon > 12)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*ret = (timegm(&tm) - zone) * NS + fraction;
	return 0;
}

static bool take_number(const char **text, uint64_t *ret)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*ret = strtoull(*text, &end, 10);
	*text = end;
	return errno == 0;
}

int wire_parse_range(const char *text, struct wire_range *ret)
{
	struct wire_range range = { 0 };

	if (strncmp(text, "bytes", 5) != 0)
		return -EINVAL;
	text += 5;
	if (!take_char(&text, " =") || !take_number(&text, &range.first) ||
	    !take_char(&text, "-") || !take_number(&text, &range.last))
		return -EINVAL;
	if (*text == '/' && (!take_char(&text, "/") || !take_number(&text, &range.size)))
		return -EINVAL;
	if (*text || range.first > range.last)
		return -EINVAL;
	*ret = range;
	return 0;
}

static void take_hex(const cJSON *object, const char *key, uint8_t *ret, size_t len,
		     bool *has)
{
	const char *text = text_of(object, key);

	*has = text && hex_decode(text, ret, len) == 0;
}

/* ---- files ---- */

void wire_file_done(struct wire_file *file)
{
	free(file->id);
	free(file->name);
	free(file->mime);
	free(file->parent);
	free(file->drive_id);
	free(file->revision);
	free(file->created);
	free(file->editor);
	free(file->trasher);
	*file = (struct wire_file){ .size = -1 };
}

bool wire_is_folder(const struct wire_file *file)
{
	return file->mime && strcmp(file->mime, WIRE_FOLDER) == 0;
}

bool wire_is_object(const struct wire_file *file)
{
	return file->size >= 0 && file->revision && !wire_is_folder(file);
}

/* Content without a revision (not seen, not excluded) is told by its checksum. */
static int take_revision(struct wire_file *file)
{
	char hex[DIGEST_HEX_SIZE];

	if (file->revision || file->size < 0 || !file->digest.has_md5)
		return 0;
	hex_encode(file->digest.md5, DIGEST_MD5_SIZE, hex);
	file->revision = strf("md5:%s", hex);
	return file->revision ? 0 : -ENOMEM;
}

/* Somebody, in one line for people. */
static int take_person(const cJSON *json, const char *key, char **ret)
{
	const cJSON *person = cJSON_GetObjectItemCaseSensitive(json, key);
	const char *name = text_of(person, "displayName");
	const char *email = text_of(person, "emailAddress");

	if (!name && !email)
		return 0;
	if (name && email && strcmp(name, email) != 0)
		*ret = strf("%.100s <%.100s>", name, email);
	else
		*ret = strf("%.200s", email ? email : name);
	for (char *p = *ret; p && *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	}
	return *ret ? 0 : -ENOMEM;
}

static int take_trace(const cJSON *json, struct wire_file *ret)
{
	const char *time = text_of(json, "trashedTime");
	int r = take_person(json, "lastModifyingUser", &ret->editor);

	ret->is_trashed_itself = is_true(json, "explicitlyTrashed");
	if (!time || wire_parse_time(time, &ret->trashed_ns) < 0)
		ret->trashed_ns = 0;
	return r == 0 ? take_person(json, "trashingUser", &ret->trasher) : r;
}

static int take_file(const cJSON *json, struct wire_file *ret)
{
	const cJSON *may = cJSON_GetObjectItemCaseSensitive(json, "capabilities");
	const cJSON *parent =
		cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "parents"), 0);
	const char *time = text_of(json, "modifiedTime");
	int r;

	ret->size = number_of(json, "size", -1);
	ret->is_trashed = is_true(json, "trashed");
	ret->can_add = is_true(may, "canAddChildren");
	ret->can_download =
		!cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(may, "canDownload"));
	take_hex(json, "sha256Checksum", ret->digest.sha256, DIGEST_SHA256_SIZE,
		 &ret->digest.has_sha256);
	take_hex(json, "md5Checksum", ret->digest.md5, DIGEST_MD5_SIZE,
		 &ret->digest.has_md5);
	if (!time || wire_parse_time(time, &ret->mtime_ns) < 0)
		ret->mtime_ns = 0;
	r = take_text(json, "id", &ret->id);
	if (r == 0)
		r = take_text(json, "name", &ret->name);
	if (r == 0)
		r = take_text(json, "mimeType", &ret->mime);
	if (r == 0)
		r = take_text(json, "driveId", &ret->drive_id);
	if (r == 0)
		r = take_text(json, "headRevisionId", &ret->revision);
	if (r == 0)
		r = take_text(json, "createdTime", &ret->created);
	if (r == 0 && cJSON_IsString(parent) && strlen(parent->valuestring) <= MAX_TEXT) {
		ret->parent = strdup(parent->valuestring);
		r = ret->parent ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = take_trace(json, ret);
	return r == 0 ? take_revision(ret) : r;
}

int wire_parse_file(const char *text, size_t len, struct wire_file *ret)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	int r = parse(text, len, &json);

	*ret = (struct wire_file){ .size = -1 };
	if (r == 0)
		r = take_file(json, ret);
	return r == 0 && !ret->id ? -EINVAL : r;
}

void wire_list_done(struct wire_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		wire_file_done(&list->files[i]);
	free(list->files);
	free(list->next);
	*list = (struct wire_list){ 0 };
}

static int take_files(const cJSON *array, struct wire_list *ret)
{
	int n = cJSON_GetArraySize(array);
	const cJSON *item;

	ret->files = calloc((size_t)n + 1, sizeof(*ret->files));
	if (!ret->files)
		return -ENOMEM;
	cJSON_ArrayForEach(item, array)
	{
		struct wire_file *file = &ret->files[ret->n];
		int r = take_file(item, file);

		if (r < 0 || !file->id || !file->name)
			wire_file_done(file);
		else
			ret->n++;
		if (r < 0)
			return r;
	}
	return 0;
}

int wire_parse_list(const char *text, size_t len, struct wire_list *ret)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	const cJSON *array;
	int r = parse(text, len, &json);

	*ret = (struct wire_list){ 0 };
	if (r < 0)
		return r;
	array = cJSON_GetObjectItemCaseSensitive(json, "files");
	if (!cJSON_IsArray(array))
		return -EINVAL;
	ret->is_incomplete = is_true(json, "incompleteSearch");
	r = take_text(json, "nextPageToken", &ret->next);
	return r == 0 ? take_files(array, ret) : r;
}

/* ---- changes ---- */

void wire_changes_done(struct wire_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++) {
		free(changes->changes[i].id);
		wire_file_done(&changes->changes[i].file);
	}
	free(changes->changes);
	free(changes->next);
	free(changes->start);
	*changes = (struct wire_changes){ 0 };
}

static int take_change(const cJSON *json, struct wire_change *ret)
{
	const cJSON *file = cJSON_GetObjectItemCaseSensitive(json, "file");
	const char *time = text_of(json, "time");
	int r = take_text(json, "fileId", &ret->id);

	ret->file = (struct wire_file){ .size = -1 };
	ret->is_removed = is_true(json, "removed") || !cJSON_IsObject(file);
	if (!time || wire_parse_time(time, &ret->time_ns) < 0)
		ret->time_ns = 0;
	if (r == 0 && !ret->is_removed)
		r = take_file(file, &ret->file);
	return r;
}

static int take_changes(const cJSON *array, struct wire_changes *ret)
{
	const cJSON *item;

	ret->changes =
		calloc((size_t)cJSON_GetArraySize(array) + 1, sizeof(*ret->changes));
	if (!ret->changes)
		return -ENOMEM;
	cJSON_ArrayForEach(item, array)
	{
		struct wire_change *change = &ret->changes[ret->n];
		int r = take_change(item, change);

		ret->n++;
		if (r < 0)
			return r;
		/* about a drive, not about a file */
		if (!change->id) {
			wire_file_done(&change->file);
			ret->n--;
		}
	}
	return 0;
}

int wire_parse_changes(const char *text, size_t len, struct wire_changes *ret)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	const cJSON *array;
	int r = parse(text, len, &json);

	*ret = (struct wire_changes){ 0 };
	if (r < 0)
		return r;
	array = cJSON_GetObjectItemCaseSensitive(json, "changes");
	if (!cJSON_IsArray(array))
		return -EINVAL;
	r = take_text(json, "nextPageToken", &ret->next);
	if (r == 0)
		r = take_text(json, "newStartPageToken", &ret->start);
	if (r == 0)
		r = take_changes(array, ret);
	return r == 0 && !ret->next && !ret->start ? -EINVAL : r;
}

int wire_parse_start(const char *text, size_t len, char **ret)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	int r = parse(text, len, &json);

	*ret = NULL;
	if (r == 0)
		r = take_text(json, "startPageToken", ret);
	return r == 0 && !*ret ? -EINVAL : r;
}

/* ---- drives, ids ---- */

static void free_texts(char **texts, size_t n)
{
	for (size_t i = 0; texts && i < n; i++)
		free(texts[i]);
	free(texts);
}

void wire_drives_done(struct wire_drives *drives)
{
	free_texts(drives->ids, drives->n);
	free_texts(drives->names, drives->n);
	free(drives->next);
	*drives = (struct wire_drives){ 0 };
}

int wire_parse_drives(const char *text, size_t len, struct wire_drives *ret)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	const cJSON *array, *item;
	int r = parse(text, len, &json);

	*ret = (struct wire_drives){ 0 };
	if (r < 0)
		return r;
	array = cJSON_GetObjectItemCaseSensitive(json, "drives");
	ret->ids = calloc((size_t)cJSON_GetArraySize(array) + 1, sizeof(char *));
	ret->names = calloc((size_t)cJSON_GetArraySize(array) + 1, sizeof(char *));
	if (!ret->ids || !ret->names)
		return -ENOMEM;
	cJSON_ArrayForEach(item, array)
	{
		if (!text_of(item, "id") || !text_of(item, "name"))
			continue;
		r = take_text(item, "id", &ret->ids[ret->n]);
		if (r == 0)
			r = take_text(item, "name", &ret->names[ret->n]);
		ret->n++;
		if (r < 0)
			return r;
	}
	return take_text(json, "nextPageToken", &ret->next);
}

void wire_ids_done(struct wire_ids *ids)
{
	free_texts(ids->ids, ids->n);
	*ids = (struct wire_ids){ 0 };
}

int wire_parse_ids(const char *text, size_t len, struct wire_ids *ret)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	const cJSON *array, *item;
	int r = parse(text, len, &json);

	*ret = (struct wire_ids){ 0 };
	if (r < 0)
		return r;
	array = cJSON_GetObjectItemCaseSensitive(json, "ids");
	ret->ids = calloc((size_t)cJSON_GetArraySize(array) + 1, sizeof(char *));
	if (!ret->ids)
		return -ENOMEM;
	cJSON_ArrayForEach(item, array)
	{
		if (!cJSON_IsString(item) || strlen(item->valuestring) > MAX_TEXT)
			continue;
		ret->ids[ret->n] = strdup(item->valuestring);
		if (!ret->ids[ret->n])
			return -ENOMEM;
		ret->n++;
	}
	return ret->n ? 0 : -EINVAL;
}

/* ---- errors, tokens ---- */

/* For people: one line without control characters. */
static void take_line(const cJSON *object, const char *key, char *ret, size_t size)
{
	const char *text =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

	str_cut(ret, size, text ? text : "");
	for (char *p = ret; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	}
}

bool wire_error_is(const struct wire_error *error, const char *reason)
{
	for (size_t i = 0; i < WIRE_REASONS; i++) {
		if (strcmp(error->reasons[i], reason) == 0)
			return true;
	}
	return false;
}

int wire_parse_error(const char *text, size_t len, struct wire_error *ret)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	const cJSON *error, *item;
	size_t n = 0;
	int r = parse(text, len, &json);

	*ret = (struct wire_error){ 0 };
	if (r < 0)
		return r;
	error = cJSON_GetObjectItemCaseSensitive(json, "error");
	if (!cJSON_IsObject(error))
		return -EINVAL;
	take_line(error, "message", ret->message, sizeof(ret->message));
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(error, "errors"))
	{
		if (n < WIRE_REASONS)
			take_line(item, "reason", ret->reasons[n],
				  sizeof(ret->reasons[n]));
		n++;
	}
	return 0;
}

void wire_token_done(struct wire_token *token)
{
	free(token->access_token);
	*token = (struct wire_token){ 0 };
}

int wire_parse_token(const char *text, size_t len, struct wire_token *ret)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	int r = parse(text, len, &json);

	*ret = (struct wire_token){ 0 };
	if (r < 0)
		return r;
	take_line(json, "error", ret->error, sizeof(ret->error));
	take_line(json, "error_description", ret->description, sizeof(ret->description));
	if (ret->error[0])
		return 0;
	ret->expires_ms = number_of(json, "expires_in", 3600) * 1000;
	r = take_text(json, "access_token", &ret->access_token);
	if (r == 0 && ret->access_token) {
		/* it becomes part of a header */
		for (const char *p = ret->access_token; *p; p++) {
			if (*p <= ' ' || *p > '~')
				return -EINVAL;
		}
	}
	return r == 0 && !ret->access_token ? -EINVAL : r;
}

int wire_parse_limit(const char *text, size_t len, int64_t *ret)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	int r = parse(text, len, &json);

	if (r < 0)
		return r;
	*ret = number_of(cJSON_GetObjectItemCaseSensitive(json, "storageQuota"), "limit",
			 INT64_MAX);
	return 0;
}

/* ---- ours ---- */

static bool add(cJSON *object, const char *key, const char *text)
{
	return !text || cJSON_AddStringToObject(object, key, text);
}

/* The text, in memory that free() takes (cJSON's own allocator is malloc). */
static char *print(const cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json), *copy;

	if (!text)
		return NULL;
	copy = strdup(text);
	cJSON_free(text);
	return copy;
}

static bool add_time(cJSON *json, int64_t ns)
{
	char text[CLOCK_RFC3339_SIZE];

	clock_format(ns >= 0 ? ns / 1000000 : -((999999 - ns) / 1000000), text);
	return cJSON_AddStringToObject(json, "modifiedTime", text);
}

char *wire_format_meta(const struct wire_meta *meta)
{
	_cleanup_(json_freep) cJSON *json = cJSON_CreateObject();
	cJSON *parents;

	if (!json || !add(json, "id", meta->id) || !add(json, "name", meta->name) ||
	    !add(json, "mimeType", meta->mime))
		return NULL;
	if (meta->parent) {
		parents = cJSON_AddArrayToObject(json, "parents");
		if (!parents ||
		    !cJSON_AddItemToArray(parents, cJSON_CreateString(meta->parent)))
			return NULL;
	}
	if (meta->has_mtime && !add_time(json, meta->mtime_ns))
		return NULL;
	return print(json);
}

char *wire_format_trashed(bool is_trashed)
{
	return strdup(is_trashed ? "{\"trashed\":true}" : "{\"trashed\":false}");
}

char *wire_format_jwt_header(const char *key_id)
{
	_cleanup_(json_freep) cJSON *json = cJSON_CreateObject();

	if (!json || !add(json, "alg", "RS256") || !add(json, "typ", "JWT") ||
	    !add(json, "kid", key_id))
		return NULL;
	return print(json);
}

char *wire_format_claims(const char *email, const char *audience, const char *subject,
			 int64_t issued_s, int64_t expires_s)
{
	_cleanup_(json_freep) cJSON *json = cJSON_CreateObject();

	if (!json || !add(json, "iss", email) || !add(json, "scope", SCOPE) ||
	    !add(json, "aud", audience) || !add(json, "sub", subject) ||
	    !cJSON_AddNumberToObject(json, "iat", (double)issued_s) ||
	    !cJSON_AddNumberToObject(json, "exp", (double)expires_s))
		return NULL;
	return print(json);
}
