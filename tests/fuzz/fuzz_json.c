/* Fuzz target: JSON files that people wrote. Each value has a line, each fault a text. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "sync/json_file.h"
#include "tests/fuzz/fuzz.h"

static void walk(struct json_at container, int n_lines)
{
	for (struct json_at at = json_at_first(container); at.node;
	     at = json_at_next(at)) {
		const char *key = json_at_key(at), *text;
		double number;
		bool is_on;

		assert(json_at_line(at) >= json_at_line(container));
		assert(json_at_line(at) <= n_lines);
		assert(!key == json_at_is_list(container));
		if (key)
			assert(json_at_find(container, key).node == at.node);
		assert((json_at_text(at, &text, NULL) == 0) == json_at_is_text(at));
		json_at_number(at, &number, NULL);
		json_at_bool(at, &is_on, NULL);
		walk(at, n_lines);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_file *file = NULL;
	struct error error = { 0 };
	int n_lines = 1;
	int r = json_file_parse("f", (const char *)data, size, &file, &error);

	for (size_t i = 0; i < size; i++)
		n_lines += data[i] == '\n';
	assert((r == 0) == (file != NULL));
	assert(r == 0 || strncmp(error.text, "f:", 2) == 0);
	if (file)
		walk(json_file_top(file), n_lines);
	json_file_free(file);
	return 0;
}
