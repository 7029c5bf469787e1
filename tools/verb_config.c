/* sitefs config */
#include <string.h>

#include "tools/json.h"
#include "tools/output.h"
#include "tools/setup.h"
#include "tools/verbs.h"

/* ---- show ---- */

struct listing {
	struct json *keys;
	struct table *table;
};

static int add_key(void *context, const struct config_key *key)
{
	struct listing *listing = context;
	struct json *json = json_object();

	table_add(listing->table, key->name);
	table_add(listing->table, key->value);
	table_add(listing->table, key->origin);
	json_set_json(json, "value", key->value);
	json_set_text(json, "origin", key->origin);
	json_set(listing->keys, key->name, json);
	return 0;
}

static int show(struct cli *cli, const struct config *config)
{
	static const char *const head[] = { "KEY", "VALUE", "ORIGIN" };
	_cleanup_(json_freep) struct json *json = json_document();
	_cleanup_(table_freep) struct table *table = NULL;
	struct listing listing = { .keys = json_object() };
	int r;

	json_set_text(json, "config_dir", config->dir);
	r = table_new("lll", head, &table);
	listing.table = table;
	if (r == 0)
		r = config_each_key(config, add_key, &listing);
	json_set(json, "keys", listing.keys);
	if (r == 0)
		r = cli->is_json ? json_print(json) : table_print(table, stdout);
	return r < 0 ? cli_fail(cli, EXIT_FAILED, "out of memory") : EXIT_DONE;
}

/* ---- explain ---- */

struct search {
	struct cli *cli;
	const char *name;
};

static int explain_key(void *context, const struct config_key *key)
{
	struct search *search = context;

	if (strcmp(key->name, search->name) != 0)
		return 0;
	if (search->cli->is_json) {
		_cleanup_(json_freep) struct json *json = json_document();

		json_set_text(json, "key", key->name);
		json_set_json(json, "value", key->value);
		json_set_text(json, "origin", key->origin);
		json_set_text(json, "help", key->help);
		json_print(json);
	} else {
		printf("%s = %s\n  set by %s\n  %s\n", key->name, key->value, key->origin,
		       key->help);
	}
	return 1;
}

static int explain(struct cli *cli, const struct config *config, const char *name)
{
	struct search search = { .cli = cli, .name = name };

	if (config_each_key(config, explain_key, &search) == 1)
		return EXIT_DONE;
	return cli_fail(cli, EXIT_USAGE,
			"there is no key '%s': 'sitefs config show' lists all", name);
}

/* ---- check ---- */

static int check(struct cli *cli, const struct config *config)
{
	_cleanup_(json_freep) struct json *json = json_document();
	struct config_reason note;
	bool has_note = config_find_note(config, &note);

	if (!config->store_uri)
		return cli_no_store(cli);
	if (!cli->is_json) {
		if (!cli->is_quiet)
			printf("the configuration in %s is fine\n%s%s%s", config->dir,
			       has_note ? "but: " : "", has_note ? note.text : "",
			       has_note ? "\n" : "");
		return EXIT_DONE;
	}
	json_set_text(json, "config_dir", config->dir);
	json_set_bool(json, "ok", true);
	if (has_note)
		json_set_text(json, "note", note.text);
	return json_print(json) < 0 ? cli_fail(cli, EXIT_FAILED, "out of memory")
				    : EXIT_DONE;
}

static int run(struct cli *cli, const void *options)
{
	_cleanup_(config_freep) struct config *config = NULL;
	const char *what = cli->args[0];
	bool is_explain = !strcmp(what, "explain");
	int r;

	if (!is_explain && strcmp(what, "show") != 0 && strcmp(what, "check") != 0)
		return cli_fail(cli, EXIT_USAGE,
				"'%s' is none of check, show and explain KEY", what);
	if (is_explain != (cli->n_args == 2))
		return cli_fail(cli, EXIT_USAGE,
				is_explain ? "explain what KEY?"
					   : "only explain takes a KEY");
	r = cli_load_config(cli, NULL, &config);
	if (r)
		return r;
	if (is_explain)
		return explain(cli, config, cli->args[1]);
	return what[0] == 's' ? show(cli, config) : check(cli, config);
}

const struct verb verb_config = {
	.name = "config",
	.usage = "check|show|explain KEY [--json]",
	.summary = "the effective configuration, and whether it is fine",
	.help = "check    reads the presets and says what is wrong with them; exit code 2 then\n"
		"show     every key of sitefs.json and the presets: value and where it was set\n"
		"explain  one key: value, origin and what it means",
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
