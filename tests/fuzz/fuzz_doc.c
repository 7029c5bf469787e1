/* Fuzz target: representation documents (BSON). What is not refused is fit for use. */
#include <assert.h>
#include <string.h>

#include "sync/base/path.h"
#include "sync/doc.h"
#include "tests/fuzz/fuzz.h"

static void check_sites(const struct doc_file *file)
{
	for (size_t i = 0; i < file->n_sites; i++) {
		const struct doc_site *site = &file->sites[i];

		assert(site->name && site->name[0]);
		assert(doc_find_site(file, site->name) == site);
		assert(site->presence != DOC_ABSENT);
		assert(site->tries >= 0);
		assert(site->progress == -1 ||
		       (site->progress >= 0 && site->progress <= 1));
	}
}

static void check_file(const struct doc *doc, const struct doc_file *file)
{
	check_sites(file);
	assert(file->size >= -1);
	if (file->refused) {
		assert(file->refused[0]);
		return;
	}
	assert(file->id && doc_find_file(doc, file->id) == file);
	assert(file->path && file->rel);
	assert(!file->root == !file->key);
	if (file->root)
		assert(!path_refusal(file->rel));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct doc *doc = NULL;
	struct error error = { 0 };
	int r = doc_parse(data, size, "P", &doc, &error);

	assert((r == 0) == (doc != NULL));
	assert(r >= 0 || error.text[0]);
	for (size_t i = 0; doc && i < doc->n_files; i++)
		check_file(doc, &doc->files[i]);
	doc_free(doc);
	return 0;
}
