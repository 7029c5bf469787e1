/* sitefs publish */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "sync/base/path.h"
#include "sync/publish.h"
#include "tools/client.h"
#include "tools/json.h"
#include "tools/locate.h"
#include "tools/output.h"
#include "tools/pathspec.h"
#include "tools/setup.h"
#include "tools/verbs.h"

struct options {
	const char *project, *name, *version, *frames;
};

static const struct cli_option options_table[] = {
	{ "project", "P", "the project that the files belong to",
	  offsetof(struct options, project), CLI_TEXT, 0 },
	{ "name", "N", "the subset's name (default: from the path)",
	  offsetof(struct options, name), CLI_TEXT, 0 },
	{ "version", "N", "the version's number (default: the next one)",
	  offsetof(struct options, version), CLI_TEXT, 0 },
	{ "frames", "RANGE", "frames of a sequence: 1001-1100x2",
	  offsetof(struct options, frames), CLI_TEXT, 0 },
	{ NULL, NULL, NULL, 0, 0, 0 },
};

/* The files that were named, by their paths in the roots. */
struct paths {
	struct cli *cli;
	const struct config *config;
	char **items;
	size_t n;
};

static void paths_done(struct paths *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		free(paths->items[i]);
	free(paths->items);
}

static int no_memory(struct cli *cli)
{
	return cli_fail(cli, EXIT_FAILED, "out of memory");
}

/* Takes PATH. */
static int add_path(struct paths *paths, char *path)
{
	char **grown =
		path ? reallocarray(paths->items, paths->n + 1, sizeof(*grown)) : NULL;

	if (!grown) {
		free(path);
		return no_memory(paths->cli);
	}
	paths->items = grown;
	grown[paths->n++] = path;
	return 0;
}

/* A path in a root or a mount as one in the root, as the presets call it; allocated. 0 or an exit code. */
static int in_root(struct paths *paths, const char *arg, char **ret)
{
	const struct config_site *site =
		config_find_site(paths->config, paths->config->active_site);
	_cleanup_(freep) char *absolute = NULL, *rel = NULL;
	int root = 0, r;

	r = client_absolute(arg[0] ? arg : ".", false, &absolute);
	if (r == 0)
		r = locate(paths->config, absolute, &root, &rel);
	if (r == -ENOMEM)
		return no_memory(paths->cli);
	if (r < 0)
		return cli_fail(
			paths->cli, EXIT_NOT_OURS,
			"cannot publish %s: it is not below a root of site '%s', so "
			"no other site could find it: copy it there first",
			arg, paths->config->active_site);
	*ret = path_join(site->roots[root].path, rel);
	return *ret ? 0 : no_memory(paths->cli);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each file of the folder that is of the sequence, in order. */
static int add_sequence(struct paths *paths, const struct pathspec *spec)
{
	_cleanup_(freep) char *folder = NULL;
	const struct dirent *entry;
	size_t before = paths->n;
	int code;
	DIR *dir;

	code = in_root(paths, spec->folder, &folder);
	if (code)
		return code;
	dir = opendir(folder);
	while (dir && !code && (entry = readdir(dir)) != NULL)
		if (pathspec_matches(spec, entry->d_name))
			code = add_path(paths, path_join(folder, entry->d_name));
	if (dir)
		closedir(dir);
	if (!code && paths->n == before)
		return cli_fail(paths->cli, EXIT_FAILED, "no file is of the sequence %s",
				spec->text);
	if (paths->n > before)
		qsort(paths->items + before, paths->n - before, sizeof(char *), compare);
	return code;
}

static int add_arg(struct paths *paths, const char *arg, const char *frames)
{
	_cleanup_(pathspec_done) struct pathspec spec = { 0 };
	struct error error = { 0 };
	char *path = NULL;
	int r;

	r = pathspec_parse(arg, frames, &spec, &error);
	if (r < 0)
		return cli_fail(paths->cli, EXIT_USAGE, "%s", error_text(&error, r));
	if (spec.kind == PATHSPEC_PUB || spec.kind == PATHSPEC_REPRE)
		return cli_fail(paths->cli, EXIT_USAGE,
				"cannot publish %s: it is published already", arg);
	/* a name that is there as it is written is no sequence */
	if (spec.kind == PATHSPEC_SEQUENCE && access(arg, F_OK) != 0)
		return add_sequence(paths, &spec);
	r = in_root(paths, arg, &path);
	return r ? r : add_path(paths, path);
}

static int parse_version(struct cli *cli, const char *text, int *ret)
{
	char *end;
	long value;

	*ret = 0;
	if (!text)
		return 0;
	text += text[0] == 'v';
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 1 || value > 99999)
		return cli_fail(cli, EXIT_USAGE,
				"'%s' is no version: write a number from 1", text);
	*ret = (int)value;
	return 0;
}

