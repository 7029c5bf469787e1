/* sitefs status */
#include <string.h>

#include "tools/client.h"
#include "tools/elsewhere.h"
#include "tools/output.h"
#include "tools/verbs.h"

#define CHANGES_SHOWN 10

struct options {
	const char *site;
};

static const struct cli_option options_table[] = {
	{ "site", "S", "how the files stand at another site, by the store",
	  offsetof(struct options, site), CLI_TEXT, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

static const char *text_of(const struct json *object, const char *key)
{
	const char *text = json_get_text(object, key);

	return text ? text : "";
}

static void print_head(const struct json *json)
{
	const struct json *mounts = json_get(json, "mounts");
	const char *remote = text_of(json, "remote_site");
	const char *mount = json_as_text(json_first(mounts));

	printf("%s %s%s, ", text_of(json, "active_site"), remote[0] ? "<-> " : "",
	       remote[0] ? remote : "alone");
	if (mount)
		printf("mounted at %s%s", mount,
		       json_get_bool(json, "read_only") ? ", read-only" : "");
	else
		printf("not mounted");
	printf("%s\n", json_get_bool(json, "ready") ? "" : ", reading the store");
}

/* How local files are read and written. */
static void print_passthrough(const struct json *passthrough)
{
	const char *reason = json_get_text(passthrough, "reason");
	bool is_on = json_get_bool(passthrough, "active");

	printf("%-9s %s%s%s\n", "local",
	       is_on ? "files are read and written by the kernel itself"
		     : "files are read and written through the daemon",
	       reason ? ": " : "", reason ? reason : "");
}

/* "reachable", or WORDS and why. */
static void print_peer(const char *what, const char *name, const struct json *peer,
		       const char *words)
{
	const char *error = json_get_text(peer, "last_error");
	bool is_there = json_get_bool(peer, "reachable");

	printf("%-9s %s: %s%s%s\n", what, name, is_there ? "reachable" : words,
	       error ? ": " : "", error ? error : "");
}

static void print_files(const struct json *files)
{
	const char *comma = "";
	bool has_any = false;

	printf("%-9s ", "files");
	for (const struct json *p = json_first(files); p; p = json_next(p)) {
		int64_t n = json_get_int(files, json_key(p), 0);

		if (!n)
			continue;
		printf("%s%lld %s", comma, (long long)n, json_key(p));
		comma = ", ";
		has_any = true;
	}
	printf("%s\n", has_any ? "" : "none published");
}

static void print_flow(const struct cli *cli, const char *what, const struct json *flow)
{
	char files[OUTPUT_SIZE], bytes[OUTPUT_SIZE], rate[OUTPUT_SIZE];
	int64_t n = json_get_int(flow, "files", 0);
	int64_t per_s = json_get_int(flow, "bytes_per_s", 0);

	if (!n) {
		printf("%-9s nothing waits\n", what);
		return;
	}
	printf("%-9s %s, %s", what, output_count(n, "file", files),
	       output_size(json_get_int(flow, "bytes", 0), cli->has_bytes, bytes));
	if (per_s > 0)
		printf(", %s/s", output_size(per_s, cli->has_bytes, rate));
	printf("\n");
}

static void print_cache(const struct cli *cli, const struct json *cache)
{
	char bytes[OUTPUT_SIZE], limit[OUTPUT_SIZE], unsynced[OUTPUT_SIZE];
	int64_t max = json_get_int(cache, "limit", 0);

	printf("%-9s %s", "copies",
	       output_size(json_get_int(cache, "bytes", 0), cli->has_bytes, bytes));
	if (max > 0)
		printf(" of %s", output_size(max, cli->has_bytes, limit));
	if (json_get_int(cache, "unsynced", 0) > 0)
		printf(", %s not sent yet",
		       output_size(json_get_int(cache, "unsynced", 0), cli->has_bytes,
				   unsynced));
	printf("\n");
}

static void print_pauses(const struct json *pauses)
{
	for (const struct json *p = json_first(pauses); p; p = json_next(p)) {
		const char *project = json_get_text(p, "project");
		const char *path = json_get_text(p, "path");
		const char *until = json_get_text(p, "until");
		_cleanup_(buf_done) struct buf name = { 0 };

		output_name(&name, path ? path : project ? project : "");
		printf("%-9s %s%s%s%s%s\n", "paused",
		       json_get_bool(p, "uploads") ? "uploads" : "downloads",
		       path      ? " of "
		       : project ? " of project "
				 : "",
		       buf_str(&name), until ? " until " : "", until ? until : "");
	}
}

/* What others did there, and where the files still are. */
static void print_change(const struct json *item)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	const struct json *sites = json_get(item, "sites");
	const char *change = text_of(item, "change");

	output_name(&line, text_of(item, "path"));
	buf_addf(&line, ": %s", change[0] ? change : text_of(item, "object"));
	if (json_get_text(item, "by")) {
		buf_adds(&line, " by ");
		output_name(&line, text_of(item, "by"));
	}
	if (json_get_text(item, "at"))
		buf_addf(&line, " at %s", text_of(item, "at"));
	buf_adds(&line, json_first(sites) ? "; still at " : "; at no other site");
	for (const struct json *p = json_first(sites); p; p = json_next(p)) {
		buf_adds(&line, p == json_first(sites) ? "" : ", ");
		output_name(&line, json_as_text(p));
	}
	printf("          %s\n", buf_str(&line));
}

static void print_changes(const struct json *changed)
{
	const struct json *item = json_first(json_get(changed, "named"));
	int64_t n = json_get_int(changed, "files", 0);
	int left = CHANGES_SHOWN;

	if (!n)
		return;
	printf("%-9s %lld %s missing or different at the remote:\n", "changed",
	       (long long)n, n == 1 ? "file is" : "files are");
	for (; item && left; item = json_next(item), left--)
		print_change(item);
	if (n > CHANGES_SHOWN)
		printf("          ... and %lld more: `sitefs verify --remote` lists them\n",
		       (long long)(n - CHANGES_SHOWN));
}

/* Only where it stops us. */
static void print_quota(const struct json *quota)
{
	const char *opens = quota ? json_get_text(quota, "opens") : NULL;

	if (opens)
		printf("%-9s used up: opens at %s\n", "quota", opens);
}

static void print_status(const struct cli *cli, const struct json *json)
{
	char count[OUTPUT_SIZE];
	const struct json *store = json_get(json, "store"),
			  *queue = json_get(json, "queue");
	const char *remote = text_of(json, "remote_site");
	const char *lost = json_get_text(json, "lost_root");
	int64_t parked = json_get_int(json, "outbox_parked", 0);
	int64_t refused = json_get_int(json, "refused", 0);

	print_head(json);
	print_peer("store", text_of(store, "uri"), store, "not reachable");
	if (remote[0])
		print_peer("remote", remote, json_get(json, "remote"), "stands still");
	print_quota(json_get(json_get(json, "remote"), "quota"));
	if (json_get(json, "passthrough"))
		print_passthrough(json_get(json, "passthrough"));
	print_files(json_get(json, "files"));
	print_flow(cli, "upload", json_get(queue, "upload"));
	print_flow(cli, "download", json_get(queue, "download"));
	print_cache(cli, json_get(json, "cache"));
	printf("%-9s %s to be written to the store", "outbox",
	       output_count(json_get_int(json, "outbox", 0), "record", count));
	if (parked)
		printf(", %lld refused by it", (long long)parked);
	printf("\n");
	if (refused)
		printf("%-9s %lld files or documents take no part: see the log\n",
		       "refused", (long long)refused);
	print_pauses(json_get(json, "pauses"));
	print_changes(json_get(json, "changed_at_remote"));
	if (json_get_int(json, "twins", 0))
		printf("%-9s %s at the remote stand for several things: `sitefs doctor "
		       "--fix`\n",
		       "twins",
		       output_count(json_get_int(json, "twins", 0), "name", count));
	if (lost)
		printf("%-9s %s\n", "lost root", lost);
}

static struct json *counts_json(const struct elsewhere *elsewhere)
{
	struct json *json = json_object();

	for (int i = FILE_LOCAL; i <= FILE_HIDDEN; i++)
		json_set_int(json, file_state_name((enum file_state)i),
			     elsewhere->n_state[i]);
	return json;
}

static void print_hosts(const struct json *hosts)
{
	if (!json_first(hosts))
		printf("%-9s no daemon of the site was ever seen by this store\n",
		       "last seen");
	for (const struct json *p = json_first(hosts); p; p = json_next(p))
		printf("%-9s %s on host %s\n", "last seen", text_of(p, "last_seen"),
		       text_of(p, "host"));
}

static int say_elsewhere(struct cli *cli, const char *site)
{
	_cleanup_(json_freep) struct json *json = NULL;
	_cleanup_(elsewhere_done) struct elsewhere elsewhere = { .site = site };
	int code = elsewhere_each(cli, &elsewhere, NULL, NULL);
	char bytes[OUTPUT_SIZE];

	if (code && code != EXIT_PARTLY)
		return code;
	json = json_document();
	json_set_text(json, "site", site);
	json_set(json, "files", counts_json(&elsewhere));
	json_set_int(json, "bytes", elsewhere.bytes);
	elsewhere_set_seen(json, &elsewhere);
	json_set(json, "hosts", steal(elsewhere.hosts));
	if (cli->is_json)
		return json_print(json) < 0 ? EXIT_FAILED : code;
	printf("%-9s %s\n", "site", site);
	print_files(json_get(json, "files"));
	printf("%-9s %s\n", "size", output_size(elsewhere.bytes, cli->has_bytes, bytes));
	print_hosts(json_get(json, "hosts"));
	return code;
}

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(client_done) struct client client = { .fd = -1 };
	_cleanup_(json_freep) struct json *json = NULL;
	int r;

	if (options->site)
		return say_elsewhere(cli, options->site);
	r = client_open(cli, NULL, &client);
	if (r)
		return r;
	r = client_ask(&client, "status", NULL, NULL, &json);
	if (r || !json)
		return r;
	if (cli->is_json)
		return client_print(cli, json);
	print_status(cli, json);
	return EXIT_DONE;
}

const struct verb verb_status = {
	.name = "status",
	.usage = "[PATH...] [--site S] [--json]",
	.summary = "one screen about the daemon",
	.help = "Shows what the daemon of a site does: mount, store, remote, files by state,\n"
		"what waits to be sent and fetched, and what stands in the way. With PATH the\n"
		"files below it are counted. It asks the running daemon only, never the store.\n"
		"With --site S: how many files are on the disk of that site, can be opened there\n"
		"from the remote (remote, queued), are awaited or failed, by the store: records,\n"
		"and what daemons of that site tell of copies without one. Ends with 0 only where\n"
		"all are on its disk, else with 4. Tells as well on which hosts a daemon of that\n"
		"site was seen, and when last.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
};
