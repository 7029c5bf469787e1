/* sync/config: durations, sizes, modes, {ENV}, secrets, network file systems. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/config_private.h"

#define WRONG INT64_MIN

static const struct config_range count = { CONFIG_INT, 1, 1000 };
static const struct config_range seconds = { CONFIG_SECONDS, 10, 86400000 };
static const struct config_range duration = { CONFIG_DURATION, 0, 86400000 };
static const struct config_range deadline = { CONFIG_DURATION, -1, 86400000 };
static const struct config_range size = { CONFIG_SIZE, 4096, INT64_C(1) << 40 };
static const struct config_range mode = { CONFIG_MODE, 0, 0777 };

struct row {
	const struct config_range *range;
	const char *text;
	int64_t value;
	const char *shown; /* as JSON; or the error */
};

static const struct row rows[] = {
	{ &count, "3", 3, "3" },
	{ &count, "1000", 1000, "1000" },
	{ &count, "0", WRONG, "\"0\" is no whole number from 1 to 1000" },
	{ &count, "1001", WRONG, "\"1001\" is no whole number from 1 to 1000" },
	{ &count, "-3", WRONG, "\"-3\" is no whole number from 1 to 1000" },
	{ &count, "3.5", WRONG, "\"3.5\" is no whole number from 1 to 1000" },
	{ &count, "", WRONG, "\"\" is no whole number from 1 to 1000" },
	{ &count, " 3", WRONG, "\" 3\" is no whole number from 1 to 1000" },
	{ &count, "99999999999999999999", WRONG,
	  "\"99999999999999999999\" is no whole number from 1 to 1000" },

	{ &seconds, "60", 60000, "60" },
	{ &seconds, "0.5", 500, "0.5" },
	{ &seconds, "2m", 120000, "120" },
	{ &seconds, "0", WRONG, "\"0\" is no number of seconds from 0.01 to 86400" },
	{ &seconds, "a", WRONG, "\"a\" is no number of seconds from 0.01 to 86400" },
	{ &seconds, "1e9", WRONG, "\"1e9\" is no number of seconds from 0.01 to 86400" },

	{ &duration, "500ms", 500, "\"500ms\"" },
	{ &duration, "1500ms", 1500, "\"1500ms\"" },
	{ &duration, "1.5s", 1500, "\"1500ms\"" },
	{ &duration, "30s", 30000, "\"30s\"" },
	{ &duration, "90s", 90000, "\"90s\"" },
	{ &duration, "10m", 600000, "\"10m\"" },
	{ &duration, "10 m", 600000, "\"10m\"" },
	{ &duration, "2h", 7200000, "\"2h\"" },
	{ &duration, "1d", 86400000, "\"1d\"" },
	{ &duration, "0", 0, "\"0ms\"" },
	{ &duration, "2d", WRONG,
	  "\"2d\" is no duration (\"500ms\", \"30s\", \"10m\", \"2h\") from \"0ms\" to \"1d\"" },
	{ &duration, "30", WRONG,
	  "\"30\" is no duration (\"500ms\", \"30s\", \"10m\", \"2h\") from \"0ms\" to \"1d\"" },
	{ &duration, "none", WRONG,
	  "\"none\" is no duration (\"500ms\", \"30s\", \"10m\", \"2h\") from \"0ms\" to \"1d\"" },
	{ &deadline, "none", -1, "\"none\"" },
	{ &deadline, "1ms", 1, "\"1ms\"" },
	{ &deadline, "0", WRONG,
	  "\"0\" is no duration (\"500ms\", \"30s\", \"10m\", \"2h\") from \"1ms\" to \"1d\" or \"none\"" },
	{ &deadline, "-1", WRONG,
	  "\"-1\" is no duration (\"500ms\", \"30s\", \"10m\", \"2h\") from \"1ms\" to \"1d\" or \"none\"" },

	{ &size, "4096", 4096, "\"4K\"" },
	{ &size, "5000", 5000, "\"5000\"" },
	{ &size, "8M", 8 << 20, "\"8M\"" },
	{ &size, "8MB", 8 << 20, "\"8M\"" },
	{ &size, "8 MiB", 8 << 20, "\"8M\"" },
	{ &size, "0.5G", 512 << 20, "\"512M\"" },
	{ &size, "1T", INT64_C(1) << 40, "\"1T\"" },
	{ &size, "4095", WRONG,
	  "\"4095\" is no size (\"512K\", \"8M\", \"1G\") from \"4K\" to \"1T\"" },
	{ &size, "8X", WRONG,
	  "\"8X\" is no size (\"512K\", \"8M\", \"1G\") from \"4K\" to \"1T\"" },
	{ &size, "M", WRONG,
	  "\"M\" is no size (\"512K\", \"8M\", \"1G\") from \"4K\" to \"1T\"" },
	{ &size, "99999999999T", WRONG,
	  "\"99999999999T\" is no size (\"512K\", \"8M\", \"1G\") from \"4K\" to \"1T\"" },

	{ &mode, "0644", 0644, "\"0644\"" },
	{ &mode, "0", 0, "\"0000\"" },
	{ &mode, "644", WRONG,
	  "\"644\" is no octal mode (\"0644\") from \"0000\" to \"0777\"" },
	{ &mode, "0888", WRONG,
	  "\"0888\" is no octal mode (\"0644\") from \"0000\" to \"0777\"" },
	{ &mode, "01777", WRONG,
	  "\"01777\" is no octal mode (\"0644\") from \"0000\" to \"0777\"" },
};

