/*
 * providers/gdrive, the parts that are pure or nearly so: Drive's JSON, what answers mean, tickets, the governor. What
 * needs a server is in the contract suite (hand gdrive) and in tests/mount/test_gdrive*.py.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "providers/gdrive/find.h"
#include "providers/gdrive/gdrive.h"
#include "providers/gdrive/governor.h"
#include "providers/gdrive/ticket.h"
#include "providers/gdrive/verdict.h"
#include "providers/http.h"
#include "sync/base/buf.h"
#include "sync/base/clock.h"

#define SHA "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* ---- wire ---- */

static void test_file(void **state)
{
	static const char text[] =
		"{\"id\":\"1a\",\"name\":\"x \\\"y\\\"\",\"mimeType\":\"image/x-exr\","
		"\"parents\":[\"0p\",\"0q\"],\"size\":\"9007199254740993\","
		"\"md5Checksum\":\"900150983cd24fb0d6963f7d28e17f72\","
		"\"sha256Checksum\":\"" SHA "\",\"headRevisionId\":\"0r\","
		"\"createdTime\":\"2023-11-27T08:56:24.512Z\","
		"\"modifiedTime\":\"2023-11-27T10:56:24.512+02:00\",\"trashed\":false,"
		"\"capabilities\":{\"canAddChildren\":true,\"canDownload\":false}}";
	struct wire_file file;

	assert_int_equal(wire_parse_file(text, strlen(text), &file), 0);
	assert_string_equal(file.id, "1a");
	assert_string_equal(file.name, "x \"y\"");
	assert_string_equal(file.parent, "0p");
	assert_string_equal(file.revision, "0r");
	assert_true(file.size == 9007199254740993);
	assert_true(file.mtime_ns == 1701075384512000000);
	assert_true(file.digest.has_sha256 && file.digest.has_md5);
	assert_true(file.can_add && !file.can_download && !file.is_trashed);
	assert_true(wire_is_object(&file) && !wire_is_folder(&file));
	wire_file_done(&file);
}

/* Each is no object with bytes, or none at all. */
static void test_odd_files(void **state)
{
	static const struct {
		const char *text;
		int r;
		bool is_object;
	} rows[] = {
		{ "", -EINVAL, false },
		{ "[]", -EINVAL, false },
		{ "{}", -EINVAL, false },
		{ "{\"id\":1}", -EINVAL, false },
		{ "{\"id\":\"a\"", -EINVAL, false },
		{ "<html>Bad Gateway</html>", -EINVAL, false },
		{ "{\"id\":\"a\"}", 0, false },
		{ "{\"id\":\"a\",\"size\":\"-5\",\"headRevisionId\":\"r\"}", 0, false },
		{ "{\"id\":\"a\",\"size\":\"12x\",\"headRevisionId\":\"r\"}", 0, false },
		{ "{\"id\":\"a\",\"size\":\"99999999999999999999\","
		  "\"headRevisionId\":\"r\"}",
		  0, false },
		{ "{\"id\":\"a\",\"size\":\"5\"}", 0, false },
		{ "{\"id\":\"a\",\"size\":5,\"headRevisionId\":\"r\"}", 0, true },
		{ "{\"id\":\"a\",\"size\":\"0\",\"headRevisionId\":\"r\"}", 0, true },
		{ "{\"id\":\"a\",\"size\":\"5\",\"md5Checksum\":"
		  "\"900150983cd24fb0d6963f7d28e17f72\"}",
		  0, true },
		{ "{\"id\":\"a\",\"size\":\"5\",\"md5Checksum\":\"90\"}", 0, false },
		{ "{\"id\":\"a\",\"size\":\"5\",\"headRevisionId\":\"r\",\"mimeType\":"
		  "\"" WIRE_FOLDER "\"}",
		  0, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct wire_file file;

		assert_int_equal(
			wire_parse_file(rows[i].text, strlen(rows[i].text), &file),
			rows[i].r);
		assert_int_equal(wire_is_object(&file), rows[i].is_object);
		wire_file_done(&file);
	}
}

static void test_list(void **state)
{
	static const char text[] =
		"{\"nextPageToken\":\"t\",\"incompleteSearch\":true,\"files\":["
		"{\"id\":\"a\",\"name\":\"x\"},{\"id\":\"b\"},7,{\"name\":\"y\"},"
		"{\"id\":\"c\",\"name\":\"z\",\"trashed\":true}]}";
	struct wire_list list;

	assert_int_equal(wire_parse_list(text, strlen(text), &list), 0);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.files[1].id, "c");
	assert_true(list.files[1].is_trashed);
	assert_string_equal(list.next, "t");
	assert_true(list.is_incomplete);
	wire_list_done(&list);
	assert_int_equal(wire_parse_list("{\"files\":3}", 11, &list), -EINVAL);
	wire_list_done(&list);
}