/* ---- saying ---- */

static void say_refused(const struct publish *publish)
{
	for (size_t i = 0; i < publish->n_refused; i++) {
		_cleanup_(buf_done) struct buf path = { 0 };

		output_name(&path, publish->refused[i].path);
		fprintf(stderr, "sitefs publish: not registered: %s: %s\n",
			buf_str(&path), publish->refused[i].why);
	}
}

static struct json *refused_json(const struct publish *publish)
{
	struct json *list = json_array();

	for (size_t i = 0; i < publish->n_refused; i++) {
		struct json *one = json_object();

		json_set_text(one, "path", publish->refused[i].path);
		json_set_text(one, "error", publish->refused[i].why);
		json_append(list, one);
	}
	return list;
}

static int say_json(const char *project, const struct publish *publish)
{
	_cleanup_(json_freep) struct json *json = json_document();

	json_set_text(json, "project", project);
	json_set_text(json, "asset", publish->asset);
	json_set_text(json, "subset", publish->subset);
	json_set_int(json, "version", publish->version);
	json_set_text(json, "name", publish->representation);
	json_set_text(json, "representation", publish->repre_id);
	json_set_int(json, "files", (int64_t)publish->n_files);
	json_set_int(json, "bytes", publish->bytes);
	json_set(json, "refused", refused_json(publish));
	return json_print(json);
}

static int say(struct cli *cli, const char *project, const struct publish *publish)
{
	char files[OUTPUT_SIZE], bytes[OUTPUT_SIZE];

	say_refused(publish);
	if (cli->is_json && say_json(project, publish) < 0)
		return no_memory(cli);
	if (!cli->is_json && !cli->is_quiet)
		printf("published pub:%s/%s/%s/v%03d/%s: %s, %s\nrepre:%s\n", project,
		       publish->asset, publish->subset, publish->version,
		       publish->representation,
		       output_count((int64_t)publish->n_files, "file", files),
		       output_size(publish->bytes, cli->has_bytes, bytes),
		       publish->repre_id);
	return publish->n_refused ? EXIT_PARTLY : EXIT_DONE;
}

static int say_failed(struct cli *cli, const struct publish *publish, int r,
		      const struct error *error)
{
	enum cli_exit code = cli_store_exit(r);

	say_refused(publish);
	/* the files' trouble, not the store's */
	if (r > 0 || r == -EFBIG || r == -ENOENT || r == -ENOTDIR || r == -EACCES)
		code = EXIT_FAILED;
	return cli_fail(cli, code, "%s", error_text(error, r));
}

static int publish(struct cli *cli, const struct publish_request *request)
{
	_cleanup_(publish_done) struct publish result = { 0 };
	_cleanup_(store_freep) struct store *store = NULL;
	struct error error = { 0 };
	int code, r;

	code = cli_open_store(cli, request->config, false, &store);
	if (code)
		return code;
	r = publish_run(store, request, &result, &error);
	return r != 0 ? say_failed(cli, &result, r, &error)
		      : say(cli, request->project, &result);
}

static int run(struct cli *cli, const void *context)
{
	const struct options *options = context;
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(paths_done) struct paths paths = { .cli = cli };
	struct publish_request request = { .project = options->project,
					   .name = options->name };
	int code;

	if (!options->project)
		return cli_fail(cli, EXIT_USAGE, "say which project: --project P");
	code = parse_version(cli, options->version, &request.version);
	if (!code)
		code = cli_load_config(cli, options->project, &config);
	if (!code && !config->store_uri)
		code = cli_no_store(cli);
	if (code)
		return code;
	paths.config = config;
	for (int i = 0; i < cli->n_args && !code; i++)
		code = add_arg(&paths, cli->args[i], options->frames);
	if (code)
		return code;
	request.config = config;
	request.paths = (const char *const *)paths.items;
	request.n_paths = paths.n;
	return publish(cli, &request);
}

const struct verb verb_publish = {
	.name = "publish",
	.usage = "--project P [--name N] [--version N] [--frames RANGE] PATH...",
	.summary = "register files as one representation",
	.help = "Registers files and folders below the active site's roots as one representation,\n"
		"in the documents that Pype's integrator writes: here now, wanted at the remote\n"
		"site. The files themselves are only looked at. Asset, subset and version are\n"
		"taken from the path where they are not given; an existing version ends with 1,\n"
		"a path that is not below a root with 3, and 4 says that some files cannot be\n"
		"registered.",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
