/* sync/dump: mongodump BSON and extended JSON, read and written without loss; damage is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bson/bson.h>
#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/dump.h"
#include "tests/unit/fixture.h"

/* Two documents, 22 and 12 bytes: {"hello": "world"}, {"a": 1}. */
static const char two[] = "\x16\0\0\0\x02hello\0\6\0\0\0world\0\0"
			  "\x0c\0\0\0\x10"
			  "a\0\1\0\0\0\0";
#define TWO_SIZE 34
#define FIRST_SIZE 22

struct taken {
	struct buf bytes;
	int n, stop_after;
};

static int take(void *context, const void *bson, size_t len)
{
	struct taken *taken = context;

	assert_int_equal(buf_add(&taken->bytes, bson, len), 0);
	taken->n++;
	return taken->n == taken->stop_after ? 77 : 0;
}

static int read_bytes(const void *data, size_t len, struct taken *taken,
		      struct error *error)
{
	FILE *file = tmpfile();
	int r;

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	rewind(file);
	r = dump_read(file, "f.bson", take, taken, error);
	fclose(file);
	return r;
}

static void test_bson(void **state)
{
	struct taken taken = { 0 };

	assert_int_equal(read_bytes(two, TWO_SIZE, &taken, NULL), 0);
	assert_int_equal(taken.n, 2);
	assert_int_equal(taken.bytes.len, TWO_SIZE);
	assert_memory_equal(taken.bytes.data, two, TWO_SIZE);
	buf_done(&taken.bytes);
	taken = (struct taken){ .stop_after = 1 };
	assert_int_equal(read_bytes(two, TWO_SIZE, &taken, NULL), 77);
	assert_int_equal(taken.n, 1);
	buf_done(&taken.bytes);
	taken = (struct taken){ 0 };
	assert_int_equal(read_bytes("", 0, &taken, NULL), 0);
	assert_int_equal(taken.n, 0);
}

static void test_bson_cut_off_anywhere(void **state)
{
	for (size_t len = 4; len < TWO_SIZE; len++) {
		struct taken taken = { 0 };
		struct error error = { 0 };
		int r = read_bytes(two, len, &taken, &error);

		if (len == FIRST_SIZE) {
			assert_int_equal(r, 0);
		} else {
			assert_int_equal(r, -EBADMSG);
			assert_non_null(strstr(error.text, "f.bson is cut off"));
			assert_non_null(strstr(error.text, len < FIRST_SIZE
								   ? "at byte 0"
								   : "at byte 22"));
		}
		assert_int_equal(taken.n, len >= FIRST_SIZE);
		buf_done(&taken.bytes);
	}
}

struct bad_row {
	const char *text;
	size_t len;
	const char *says;
};

#define BAD(text, says) { text, sizeof(text) - 1, says }

static const struct bad_row bad_rows[] = {
	/* BSON */
	BAD("\3\0\0\0", "a document of 3 bytes at byte 0"),
	BAD("\0\0\0\1....", "at byte 0 says 16777216 bytes, 8 are there"),
	BAD("\xff\xff\xff\1", "a document of 33554431 bytes"),
	BAD("\x0c\0\0\0\x77"
	    "a\0\1\0\0\0\0",
	    "the document at byte 0 is damaged"),
	BAD("\x05\0\0\0\0\x0c\0\0\0\x10"
	    "a\0\1\0\0\0\1",
	    "the document at byte 5 is damaged"),
	BAD("\x1f\x8b\x08\0", "gunzip"),
	BAD("\x6d\xe2\x99\x81", "--out"),
	/* JSON */
	BAD("{\"a\": 1", "the document at line 1 does not end"),
	BAD("[{\"a\": 1},\n{\"a\": \"}", "the document at line 2 does not end"),
	BAD("[{\"a\": 1}", "ends without a comma or the array's end"),
	BAD("[{\"a\": 1} {}]", "line 1 has other text where a comma"),
	BAD("[{\"a\": 1},\n]", "line 2 has other text where an object"),
	BAD("[]]", "the file's end"),
	BAD("{}\n\nx", "line 3 has other text"),
	BAD("[1]", "where an object belongs"),
	BAD("\"text\"", "neither"),
	BAD("{}\n{\"a\": }", "the document at line 2 is no extended JSON"),
	BAD("{\"_id\": {\"$oid\": \"5\"}}", "no extended JSON"),
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_rows); i++) {
		const struct bad_row *row = &bad_rows[i];
		struct taken taken = { 0 };
		struct error error = { 0 };

		assert_int_equal(read_bytes(row->text, row->len, &taken, &error),
				 -EBADMSG);
		if (!strstr(error.text, row->says) || !strstr(error.text, "f.bson"))
			fail_msg("row %zu says: %s", i, error.text);
		buf_done(&taken.bytes);
	}
}

