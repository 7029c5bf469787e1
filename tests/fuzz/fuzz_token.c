/* Fuzz target: tokens of local_drive's uploads. What is taken names a part file and nothing else. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "providers/local_drive/token.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = malloc(size + 1), *again = NULL;
	struct token token, second;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (token_parse(text, &token) < 0)
		return 0;
	assert(token_is_part(token.part, NULL));
	assert(!strchr(token.part, '/'));
	assert(token.size >= 0 && token.offset <= (uint64_t)token.size);
	assert(token.prefix.has_sha256);
	again = token_format(&token);
	assert(again);
	assert(token_parse(again, &second) == 0);
	assert(strcmp(second.part, token.part) == 0);
	assert(second.offset == token.offset && second.size == token.size &&
	       second.mtime_ns == token.mtime_ns);
	assert(digest_equal(&second.prefix, &token.prefix));
	assert(second.source.has_sha256 == token.source.has_sha256);
	return 0;
}
