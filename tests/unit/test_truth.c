/* sync/truth: remotes are added and replaced, copies are deep, digests decide about equality. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/truth.h"

static void test_remotes(void **state)
{
	_cleanup_(truth_done) struct truth truth = { .size = 3, .mtime_ns = 7 };
	_cleanup_(truth_done) struct truth copy = { 0 };

	truth.project = strdup("P");
	truth.key = strdup("{root}/a");
	assert_null(truth_find_remote(&truth, "nas"));
	assert_int_equal(truth_set_remote(&truth, "nas", "a", "1"), 0);
	assert_int_equal(truth_set_remote(&truth, "gdrive", "b", NULL), 0);
	assert_int_equal(truth_set_remote(&truth, "nas", "c", "2"), 0);
	assert_int_equal(truth.n_remotes, 2);
	assert_int_equal(truth_copy(&truth, &copy), 0);
	assert_ptr_not_equal(copy.key, truth.key);
	assert_string_equal(copy.key, "{root}/a");
	assert_string_equal(truth_find_remote(&copy, "nas")->id, "c");
	assert_string_equal(truth_find_remote(&copy, "nas")->revision, "2");
	assert_null(truth_find_remote(&copy, "gdrive")->revision);
	assert_int_equal(copy.mtime_ns, 7);
}

static void test_same_bytes(void **state)
{
	struct truth a = { .size = 3 }, b = { .size = 3 };

	assert_true(truth_same_bytes(&a, &b));
	a.digest.has_sha256 = true;
	assert_true(truth_same_bytes(&a, &b));
	b.digest.has_sha256 = true;
	assert_true(truth_same_bytes(&a, &b));
	b.digest.sha256[0] = 1;
	assert_false(truth_same_bytes(&a, &b));
	b.digest.has_sha256 = false;
	b.size = 4;
	assert_false(truth_same_bytes(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remotes),
		cmocka_unit_test(test_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
