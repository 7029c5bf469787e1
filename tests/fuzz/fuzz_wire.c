/* Fuzz target: what Drive and the token endpoint answer. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "providers/gdrive/wire.h"
#include "tests/fuzz/fuzz.h"

static void check_file(const struct wire_file *file)
{
	assert(file->size >= -1);
	assert(!wire_is_object(file) || (file->revision && file->size >= 0));
	assert(!(wire_is_object(file) && wire_is_folder(file)));
}

static void read_file_or_list(const char *text, size_t len)
{
	struct wire_file file;
	struct wire_list list;

	if (wire_parse_file(text, len, &file) == 0)
		assert(file.id);
	check_file(&file);
	wire_file_done(&file);
	(void)!wire_parse_list(text, len, &list);
	for (size_t i = 0; i < list.n; i++) {
		assert(list.files[i].id && list.files[i].name);
		check_file(&list.files[i]);
	}
	wire_list_done(&list);
}

static void read_changes(const char *text, size_t len)
{
	struct wire_changes changes;
	char *start;

	if (wire_parse_changes(text, len, &changes) == 0)
		assert(changes.next || changes.start);
	for (size_t i = 0; i < changes.n; i++) {
		assert(changes.changes[i].id);
		check_file(&changes.changes[i].file);
		assert(!changes.changes[i].file.editor ||
		       !strchr(changes.changes[i].file.editor, '\n'));
	}
	wire_changes_done(&changes);
	if (wire_parse_start(text, len, &start) == 0)
		assert(start);
	free(start);
}

static void read_rest(const char *text, size_t len)
{
	struct wire_drives drives;
	struct wire_ids ids;
	struct wire_error error;
	struct wire_token token;
	int64_t limit = 0;

	(void)!wire_parse_drives(text, len, &drives);
	wire_drives_done(&drives);
	if (wire_parse_ids(text, len, &ids) == 0)
		assert(ids.n && ids.ids[0]);
	wire_ids_done(&ids);
	(void)!wire_parse_error(text, len, &error);
	assert(!strchr(error.message, '\n'));
	if (wire_parse_token(text, len, &token) == 0)
		assert(token.error[0] || !strpbrk(token.access_token, "\r\n "));
	wire_token_done(&token);
	(void)!wire_parse_limit(text, len, &limit);
	assert(limit >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = malloc(size + 1);
	struct wire_range range;
	int64_t ns;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	read_file_or_list(text, size);
	read_changes(text, size);
	read_rest(text, size);
	(void)!wire_parse_time(text, &ns);
	if (wire_parse_range(text, &range) == 0)
		assert(range.first <= range.last);
	return 0;
}
