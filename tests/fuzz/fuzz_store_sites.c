/* Fuzz target: changes of `sites` in representations of any shape. The document stays sound, the rest of
 * it stays as it was, and doing it twice is doing it once. */
#include <assert.h>
#include <string.h>

#include <bson/bson.h>

#include "sync/base/buf.h"
#include "sync/bson_check.h"
#include "sync/doc.h"
#include "sync/store_sites.h"
#include "tests/fuzz/fuzz.h"

#define SITE "gdrive"
#define FILES_MAX 4

static struct doc *parse(const struct buf *doc)
{
	struct doc *parsed = NULL;

	assert(bson_check(doc->data, doc->len) == 0);
	assert(doc_parse(doc->data, doc->len, "P", &parsed, NULL) == 0);
	return parsed;
}

/* All but the sites of the file is as before. */
static void check_rest(const struct doc *before, const struct doc *after, size_t file)
{
	assert(after->n_files == before->n_files);
	assert(strcmp(after->id, before->id) == 0);
	for (size_t i = 0; i < after->n_files; i++) {
		const struct doc_file *a = &before->files[i], *b = &after->files[i];

		assert(!a->id == !b->id && (!a->id || strcmp(a->id, b->id) == 0));
		assert(!a->path == !b->path &&
		       (!a->path || strcmp(a->path, b->path) == 0));
		assert(a->size == b->size);
		assert(i == file || a->n_sites == b->n_sites);
	}
}

static void check_record(const struct buf *original, const struct doc *parsed, size_t i,
			 struct record *record)
{
	struct buf doc = { 0 };
	struct doc *after;
	bool is_changed;
	int r;

	assert(buf_add(&doc, original->data, original->len) == 0);
	r = store_sites_record(&doc, record, &is_changed);
	assert(r == 0 || r == STORE_CONFLICT);
	if (!is_changed)
		assert(doc.len == original->len &&
		       memcmp(doc.data, original->data, doc.len) == 0);
	after = parse(&doc);
	check_rest(parsed, after, i);
	if (is_changed) {
		assert(r == 0);
		assert(after->files[i].form == DOC_FORM_LIST);
		assert(store_sites_record(&doc, record, &is_changed) == 0);
		assert(!is_changed);
	}
	doc_free(after);
	buf_done(&doc);
}

static void check_file(const struct buf *original, const struct doc *parsed, size_t i)
{
	const struct doc_file *file = &parsed->files[i];
	const struct doc_site *site = doc_find_site(file, SITE);
	char name[] = SITE, id[] = "1AbC", error[] = "no \xff";
	struct record record = {
		.repre = parsed->id,
		.file = file->id,
		.path = file->path,
		.site = name,
		.had_presence = site ? (int)site->presence : DOC_ABSENT,
		.had_created_ms = site ? site->created_ms : 0,
		.had_id = site ? site->id : NULL,
		.id = id,
		.created_ms = 5,
		.tries = 2,
		.error = error,
		.progress = 0.5,
	};

	for (int op = RECORD_DONE; op <= RECORD_RETRY; op++) {
		record.op = (enum record_op)op;
		check_record(original, parsed, i, &record);
	}
}

static void check_edits(const struct buf *original, const struct doc *parsed)
{
	struct site_edit edit = { .repre = parsed->id, .site = SITE, .priority = 7 };

	for (int op = SITE_ADD; op <= SITE_LIST_FORM; op++) {
		struct buf doc = { 0 };
		size_t changed = 0;
		struct doc *after;

		edit.op = (enum site_edit_op)op;
		assert(buf_add(&doc, original->data, original->len) == 0);
		assert(store_sites_edit(&doc, &edit, &changed) == 0);
		after = parse(&doc);
		assert(after->n_files == parsed->n_files);
		assert(store_sites_edit(&doc, &edit, &changed) == 0);
		assert(changed == 0);
		doc_free(after);
		buf_done(&doc);
	}
}

static void check(const void *bson, size_t len)
{
	struct buf original = { 0 };
	struct doc *parsed = NULL;

	if (bson_check(bson, len) < 0 || doc_parse(bson, len, "P", &parsed, NULL) != 0)
		return;
	assert(buf_add(&original, bson, len) == 0);
	for (size_t i = 0; i < parsed->n_files && i < FILES_MAX; i++)
		if (!parsed->files[i].refused)
			check_file(&original, parsed, i);
	check_edits(&original, parsed);
	doc_free(parsed);
	buf_done(&original);
}

/* BSON, or JSON: a change of that leads to other shapes more often than to none. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bson_t *doc;

	if (size == 0 || data[0] != '{') {
		check(data, size);
		return 0;
	}
	doc = bson_new_from_json(data, (ssize_t)size, NULL);
	if (doc) {
		check(bson_get_data(doc), doc->len);
		bson_destroy(doc);
	}
	return 0;
}
