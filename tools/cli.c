/* Options of a call, and how an error is said. */
#include "tools/cli.h"

#include <stdarg.h>
#include <string.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"
#include "tools/help.h"
#include "tools/verbs.h"

int cli_fail(const struct cli *cli, enum cli_exit code, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	va_list ap;

	buf_adds(&line, "sitefs");
	if (cli->verb)
		buf_addf(&line, " %s", cli->verb->name);
	buf_adds(&line, ": ");
	va_start(ap, fmt);
	buf_addv(&line, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] == '\n')
			line.data[i] = ' ';
	fflush(stdout);
	fprintf(stderr, "%s\n", buf_str(&line));
	return (int)code;
}

static const struct cli_option *find_in(const struct cli_option *table, const char *name,
					size_t len, char letter)
{
	for (; table && table->name; table++) {
		if (letter ? table->letter == letter
			   : strlen(table->name) == len &&
				     !memcmp(table->name, name, len))
			return table;
	}
	return NULL;
}

/* One walk over ARGV. */
struct parse {
	struct cli *cli;
	char **argv;
	int argc, pos;
	void *options; /* of the verb, or NULL before it is known */
	int n_max;     /* no list can grow beyond the number of arguments */
};

/* The option and the struct that it fills. */
static const struct cli_option *find_option(struct parse *p, const char *name, size_t len,
					    char letter, void **ret_base)
{
	const struct cli_option *option = NULL;

	*ret_base = p->options;
	if (p->options && p->cli->verb)
		option = find_in(p->cli->verb->options, name, len, letter);
	if (!option) {
		*ret_base = p->cli;
		option = find_in(cli_global_options, name, len, letter);
	}
	return option;
}

static int usage_error(struct parse *p, const char *what, const char *name, size_t len)
{
	const struct verb *verb = p->cli->verb;

	return cli_fail(p->cli, EXIT_USAGE, "%s '%.*s': see 'sitefs %s%s--help'", what,
			(int)len, name, verb ? verb->name : "", verb ? " " : "");
}

static int add_to_list(struct parse *p, struct cli_list *list, const char *value)
{
	if (!list->items)
		list->items = calloc((size_t)p->n_max, sizeof(*list->items));
	if (!list->items)
		return cli_fail(p->cli, EXIT_FAILED, "out of memory");
	list->items[list->n++] = value;
	return 0;
}

/* VALUE: given with '=' or glued to the letter; NULL: the next argument, where one is needed. */
static int set_option(struct parse *p, const struct cli_option *option, void *base,
		      const char *value)
{
	char *field = (char *)base + option->offset;

	if (option->kind == CLI_FLAG) {
		if (value)
			return usage_error(p, "no value belongs to option", option->name,
					   strlen(option->name));
		*(bool *)(void *)field = true;
		return 0;
	}
	if (!value && p->pos + 1 < p->argc)
		value = p->argv[++p->pos];
	if (!value)
		return usage_error(p, "a value is missing after option", option->name,
				   strlen(option->name));
	if (option->kind == CLI_LIST)
		return add_to_list(p, (struct cli_list *)(void *)field, value);
	*(const char **)(void *)field = value;
	return 0;
}

static int parse_long(struct parse *p, const char *arg)
{
	size_t len = strcspn(arg + 2, "=");
	const struct cli_option *option;
	void *base;

	option = find_option(p, arg + 2, len, 0, &base);
	if (!option)
		return usage_error(p, "unknown option", arg, len + 2);
	return set_option(p, option, base, arg[2 + len] ? arg + 2 + len + 1 : NULL);
}

static int parse_letters(struct parse *p, const char *arg)
{
	for (const char *letter = arg + 1; *letter; letter++) {
		const struct cli_option *option;
		void *base;
		int r;

		option = find_option(p, NULL, 0, *letter, &base);
		if (!option)
			return usage_error(p, "unknown option", arg, strlen(arg));
		if (option->kind == CLI_FLAG) {
			r = set_option(p, option, base, NULL);
			if (r)
				return r;
			continue;
		}
		return set_option(p, option, base, letter[1] ? letter + 1 : NULL);
	}
	return 0;
}

