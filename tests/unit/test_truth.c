/* sync/truth: remotes are added and replaced, copies are deep, digests decide about equality. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sync/base/cleanup.h"
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

/* ---- which publish it is of ---- */

/* "r1/f1 r2/f2" */
static struct truth_files files_of(const char *text)
{
	_cleanup_(freep) char *copy = strdup(text);
	struct truth_files files = { 0 };
	char *rest = copy, *ref;

	while ((ref = strsep(&rest, " ")))
		if (*ref)
			assert_int_equal(truth_files_add_ref(&files, ref), 0);
	return files;
}

/* The same of what names the path, "+" where it is recorded at the remote. Cuts TEXT up. */
static size_t names_of(char *text, struct truth_name *names)
{
	size_t n = 0;
	char *name;

	while ((name = strsep(&text, " "))) {
		names[n].is_there = *name == '+';
		name += names[n].is_there;
		names[n].repre = strsep(&name, "/");
		names[n++].file = name;
	}
	return n;
}

static void test_of_a_publish_before(void **state)
{
	static const struct {
		const char *what, *files, *names;
		bool is_former;
	} rows[] = {
		{ "the same", "r1/f1", "+r1/f1", false },
		{ "nobody knows of what", "", "+r1/f2", false },
		{ "published anew", "r1/f1", "+r1/f2", true },
		{ "published anew, not there yet", "r1/f1", "r1/f2", false },
		{ "a further representation", "r1/f1", "+r1/f1 +r2/f2", false },
		{ "a further one came first", "r1/f1", "+r2/f2 +r1/f1", false },
		{ "by another representation", "r1/f1", "+r2/f2", true },
		{ "one of two anew", "r1/f1 r2/f2", "+r1/f3 +r2/f2", true },
		{ "one of two anew, not there yet", "r1/f1 r2/f2", "r1/f3 +r2/f2",
		  false },
		{ "one of two went", "r1/f1 r2/f2", "+r2/f2", false },
		{ "one of two went, another came", "r1/f1 r2/f2", "+r3/f3 +r2/f2",
		  false },
		{ "twice in one representation", "r1/f1", "+r1/f1 +r1/f2", false },
		{ "a name that begins alike", "r1/f1", "+r1/f1 +r12/f2", false },
		{ "restored with other ids", "r1/f1 r2/f2", "+r8/f8 r9/f9", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(truth_done) struct truth truth = { .files = files_of(
								     rows[i].files) };
		_cleanup_(freep) char *text = strdup(rows[i].names);
		struct truth_name names[4];
		size_t n = names_of(text, names);

		if (truth_is_former(&truth, names, n) != rows[i].is_former)
			fail_msg("row '%s'", rows[i].what);
	}
}

static void test_what_may_be_replaced(void **state)
{
	static const struct {
		const char *before, *old;
		bool may;
	} rows[] = {
		{ "r1/f1", "r1/f1", true },
		{ "r1/f1 r2/f2", "r2/f2", true },
		{ "r1/f1", "r1/f1 r2/f2", false },
		{ "r1/f1", "r1/f3", false },
		{ "r1/f1", "", false },
		{ "", "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(truth_done) struct truth truth = { .before = files_of(
								     rows[i].before) };
		_cleanup_(truth_done) struct truth old = { .files = files_of(
								   rows[i].old) };

		if (truth_follows(&truth, &old) != rows[i].may)
			fail_msg("row %zu", i);
	}
}

static void test_files_are_completed(void **state)
{
	_cleanup_(truth_done) struct truth old = { .files = files_of("r1/f1 r2/f2") };
	_cleanup_(truth_done) struct truth truth = { .files = files_of("r1/f3 r2/f2"),
						     .before = files_of("r1/f1") };
	bool is_changed;

	assert_int_equal(truth_complete(&old, &truth, false, &is_changed), 0);
	assert_true(is_changed);
	assert_int_equal(old.files.n, 2);
	assert_string_equal(old.files.refs[0], "r2/f2");
	assert_string_equal(old.files.refs[1], "r1/f3");
	assert_int_equal(truth_complete(&old, &truth, false, &is_changed), 0);
	assert_false(is_changed);
}

/* A path that a thousand representations name is not told of in a thousand texts. */
static void test_many_files(void **state)
{
	_cleanup_(truth_done) struct truth truth = { 0 };
	_cleanup_(truth_done) struct truth copy = { 0 };
	char repre[16];

	for (int i = 0; i < 2 * TRUTH_FILES_MAX; i++) {
		snprintf(repre, sizeof(repre), "r%d", i);
		assert_int_equal(truth_files_add(&truth.files, repre, "f"), 0);
	}
	assert_int_equal(truth.files.n, TRUTH_FILES_MAX);
	assert_int_equal(truth_copy(&truth, &copy), 0);
	assert_int_equal(copy.files.n, TRUTH_FILES_MAX);
	assert_true(truth_files_have(&copy.files, "r5", "f"));
	assert_false(truth_files_have(&copy.files, "r", "5/f"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remotes),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_of_a_publish_before),
		cmocka_unit_test(test_what_may_be_replaced),
		cmocka_unit_test(test_files_are_completed),
		cmocka_unit_test(test_many_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
