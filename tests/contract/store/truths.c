/* Truth records: completed, replaced by whom may, read in a walk. They know no implementation. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/contract/store/stage.h"
#include "tests/contract/store/stories.h"

static const struct store_ops *ops(void)
{
	return stage.store->ops;
}

static struct truth truth_of(const char *project, int64_t size, uint8_t sha)
{
	struct truth truth = { .size = size, .mtime_ns = 42 };

	truth.project = strdup(project);
	truth.key = strdup("{root}/a");
	truth.digest.has_sha256 = sha != 0;
	memset(truth.digest.sha256, sha, sizeof(truth.digest.sha256));
	return truth;
}

static void put_truth(struct truth *truth, bool replace, int want)
{
	assert_int_equal(ops()->put_truth(stage.store, truth, replace), want);
}

static void test_truth_is_completed(void **state)
{
	const char *project = stage_project();
	_cleanup_(truth_done) struct truth truth = truth_of(project, 10, 0);
	_cleanup_(truth_done) struct truth got = { 0 };
	_cleanup_(freep) char *token = stage_now();
	_cleanup_(freep) char *events = NULL, *none = NULL;

	assert_int_equal(ops()->load_truth(stage.store, project, truth.key, &got),
			 STORE_GONE);
	truth_set_remote(&truth, "nas", "a", "1");
	put_truth(&truth, false, 0);
	events = stage_events(&token, project);
	assert_string_equal(events, "truth {root}/a;");
	put_truth(&truth, false, 0);
	none = stage_events(&token, project);
	assert_string_equal(none, "");

	/* Another site adds what it knows. */
	truth_done(&truth);
	truth = truth_of(project, 10, 7);
	truth.mtime_ns = 43;
	truth_set_remote(&truth, "gdrive", "b", NULL);
	put_truth(&truth, false, 0);
	assert_int_equal(ops()->load_truth(stage.store, project, truth.key, &got), 0);
	assert_int_equal(got.size, 10);
	assert_int_equal(got.mtime_ns, 42);
	assert_true(digest_equal(&got.digest, &truth.digest));
	assert_false(got.digest.has_md5);
	assert_int_equal(got.n_remotes, 2);
	assert_string_equal(truth_find_remote(&got, "nas")->revision, "1");
	assert_null(truth_find_remote(&got, "gdrive")->revision);
}

static void test_truth_is_replaced_only_if_asked(void **state)
{
	const char *project = stage_project();
	_cleanup_(truth_done) struct truth first = truth_of(project, 10, 7);
	_cleanup_(truth_done) struct truth other = truth_of(project, 10, 8);
	_cleanup_(truth_done) struct truth got = { 0 };

	truth_set_remote(&first, "nas", "a", "1");
	put_truth(&first, false, 0);
	put_truth(&other, false, STORE_CONFLICT);
	assert_int_equal(ops()->load_truth(stage.store, project, other.key, &got), 0);
	assert_int_equal(got.digest.sha256[0], 7);
	truth_done(&got);
	put_truth(&other, true, 0);
	assert_int_equal(ops()->load_truth(stage.store, project, other.key, &got), 0);
	assert_int_equal(got.digest.sha256[0], 8);
	/* The old bytes' remotes say nothing of the new ones. */
	assert_int_equal(got.n_remotes, 0);
	/* The same bytes, published again later: the newer time. */
	other.mtime_ns = 50;
	put_truth(&other, true, 0);
	truth_done(&got);
	assert_int_equal(ops()->load_truth(stage.store, project, other.key, &got), 0);
	assert_int_equal(got.mtime_ns, 50);
	other.size = -1;
	put_truth(&other, true, -EINVAL);
}

