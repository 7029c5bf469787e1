/* sitefs version */
#include "tools/json.h"
#include "tools/verbs.h"

static int run(struct cli *cli, const void *options)
{
	_cleanup_(json_freep) struct json *json = NULL;

	if (!cli->is_json) {
		printf("sitefs %s\n", SITEFS_VERSION);
		if (cli->is_verbose)
			printf("built with libfuse %s, libbson %s, SQLite %s\n",
			       SITEFS_FUSE_VERSION, SITEFS_BSON_VERSION,
			       SITEFS_SQLITE_VERSION);
		return EXIT_DONE;
	}
	json = json_document();
	json_set_text(json, "version", SITEFS_VERSION);
	json_set_text(json, "fuse", SITEFS_FUSE_VERSION);
	json_set_text(json, "bson", SITEFS_BSON_VERSION);
	json_set_text(json, "sqlite", SITEFS_SQLITE_VERSION);
	return json_print(json) < 0 ? cli_fail(cli, EXIT_FAILED, "out of memory")
				    : EXIT_DONE;
}

const struct verb verb_version = {
	.name = "version",
	.usage = "[--json]",
	.summary = "what this program is",
	.help = "Prints the version; with -v or --json those of the libraries too.",
	.run = run,
};
