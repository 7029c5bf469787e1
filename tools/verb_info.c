/* sitefs info */
#include <string.h>

#include "tools/client.h"
#include "tools/doc_json.h"
#include "tools/elsewhere.h"
#include "tools/output.h"
#include "tools/verbs.h"

struct options {
	const char *frames, *site;
};

static const struct cli_option options_table[] = {
	{ "frames", "RANGE", "frames of a sequence: 1001-1100x2",
	  offsetof(struct options, frames), CLI_TEXT, 0 },
	{ "site", "S", "how the file stands at another site, by the store",
	  offsetof(struct options, site), CLI_TEXT, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

struct infos {
	struct cli *cli;
	int n;
	const struct elsewhere *elsewhere; /* of another site */
	struct json *first; /* kept until it is known whether a second follows */
};

static void print_line(const char *key, const char *text)
{
	_cleanup_(buf_done) struct buf safe = { 0 };

	if (!text)
		return;
	output_name(&safe, text);
	printf("%-15s %s\n", key, buf_str(&safe));
}

static void print_key(const struct json *json, const char *key)
{
	print_line(key, json_get_text(json, key));
}

static void print_site(const struct json *site)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const char *created = json_get_text(site, "created_dt");
	const char *error = json_get_text(site, "error");
	const char *name = json_get_text(site, "name");
	int64_t tries = json_get_int(site, "tries", 0);

	buf_addf(&text, "%s: %s", name ? name : "?", created ? "there since " : "wanted");
	buf_adds(&text, created ? created : "");
	if (tries)
		buf_addf(&text, ", %lld tries", (long long)tries);
	if (error)
		buf_addf(&text, ", %s", error);
	if (json_get_bool(site, "paused"))
		buf_adds(&text, ", paused");
	print_line("site", buf_str(&text));
}

static int64_t present_bytes(const struct json *json)
{
	int64_t sum = 0;

	for (const struct json *p = json_first(json_get(json, "present")); p;
	     p = json_next(p))
		sum += json_as_int(json_next(json_first(p)), 0);
	return sum;
}

static void print_folder(const struct cli *cli, const struct json *json)
{
	const struct json *files = json_get(json, "files");
	char size[OUTPUT_SIZE];

	print_line("size",
		   output_size(json_get_int(json, "size", -1), cli->has_bytes, size));
	for (const struct json *p = json_first(files); p; p = json_next(p))
		printf("%-15s %lld %s\n", "files", (long long)json_as_int(p, 0),
		       json_key(p));
}

static void print_size(const struct cli *cli, const struct json *json)
{
	int64_t bytes = json_get_int(json, "size", -1);
	char size[OUTPUT_SIZE], here[OUTPUT_SIZE];

	output_size(bytes, cli->has_bytes, size);
	if (!json_get(json, "present")) {
		print_line("size", size);
		return;
	}
	printf("%-15s %s, %s here\n", "size", size,
	       output_size(present_bytes(json), cli->has_bytes, here));
	if (!json_get_bool(json, "published"))
		print_line("published", "no: this file never leaves this disk");
}

static void print_info(const struct cli *cli, const struct json *json)
{
	static const char *const keys[] = { "project", "asset",     "subset",
					    "version", "name",      "representation",
					    "file_id", "remote_id", "document_path",
					    "sha256",  "hash",      "error" };

	print_key(json, "path");
	print_key(json, "state");
	if (json_get(json, "files")) {
		print_folder(cli, json);
		return;
	}
	print_size(cli, json);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		print_key(json, keys[i]);
	for (const struct json *p = json_first(json_get(json, "sites")); p;
	     p = json_next(p))
		print_site(p);
	for (const struct json *p = json_first(json_get(json, "also")); p;
	     p = json_next(p))
		print_line("also in", json_get_text(p, "representation"));
}

/* One object where there is one file; with several, a list of them. */
static int add_info(void *context, const struct json *item)
{
	struct infos *infos = context;

	infos->n++;
	if (!infos->cli->is_json) {
		printf("%s", infos->n > 1 ? "\n" : "");
		print_info(infos->cli, item);
		return 0;
	}
	if (infos->n == 1) {
		infos->first = json_copy(item);
		return infos->first ? 0 : EXIT_FAILED;
	}
	if (infos->n == 2) {
		printf("{\"schema\":1,\"files\":[");
		json_print_piece(infos->first);
	}
	printf(",");
	return json_print_piece(item) < 0 ? EXIT_FAILED : 0;
}

static int add_elsewhere(void *context, const struct elsewhere_file *found)
{
	_cleanup_(json_freep) struct json *json = json_document();
	const struct infos *infos = context;
	const struct doc_file *file = found->file;
	const struct doc *doc = found->doc;

	json_set_text(json, "path", found->path);
	json_set_text(json, "state", file_state_name(found->state));
	json_set_int(json, "size", file->size);
	json_set_text(json, "project", doc->project);
	json_set_text(json, "representation", doc->id);
	json_set_text(json, "file_id", file->id);
	json_set_text(json, "document_path", file->path);
	json_set_text(json, "asset", doc->asset);
	json_set_text(json, "subset", doc->subset);
	json_set_text(json, "version", doc->version);
	json_set_text(json, "name", doc->name);
	json_set_text(json, "hash", file->hash);
	json_set(json, "sites", doc_sites_json(file));
	elsewhere_set_seen(json, infos->elsewhere);
	return add_info(context, json);
}

/* From the daemon of this site, or for another site from the store. */
static int ask(struct infos *infos, const struct options *options)
{
	_cleanup_(elsewhere_done) struct elsewhere elsewhere = {
		.site = options->site, .frames = options->frames
	};
	_cleanup_(client_done) struct client client = { .fd = -1 };
	int code;

	infos->elsewhere = &elsewhere;
	if (options->site)
		return elsewhere_each(infos->cli, &elsewhere, add_elsewhere, infos);
	code = client_open(infos->cli, options->frames, &client);
	return code ? code : client_ask(&client, "info", add_info, infos, NULL);
}

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	struct infos infos = { .cli = cli };
	int code, r;

	code = ask(&infos, options);
	if (infos.n > 1 && cli->is_json)
		printf("]}\n");
	if (infos.n == 1 && cli->is_json && (!code || code == EXIT_PARTLY)) {
		r = client_print(cli, infos.first);
		code = r ? r : code;
	}
	json_free(infos.first);
	return code;
}

const struct verb verb_info = {
	.name = "info",
	.usage = "PATH... [--site S] [--frames RANGE] [--json]",
	.summary = "all that is known of a file",
	.help = "Tells everything about one file: state, size and how much of it is here, its\n"
		"representation, what is recorded at the sites, its id at the remote. A path that\n"
		"is neither on the disk nor published ends with exit code 3. With --site S: as\n"
		"the store has it for that site; 0 only where it is on its disk, else 4.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
