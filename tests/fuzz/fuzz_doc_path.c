/* Fuzz target: paths of documents. What is taken stays below its root, and its key means the same. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sync/base/path.h"
#include "sync/doc.h"
#include "tests/fuzz/fuzz.h"

static void check_key(const char *root, const char *rel)
{
	_cleanup_(freep) char *key = doc_path_key(root, rel);
	_cleanup_(freep) char *again_root = NULL, *again_rel = NULL, *refused = NULL;

	assert(doc_path_parse(key, &again_root, &again_rel, &refused) == 0);
	assert(strcmp(root, again_root) == 0);
	assert(strcmp(rel, again_rel) == 0);
}

static void check(const char *root, const char *rel)
{
	if (!root) {
		assert(rel[0] == '/' || rel[1] == ':');
		return;
	}
	assert(!path_refusal(rel));
	assert(!strchr(rel, '\\'));
	assert(!strchr(root, '/'));
	assert(strncasecmp(rel, ".sitefs/", 8) != 0 && strcasecmp(rel, ".sitefs") != 0);
	check_key(root, rel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *path = strndup((const char *)data, size);
	_cleanup_(freep) char *root = NULL, *rel = NULL, *refused = NULL;
	int r = doc_path_parse(path, &root, &rel, &refused);

	assert((r == -EINVAL) == (refused != NULL));
	assert((r == 0) == (rel != NULL));
	if (r == 0)
		check(root, rel);
	return 0;
}
