/* tools/cli: options of a verb and global ones, in any order. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/cli.h"

struct options {
	bool is_foreground;
	const char *project;
	struct cli_list options;
};

static const struct cli_option options[] = {
	{ "foreground", NULL, "", offsetof(struct options, is_foreground), CLI_FLAG,
	  'f' },
	{ "project", "P", "", offsetof(struct options, project), CLI_TEXT, 0 },
	{ "options", "OPT", "", offsetof(struct options, options), CLI_LIST, 'o' },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static const struct verb verb = {
	.name = "try",
	.usage = "ONE [TWO]",
	.options = options,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 2,
};

/* Splits LINE at its blanks (in place) and parses it. */
static int parse(char *line, struct cli *cli, struct options *ret)
{
	static char *argv[32];
	int argc = 0;

	for (char *p = line; *p;) {
		argv[argc++] = p;
		p += strcspn(p, " ");
		if (*p)
			*p++ = '\0';
	}
	argv[argc] = NULL;
	*cli = (struct cli){ .verb = &verb };
	*ret = (struct options){ 0 };
	return cli_parse(cli, argc, argv, ret);
}

static void test_options_anywhere(void **state)
{
	char line[] = "-o ro one --json -vf --project=P two -oroot=a -o allow_other";
	struct options got;
	struct cli cli;

	assert_int_equal(parse(line, &cli, &got), 0);
	assert_true(cli.is_json && cli.is_verbose && got.is_foreground);
	assert_false(cli.is_quiet);
	assert_string_equal(got.project, "P");
	assert_int_equal(got.options.n, 3);
	assert_string_equal(got.options.items[1], "root=a");
	assert_int_equal(cli.n_args, 2);
	assert_string_equal(cli.args[1], "two");
	cli_options_done(&verb, &got);
}

static void test_dashes_end_options(void **state)
{
	char line[] = "-- --project -f";
	struct options got;
	struct cli cli;

	assert_int_equal(parse(line, &cli, &got), 0);
	assert_int_equal(cli.n_args, 2);
	assert_string_equal(cli.args[0], "--project");
	assert_false(got.is_foreground);
}

static void test_usage_errors(void **state)
{
	static const char *const rows[] = {
		"",        "one two three",  "one --nonsense",
		"one -z",  "one --project",  "one --json=yes",
		"one -fz", "one --projec P",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) char *line = strdup(rows[i]);
		struct options got;
		struct cli cli;

		if (parse(line, &cli, &got) != EXIT_USAGE)
			fail_msg("taken: %s", rows[i]);
		cli_options_done(&verb, &got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_anywhere),
		cmocka_unit_test(test_dashes_end_options),
		cmocka_unit_test(test_usage_errors),
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
