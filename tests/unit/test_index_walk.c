/* sync/index: folders, walks, counts, projects, hashes. */
#include "tests/unit/index_bed.h"

/* ---- folders ---- */

static void test_order_and_paging(void **state)
{
	_cleanup_(buf_done) struct buf names = { 0 };
	INDEX_BED(bed);

	put(&bed, "demo", "r1",
	    "1 {root[work]}/d/b 0+ | 2 {root[work]}/d/a.1 0+ | 3 {root[work]}/d/a/x 0+ |"
	    "4 {root[work]}/d/\xc3\xa4 0+ | 5 {root[work]}/d/a 00 | 6 {root[work]}/d/B 0+");
	assert_listed(&bed, "d", false, "B a/ a.1 b \xc3\xa4 ");
	assert_int_equal(index_list(bed.index, 0, "d", "a.1", false, add_listed, &names),
			 0);
	assert_string_equal(buf_str(&names), "b \xc3\xa4 ");
	assert_int_equal(index_list(bed.index, 0, "d/b", NULL, true, add_listed, &names),
			 INDEX_NONE);
	assert_int_equal(index_list(bed.index, 0, "none", NULL, true, add_listed, &names),
			 INDEX_NONE);
	assert_int_equal(index_list(bed.index, 1, "", NULL, true, add_listed, &names), 0);
}

static void test_folders_are_shown_with_what_is_in_them(void **state)
{
	struct index_node node;
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/p/q/r/a 0-");
	assert_listed(&bed, "", false, "");
	assert_listed(&bed, "", true, "~p/ ");
	put(&bed, "demo", "r1", "1 {root[work]}/p/q/r/a 0+");
	assert_listed(&bed, "p/q", false, "r/ ");
	put(&bed, "demo", "r2", "2 {root[work]}/p/b 0+");
	drop(&bed, "demo", "r1");
	assert_listed(&bed, "p", true, "b ");
	drop(&bed, "demo", "r2");
	assert_int_equal(index_find(bed.index, 0, "p", &node), INDEX_NONE);
	assert_int_equal(index_find(bed.index, 0, "", &node), 0);
	assert_true(node.is_folder);
}

/* ---- walks and counts ---- */

static void assert_each(struct index_bed *bed, enum index_select select,
			const char *project, const char *expected)
{
	buf_clear(&bed->touched);
	assert_int_equal(index_each(bed->index, select, project, index_bed_touch, bed),
			 0);
	assert_touched(bed, expected);
}

static void test_each_and_count(void **state)
{
	_cleanup_(freep) char *project = NULL;
	struct index_counts counts;
	INDEX_BED(bed);

	put(&bed, "demo", "r1",
	    "1 {root[work]}/x/a +- | 2 {root[work]}/x/b -+ | 3 {root[pub]}/c ++");
	put(&bed, "demo", "r2", "4 {root[work]}/x/a ++ | 5 {root[work]}/y 0+");
	put(&bed, "other", "r3", "6 {root[work]}/z 0+ | 7 {root[none]}/z 0+");
	put(&bed, "other", "r4", "8 {root[work]}/z1 0+ | 9 {root[work]}/z2 0-3");
	put_truth(&bed, "demo", "{root[work]}/y", 1);
	assert_each(&bed, SELECT_ALL, NULL, "x/a x/b 1:c y z z1 z2 ");
	assert_each(&bed, SELECT_RECORDED, NULL, "x/a 1:c ");
	assert_each(&bed, SELECT_PENDING, NULL, "x/a x/b ");
	assert_each(&bed, SELECT_LISTABLE, NULL, "x/a z z1 z2 ");
	assert_each(&bed, SELECT_PROJECT, "other", "z z1 z2 ");
	assert_each(&bed, SELECT_PROJECT, "none", "");

	buf_clear(&bed.touched);
	assert_int_equal(
		index_each_of_repre(bed.index, "demo", "r2", index_bed_touch, &bed), 0);
	assert_touched(&bed, "x/a y ");
	buf_clear(&bed.touched);
	assert_int_equal(
		index_each_of_publish(bed.index,
				      &(struct index_publish){ .project = "other",
							       .asset = "sh010",
							       .version = "v001" },
				      index_bed_touch, &bed),
		0);
	assert_touched(&bed, "z z1 z2 ");
	buf_clear(&bed.touched);
	assert_int_equal(
		index_each_of_publish(
			bed.index,
			&(struct index_publish){ .project = "other", .subset = "none" },
			index_bed_touch, &bed),
		0);
	assert_touched(&bed, "");
	assert_int_equal(index_find_repre(bed.index, "r3", &project), 0);
	assert_string_equal(project, "other");
	assert_int_equal(index_find_repre(bed.index, "r5", &project), INDEX_NONE);

	for (int i = 0; i < 2; i++) {
		assert_int_equal(index_count(bed.index, &counts), 0);
		assert_int_equal(counts.files, 7);
		assert_int_equal(counts.folders, 1);
		assert_int_equal(counts.repres, 4);
		assert_int_equal(counts.projects, 2);
		assert_int_equal(counts.shown, 4);
		assert_int_equal(counts.awaited, 2);
		assert_int_equal(counts.failed, 1);
		assert_int_equal(counts.refused, 1);
		index_bed_open(&bed);
	}
}