static void test_json_shapes(void **state)
{
	static const char *const rows[] = {
		"{\"hello\": \"world\"}\n{\"a\": {\"$numberInt\": \"1\"}}\n",
		"[ {\"hello\":\"world\"} ,\r\n\t{\"a\":1}]\n",
		"{\"hello\":\"world\"}{\"a\":1}",
		"\xef\xbb\xbf{\n \"hello\":\n \"world\"\n}\n{\n\"a\": 1}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct taken taken = { 0 };
		struct error error = { 0 };

		if (read_bytes(rows[i], strlen(rows[i]), &taken, &error) != 0)
			fail_msg("row %zu says: %s", i, error.text);
		assert_int_equal(taken.n, 2);
		assert_int_equal(taken.bytes.len, TWO_SIZE);
		assert_memory_equal(taken.bytes.data, two, TWO_SIZE);
		buf_done(&taken.bytes);
	}
}

static int write_all(struct buf *docs, enum dump_format format, struct taken *taken,
		     struct error *error)
{
	FILE *file = tmpfile();
	int r = 0;

	assert_non_null(file);
	for (size_t at = 0; r == 0 && at < docs->len;) {
		uint32_t len;

		memcpy(&len, docs->data + at, sizeof(len));
		r = dump_write(file, format, docs->data + at, BSON_UINT32_FROM_LE(len),
			       error);
		at += BSON_UINT32_FROM_LE(len);
	}
	if (r == 0) {
		rewind(file);
		r = dump_read(file, "again", take, taken, error);
	}
	fclose(file);
	return r;
}

/* Through both formats and back to the same bytes. */
static void assert_lossless(struct buf *docs)
{
	static const enum dump_format formats[] = { DUMP_BSON, DUMP_JSON };

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct taken again = { 0 };
		struct error error = { 0 };

		if (write_all(docs, formats[i], &again, &error) != 0)
			fail_msg("%s", error.text);
		assert_int_equal(again.bytes.len, docs->len);
		assert_memory_equal(again.bytes.data, docs->data, docs->len);
		buf_done(&again.bytes);
	}
}

static void test_every_type(void **state)
{
	static const char json[] =
		"{\"d\":{\"$numberDouble\":\"0.1\"},\"d0\":{\"$numberDouble\":\"-0.0\"},"
		"\"dn\":{\"$numberDouble\":\"NaN\"},\"di\":{\"$numberDouble\":\"-Infinity\"},"
		"\"s\":\"\\u00e4\\u0000\\n\\\"\",\"o\":{},\"a\":[[],{}],"
		"\"b\":{\"$binary\":{\"base64\":\"AAEC\",\"subType\":\"80\"}},"
		"\"u\":{\"$undefined\":true},\"i\":{\"$oid\":\"5fa2cf00aabbccddeeff0000\"},"
		"\"t\":true,\"w\":{\"$date\":{\"$numberLong\":\"-1\"}},\"n\":null,"
		"\"r\":{\"$regularExpression\":{\"pattern\":\"^a\",\"options\":\"im\"}},"
		"\"p\":{\"$dbPointer\":{\"$ref\":\"c\",\"$id\":{\"$oid\":"
		"\"5fa2cf00aabbccddeeff0000\"}}},\"c\":{\"$code\":\"f()\"},"
		"\"y\":{\"$symbol\":\"s\"},\"cs\":{\"$code\":\"f\",\"$scope\":{\"x\":1}},"
		"\"i32\":{\"$numberInt\":\"-1\"},\"ts\":{\"$timestamp\":{\"t\":1,\"i\":2}},"
		"\"i64\":{\"$numberLong\":\"9223372036854775807\"},"
		"\"m\":{\"$numberDecimal\":\"1.10\"},\"lo\":{\"$minKey\":1},"
		"\"hi\":{\"$maxKey\":1}}";
	struct taken taken = { 0 };
	struct error error = { 0 };

	if (read_bytes(json, sizeof(json) - 1, &taken, &error) != 0)
		fail_msg("%s", error.text);
	assert_lossless(&taken.bytes);
	buf_done(&taken.bytes);
}