static void test_changes(void **state)
{
	static const char text[] =
		"{\"nextPageToken\":\"n\",\"changes\":["
		"{\"fileId\":\"a\",\"removed\":true,\"time\":\"2023-11-27T08:56:24Z\"},"
		"{\"changeType\":\"drive\"},7,"
		"{\"fileId\":\"b\",\"file\":{\"id\":\"b\",\"name\":\"x\","
		"\"trashed\":true,\"explicitlyTrashed\":true,"
		"\"trashedTime\":\"2023-11-27T08:56:25Z\",\"trashingUser\":"
		"{\"displayName\":\"Ann\\nB\",\"emailAddress\":\"ann@x\"},"
		"\"lastModifyingUser\":{\"displayName\":\"Bob\"}}}]}";
	struct wire_changes changes;
	char *start;

	assert_int_equal(wire_parse_changes(text, strlen(text), &changes), 0);
	assert_int_equal(changes.n, 2);
	assert_true(changes.changes[0].is_removed && !changes.changes[0].file.id);
	assert_true(changes.changes[0].time_ns == 1701075384000000000);
	assert_string_equal(changes.changes[1].file.trasher, "Ann B <ann@x>");
	assert_string_equal(changes.changes[1].file.editor, "Bob");
	assert_true(changes.changes[1].file.is_trashed_itself);
	assert_true(changes.changes[1].file.trashed_ns == 1701075385000000000);
	assert_string_equal(changes.next, "n");
	assert_null(changes.start);
	wire_changes_done(&changes);
	/* one without an end would be asked for ever */
	assert_int_equal(wire_parse_changes("{\"changes\":[]}", 14, &changes), -EINVAL);
	wire_changes_done(&changes);
	assert_int_equal(wire_parse_changes("{\"changes\":3}", 13, &changes), -EINVAL);
	wire_changes_done(&changes);
	assert_int_equal(wire_parse_start("{\"startPageToken\":\"5\"}", 22, &start), 0);
	assert_string_equal(start, "5");
	free(start);
	assert_int_equal(wire_parse_start("{}", 2, &start), -EINVAL);
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int r;
		int64_t ns;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0, 0 },
		{ "1970-01-01T00:00:00.000000001Z", 0, 1 },
		{ "1969-12-31T23:59:59.5Z", 0, -500000000 },
		{ "2000-02-29T12:00:00+12:00", 0, 951782400000000000 },
		{ "2000-02-29T00:00:00-01:30", 0, 951787800000000000 },
		{ "", -EINVAL, 0 },
		{ "2000-02-29", -EINVAL, 0 },
		{ "2000-02-29T00:00:00", -EINVAL, 0 },
		{ "2000-13-01T00:00:00Z", -EINVAL, 0 },
		{ "9999-01-01T00:00:00Z", -EINVAL, 0 },
		{ "2000-02-29T00:00:00Zx", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t ns = 0;

		assert_int_equal(wire_parse_time(rows[i].text, &ns), rows[i].r);
		assert_true(ns == rows[i].ns);
	}
}

static void test_meta(void **state)
{
	struct wire_meta meta = { .id = "1a",
				  .name = "a \"b\"\n",
				  .parent = "0p",
				  .has_mtime = true,
				  .mtime_ns = 1701075384512999999 };
	_cleanup_(freep) char *text = wire_format_meta(&meta);

	assert_string_equal(text, "{\"id\":\"1a\",\"name\":\"a \\\"b\\\"\\n\","
				  "\"parents\":[\"0p\"],"
				  "\"modifiedTime\":\"2023-11-27T08:56:24.512Z\"}");
}

