/* sitefs explain */
#include "tools/client.h"
#include "tools/output.h"
#include "tools/verbs.h"

struct explanations {
	struct cli *cli;
	int n;
};

static int add_explanation(void *context, const struct json *item)
{
	struct explanations *list = context;
	_cleanup_(buf_done) struct buf path = { 0 };
	const char *text = json_get_text(item, "path");

	list->n++;
	if (list->cli->is_json) {
		printf("%s", list->n == 1 ? "{\"schema\":1,\"files\":[" : ",");
		return json_print_piece(item) < 0 ? EXIT_FAILED : 0;
	}
	output_name(&path, text ? text : "?");
	printf("%s%s\n", list->n > 1 ? "\n" : "", buf_str(&path));
	for (const struct json *p = json_first(json_get(item, "explanation")); p;
	     p = json_next(p)) {
		_cleanup_(buf_done) struct buf line = { 0 };

		output_name(&line, json_as_text(p) ? json_as_text(p) : "");
		printf("  %s\n", buf_str(&line));
	}
	return 0;
}

static int run(struct cli *cli, const void *options)
{
	_cleanup_(client_done) struct client client = { .fd = -1 };
	struct explanations list = { .cli = cli };
	int code;

	code = client_open(cli, NULL, &client);
	if (code)
		return code;
	code = client_ask(&client, "explain", add_explanation, &list, NULL);
	if (cli->is_json && list.n)
		printf("]}\n");
	return code;
}

const struct verb verb_explain = {
	.name = "explain",
	.usage = "PATH... [--json]",
	.summary = "why a file is (not) here, and what happens next",
	.help = "Prints how the daemon decides about PATH, step by step: what lies on the disk,\n"
		"what is recorded, what the remote holds, what is done with it, and when.",
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
