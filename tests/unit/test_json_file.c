/* sync/json_file: what the old loader let pass, and errors that name line and remedy. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/json_file.h"

static int parse(const char *text, struct json_file **ret, struct error *error)
{
	return json_file_parse("a.json", text, strlen(text), ret, error);
}

static void test_what_passes(void **state)
{
	static const char *const rows[] = {
		"{\"a\": \"b\"}",
		"{\"a\": \"b\",}",
		"{\"a\": \"b\" ,\n\t}\n",
		"\xef\xbb\xbf{\"a\": \"b\"}",
		"{\"x\": [1, 2,], \"a\": \"b\"}",
		"{\"x\": [[],[{},],], \"a\": \"b\"}",
		"{\"x\": -1.5e+3, \"y\": true, \"z\": null, \"a\": \"b\"}",
		"{\"x\": \"/* # -- // */ , } \\\" \\\\\", \"a\": \"b\"}",
		"{\"x\": \"\\u00e4\\ud83d\\ude00\", \"a\": \"\\u0062\"}",
		"{\r\n\"a\":\"b\"\r\n}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(json_file_freep) struct json_file *file = NULL;
		struct error error = { 0 };
		const char *text;

		assert_int_equal(parse(rows[i], &file, &error), 0);
		assert_int_equal(json_at_text(json_at_find(json_file_top(file), "a"),
					      &text, &error),
				 0);
		assert_string_equal(text, "b");
		assert_null(json_file_warning(file));
	}
}

static void test_empty(void **state)
{
	static const char *const rows[] = { "", " \n\t", "\xef\xbb\xbf\n", "{}" };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(json_file_freep) struct json_file *file = NULL;

		assert_int_equal(parse(rows[i], &file, NULL), 0);
		assert_true(json_at_is_object(json_file_top(file)));
		assert_null(json_at_first(json_file_top(file)).node);
	}
}

#define VALUE "a text in double quotes, a number, true, false, null, \"{\" or \"[\""

static void test_faults(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "{\n\"a\": 1 -- the site\n}",
		  "a.json:2: remarks (\"--\") are not allowed in JSON: remove it" },
		{ "# presets\n{}",
		  "a.json:1: remarks (\"#\") are not allowed in JSON: remove it" },
		{ "{} // x",
		  "a.json:1: remarks (\"//\") are not allowed in JSON: remove it" },
		{ "{\n\n/* x */}",
		  "a.json:3: remarks (\"/*\") are not allowed in JSON: remove it" },
		{ "{\"a\": 1,\n#\n}",
		  "a.json:2: remarks (\"#\") are not allowed in JSON: remove it" },
		{ "{\n\"a\": \"C:\\projects\"}",
		  "a.json:2: a single back-slash in a text: write \"\\\\\", or \"/\" in paths" },
		{ "{\"a\": \"b\n\"}",
		  "a.json:1: a text has no closing quote (\") on its line" },
		{ "{\"a\": \"b",
		  "a.json:1: a text has no closing quote (\") on its line" },
		{ "{\"a\": \"b\\",
		  "a.json:1: a single back-slash in a text: write \"\\\\\", or \"/\" in paths" },
		{ "{\"a\": 1\n\n\"b\": 2}",
		  "a.json:3: \",\" or \"}\" should be where \"\"\" is" },
		{ "[1 2]", "a.json:1: \",\" or \"]\" should be where \"2\" is" },
		{ "[1,,2]", "a.json:1: " VALUE " should be where \",\" is" },
		{ "{'a': 1}",
		  "a.json:1: a text stands in double quotes (\"), not in single ones" },
		{ "{\"a\": True}", "a.json:1: " VALUE " should be where \"T\" is" },
		{ "{a: 1}", "a.json:1: a key in double quotes should be where \"a\" is" },
		{ "{\"a\" 1}", "a.json:1: \":\" should be where \"1\" is" },
		{ "{\"a\": }", "a.json:1: " VALUE " should be where \"}\" is" },
		{ "{\"a\":", "a.json:1: the file ends where " VALUE " should be" },
		{ "{\n\n\"a\": [\n1,\n2\n",
		  "a.json:6: the \"[\" of line 3 is never closed" },
		{ "{}\n}", "a.json:2: the file goes on after its last closing bracket" },
		{ "{\"mode\": 0644}",
		  "a.json:1: a number with a 0 in front: leave it out, or put it in quotes" },
		{ "[1.]", "a.json:1: a digit should be where \"]\" is" },
		{ "[-]", "a.json:1: a digit should be where \"]\" is" },
		{ "[\"\\u0000\"]", "a.json:1: a text must not hold a NUL (\"\\u0000\")" },
		{ "[\"\\u00x\"]", "a.json:1: \"\\u\" needs four hex digits after it" },
		{ "[\"\x01\"]", "a.json:1: a text holds a control character" },
		{ "\n[\"\\ud800\"]", "a.json:2: this is not valid JSON" },
		{ "[\"\xff\"]", "a.json:1: the file is not UTF-8" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_file *file = NULL;
		struct error error = { 0 };

		assert_int_equal(parse(rows[i].text, &file, &error), -EINVAL);
		assert_null(file);
		assert_string_equal(error.text, rows[i].error);
	}
}