static int count_path(void *context, int root, const char *rel)
{
	++*(int *)context;
	return 0;
}

static void test_each_in_slices(void **state)
{
	_cleanup_(buf_done) struct buf files = { 0 };
	int n = 0;
	INDEX_BED(bed);

	for (int i = 0; i < 700; i++)
		buf_addf(&files, "f%d {root[work]}/s/f.%04d.exr 0+|", i, i);
	put(&bed, "demo", "r1", buf_str(&files));
	assert_int_equal(index_each(bed.index, SELECT_ALL, NULL, count_path, &n), 0);
	assert_int_equal(n, 700);
}

static void test_projects_of_nodes(void **state)
{
	static const struct {
		const char *rel;
		bool has_demo, has_other;
	} rows[] = {
		{ "", true, true },    { "p", true, false },   { "p/a", true, false },
		{ "s", true, true },   { "s/a", true, false }, { "s/b", false, true },
		{ "s/c", true, true }, { "o/x", false, true }, { "none", false, false },
	};
	int64_t demo, other;
	INDEX_BED(bed);

	put(&bed, "demo", "r1",
	    "1 {root[work]}/p/a 0+ | 2 {root[work]}/s/a 0+ | 3 {root[work]}/s/c 0+");
	put(&bed, "other", "r2",
	    "4 {root[work]}/o/x/y 0+ | 5 {root[work]}/s/b 0+ | 6 {root[work]}/s/c 0+");
	assert_int_equal(index_find_project(bed.index, "demo", &demo), 0);
	assert_int_equal(index_find_project(bed.index, "other", &other), 0);
	assert_int_equal(index_find_project(bed.index, "none", &other), INDEX_NONE);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(index_has_project(bed.index, 0, rows[i].rel, demo),
				 rows[i].has_demo);
		assert_int_equal(index_has_project(bed.index, 0, rows[i].rel, other),
				 rows[i].has_other);
	}
}

static int add_hashed(void *context, const char *name, const struct index_node *node,
		      const uint64_t *hashes, size_t n)
{
	buf_addf(context, "%s:%zu ", name, n);
	if (n == 2)
		assert_true((hashes[0] == index_file_hash("1") &&
			     hashes[1] == index_file_hash("4")) ||
			    (hashes[1] == index_file_hash("1") &&
			     hashes[0] == index_file_hash("4")));
	return 0;
}

static void test_hashes(void **state)
{
	_cleanup_(buf_done) struct buf names = { 0 };
	_cleanup_(freep) uint64_t *hashes = NULL;
	size_t n;
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/x/a 0+ | 2 {root[work]}/x/d/b 0+");
	put(&bed, "demo", "r2", "4 {root[work]}/x/a 0+ | 5 {root[work]}/x/c 00");
	assert_int_equal(index_file_hashes(bed.index, 0, "x", &hashes, &n), 0);
	assert_int_equal(n, 4);
	for (size_t i = 1; i < n; i++)
		assert_true(hashes[i - 1] < hashes[i]);
	free(steal(hashes));
	assert_int_equal(index_file_hashes(bed.index, 0, "x/d/b", &hashes, &n), 0);
	assert_int_equal(n, 1);
	assert_true(hashes[0] == index_file_hash("2"));
	assert_int_equal(index_list_hashes(bed.index, 0, "x", NULL, add_hashed, &names),
			 0);
	assert_string_equal(buf_str(&names), "a:2 d:0 ");
}

/* ---- the remote ---- */

static void test_by_remote_id(void **state)
{
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/x/a 0+ | 2 {root[work]}/x/b ++");
	put(&bed, "demo", "r2", "3 {root[work]}/x/a 0+ | 4 {root[work]}/c +-");
	buf_clear(&bed.touched);
	assert_int_equal(
		index_each_of_remote_id(bed.index, "gdrive-id", index_bed_touch, &bed),
		0);
	assert_touched(&bed, "x/a x/b ");
	buf_clear(&bed.touched);
	/* our own entry's id is none of the remote's */
	assert_int_equal(
		index_each_of_remote_id(bed.index, "studio-id", index_bed_touch, &bed),
		0);
	assert_touched(&bed, "");
	drop(&bed, "demo", "r1");
	buf_clear(&bed.touched);
	assert_int_equal(
		index_each_of_remote_id(bed.index, "gdrive-id", index_bed_touch, &bed),
		0);
	assert_touched(&bed, "x/a ");
}