static void test_json_that_would_lie(void **state)
{
	/* {"a": {"$oid": "x"}}, a text of the byte 0xff, and an array with keys of its own. */
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{ "\x19\0\0\0\x03"
		  "a\0\x11\0\0\0\x02$oid\0\2\0\0\0x\0\0\0",
		  25 },
		{ "\x0e\0\0\0\x02"
		  "a\0\2\0\0\0\xff\0\0",
		  14 },
		{ "\x14\0\0\0\x04"
		  "a\0\x0c\0\0\0\x10"
		  "7\0\1\0\0\0\0\0",
		  20 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct taken taken = { 0 }, again = { 0 };
		struct error error = { 0 };

		assert_int_equal(read_bytes(rows[i].bytes, rows[i].len, &taken, &error),
				 0);
		assert_int_equal(write_all(&taken.bytes, DUMP_JSON, &again, &error),
				 -EBADMSG);
		assert_non_null(strstr(error.text, "export BSON"));
		buf_done(&taken.bytes);
		buf_done(&again.bytes);
	}
}

static void test_nesting(void **state)
{
	enum { LEVELS = 100000 };
	char *text = malloc(2 * LEVELS + 16);
	struct taken taken = { 0 };

	/* BSON as deep as a file can make it must not take the stack along. */
	assert_non_null(text);
	memset(text, '[', LEVELS);
	memcpy(text, "{\"a\":", 5);
	memset(text + LEVELS, ']', LEVELS - 5);
	text[2 * LEVELS - 5] = '}';
	assert_int_equal(read_bytes(text, 2 * LEVELS - 4, &taken, NULL), -EBADMSG);
	free(text);
}

static void test_deep_bson(void **state)
{
	enum { LEVELS = 100000 };
	/* Each level: type, "", length; then all the ends. */
	struct buf doc = { 0 };
	struct taken taken = { 0 };
	struct error error = { 0 };

	for (uint32_t i = 0; i < LEVELS; i++) {
		uint32_t len = BSON_UINT32_TO_LE(5 + (LEVELS - 1 - i) * 7);

		assert_int_equal(buf_add(&doc, &len, sizeof(len)), 0);
		if (i + 1 < LEVELS)
			assert_int_equal(buf_add(&doc, "\x03\0", 2), 0);
	}
	for (uint32_t i = 0; i < LEVELS; i++)
		assert_int_equal(buf_addc(&doc, 0), 0);
	assert_int_equal(read_bytes(doc.data, doc.len, &taken, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "is damaged"));
	buf_done(&doc);
}

static void test_fixtures(void **state)
{
	static const struct {
		const char *name;
		int n;
	} rows[] = {
		{ "openpype/site_sync/test_db.test_project.bson", 15 },
		{ "openpype/site_sync/openpype.settings.bson", 4 },
		{ "openpype/maya_publish/input.test_project.bson", 2 },
		{ "openpype/maya_publish/avalon_tests.test_project.json", 12 },
	};

	fixture_skip_if_missing();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) char *path = fixture_path(rows[i].name);
		_cleanup_(fclosep) FILE *file = fopen(path, "re");
		struct taken taken = { 0 };
		struct error error = { 0 };

		assert_non_null(file);
		if (dump_read(file, path, take, &taken, &error) != 0)
			fail_msg("%s", error.text);
		if (taken.n != rows[i].n)
			fail_msg("%s: %d documents", path, taken.n);
		assert_lossless(&taken.bytes);
		buf_done(&taken.bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bson),
		cmocka_unit_test(test_bson_cut_off_anywhere),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_json_shapes),
		cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_json_that_would_lie),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_deep_bson),
		cmocka_unit_test(test_fixtures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