/* Who read that it is of a publish before replaces that one, and no other. */
static void test_truth_of_a_publish_before(void **state)
{
	const char *project = stage_project();
	_cleanup_(truth_done) struct truth first = truth_of(project, 10, 7);
	_cleanup_(truth_done) struct truth newer = truth_of(project, 11, 8);
	_cleanup_(truth_done) struct truth newest = truth_of(project, 12, 9);
	_cleanup_(truth_done) struct truth got = { 0 };
	_cleanup_(freep) char *token = NULL, *events = NULL;

	truth_files_add(&first.files, "r1", "f1");
	truth_files_add(&first.files, "r2", "f2");
	truth_set_remote(&first, "nas", "a", "1");
	put_truth(&first, false, 0);
	truth_files_add(&newer.files, "r1", "f3");
	truth_files_add(&newer.before, "r1", "f1");
	put_truth(&newer, false, STORE_CONFLICT); /* it is of another one as well */
	truth_files_add(&newer.before, "r2", "f2");
	token = stage_now();
	put_truth(&newer, false, 0);
	events = stage_events(&token, project);
	assert_string_equal(events, "truth {root}/a;");
	assert_int_equal(ops()->load_truth(stage.store, project, newer.key, &got), 0);
	assert_int_equal(got.size, 11);
	assert_int_equal(got.n_remotes, 0);
	assert_int_equal(got.files.n, 1);
	assert_string_equal(got.files.refs[0], "r1/f3");
	assert_int_equal(got.before.n, 0);

	/* a second hand that read the first one comes too late; one that says the same bytes does not harm */
	truth_files_add(&newest.files, "r1", "f4");
	truth_files_copy(&newer.before, &newest.before);
	put_truth(&newest, false, STORE_CONFLICT);
	put_truth(&newer, false, 0);
}

/* The same bytes published anew: the record is of both files, then of the newer one. */
static void test_truth_of_the_same_bytes_anew(void **state)
{
	const char *project = stage_project();
	_cleanup_(truth_done) struct truth first = truth_of(project, 10, 7);
	_cleanup_(truth_done) struct truth newer = truth_of(project, 10, 7);
	_cleanup_(truth_done) struct truth got = { 0 };
	_cleanup_(freep) char *token = NULL, *events = NULL;

	put_truth(&first, false, 0);
	token = stage_now();
	truth_files_add(&first.files, "r1", "f1");
	put_truth(&first, false, 0);
	events = stage_events(&token, project);
	assert_string_equal(events, "truth {root}/a;");
	truth_files_add(&newer.files, "r1", "f3");
	put_truth(&newer, false, 0);
	assert_int_equal(ops()->load_truth(stage.store, project, newer.key, &got), 0);
	assert_int_equal(got.files.n, 2);
	truth_done(&got);
	truth_files_add(&newer.before, "r1", "f1");
	put_truth(&newer, false, 0);
	assert_int_equal(ops()->load_truth(stage.store, project, newer.key, &got), 0);
	assert_int_equal(got.files.n, 1);
	assert_string_equal(got.files.refs[0], "r1/f3");
}

struct seen {
	const char *project;
	struct buf text;
};

static int count_truth(void *context, const struct truth *truth)
{
	struct seen *seen = context;

	if (strcmp(truth->project, seen->project) == 0)
		assert_int_equal(buf_addf(&seen->text, "%s %d %d;", truth->key,
					  (int)truth->n_remotes, (int)truth->files.n),
				 0);
	return 0;
}

static void test_scan_truth(void **state)
{
	const char *project = stage_project();
	_cleanup_(truth_done) struct truth truth = truth_of(project, 10, 7);
	struct seen seen = { .project = project };

	put_truth(&truth, false, 0);
	truth.key[7] = 'b';
	truth_set_remote(&truth, "nas", "a", "1");
	truth_files_add(&truth.files, "r1", "f1");
	put_truth(&truth, false, 0);
	assert_int_equal(ops()->scan_truth(stage.store, count_truth, &seen), 0);
	assert_string_equal(buf_str(&seen.text), "{root}/a 0 0;{root}/b 1 1;");
	buf_done(&seen.text);
}

const struct CMUnitTest truth_stories[] = {
	cmocka_unit_test(test_truth_is_completed),
	cmocka_unit_test(test_truth_is_replaced_only_if_asked),
	cmocka_unit_test(test_truth_of_a_publish_before),
	cmocka_unit_test(test_truth_of_the_same_bytes_anew),
	cmocka_unit_test(test_scan_truth),
};

const size_t n_truth_stories = ARRAY_SIZE(truth_stories);
