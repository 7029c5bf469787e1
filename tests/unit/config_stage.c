/* Folders of presets for tests of sync/config. */
#include "tests/unit/config_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bson/bson.h>
#include <cmocka.h>

#include "sync/base/beneath.h"
#include "sync/base/buf.h"
#include "sync/base/path.h"
#include "sync/doc_project.h"
#include "sync/openpype.h"

static const char *const variables[] = {
	"SITEFS_CONFIG",
	"SITEFS_STATE",
	"SITEFS_STORE",
	"SITEFS_LOCAL_ID",
	"SITEFS_ACTIVE_SITE",
	"SITEFS_REMOTE_SITE",
	"SITEFS_RETRY_CNT",
	"SITEFS_ALWAYS_ACCESSIBLE_ON",
	"SITEFS_POOLS_READERS",
	"SITEFS_TIMING_SETTLED",
	"OPENPYPE_LOCAL_ID",
	"OPENPYPE_MONGO",
	"OPENPYPE_VERSION",
	"XDG_DATA_HOME",
	"AVALON_MONGO",
	"AVALON_DB",
	"XDG_CONFIG_HOME",
	"XDG_STATE_HOME",
	"XDG_RUNTIME_DIR",
	"NOWHERE",
	"STUDIO",
	"HOME",
};

static char *with_dir(const char *text, const char *dir)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	for (const char *p = text; *p;) {
		bool is_dir = strncmp(p, "DIR", 3) == 0;

		buf_addf(&buf, "%.*s", is_dir ? (int)strlen(dir) : 1, is_dir ? dir : p);
		p += is_dir ? 3 : 1;
	}
	return buf_take(&buf);
}

static void write_file(const char *dir, const struct pair *file)
{
	_cleanup_(freep) char *parent = path_parent(file->name);
	_cleanup_(freep) char *text = with_dir(file->text, dir);
	_cleanup_(closep) int dir_fd = open(dir, O_PATH | O_DIRECTORY);
	_cleanup_(closep) int parent_fd = -1;

	assert_int_equal(beneath_mkdirs(dir_fd, parent, 0755, NULL), 0);
	parent_fd = openat(dir_fd, parent[0] ? parent : ".", O_RDONLY | O_DIRECTORY);
	if (strncmp(text, "-> ", 3) == 0)
		assert_int_equal(symlinkat(text + 3, parent_fd, path_name(file->name)),
				 0);
	else
		assert_int_equal(fd_replace_file(parent_fd, path_name(file->name), text,
						 strlen(text), 0644),
				 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void stage_end(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void stage_begin(const struct config_row *row, char dir[])
{
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		unsetenv(variables[i]);
	for (size_t i = 0; i < ARRAY_SIZE(row->env) && row->env[i].name; i++)
		setenv(row->env[i].name, row->env[i].text, 1);
	for (size_t i = 0; i < ARRAY_SIZE(row->files) && row->files[i].name; i++)
		write_file(dir, &row->files[i]);
}

static const struct config_row *documents_of;

static int give_documents(struct openpype *into)
{
	const struct config_row *row = documents_of;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(row->documents) && row->documents[i];
	     i++) {
		bson_t *doc =
			bson_new_from_json((const uint8_t *)row->documents[i], -1, NULL);
		bson_iter_t it;

		assert_non_null(doc);
		if (doc_is_project(bson_get_data(doc), doc->len) &&
		    bson_iter_init_find(&it, doc, "name"))
			r = openpype_add_project(into, bson_iter_utf8(&it, NULL),
						 bson_get_data(doc), doc->len);
		else
			r = openpype_add(into, bson_get_data(doc), doc->len);
		bson_destroy(doc);
	}
	return r;
}

void stage_give_documents(const struct config_row *row, struct config_options *options)
{
	documents_of = row;
	if (row->documents[0])
		options->documents = give_documents;
}

char *stage_load(const struct config_row *row, const char *dir, struct config **ret,
		 struct error *error)
{
	struct config_options options = { .config_dir = dir, .project = row->project };
	_cleanup_(closep) int log_fd = memfd_create("log", MFD_CLOEXEC);
	_cleanup_(closep) int saved = dup(STDERR_FILENO);
	char *log = calloc(1, 65536);
	int r;

	stage_give_documents(row, &options);
	assert_true(log_fd >= 0 && saved >= 0);
	dup2(log_fd, STDERR_FILENO);
	r = config_load(&options, ret, error);
	dup2(saved, STDERR_FILENO);
	assert_true((r == 0) == !row->error);
	assert_true(fd_pread_all(log_fd, log, 65535, 0) >= 0);
	return log;
}

struct lookup {
	const char *name;
	char *line; /* "key=value @origin" */
};

static int look(void *context, const struct config_key *key)
{
	struct lookup *lookup = context;

	assert_true(key->help[0]);
	if (strcmp(key->name, lookup->name) != 0)
		return 0;
	lookup->line = strf("%s=%s @%s", key->name, key->value, key->origin);
	return 1;
}

void stage_assert_key(const struct config *config, const char *expected)
{
	_cleanup_(freep) char *name = strndup(expected, strcspn(expected, "="));
	struct lookup lookup = { .name = name };
	size_t len = strlen(expected);

	config_each_key(config, look, &lookup);
	if (strcmp(expected + strlen(name), "=") == 0) {
		assert_null(lookup.line);
		return;
	}
	if (!lookup.line)
		fail_msg("no key %s", name);
	if (strncmp(lookup.line, expected, len) != 0 ||
	    (lookup.line[len] && lookup.line[len] != ' '))
		fail_msg("%s, not %s", lookup.line, expected);
	free(lookup.line);
}

static void assert_holds(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not hold \"%s\"", text, part);
}

static void run_row(const struct config_row *row)
{
	char dir[] = STAGE_DIR;
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(freep) char *log = NULL;
	struct error error = { 0 };

	stage_begin(row, dir);
	log = stage_load(row, dir, &config, &error);
	stage_end(dir);
	if (row->error) {
		_cleanup_(freep) char *part = with_dir(row->error, dir);

		assert_null(config);
		assert_holds(error.text, part);
	}
	if (row->warning) {
		_cleanup_(freep) char *part = with_dir(row->warning, dir);

		assert_holds(log, part);
	} else {
		assert_string_equal(log, "");
	}
	for (size_t i = 0; i < ARRAY_SIZE(row->expected) && row->expected[i]; i++) {
		_cleanup_(freep) char *expected = with_dir(row->expected[i], dir);

		stage_assert_key(config, expected);
	}
}

void stage_run_rows(const struct config_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		print_message("  %s\n", rows[i].what);
		assert_true(rows[i].error || rows[i].expected[0]);
		run_row(&rows[i]);
	}
}
