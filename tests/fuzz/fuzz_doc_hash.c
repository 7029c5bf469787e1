/* Fuzz target: the time in a document's `hash`. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sync/doc.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *hash = strndup((const char *)data, size);

	assert(doc_hash_mtime_ns(hash) >= -1);
	return 0;
}