static void test_values(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct error error = { 0 };
		int64_t value = WRONG;
		int r = config_value_parse(row->range, row->text, &value, &error);

		assert_int_equal(value, row->value);
		if (r == 0) {
			_cleanup_(freep) char *shown =
				config_value_format(row->range->type, value);

			assert_string_equal(shown, row->shown);
		} else {
			assert_int_equal(r, -EINVAL);
			assert_string_equal(error.text, row->shown);
		}
	}
}

static void test_expand(void **state)
{
	static const struct {
		const char *text, *expanded; /* or, with R, the error */
		int r;
	} cases[] = {
		{ "/a/b", "/a/b", 0 },
		{ "{STUDIO}/b", "/srv/studio/b", 0 },
		{ "/x{STUDIO}{STUDIO}", "/x/srv/studio/srv/studio", 0 },
		{ "{EMPTY}/b", "/b", 0 },
		{ "/a/{{b}}", "/a/{b}", 0 },
		{ "/a}", "/a}", 0 },
		{ "{NOWHERE}/b",
		  "there is no environment variable NOWHERE: set it, or write the path",
		  -ENOENT },
		{ "/a{STUDIO",
		  "\"{\" begins the name of an environment variable, and no \"}\" ends it: write {{ "
		  "for a brace",
		  -EINVAL },
		{ "/a{}",
		  "\"{\" begins the name of an environment variable, and no \"}\" ends it: write {{ "
		  "for a brace",
		  -EINVAL },
	};

	setenv("STUDIO", "/srv/studio", 1);
	setenv("EMPTY", "", 1);
	unsetenv("NOWHERE");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *expanded = NULL;
		struct error error = { 0 };

		assert_int_equal(config_expand(cases[i].text, &expanded, &error),
				 cases[i].r);
		assert_string_equal(cases[i].r ? error.text : expanded,
				    cases[i].expanded);
	}
}

static void test_texts(void **state)
{
	static const struct {
		char *(*fn)(const char *text);
		const char *in, *out;
	} cases[] = {
		{ config_strip, " \t a b \n", "a b" },
		{ config_strip, " ", "" },
		{ config_quote, "a\"\\\n\xc3\xa4", "\"a\\\"\\\\\\u000a\xc3\xa4\"" },
		{ config_folder_of, "/a/b.json", "/a" },
		{ config_folder_of, "b.json", "." },
		{ config_hide_secrets, "sqlite:/srv/a@b?c", "sqlite:/srv/a@b?c" },
		{ config_hide_secrets, "mongodb://host:27017/db",
		  "mongodb://host:27017/db" },
		{ config_hide_secrets, "mongodb://me:p@ss@host/?x=secret",
		  "mongodb://***@host/" },
		{ config_hide_secrets, "mongodb+srv://me:p@h1,h2",
		  "mongodb+srv://***@h1,h2" },
		{ config_hide_secrets, "mongodb://host/?m=a@b", "mongodb://host/" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *out = cases[i].fn(cases[i].in);

		assert_string_equal(out, cases[i].out);
	}
}

static void test_absolute(void **state)
{
	static const struct {
		const char *path, *base, *out;
	} cases[] = {
		{ "/a//b/./c/", "/x", "/a/b/c" },
		{ "a", "/x/y", "/x/y/a" },
		{ "./a", "/x", "/x/a" },
		{ "/", "/x", "/" },
	};
	_cleanup_(freep) char *here = getcwd(NULL, 0);
	_cleanup_(freep) char *out = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *absolute = NULL;

		assert_int_equal(config_absolute(cases[i].path, cases[i].base, &absolute),
				 0);
		assert_string_equal(absolute, cases[i].out);
	}
	assert_int_equal(config_absolute("", NULL, &out), 0);
	assert_string_equal(out, here);
}

static void test_local_fs(void **state)
{
	struct error error = { 0 };

	/* /proc stands for any local file system; network ones are not at hand. */
	assert_int_equal(config_check_local_fs("/proc", &error), 0);
	assert_int_equal(config_check_local_fs("/proc/self/no/such/folder", &error), 0);
	assert_int_equal(config_check_local_fs("/no-such-folder/a/b", &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),   cmocka_unit_test(test_expand),
		cmocka_unit_test(test_texts),    cmocka_unit_test(test_absolute),
		cmocka_unit_test(test_local_fs),
	};

	return cmocka_run_group_tests_name("config_value", tests, NULL, NULL);
}
