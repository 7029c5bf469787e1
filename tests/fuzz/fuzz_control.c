/* Fuzz target: requests on the control socket. What is taken can be written, and read back the same. */
#include <assert.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tools/control.h"

static void check_same(const struct control_request *a, const struct control_request *b)
{
	assert(strcmp(a->verb, b->verb) == 0);
	assert(a->n_paths == b->n_paths);
	for (size_t i = 0; i < a->n_paths; i++)
		assert(strcmp(a->paths[i], b->paths[i]) == 0);
	assert(!a->frames == !b->frames);
	assert(!a->frames || strcmp(a->frames, b->frames) == 0);
	assert(a->is_accepting == b->is_accepting && a->is_failed == b->is_failed);
	assert(a->is_awaited == b->is_awaited);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(control_request_done) struct control_request request = { 0 };
	_cleanup_(control_request_done) struct control_request again = { 0 };
	_cleanup_(buf_done) struct buf line = { 0 };
	struct error error = { 0 };
	int r;

	r = control_request_parse((const char *)data, size, &request, &error);
	assert((r == 0) == !error.text[0]);
	if (r < 0)
		return 0;
	assert(control_request_format(&request, &line) == 0);
	assert(memchr(line.data, '\n', line.len) == line.data + line.len - 1);
	assert(control_request_parse(line.data, line.len - 1, &again, NULL) == 0);
	check_same(&request, &again);
	return 0;
}