static void test_token(void **state)
{
	struct wire_token token;
	static const char good[] = "{\"access_token\":\"ya29.x\",\"expires_in\":3599}";
	static const char evil[] = "{\"access_token\":\"a\\r\\nX: y\"}";
	static const char bad[] = "{\"error\":\"invalid_grant\","
				  "\"error_description\":\"two\\nlines\"}";

	assert_int_equal(wire_parse_token(good, strlen(good), &token), 0);
	assert_string_equal(token.access_token, "ya29.x");
	assert_int_equal(token.expires_ms, 3599000);
	wire_token_done(&token);
	/* it becomes part of a header */
	assert_int_equal(wire_parse_token(evil, strlen(evil), &token), -EINVAL);
	wire_token_done(&token);
	assert_int_equal(wire_parse_token(bad, strlen(bad), &token), 0);
	assert_string_equal(token.error, "invalid_grant");
	assert_string_equal(token.description, "two lines");
	wire_token_done(&token);
}

static void test_quotes(void **state)
{
	static const char *const rows[][2] = {
		{ "plain", "'plain'" }, { "it's", "'it\\'s'" }, { "a\\b", "'a\\\\b'" },
		{ "\\'", "'\\\\\\''" }, { "", "''" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(buf_done) struct buf query = { 0 };

		assert_int_equal(find_quote(&query, rows[i][0]), 0);
		assert_string_equal(query.data, rows[i][1]);
	}
}

/* ---- what answers mean ---- */

static void test_verdicts(void **state)
{
	static const struct {
		int status;
		const char *reason;
		int writing, reading; /* the outcome */
	} rows[] = {
		{ 200, "", 0, 0 },
		{ 201, "", 0, 0 },
		{ 308, "", 0, 0 },
		{ 401, "authError", PROVIDER_UNAUTHORIZED, PROVIDER_UNAUTHORIZED },
		{ 403, "rateLimitExceeded", PROVIDER_BUSY, PROVIDER_BUSY },
		{ 403, "userRateLimitExceeded", PROVIDER_BUSY, PROVIDER_BUSY },
		{ 403, "dailyLimitExceeded", PROVIDER_FULL, PROVIDER_FULL },
		{ 403, "storageQuotaExceeded", PROVIDER_FULL, PROVIDER_FULL },
		{ 403, "teamDriveFileLimitExceeded", PROVIDER_FULL, PROVIDER_FULL },
		{ 403, "numChildrenInNonRootLimitExceeded", PROVIDER_REFUSED,
		  PROVIDER_REFUSED },
		{ 403, "insufficientFilePermissions", PROVIDER_DENIED, PROVIDER_REFUSED },
		{ 403, "domainPolicy", PROVIDER_DENIED, PROVIDER_REFUSED },
		{ 403, "downloadQuotaExceeded", PROVIDER_BUSY, PROVIDER_BUSY },
		{ 403, "cannotDownloadAbusiveFile", PROVIDER_REFUSED, PROVIDER_REFUSED },
		{ 403, "", PROVIDER_DENIED, PROVIDER_REFUSED },
		{ 404, "notFound", PROVIDER_GONE, PROVIDER_GONE },
		{ 410, "", PROVIDER_GONE, PROVIDER_GONE },
		{ 409, "fileIdInUse", PROVIDER_EXISTS, PROVIDER_EXISTS },
		{ 416, "", PROVIDER_TORN, PROVIDER_TORN },
		{ 429, "", PROVIDER_BUSY, PROVIDER_BUSY },
		{ 429, "rateLimitExceeded", PROVIDER_BUSY, PROVIDER_BUSY },
		{ 500, "", PROVIDER_BUSY, PROVIDER_BUSY },
		{ 502, "", PROVIDER_BUSY, PROVIDER_BUSY },
		{ 503, "backendError", PROVIDER_BUSY, PROVIDER_BUSY },
		{ 400, "invalidParameter", PROVIDER_REFUSED, PROVIDER_REFUSED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct wire_error error = { 0 };
		enum verdict verdict;

		/* any of the list counts */
		str_cut(error.reasons[i % WIRE_REASONS], sizeof(error.reasons[0]),
			rows[i].reason);
		verdict = verdict_of(rows[i].status, &error);
		assert_int_equal(verdict_outcome(verdict, true), rows[i].writing);
		assert_int_equal(verdict_outcome(verdict, false), rows[i].reading);
	}
}

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		bool is_safe;
	} rows[] = {
		{ "https://www.googleapis.com", true },
		{ "https://www.googleapis.com/a?b", true },
		{ "http://127.0.0.1:8080/x", true },
		{ "http://localhost", true },
		{ "http://[::1]:80/", true },
		{ "http://www.googleapis.com", false },
		{ "http://127.0.0.1.evil.com/", false },
		{ "http://127.0.0.1:80@evil.com/", false },
		{ "https://user:pw@evil.com/", false },
		{ "ftp://127.0.0.1/", false },
		{ "https://", false },
		{ "file:///etc/passwd", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(http_is_safe_url(rows[i].url), rows[i].is_safe);
}

/* ---- tickets ---- */

static struct ticket ticket_new(void)
{
	struct ticket ticket = { .size = 100, .mtime_ns = -7 };

	ticket.id = strdup("1a");
	ticket.parent = strdup("0p");
	ticket.session = strdup("https://www.googleapis.com/upload?upload_id=x");
	memset(ticket.state, 0x5a, sizeof(ticket.state));
	return ticket;
}

static void test_ticket_round_trip(void **state)
{
	struct ticket ticket = ticket_new(), parsed;
	struct provider_put put = { .size = 100, .mtime_ns = -7 };
	_cleanup_(freep) char *text = ticket_format(&ticket);

	assert_int_equal(ticket_parse(text, &parsed), 0);
	assert_string_equal(parsed.id, ticket.id);
	assert_string_equal(parsed.session, ticket.session);
	assert_null(parsed.previous);
	assert_memory_equal(parsed.state, ticket.state, sizeof(ticket.state));
	assert_true(ticket_is_of(&parsed, &put, "0p"));
	assert_false(ticket_is_of(&parsed, &put, "0q"));
	put.size++;
	assert_false(ticket_is_of(&parsed, &put, "0p"));
	put.size--;
	put.previous = "0r";
	assert_false(ticket_is_of(&parsed, &put, "0p"));
	ticket_done(&ticket);
	ticket_done(&parsed);
}

/* One bit anywhere. */
static void test_ticket_damaged(void **state)
{
	struct ticket ticket = ticket_new(), parsed;
	_cleanup_(freep) char *text = ticket_format(&ticket);

	for (size_t i = 0; i < strlen(text); i++) {
		for (int bit = 0; bit < 7; bit++) {
			text[i] = (char)(text[i] ^ 1 << bit);
			if (text[i])
				assert_int_equal(ticket_parse(text, &parsed), -EINVAL);
			text[i] = (char)(text[i] ^ 1 << bit);
		}
	}
	assert_int_equal(ticket_parse("", &parsed), -EINVAL);
	ticket_done(&ticket);
}

static void test_hasher_goes_on(void **state)
{
	_cleanup_(hasher_freep) struct hasher *first = NULL, *second = NULL;
	uint8_t data[1024], saved[HASHER_STATE_SIZE];
	struct digest whole, rest;
	uint64_t len;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	assert_int_equal(hasher_new(&first), 0);
	assert_int_equal(hasher_new(&second), 0);
	hasher_add(first, data, 100);
	assert_int_equal(hasher_save(first, saved), -EINVAL);
	hasher_add(first, data + 100, 412);
	assert_int_equal(hasher_save(first, saved), 0);
	hasher_add(first, data + 512, 512);
	hasher_take(first, &whole);
	assert_int_equal(hasher_load(second, saved, &len), 0);
	assert_int_equal(len, 512);
	hasher_add(second, data + 512, 512);
	hasher_take(second, &rest);
	assert_memory_equal(whole.sha256, rest.sha256, DIGEST_SHA256_SIZE);
	assert_memory_equal(whole.md5, rest.md5, DIGEST_MD5_SIZE);
	saved[HASHER_STATE_SIZE - 1]++;
	assert_int_equal(hasher_load(second, saved, &len), -EINVAL);
}

/* ---- the governor ---- */

static void test_units(void **state)
{
	struct governor governor;
	int64_t wait_ms;
	size_t lane;
	int n = 0;

	assert_int_equal(governor_init(&governor, 1), 0);
	while (governor_enter(&governor, UNITS_MEDIA, &lane, &wait_ms) == 0)
		n++;
	/* 325,000 units, and what a slow machine earned meanwhile */
	assert_true(n >= 1625 && n < 1800);
	assert_true(wait_ms > 0 && wait_ms < 100);
	clock_advance(30000);
	for (n = 0; governor_enter(&governor, UNITS_MEDIA, &lane, &wait_ms) == 0;)
		n++;
	assert_true(n >= 800 && n < 1000);
	governor_done(&governor);
}

static void test_pauses(void **state)
{
	struct governor governor;
	int64_t wait_ms, pause_ms, last_ms = 0;
	size_t lane;

	assert_int_equal(governor_init(&governor, 2), 0);
	/* longer each time, and no longer than 64 s */
	for (int i = 0; i < 10; i++) {
		pause_ms = governor_refused(&governor, 0, -1);
		assert_true(pause_ms >= (i < 6 ? 1000LL << i : 63900) &&
			    pause_ms <= 65000);
		assert_true(i >= 6 || pause_ms > last_ms);
		/* those who were under way are told the same, and change nothing */
		assert_true(governor_refused(&governor, 0, -1) <= pause_ms);
		last_ms = pause_ms;
		clock_advance(pause_ms + 1);
	}
	governor_went_well(&governor, 0, false);
	assert_true(governor_refused(&governor, 0, -1) < 2001);
	/* the other identity goes on */
	for (int i = 0; i < 4; i++) {
		assert_int_equal(governor_enter(&governor, UNITS_GET, &lane, &wait_ms),
				 0);
		assert_int_equal(lane, 1);
	}
	/* until it is told to wait as well: the shorter of the two counts */
	assert_true(governor_refused(&governor, 1, 500) <= 500);
	assert_int_equal(governor_enter(&governor, UNITS_GET, &lane, &wait_ms), -EAGAIN);
	assert_true(wait_ms <= 500);
	governor_done(&governor);
}

static void test_bytes_a_day(void **state)
{
	struct governor governor;
	int64_t wait_ms;
	size_t lane;

	assert_int_equal(governor_init(&governor, 2), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(governor_enter_upload(&governor, 1, &lane, &wait_ms), 0);
		assert_int_equal(lane, i);
		governor_sent(&governor, lane, GOVERNOR_DAY_BYTES - 10 * i);
	}
	/* the first has reached the line, the second may cross it */
	assert_int_equal(governor_enter_upload(&governor, 1000, &lane, &wait_ms), 0);
	assert_int_equal(lane, 1);
	governor_sent(&governor, lane, 1000);
	assert_int_equal(governor_enter_upload(&governor, 1, &lane, &wait_ms), -EDQUOT);
	clock_advance(26LL * 3600 * 1000);
	assert_int_equal(governor_enter_upload(&governor, 1, &lane, &wait_ms), 0);
	governor_done(&governor);
}

/* What one process sent, the next one knows: as far as it was in the last day, and of the same identity. */
static void test_bytes_of_before(void **state)
{
	static const char *const names[] = { "a", "b" }, *const others[] = { "c", "b" };
	struct governor governor, next;
	struct provider_quota quota;
	_cleanup_(freep) char *text = NULL;
	int64_t wait_ms;
	size_t lane;

	assert_int_equal(governor_init(&governor, 2), 0);
	text = governor_save(&governor, names);
	assert_string_equal(text, "");
	free(text);
	governor_sent(&governor, 0, 1000);
	governor_sent(&governor, 1, GOVERNOR_DAY_BYTES);
	clock_advance(3600 * 1000);
	governor_sent(&governor, 0, GOVERNOR_DAY_BYTES);
	text = governor_save(&governor, names);

	assert_int_equal(governor_init(&next, 2), 0);
	governor_load(&next, names, text);
	assert_int_equal(governor_enter_upload(&next, 1, &lane, &wait_ms), -EDQUOT);
	/* the second opens first: what it sent falls out of the day an hour before */
	assert_true(wait_ms > 22LL * 3600 * 1000 && wait_ms <= 24LL * 3600 * 1000);
	governor_get_quota(&next, &quota);
	assert_true(quota.sent == 2 * GOVERNOR_DAY_BYTES + 1000);
	assert_true(quota.limit == 2 * GOVERNOR_DAY_BYTES);
	assert_in_range(quota.opens_ms - clock_wall_ms(), wait_ms - 10000, wait_ms);
	clock_advance(wait_ms + 1);
	assert_int_equal(governor_enter_upload(&next, 1, &lane, &wait_ms), 0);
	assert_int_equal(lane, 1);
	governor_done(&next);

	/* another key in the place of the first, and text that nobody wrote */
	assert_int_equal(governor_init(&next, 2), 0);
	governor_load(&next, others, "b 1:99999999999999\nb x\nb 5\nb 7:\n\nb 1:-5\nc");
	governor_get_quota(&next, &quota);
	assert_int_equal(quota.sent, 0);
	assert_int_equal(quota.opens_ms, 0);
	governor_load(&next, others, text);
	assert_int_equal(governor_enter_upload(&next, 1, &lane, &wait_ms), 0);
	assert_int_equal(lane, 0);
	governor_done(&next);
	governor_done(&governor);
}

/* Nobody is paced before he was refused; then some three writes a second, and more as long as it goes well. */
static void test_writes_a_second(void **state)
{
	struct governor governor;
	int64_t wait_ms;
	size_t lane;
	int n;

	assert_int_equal(governor_init(&governor, 1), 0);
	for (n = 0; n < 500; n++)
		assert_int_equal(governor_enter_upload(&governor, 1, &lane, &wait_ms), 0);
	governor_pace(&governor, 0);
	clock_advance(60000);
	for (n = 0; governor_enter_upload(&governor, 1, &lane, &wait_ms) == 0; n++)
		assert_true(n < 10);
	assert_true(n >= 3 && wait_ms > 0 && wait_ms <= 334);
	clock_advance(wait_ms);
	assert_int_equal(governor_enter_upload(&governor, 1, &lane, &wait_ms), 0);
	for (n = 0; n < 2000; n++)
		governor_went_well(&governor, 0, true);
	for (n = 0; n < 100; n++)
		assert_int_equal(governor_enter_upload(&governor, 1, &lane, &wait_ms), 0);
	governor_done(&governor);
}

/* ---- the site's settings ---- */

static void test_settings(void **state)
{
	struct config_root root = { .name = (char[]){ "work" },
				    .path = (char[]){ "/Show/work" } };
	char *credentials[] = { (char[]){ "/nowhere/key.json" } };
	struct config_site site = { .name = (char[]){ "gdrive" },
				    .provider = (char[]){ "gdrive" } };
	struct provider *provider = NULL;
	struct provider_call call = { 0 };
	struct error error = { 0 };

	assert_int_equal(gdrive_new(&site, &provider, &error), -EINVAL);
	assert_non_null(strstr(error.text, "root"));
	site.roots = &root;
	site.n_roots = 1;
	assert_int_equal(gdrive_new(&site, &provider, &error), -EINVAL);
	assert_non_null(strstr(error.text, "credentials_url"));
	site.credentials = credentials;
	site.n_credentials = 1;
	site.endpoint = (char[]){ "http://www.googleapis.com" };
	assert_int_equal(gdrive_new(&site, &provider, &error), -EINVAL);
	site.endpoint = (char[]){ "http://127.0.0.1:1/" };
	assert_int_equal(gdrive_new(&site, &provider, &error), 0);
	/* the key is looked at by the first call */
	assert_int_equal(provider->ops->probe(provider, false, &call),
			 PROVIDER_UNAUTHORIZED);
	assert_non_null(strstr(call.error.text, "/nowhere/key.json"));
	provider_free(provider);
}

/* ---- HTTP without anybody at the other end ---- */

static void test_nobody_there(void **state)
{
	_cleanup_(http_freep) struct http *http = NULL;
	struct http_request request = { .method = "GET",
					.url = "http://127.0.0.1:1/secret",
					.body_len = -1 };
	struct http_answer answer;
	struct error error = { 0 };
	bool cancel = true;

	assert_int_equal(http_new(NULL, &http), 0);
	assert_int_equal(http_run(http, &request, &answer, &error), HTTP_UNREACHABLE);
	assert_true(error.text[0]);
	assert_null(strstr(error.text, "secret"));
	http_answer_done(&answer);
	request.cancel = &cancel;
	assert_int_equal(http_run(http, &request, &answer, &error), -ECANCELED);
	http_answer_done(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_odd_files),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_meta),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_ticket_round_trip),
		cmocka_unit_test(test_ticket_damaged),
		cmocka_unit_test(test_hasher_goes_on),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_pauses),
		cmocka_unit_test(test_bytes_a_day),
		cmocka_unit_test(test_bytes_of_before),
		cmocka_unit_test(test_writes_a_second),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
