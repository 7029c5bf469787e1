/* --help texts. */
#include "tools/help.h"

#include <stddef.h>
#include <string.h>

#include "sync/base/buf.h"
#include "tools/verbs.h"

#define WIDTH 79
#define HELP_COLUMN 24

const struct cli_option cli_global_options[] = {
	{ "config", "DIR", "folder of presets ($SITEFS_CONFIG)",
	  offsetof(struct cli, config_dir), CLI_TEXT, 0 },
	{ "state", "DIR", "state folder; names the daemon too ($SITEFS_STATE)",
	  offsetof(struct cli, state_dir), CLI_TEXT, 0 },
	{ "store", "URI", "sqlite:PATH, the documents ($SITEFS_STORE)",
	  offsetof(struct cli, store_uri), CLI_TEXT, 0 },
	{ "json", NULL, "one JSON object on stdout", offsetof(struct cli, is_json),
	  CLI_FLAG, 0 },
	{ "bytes", NULL, "sizes in plain bytes", offsetof(struct cli, has_bytes),
	  CLI_FLAG, 0 },
	{ "verbose", NULL, "say more", offsetof(struct cli, is_verbose), CLI_FLAG, 'v' },
	{ "quiet", NULL, "say errors only", offsetof(struct cli, is_quiet), CLI_FLAG,
	  'q' },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

/* TEXT from the current COLUMN on, wrapped, later lines from column INDENT. */
static void print_wrapped(const char *text, size_t column, size_t indent)
{
	bool is_first = true;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (!is_first && column + 1 + len > WIDTH) {
			printf("\n%*s", (int)indent, "");
			column = indent;
			is_first = true;
		}
		printf("%s%.*s", is_first ? "" : " ", (int)len, text);
		column += len + (is_first ? 0 : 1);
		is_first = false;
		text += len;
		text += strspn(text, " ");
	}
	printf("\n");
}

static void print_line(const char *head, const char *text)
{
	if (strlen(head) > HELP_COLUMN - 4)
		printf("  %s\n%*s", head, HELP_COLUMN, "");
	else
		printf("  %-*s", HELP_COLUMN - 2, head);
	print_wrapped(text, HELP_COLUMN, HELP_COLUMN);
}

static void print_option(const struct cli_option *option)
{
	_cleanup_(buf_done) struct buf head = { 0 };

	if (option->letter)
		buf_addf(&head, "-%c, ", option->letter);
	buf_addf(&head, "--%s", option->name);
	if (option->value)
		buf_addf(&head, " %s", option->value);
	print_line(buf_str(&head), option->help);
}

static void print_options(const char *title, const struct cli_option *options)
{
	printf("\n%s:\n", title);
	for (; options->name; options++)
		print_option(options);
}

void help_print(void)
{
	printf("Usage: sitefs [OPTION...] VERB [ARGUMENT...]\n\n"
	       "Site Sync that you can mount: a site's published files, those that are not\n"
	       "here yet streamed from the remote site when somebody reads them.\n\n"
	       "Verbs (more by 'sitefs VERB --help'):\n");
	for (size_t i = 0; verbs[i]; i++)
		print_line(verbs[i]->name, verbs[i]->summary);
	print_options("Options, before or after the verb", cli_global_options);
	printf("\nExit: 0 done, 1 failed, 2 usage, 3 not ours, 4 partly, 5 timed out, 6 no\n"
	       "daemon, 7 credentials, 8 remote quota, 9 no space, 10 database unreachable.\n");
}

void help_print_verb(const struct verb *verb)
{
	size_t column = strlen("Usage: sitefs  ") + strlen(verb->name);

	printf("Usage: sitefs %s ", verb->name);
	print_wrapped(verb->usage, column, 14);
	printf("\n%s\n", verb->help);
	if (verb->options)
		print_options("Options", verb->options);
	print_options("Options of every verb", cli_global_options);
}
