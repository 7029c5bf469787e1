/* sync/index and sync/view survive it when memory ends: the nth allocation fails, for every n until none does.
 * What then failed changed nothing. Leaks show in the run under AddressSanitizer. */
#include "sync/view.h"
#include "tests/unit/failing_alloc.h"
#include "tests/unit/index_bed.h"

#define FILES "1 {root[work]}/d/a 0+ | 2 {root[work]}/d/x/b 0+ | 3 {root[none]}/c 0+"

static void test_index_open(void **state)
{
	int r = -ENOMEM;
	unsigned n = 1;
	INDEX_BED(bed);

	put(&bed, "demo", "r1", FILES);
	index_set_complete(bed.index);
	index_free(steal(bed.index));
	for (; r != 0; n++) {
		failing_alloc_at(n);
		r = index_bed_open(&bed);
		failing_alloc_at(0);
		assert_true(r == 0 || r == -ENOMEM);
		assert_int_equal(bed.index != NULL, r == 0);
	}
	assert_true(n > 10);
	assert_listed(&bed, "d", true, "a x/ ");
}

static int put_and_commit(struct index_bed *bed, const struct doc *doc)
{
	int r = index_begin(bed->index);

	if (r == 0)
		r = index_put_doc(bed->index, doc, index_bed_touch, bed);
	if (r < 0)
		index_rollback(bed->index);
	return r < 0 ? r : index_commit(bed->index);
}

/* What is told of a change that is rolled back is told again with the next try. */
static void test_put_doc(void **state)
{
	_cleanup_(doc_freep) struct doc *doc = doc_of("demo", "r1", FILES);
	_cleanup_(doc_freep) struct doc *less =
		doc_of("demo", "r1", "2 {root[work]}/d/x/b ++ | 4 {root[work]}/d/x 0+");
	const struct doc *docs[] = { doc, less };
	const char *expected[] = { "a x/ ", "x/ " };
	INDEX_BED(bed);

	for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
		int r = -ENOMEM;

		for (unsigned n = 1; r != 0; n++) {
			buf_clear(&bed.touched);
			failing_alloc_at(n);
			r = put_and_commit(&bed, docs[i]);
			failing_alloc_at(0);
			assert_true(r == 0 || r == -ENOMEM);
			if (r < 0 && i > 0)
				assert_listed(&bed, "d", true, expected[i - 1]);
		}
		assert_listed(&bed, "d", true, expected[i]);
	}
}

static void test_find_path(void **state)
{
	struct index_path path = { 0 };
	int r = -ENOMEM;
	INDEX_BED(bed);

	put(&bed, "demo", "r1", FILES);
	put_truth(&bed, "demo", "{root[work]}/d/a", 6);
	put_object(&bed, "d/a", OBJECT_PRESENT, 6);
	for (unsigned n = 1; r != 0; n++) {
		failing_alloc_at(n);
		r = index_find_path(bed.index, 0, "d/a", &path);
		failing_alloc_at(0);
		assert_true(r == 0 || r == -ENOMEM);
	}
	assert_int_equal(path.n_records, 1);
	index_path_done(&path);
}

static int count_name(void *context, const char *name, const struct view_node *node)
{
	++*(int *)context;
	return 0;
}

static int do_everything(struct view *view)
{
	struct view_node node;
	int n = 0;
	int r = view_rename(view, 0, "d", "e");

	if (r == 0)
		r = view_hide(view, 0, "e/a", false);
	if (r == 0)
		r = view_list(view, 0, "e", NULL, count_name, &n);
	if (r == 0)
		r = view_find(view, 0, "e/x/b", &node);
	if (r == 0)
		r = view_find(view, 0, "d", &node) == VIEW_NONE ? 0 : -ENOMEM;
	if (r == 0)
		r = view_rename(view, 0, "e", "d");
	return r;
}

static void test_view(void **state)
{
	int r = -ENOMEM;
	INDEX_BED(bed);

	put(&bed, "demo", "r1", FILES);
	for (unsigned n = 1; r != 0; n++) {
		_cleanup_(freep) char *path = strf("%s/j%u", bed.scratch.dir, n);
		_cleanup_(journal_freep) struct journal *journal = NULL;
		_cleanup_(view_freep) struct view *view = NULL;
		struct view_node node;

		assert_int_equal(journal_open(path, &journal, NULL), 0);
		assert_int_equal(view_new(bed.index, journal, NULL, NULL, &view), 0);
		failing_alloc_at(n);
		r = do_everything(view);
		failing_alloc_at(0);
		assert_true(r == 0 || r == -ENOMEM);
		if (r == 0) {
			assert_int_equal(view_find(view, 0, "d/x/b", &node), 0);
			assert_int_equal(view_find(view, 0, "d/a", &node), VIEW_NONE);
			assert_int_equal(view_find(view, 0, "e", &node), VIEW_NONE);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index_open),
		cmocka_unit_test(test_put_doc),
		cmocka_unit_test(test_find_path),
		cmocka_unit_test(test_view),
	};

	return cmocka_run_group_tests_name("alloc_index", tests, NULL, NULL);
}
