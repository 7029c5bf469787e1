/* Stories of MongoDB alone: its connection, what is sent to it, and what the server takes away. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mongoc/mongoc.h>

#include "tests/contract/store/stage.h"
#include "tests/contract/store/stories.h"

static void test_unreachable(void **state)
{
	struct store *store = NULL;
	struct error error = { 0 };

	assert_int_equal(store_open("mongodb://u:secret@127.0.0.1:1/db", "avalon", true,
				    &store, &error),
			 -EHOSTUNREACH);
	assert_non_null(strstr(error.text, "127.0.0.1:1"));
	assert_null(strstr(error.text, "secret"));
}

const struct CMUnitTest mongo_stories[] = {
	cmocka_unit_test(test_unreachable),
};

const size_t n_mongo_stories = ARRAY_SIZE(mongo_stories);