static void test_depth_and_nul(void **state)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct json_file *file = NULL;
	struct error error = { 0 };

	for (int i = 0; i < 100000; i++)
		buf_addc(&text, '[');
	assert_int_equal(parse(buf_str(&text), &file, &error), -EINVAL);
	assert_string_equal(error.text, "a.json:1: nested more than 64 deep");
	assert_int_equal(json_file_parse("a.json", "{}\0{}", 5, &file, &error), -EINVAL);
	assert_string_equal(error.text,
			    "a.json:1: the file goes on after its last closing bracket");
	assert_int_equal(json_file_parse("a.json", "[\"a\0b\"]", 7, &file, &error),
			 -EINVAL);
	assert_null(file);
}

static void test_doubled_keys(void **state)
{
	_cleanup_(json_file_freep) struct json_file *file = NULL;
	struct json_at a;
	double number;

	assert_int_equal(
		parse("{\"x\": {\n\"a\": 1,\n\"b\": 2,\n\"a\": 3}}", &file, NULL), 0);
	assert_string_equal(
		json_file_warning(file),
		"a.json:4: key \"a\" stands in line 2 already: the last counts");
	a = json_at_find(json_at_find(json_file_top(file), "x"), "a");
	assert_int_equal(json_at_number(a, &number, NULL), 0);
	assert_true(number == 3);
	assert_int_equal(json_at_line(a), 4);
}

static void test_walk_and_lines(void **state)
{
	_cleanup_(json_file_freep) struct json_file *file = NULL;
	struct json_at at;

	assert_int_equal(parse("{\"a\": [\n1, {}\n],\n\"b\":\n\n\"x\"}", &file, NULL), 0);
	at = json_at_first(json_file_top(file));
	assert_string_equal(json_at_key(at), "a");
	assert_true(json_at_is_list(at));
	assert_int_equal(json_at_line(at), 1);
	assert_int_equal(json_at_line(json_at_first(at)), 2);
	assert_null(json_at_key(json_at_first(at)));
	assert_true(json_at_is_object(json_at_next(json_at_first(at))));
	at = json_at_next(at);
	assert_int_equal(json_at_line(at), 6);
	assert_null(json_at_next(at).node);
	assert_null(json_at_find(at, "x").node);
	assert_false(json_at_is_text(json_at_find(at, "x")));
}

static void test_getters_name_what_they_miss(void **state)
{
	_cleanup_(json_file_freep) struct json_file *file = NULL;
	struct json_at studio;
	struct error error = { 0 };
	const char *text;
	double number;
	bool is_on;

	assert_int_equal(
		parse("{\"other\": {},\n\"studio\": {\"root\": {\n\"work\": 5}, \"n\": \"1.5\","
		      " \"big\": 1e999, \"odd\": \"1-2\", \"on\": \"True\"}}",
		      &file, NULL),
		0);
	studio = json_at_find(json_file_top(file), "studio");
	assert_int_equal(json_at_text(json_at_find(json_at_find(studio, "root"), "work"),
				      &text, &error),
			 -EINVAL);
	assert_string_equal(
		error.text,
		"a.json:3: studio.root.work: a text in double quotes is expected");
	assert_int_equal(json_at_number(json_at_find(studio, "n"), &number, &error), 0);
	assert_true(number == 1.5);
	assert_int_equal(json_at_number(json_at_find(studio, "big"), &number, &error),
			 -EINVAL);
	assert_string_equal(error.text, "a.json:3: studio.big: the number is too large");
	assert_int_equal(json_at_number(json_at_find(studio, "odd"), &number, &error),
			 -EINVAL);
	assert_int_equal(json_at_bool(json_at_find(studio, "on"), &is_on, &error), 0);
	assert_true(is_on);
	assert_int_equal(json_at_bool(json_at_find(studio, "n"), &is_on, &error),
			 -EINVAL);
	assert_string_equal(error.text, "a.json:3: studio.n: true or false is expected");
}

static void test_files(void **state)
{
	char folder[] = "/tmp/test_json_file.XXXXXX";
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closep) int dir = -1;
	struct json_file *file = NULL;
	struct error error = { 0 };

	assert_non_null(mkdtemp(folder));
	path = strf("%s/a.json", folder);
	dir = open(folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(json_file_load(path, &file, &error), -ENOENT);
	assert_non_null(strstr(error.text, "a.json: cannot be read: No such file"));
	assert_int_equal(json_file_load(folder, &file, &error), -EINVAL);
	assert_int_equal(fd_replace_file(dir, "a.json", "{\"a\":1}", 7, 0600), 0);
	assert_int_equal(json_file_load(path, &file, &error), 0);
	assert_string_equal(json_file_name(file), path);
	json_file_free(file);
	file = NULL;
	assert_int_equal(truncate(path, JSON_FILE_MAX + 1), 0);
	assert_int_equal(json_file_load(path, &file, &error), -EFBIG);
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_passes),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_depth_and_nul),
		cmocka_unit_test(test_doubled_keys),
		cmocka_unit_test(test_walk_and_lines),
		cmocka_unit_test(test_getters_name_what_they_miss),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("json_file", tests, NULL, NULL);
}
