/* Fuzz target: PATH arguments, and --frames on the second line. What is a sequence finds its own frames. */
#include <assert.h>
#include <string.h>

#include "sync/base/buf.h"
#include "tests/fuzz/fuzz.h"
#include "tools/pathspec.h"
#include "tools/sequence.h"

static void check_sequence(const struct pathspec *spec)
{
	_cleanup_(freep) char *name = NULL;
	int64_t frame = spec->frames.n ? spec->frames.ranges[0].first : 1001;

	assert(spec->folder && spec->prefix && spec->suffix);
	assert(!strchr(spec->prefix, '/') && !strchr(spec->suffix, '/'));
	assert(spec->width >= 0 && spec->width <= 15);
	for (size_t i = 0; i < spec->frames.n; i++) {
		const struct frame_range *range = &spec->frames.ranges[i];

		assert(range->step > 0 && range->first <= range->last);
		assert(frames_contain(&spec->frames, range->first));
	}
	name = strf("%s%0*lld%s", spec->prefix, spec->width, (long long)frame,
		    spec->suffix);
	assert(name && pathspec_matches(spec, name));
	pathspec_matches(spec, spec->text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = strndup((const char *)data, size);
	char *frames = strchr(text, '\n');
	struct sequence_frame frame;
	struct error error = { 0 };
	struct pathspec spec;
	int r;

	if (frames)
		*frames++ = '\0';
	sequence_find_frame(text, &frame);
	r = pathspec_parse(text, frames, &spec, &error);
	assert((r == 0) == !error.text[0]);
	if (r < 0)
		return 0;
	assert(strcmp(spec.text, text) == 0);
	if (spec.kind == PATHSPEC_SEQUENCE)
		check_sequence(&spec);
	assert((spec.kind == PATHSPEC_PUB) == (spec.project != NULL));
	assert((spec.kind == PATHSPEC_REPRE) == (spec.repre != NULL));
	pathspec_done(&spec);
	return 0;
}
