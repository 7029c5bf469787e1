/* sitefs watch */
#include <string.h>

#include "tools/client.h"
#include "tools/output.h"
#include "tools/verbs.h"

/* "12:34:56" of "2023-11-27T12:34:56.512Z": UTC, as everything that is recorded. */
static const char *clock_part(const char *time)
{
	return time && strlen(time) >= 19 ? time + 11 : "--:--:--";
}

static void print_event(const struct json *item)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	const char *path = json_get_text(item, "path"),
		   *text = json_get_text(item, "text");
	const char *state = json_get_text(item, "state");
	const char *event = json_get_text(item, "event");
	double progress = json_get_double(item, "progress", -1);

	buf_addf(&line, "%.8s  %-11s", clock_part(json_get_text(item, "time")),
		 state   ? state
		 : event ? event
			 : "?");
	if (path && progress >= 0 && progress <= 1)
		buf_addf(&line, " %3.0f %%  ", progress * 100);
	else
		buf_adds(&line, "        ");
	if (path)
		output_name(&line, path);
	if (text) {
		buf_adds(&line, path ? ": " : "");
		output_name(&line, text);
	}
	if (json_get(item, "count"))
		buf_addf(&line, "%lld events were too many to follow",
			 (long long)json_get_int(item, "count", 0));
	printf("%s\n", buf_str(&line));
}

static int show(void *context, const struct json *item)
{
	const struct cli *cli = context;

	if (cli->is_json)
		json_print(item);
	else
		print_event(item);
	/* a reader that left ends the watch */
	return fflush(stdout) != 0 ? EXIT_FAILED : 0;
}

static int run(struct cli *cli, const void *options)
{
	_cleanup_(client_done) struct client client = { .fd = -1 };
	int code;

	code = client_open(cli, NULL, &client);
	if (code)
		return code;
	client.patience_ms = -1;
	return client_ask(&client, "watch", show, cli, NULL);
}

const struct verb verb_watch = {
	.name = "watch",
	.usage = "[PATH...] [--json]",
	.summary = "what happens, as it happens",
	.help = "Prints one line for each thing that happens to a file (at or below PATH, or of\n"
		"the whole site): state, progress, records, failures. Ends by an interrupt, or\n"
		"with exit code 6 when the daemon ends. With --json one object per line, with a\n"
		"sequence number; the first one says that the watch has begun.",
	.max_args = -1,
	.run = run,
};
