/* Constructors survive it when memory ends: the nth allocation fails, for every n until none does.
 * Leaks show in the run under AddressSanitizer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bson/bson.h>
#include <cmocka.h>

#include "sync/doc.h"
#include "tests/unit/failing_alloc.h"

static const char doc_json[] =
	"{\"_id\": {\"$oid\": \"60e578d0c987036c6a7b741d\"}, \"type\": \"representation\","
	" \"name\": \"ma\", \"parent\": \"p\", \"context\": {\"asset\": \"a\", \"version\": 1},"
	" \"files\": [{\"_id\": \"1\", \"path\": \"{root[a][b]}{root[a][b]}/x\", \"hash\": \"x|1|2\","
	" \"sites\": [{\"name\": \"a\", \"id\": \"i\", \"error\": \"e\"}, {\"name\": \"b\"}]},"
	" {\"_id\": \"2\", \"path\": \"/srv/x\", \"sites\": [\"a\", \"a\"]},"
	" {\"_id\": \"2\", \"path\": \"{root}/../x\", \"sites\": {\"a\": {}, \"b\": null}}, 5]}";

static void test_doc(void **state)
{
	bson_t *bson = bson_new_from_json((const uint8_t *)doc_json, -1, NULL);
	unsigned n = 1;

	assert_non_null(bson);
	for (;; n++) {
		struct doc *doc = NULL;
		int r;

		failing_alloc_at(n);
		r = doc_parse(bson_get_data(bson), bson->len, "P", &doc, NULL);
		if (!failing_alloc_has_failed()) {
			failing_alloc_at(0);
			assert_int_equal(r, 0);
			assert_non_null(doc->files[2].refused);
			doc_free(doc);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_null(doc);
	}
	assert_true(n > 40);
	bson_destroy(bson);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doc),
	};

	return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