/* Each folder that holds files itself, once. */
static void test_folders_one_by_one(void **state)
{
	_cleanup_(buf_done) struct buf said = { 0 };
	int64_t after = 0;
	int root;
	INDEX_BED(bed);

	assert_int_equal(index_next_folder(bed.index, &after, &root, NULL), INDEX_NONE);
	put(&bed, "demo", "r1",
	    "1 {root[work]}/top 0+ | 2 {root[work]}/x/y/a 0+ | 3 {root[work]}/x/y/b 0- |"
	    "4 {root[pub]}/z/c 00 | 5 {root[work]}/x/y/w/v/d ++");
	after = 0;
	for (;;) {
		_cleanup_(freep) char *rel = NULL;
		int r = index_next_folder(bed.index, &after, &root, &rel);

		if (r == INDEX_NONE)
			break;
		assert_int_equal(r, 0);
		buf_addf(&said, "%d:%s ", root, rel);
	}
	assert_non_null(strstr(buf_str(&said), "0: "));
	assert_non_null(strstr(buf_str(&said), "0:x/y "));
	assert_non_null(strstr(buf_str(&said), "1:z "));
	assert_non_null(strstr(buf_str(&said), "0:x/y/w/v "));
	assert_int_equal(said.len, strlen("0: 0:x/y 1:z 0:x/y/w/v "));
}

static void test_trouble(void **state)
{
	struct index_object object = { .state = OBJECT_MISSING,
				       .size = -1,
				       .mtime_ns = -1,
				       .fate = FATE_TRASHED,
				       .who = (char[]){ "ann" },
				       .at_ms = 5 };
	struct index_counts counts;
	struct index_path path;
	INDEX_BED(bed);

	put(&bed, "demo", "r1",
	    "1 {root[work]}/a 0+ | 2 {root[work]}/b 0+ | 3 {root[work]}/c 0+");
	put_object(&bed, "b", OBJECT_DIFFERENT, 5);
	put_object(&bed, "c", OBJECT_PRESENT, 5);
	assert_int_equal(index_begin(bed.index), 0);
	assert_int_equal(index_put_object(bed.index, 0, "a", &object, NULL, NULL), 0);
	assert_int_equal(index_commit(bed.index), 0);
	for (int i = 0; i < 2; i++) {
		assert_each(&bed, SELECT_TROUBLE, NULL, "a b ");
		assert_int_equal(index_count(bed.index, &counts), 0);
		assert_int_equal(counts.trouble, 2);
		assert_int_equal(index_find_path(bed.index, 0, "a", &path), 0);
		assert_int_equal(path.object.fate, FATE_TRASHED);
		assert_string_equal(path.object.who, "ann");
		assert_int_equal(path.object.at_ms, 5);
		index_path_done(&path);
		index_bed_open(&bed);
	}
	drop(&bed, "demo", "r1");
	assert_each(&bed, SELECT_TROUBLE, NULL, "");
	assert_int_equal(index_count(bed.index, &counts), 0);
	assert_int_equal(counts.trouble, 0);
}

static void test_facts_of_the_remote(void **state)
{
	_cleanup_(freep) char *value = NULL;
	INDEX_BED(bed);

	assert_int_equal(index_get_remote_fact(bed.index, "changes", &value), INDEX_NONE);
	assert_int_equal(index_set_remote_fact(bed.index, "changes", "t1"), 0);
	assert_int_equal(index_begin(bed.index), 0);
	assert_int_equal(index_set_remote_fact(bed.index, "changes", "t2"), 0);
	index_rollback(bed.index);
	index_bed_open(&bed);
	assert_int_equal(index_get_remote_fact(bed.index, "changes", &value), 0);
	assert_string_equal(value, "t1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_paging),
		cmocka_unit_test(test_folders_are_shown_with_what_is_in_them),
		cmocka_unit_test(test_each_and_count),
		cmocka_unit_test(test_each_in_slices),
		cmocka_unit_test(test_projects_of_nodes),
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_by_remote_id),
		cmocka_unit_test(test_folders_one_by_one),
		cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_facts_of_the_remote),
	};

	return cmocka_run_group_tests_name("index_walk", tests, NULL, NULL);
}
