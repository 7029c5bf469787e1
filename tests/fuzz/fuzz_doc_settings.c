/* Fuzz target: OpenPype's settings documents, and project documents. What is taken of them can be asked. */
#include <assert.h>

#include "sync/base/buf.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct openpype *openpype = openpype_new("me");
	struct doc_settings doc = { 0 };
	struct error error = { 0 };
	const char *project;
	int r = doc_settings_parse(data, size, &doc, &error);

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
