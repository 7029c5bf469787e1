/* sitefs import */
#include <errno.h>
#include <string.h>

#include "sync/dump.h"
#include "tools/json.h"
#include "tools/output.h"
#include "tools/setup.h"
#include "tools/verbs.h"

#define BATCH 500

struct options {
	const char *project;
};

static const struct cli_option options_table[] = {
	{ "project", "P", "the project (collection) that the documents go into",
	  offsetof(struct options, project), CLI_TEXT, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

struct import {
	struct cli *cli;
	struct store *store;
	const char *project;
	struct buf docs[BATCH];
	size_t n;
	int64_t n_inserted, n_skipped, n_refused;
};

static void import_done(struct import *import)
{
	for (size_t i = 0; i < BATCH; i++)
		buf_done(&import->docs[i]);
}

static int flush(struct import *import)
{
	int results[BATCH];
	int r;

	if (!import->n)
		return 0;
	r = import->store->ops->insert(import->store, import->project, import->docs,
				       import->n, results);
	if (r < 0)
		return r;
	for (size_t i = 0; i < import->n; i++) {
		import->n_inserted += results[i] == 0;
		import->n_skipped += results[i] == STORE_EXISTS;
		import->n_refused += results[i] == STORE_REFUSED;
		buf_clear(&import->docs[i]);
	}
	import->n = 0;
	return 0;
}

static int add_doc(void *context, const void *bson, size_t len)
{
	struct import *import = context;
	int r = buf_add(&import->docs[import->n], bson, len);

	if (r < 0)
		return r;
	import->n++;
	return import->n == BATCH ? flush(import) : 0;
}

/* 0 or an exit code, said. What was read before a fault is kept. */
static int import_file(struct import *import, const char *name)
{
	_cleanup_(fclosep) FILE *file = NULL;
	bool is_stdin = !strcmp(name, "-");
	struct error error = { 0 };
	int r, flushed;

	if (!is_stdin) {
		file = fopen(name, "re");
		if (!file)
			return cli_fail(import->cli, EXIT_FAILED, "cannot read %s: %s",
					name, strerror(errno));
	}
	r = dump_read(is_stdin ? stdin : file, name, add_doc, import, &error);
	flushed = flush(import);
	if (flushed < 0)
		r = flushed;
	if (r == 0)
		return 0;
	if (r == -EBADMSG || r == -EISDIR)
		return cli_fail(import->cli, EXIT_FAILED, "%s", error_text(&error, r));
	return cli_fail(import->cli, r == -EINVAL ? EXIT_USAGE : cli_store_exit(r),
			"cannot import %s into project '%s': %s", name, import->project,
			error_text(&error, r));
}

static int say(struct import *import)
{
	_cleanup_(json_freep) struct json *json = NULL;
	char text[OUTPUT_SIZE];

	if (import->cli->is_json) {
		json = json_document();
		json_set_text(json, "project", import->project);
		json_set_int(json, "inserted", import->n_inserted);
		json_set_int(json, "skipped", import->n_skipped);
		json_set_int(json, "refused", import->n_refused);
		return json_print(json) < 0 ? EXIT_FAILED : EXIT_DONE;
	}
	if (import->cli->is_quiet)
		return EXIT_DONE;
	printf("%s inserted into '%s', %lld skipped: they were there already",
	       output_count(import->n_inserted, "document", text), import->project,
	       (long long)import->n_skipped);
	if (import->n_refused)
		printf(", %lld refused: no usable _id", (long long)import->n_refused);
	printf("\n");
	return EXIT_DONE;
}

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(freep) struct import *import = calloc(1, sizeof(*import));
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(store_freep) struct store *store = NULL;
	int code, worst = 0;

	if (!import)
		return cli_fail(cli, EXIT_FAILED, "out of memory");
	if (!options->project)
		return cli_fail(cli, EXIT_USAGE, "say which project: --project P");
	code = cli_load_config(cli, options->project, &config);
	if (!code)
		code = cli_open_store(cli, config, true, &store);
	if (code)
		return code;
	import->cli = cli;
	import->store = store;
	import->project = options->project;
	for (int i = 0; i < cli->n_args; i++) {
		code = import_file(import, cli->args[i]);
		worst = worst ? worst : code;
	}
	import_done(import);
	code = say(import);
	if (worst == EXIT_FAILED && import->n_inserted + import->n_skipped)
		worst = EXIT_PARTLY;
	if (!worst && import->n_refused)
		worst = EXIT_PARTLY;
	return worst ? worst : code;
}

const struct verb verb_import = {
	.name = "import",
	.usage = "--project P FILE...",
	.summary = "documents from mongodump or mongoexport",
	.help = "Inserts the documents of each FILE (- is stdin) as they are: mongodump's BSON or\n"
		"extended JSON, whichever it is. One whose _id is there already is skipped and\n"
		"counted, never changed. A damaged file is read up to the damage and ends with\n"
		"exit code 1, or 4 where something was read.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