static int parse_option(struct parse *p)
{
	const char *arg = p->argv[p->pos];

	return arg[1] == '-' ? parse_long(p, arg) : parse_letters(p, arg);
}

static bool is_option(const char *arg)
{
	return arg[0] == '-' && arg[1];
}

static int check_arity(struct cli *cli)
{
	const struct verb *verb = cli->verb;

	if (cli->n_args < verb->min_args)
		return cli_fail(cli, EXIT_USAGE, "an argument is missing: sitefs %s %s",
				verb->name, verb->usage);
	if (verb->max_args >= 0 && cli->n_args > verb->max_args)
		return cli_fail(cli, EXIT_USAGE,
				"one argument too many, '%s': sitefs %s %s",
				cli->args[verb->max_args], verb->name, verb->usage);
	return 0;
}

int cli_parse(struct cli *cli, int argc, char **argv, void *options)
{
	struct parse p = { .cli = cli, .argv = argv, .argc = argc, .n_max = argc + 1 };
	bool is_ended = false;

	p.options = options;
	/* what stays is moved to the front: never more than was read */
	cli->args = argv;
	cli->n_args = 0;
	for (p.pos = 0; p.pos < argc; p.pos++) {
		int r;

		if (!is_ended && !strcmp(argv[p.pos], "--")) {
			is_ended = true;
			continue;
		}
		if (is_ended || !is_option(argv[p.pos])) {
			cli->args[cli->n_args++] = argv[p.pos];
			continue;
		}
		r = parse_option(&p);
		if (r)
			return r;
	}
	cli->args[cli->n_args] = NULL;
	return check_arity(cli);
}

void cli_options_done(const struct verb *verb, void *options)
{
	for (const struct cli_option *o = verb->options; o && o->name; o++) {
		if (o->kind != CLI_LIST)
			continue;
		free(((struct cli_list *)(void *)((char *)options + o->offset))->items);
	}
}

static bool is_help(const char *arg)
{
	return !strcmp(arg, "--help") || !strcmp(arg, "-h");
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--"))
			return false;
		if (is_help(argv[i]))
			return true;
	}
	return false;
}

/* Global options before the verb; *ret_pos is where it stands, ARGC if nowhere. */
static int parse_before(struct cli *cli, int argc, char **argv, int *ret_pos)
{
	struct parse p = { .cli = cli, .argv = argv, .argc = argc, .pos = 1 };

	for (; p.pos < argc && is_option(argv[p.pos]); p.pos++) {
		int r;

		if (is_help(argv[p.pos]))
			break;
		r = parse_option(&p);
		if (r)
			return r;
	}
	*ret_pos = p.pos;
	return 0;
}

static int run_verb(struct cli *cli, int argc, char **argv)
{
	_cleanup_(freep) void *options = NULL;
	int r;

	if (wants_help(argc, argv)) {
		help_print_verb(cli->verb);
		return EXIT_DONE;
	}
	options = calloc(1, cli->verb->options_size ? cli->verb->options_size : 1);
	if (!options)
		return cli_fail(cli, EXIT_FAILED, "out of memory");
	r = cli_parse(cli, argc, argv, options);
	if (!r) {
		log_set_level(cli->is_verbose ? LOG_LEVEL_DEBUG
			      : cli->is_quiet ? LOG_LEVEL_ERROR
					      : LOG_LEVEL_INFO);
		r = cli->verb->run(cli, options);
	}
	cli_options_done(cli->verb, options);
	return r;
}

int cli_main(int argc, char **argv)
{
	struct cli cli = { 0 };
	int pos, r;

	if (argc > 1 && !strcmp(argv[1], "--version")) {
		static char name[] = "version";

		argv[1] = name;
	}
	r = parse_before(&cli, argc, argv, &pos);
	if (r)
		return r;
	if (pos >= argc)
		return cli_fail(&cli, EXIT_USAGE,
				"no verb was given: 'sitefs --help' lists them");
	if (is_help(argv[pos])) {
		help_print();
		return EXIT_DONE;
	}
	cli.verb = verb_find(argv[pos]);
	if (!cli.verb)
		return cli_fail(&cli, EXIT_USAGE,
				"unknown verb '%s': 'sitefs --help' lists them",
				argv[pos]);
	return run_verb(&cli, argc - pos - 1, argv + pos + 1);
}
