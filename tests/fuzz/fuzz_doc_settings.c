/*
 * Fuzz target: OpenPype's settings documents, and project documents. What is taken of them can be asked, and made a
 * configuration of, beside sound ones of the other kinds.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include <bson/bson.h>

#include "sync/base/buf.h"
#include "sync/base/log.h"
#include "sync/config.h"
#include "sync/doc_settings.h"
#include "sync/openpype.h"
#include "tests/fuzz/fuzz.h"

static void ask(const struct openpype *openpype, const char *project)
{
	struct openpype_view view = { 0 };
	struct error error = { 0 };
	struct json_at roots;
	int r = openpype_view(openpype, project, &view, &error);

	assert(r == 0 || error.text[0]);
	if (r == 0) {
		openpype_is_enabled(&view);
		assert(openpype_site(&view, "active_site", "me")[0]);
		assert(openpype_site(&view, "remote_site", "me")[0]);
	}
	r = openpype_roots(openpype, project, &roots, &error);
	assert(r == 0 || error.text[0]);
	if (r == 0)
		assert(openpype_are_same_roots(roots, roots));
}

static const char *const sound[] = {
	"{\"type\": \"system_settings\", \"data\": {\"modules\": {\"sync_server\": {\"enabled\": true, "
	"\"sites\": {\"nas\": {\"provider\": \"local_drive\"}}}}}}",
	"{\"type\": \"project_settings\", \"is_default\": true, \"data\": {\"global\": {\"sync_server\": "
	"{\"enabled\": true, \"config\": {\"active_site\": \"studio\", \"remote_site\": \"nas\"}, \"sites\": "
	"{\"nas\": {\"root\": {\"work\": \"/nas\"}}}}}}}",
	"{\"type\": \"project_anatomy\", \"is_default\": true, \"data\": {\"roots\": {\"work\": {\"linux\": "
	"\"/srv\"}}}}",
};
static char dir[] = "/tmp/fuzz_doc_settings.XXXXXX";
static struct {
	const uint8_t *data;
	size_t size;
} input;

static void clean_up(void)
{
	rmdir(dir);
}

static void set_up(void)
{
	static bool is_done;

	if (is_done)
		return;
	is_done = true;
	log_set_level(LOG_LEVEL_ERROR);
	clearenv();
	setenv("SITEFS_LOCAL_ID", "me", 1);
	assert(mkdtemp(dir));
	atexit(clean_up);
}

/* The first of a kind counts. */
static int give(struct openpype *into)
{
	int r = openpype_add(into, input.data, input.size);

	if (r == 0)
		r = openpype_add_project(into, "P", input.data, input.size);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sound); i++) {
		bson_t *doc = bson_new_from_json((const uint8_t *)sound[i], -1, NULL);

		assert(doc);
		r = openpype_add(into, bson_get_data(doc), doc->len);
		bson_destroy(doc);
	}
	return r;
}

static void configure(const char *project)
{
	struct config_options options = { .config_dir = dir,
					  .project = project,
					  .documents = give };
	struct config *config = NULL;
	struct error error = { 0 };
	struct config_reason reason;
	int r = config_load(&options, &config, &error);

	assert((r == 0) == (config != NULL));
	assert(r == 0 || (r != -ENOMEM && error.text[0]));
	if (!config)
		return;
	assert(config_find_site(config, config->active_site)->n_roots > 0);
	if (config_leaves_out(config, "P", input.data, input.size, &reason))
		assert(reason.text[0]);
	config_find_note(config, &reason);
	config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct openpype *openpype = openpype_new("me");
	struct doc_settings doc = { 0 };
	struct error error = { 0 };
	const char *project;
	int r = doc_settings_parse(data, size, &doc, &error);

	set_up();
	input.data = data;
	input.size = size;
	configure(NULL);
	configure("P");
	assert(r >= 0 || error.text[0]);
	assert(r || doc.kind);
	doc_settings_done(&doc);
	assert(openpype && openpype_add(openpype, data, size) == 0);
	assert(openpype_add_project(openpype, "P", data, size) == 0);
	project = openpype_project(openpype, 0);
	ask(openpype, NULL);
	ask(openpype, "P");
	if (project)
		ask(openpype, project);
	openpype_free(openpype);
	return 0;
}
