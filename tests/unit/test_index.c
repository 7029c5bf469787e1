/* sync/index: what is shown, told of and refused. */
#include "sync/base/clock.h"
#include "tests/unit/index_bed.h"

/* STATES: rows 1 to 9 as far as the index decides them. Files are a, b and c of one representation. */
static const struct {
	const char *name, *files;
	enum index_object_state object; /* of a */
	const char *shown, *partial;
} shown_rows[] = {
	{ "row 1: not asked for at the remote: not listed, holds back nobody",
	  "1 {root[work]}/a 00 | 2 {root[work]}/b 0+", 0, "~a b ", "~a b " },
	{ "row 2: still to come at the remote: the whole representation waits",
	  "1 {root[work]}/a 0- | 2 {root[work]}/b 0+", 0, "~a ~b ", "~a b " },
	{ "row 3: there, on demand", "1 {root[work]}/a 0+", OBJECT_PRESENT, "a ", "a " },
	{ "row 4: there, wanted here", "1 {root[work]}/a -+", OBJECT_PRESENT, "a ",
	  "a " },
	{ "row 5: object missing: listed", "1 {root[work]}/a 0+", OBJECT_MISSING, "a ",
	  "a " },
	{ "row 6: object different: listed", "1 {root[work]}/a -+", OBJECT_DIFFERENT,
	  "a ", "a " },
	{ "row 7: recorded here, there too: listed", "1 {root[work]}/a ++",
	  OBJECT_PRESENT, "a ", "a " },
	{ "row 8: recorded here, object missing: not listed", "1 {root[work]}/a ++",
	  OBJECT_MISSING, "~a ", "~a " },
	{ "row 8: recorded here, object different: not listed", "1 {root[work]}/a ++",
	  OBJECT_DIFFERENT, "~a ", "~a " },
	{ "row 8: recorded here, not at the remote: not listed",
	  "1 {root[work]}/a +0 | 2 {root[work]}/b ++", 0, "~a b ", "~a b " },
	{ "row 8: recorded here, finally failed at the remote: not listed",
	  "1 {root[work]}/a +-3 | 2 {root[work]}/b 0+", 0, "~a b ", "~a b " },
	{ "a finally failed file is listed with the rest",
	  "1 {root[work]}/a 0-3 | 2 {root[work]}/b 0+", 0, "!a b ", "!a b " },
	{ "... but not where nothing else is there",
	  "1 {root[work]}/a 0-3 | 2 {root[work]}/b 0-4", 0, "~a ~b ", "~a ~b " },
	{ "... and not while others are to come",
	  "1 {root[work]}/a 0-3 | 2 {root[work]}/b 0-2 | 3 {root[work]}/c 0+", 0,
	  "~a ~b ~c ", "!a ~b c " },
	{ "a refused file holds back nobody",
	  "1 {root[work]}/../a 0- | 2 {root[work]}/b 0+", 0, "b ", "b " },
	{ "nor does one of a root that this site has not",
	  "1 {root[none]}/a 0- | 2 {root[work]}/b 0+", 0, "b ", "b " },
};

static void test_shown(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(shown_rows); i++) {
		INDEX_BED(bed);

		print_message("%s\n", shown_rows[i].name);
		put(&bed, "demo", "r1", shown_rows[i].files);
		if (shown_rows[i].object)
			put_object(&bed, "a", shown_rows[i].object, -1);
		assert_listed(&bed, "", true, shown_rows[i].shown);

		/* Another rule holds after a start; nothing is read anew for it. */
		bed.setup.is_partial_shown = true;
		index_bed_open(&bed);
		assert_listed(&bed, "", true, shown_rows[i].partial);
		bed.setup.is_partial_shown = false;
		index_bed_open(&bed);
		assert_listed(&bed, "", true, shown_rows[i].shown);
	}
}

static void test_no_remote_site_shows_nothing(void **state)
{
	char none[] = "";
	INDEX_BED(bed);

	bed.config.remote_site = none;
	assert_int_equal(index_bed_open(&bed), INDEX_FRESH);
	put(&bed, "demo", "r1", "1 {root[work]}/a ++");
	assert_listed(&bed, "", false, "");
	assert_listed(&bed, "", true, "~a ");
}

static void test_any_record_shows_a_name(void **state)
{
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/a 0-");
	put(&bed, "demo", "r2", "2 {root[work]}/a 0+ | 3 {root[work]}/b 0+");
	assert_listed(&bed, "", true, "a b ");
	drop(&bed, "demo", "r2");
	assert_touched(&bed, "a b ");
	assert_listed(&bed, "", true, "~a ");
}

/* ---- what is told of ---- */

static void test_touched(void **state)
{
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/x/a 0+ | 2 {root[work]}/x/b 0-");
	assert_touched(&bed, "x/a x/b ");
	put(&bed, "demo", "r1", "1 {root[work]}/x/a 0+ | 2 {root[work]}/x/b 0-");
	assert_touched(&bed, "");
	put(&bed, "demo", "r1", "1 {root[work]}/x/a 0+ | 2 {root[work]}/x/b 0+");
	assert_touched(&bed, "x/b x/a x ");
	put(&bed, "demo", "r1", "1 {root[work]}/x/a 0+");
	assert_touched(&bed, "x/b ");
	put_object(&bed, "x/a", OBJECT_PRESENT, 5);
	assert_touched(&bed, "x/a ");
	put_object(&bed, "x/a", OBJECT_PRESENT, 5);
	assert_touched(&bed, "");
	put_truth(&bed, "demo", "{root[work]}/x/a", 6);
	assert_touched(&bed, "x/a ");
	put_truth(&bed, "demo", "{root[work]}/x/a", 6);
	assert_touched(&bed, "");
	put_truth(&bed, "other", "{root[work]}/x/a", 6);
	assert_touched(&bed, "");
	drop(&bed, "demo", "r1");
	assert_touched(&bed, "x/a x ");
	drop(&bed, "demo", "r1");
	assert_touched(&bed, "");
	put(&bed, "demo", "r1", "1 {root[pub]}/x/a 0+");
	assert_touched(&bed, "1:x/a 1:x ");
}

static void test_nothing_changed_is_not_written(void **state)
{
	uint64_t generation;
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/x/a 0+ | 2 {root[none]}/x/b 0-");
	generation = index_generation(bed.index);
	put(&bed, "demo", "r1", "1 {root[work]}/x/a 0+ | 2 {root[none]}/x/b 0-");
	drop(&bed, "demo", "r2");
	assert_int_equal(index_generation(bed.index), generation);
	put(&bed, "demo", "r1", "1 {root[work]}/x/a -+ | 2 {root[none]}/x/b 0-");
	assert_int_not_equal(index_generation(bed.index), generation);
}

static void test_rollback(void **state)
{
	_cleanup_(doc_freep) struct doc *doc =
		doc_of("demo", "r2", "2 {root[work]}/x/b 0+ | 3 {root[work]}/y 0+");
	struct index_counts counts;
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/x/a 0+");
	assert_int_equal(index_begin(bed.index), 0);
	assert_int_equal(index_put_doc(bed.index, doc, NULL, NULL), 0);
	index_rollback(bed.index);
	assert_listed(&bed, "", true, "x/ ");
	put_doc(&bed, doc);
	assert_listed(&bed, "", true, "x/ y ");
	assert_listed(&bed, "x", true, "a b ");
	assert_int_equal(index_count(bed.index, &counts), 0);
	assert_int_equal(counts.files, 3);
	assert_int_equal(counts.folders, 1);
}

/* ---- sizes and times ---- */

static void assert_node(struct index_bed *bed, const char *rel, int64_t size,
			int64_t mtime)
{
	struct index_node node;

	assert_int_equal(index_find(bed->index, 0, rel, &node), 0);
	assert_int_equal(node.size, size);
	assert_int_equal(node.mtime_ns, mtime);
}

static void test_size_and_time(void **state)
{
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/a 0+");
	assert_node(&bed, "a", -1, 1000); /* the document's size is a hint */
	put_object(&bed, "a", OBJECT_PRESENT, 5);
	assert_node(&bed, "a", 5, 2000);
	put_truth(&bed, "demo", "{root[work]}/a", 6);
	assert_node(&bed, "a", 6, 3000);
	put_truth(&bed, "demo", "{root[work]}/b", 8);
	put(&bed, "demo", "r2", "2 {root[work]}/b 0+");
	assert_node(&bed, "b", 8, 3000);
	put(&bed, "other", "r3", "3 {root[work]}/c 0+");
	put_truth(&bed, "demo", "{root[work]}/c", 9);
	assert_node(&bed, "c", -1, 1000); /* another project's truth */
}

static void test_object_before_its_record(void **state)
{
	INDEX_BED(bed);

	/* still written by another program: recorded there later, it may have grown */
	put(&bed, "demo", "r3", "3 {root[work]}/c +-");
	put_object(&bed, "c", OBJECT_UNKNOWN, 5);
	assert_node(&bed, "c", -1, 1000);
	put(&bed, "demo", "r3", "3 {root[work]}/c ++");
	assert_node(&bed, "c", -1, 1000);
	put_object(&bed, "c", OBJECT_UNKNOWN, 7);
	assert_node(&bed, "c", 7, 2000);
}

/* The size of the publish before is forgotten with what was seen of its object, and not before the new one is there. */
static void test_published_anew(void **state)
{
	struct index_path path;
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/a 0+");
	put_truth_of(&bed, "demo", "{root[work]}/a", 6, "r1/1");
	put_object(&bed, "a", OBJECT_DIFFERENT, 5);
	assert_node(&bed, "a", 6, 3000);
	put(&bed, "demo", "r1", "2 {root[work]}/a 0-");
	assert_node(&bed, "a", 6, 3000);
	put(&bed, "demo", "r1", "2 {root[work]}/a 0+");
	assert_touched(&bed, "a ");
	assert_node(&bed, "a", -1, 1000);
	assert_int_equal(index_find_path(bed.index, 0, "a", &path), 0);
	assert_int_equal(path.truth.size, -1);
	assert_int_equal(path.former.size, 6);
	assert_string_equal(path.former.key, "{root[work]}/a");
	assert_int_equal(path.object.state, OBJECT_UNKNOWN);
	index_path_done(&path);

	put_object(&bed, "a", OBJECT_PRESENT, 7);
	assert_node(&bed, "a", 7, 2000);
	put(&bed, "demo", "r1", "2 {root[work]}/a -+");
	assert_node(&bed, "a", 7, 2000); /* sent once */
	put_truth_of(&bed, "demo", "{root[work]}/a", 8, "r1/2");
	assert_node(&bed, "a", 8, 3000);
	assert_int_equal(index_find_path(bed.index, 0, "a", &path), 0);
	assert_int_equal(path.truth.size, 8);
	assert_int_equal(path.former.files.n, 0);
	index_path_done(&path);
	/* the documents of before are restored */
	put(&bed, "demo", "r1", "1 {root[work]}/a 0+");
	assert_node(&bed, "a", -1, 1000);
}

static void test_a_further_publish_is_no_newer_one(void **state)
{
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/a 0+");
	put_truth_of(&bed, "demo", "{root[work]}/a", 6, "r1/1");
	put(&bed, "demo", "r2", "2 {root[work]}/a 0+");
	put(&bed, "other", "r3", "3 {root[work]}/a 0+");
	assert_node(&bed, "a", 6, 3000);
	drop(&bed, "demo", "r1");
	assert_node(&bed, "a", -1, 1000);
	put(&bed, "demo", "r1", "1 {root[work]}/a 0-");
	assert_node(&bed, "a", 6, 3000);
}

/* Whose bytes nobody knows may be sent anew as well. */
static void test_sent_anew(void **state)
{
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/a 0+");
	put_object(&bed, "a", OBJECT_PRESENT, 5);
	put(&bed, "demo", "r1", "1 {root[work]}/a -+");
	assert_node(&bed, "a", 5, 2000);
	put(&bed, "demo", "r2", "2 {root[work]}/a 0+");
	assert_node(&bed, "a", 5, 2000);
	drop(&bed, "demo", "r2");
	put(&bed, "demo", "r1", "3 {root[work]}/a 0+");
	assert_node(&bed, "a", -1, 1000);
}

static void assert_unread(struct index_bed *bed, const char *files, const char *repre)
{
	struct truth truth = { .project = (char[]){ "demo" } };
	_cleanup_(freep) char *copy = strdup(files);
	_cleanup_(freep) char *found = NULL;
	char *rest = copy, *ref;

	while ((ref = strsep(&rest, " ")))
		assert_int_equal(truth_files_add_ref(&truth.files, ref), 0);
	assert_int_equal(index_begin(bed->index), 0);
	assert_int_equal(index_find_unread(bed->index, &truth, &found),
			 repre ? 0 : INDEX_NONE);
	if (repre)
		assert_string_equal(found, repre);
	index_rollback(bed->index);
	truth_files_done(&truth.files);
}

static void test_unread(void **state)
{
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/a 0+");
	put(&bed, "other", "r2", "2 {root[work]}/a 0+");
	assert_unread(&bed, "r1/1", NULL);
	assert_unread(&bed, "r1/1 r1/4", "r1");
	assert_unread(&bed, "r2/4", NULL); /* of another project: will be told of */
}

static void test_object_of_nothing(void **state)
{
	struct index_object object = { .state = OBJECT_PRESENT };
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/x/a 0+");
	assert_int_equal(index_begin(bed.index), 0);
	assert_int_equal(index_put_object(bed.index, 0, "none", &object, NULL, NULL),
			 INDEX_NONE);
	assert_int_equal(index_put_object(bed.index, 0, "x", &object, NULL, NULL),
			 INDEX_NONE);
	assert_int_equal(index_commit(bed.index), 0);
}

/* ---- everything of a path ---- */

static void test_path(void **state)
{
	struct index_path path;
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}//x/a -+ | 2 {root[work]}/x/b 0-1");
	put(&bed, "other", "r2", "3 {root[work]}/x/a +-2");
	put_truth(&bed, "demo", "{root[work]}/x/a", 6);
	put_object(&bed, "x/a", OBJECT_DIFFERENT, 5);
	assert_int_equal(index_find_path(bed.index, 0, "x/a", &path), 0);
	assert_int_equal(path.n_records, 2);
	assert_string_equal(path.records[0].project, "demo");
	assert_string_equal(path.records[0].repre, "r1");
	assert_string_equal(path.records[0].file, "1");
	assert_string_equal(path.records[0].path, "{root[work]}//x/a");
	assert_string_equal(path.records[0].key, "{root[work]}/x/a");
	assert_string_equal(path.records[0].subset, "beauty");
	assert_int_equal(path.records[0].size_hint, 7);
	assert_true(path.records[0].is_arriving);
	assert_int_equal(path.records[0].ours.presence, DOC_WANTED);
	assert_null(path.records[0].ours.id);
	assert_int_equal(path.records[0].remote.presence, DOC_PRESENT);
	assert_string_equal(path.records[0].remote.id, "gdrive-id");
	assert_int_equal(path.records[1].remote.tries, 2);
	assert_int_equal(path.truth.size, 6);
	assert_string_equal(path.truth.key, "{root[work]}/x/a");
	assert_string_equal(path.truth.project, "demo");
	assert_int_equal(path.object.state, OBJECT_DIFFERENT);
	assert_int_equal(path.object.size, 5);
	index_path_done(&path);

	assert_int_equal(index_find_path(bed.index, 0, "x/b", &path), 0);
	assert_int_equal(path.truth.size, -1);
	assert_int_equal(path.object.state, OBJECT_UNKNOWN);
	index_path_done(&path);
	assert_int_equal(index_find_path(bed.index, 0, "x", &path), 0);
	assert_true(path.node.is_folder);
	assert_int_equal(path.n_records, 0);
	index_path_done(&path);
	assert_int_equal(index_find_path(bed.index, 0, "y", &path), INDEX_NONE);
	assert_int_equal(index_find_path(bed.index, 7, "", &path), INDEX_NONE);
}

static int64_t first_seen(struct index_bed *bed, const char *rel)
{
	struct index_path path;
	int64_t seen;

	assert_int_equal(index_find_path(bed->index, 0, rel, &path), 0);
	seen = path.records[0].first_seen_ms;
	index_path_done(&path);
	return seen;
}

static void test_first_seen_is_kept(void **state)
{
	int64_t seen;
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/a 0+");
	seen = first_seen(&bed, "a");
	clock_advance(5000);
	put(&bed, "demo", "r1", "1 {root[work]}/a -+");
	assert_int_equal(first_seen(&bed, "a"), seen);
	put(&bed, "demo", "r1", "9 {root[work]}/a -+");
	assert_true(first_seen(&bed, "a") >= seen + 5000);
	put(&bed, "demo", "r1", "9 {root[work]}/b -+");
	assert_true(first_seen(&bed, "b") >= seen + 5000);
}

static void test_inactive_project(void **state)
{
	struct index_path path;
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/a 0+");
	put(&bed, "other", "r2", "2 {root[work]}/b 0+");
	buf_clear(&bed.touched);
	assert_int_equal(index_begin(bed.index), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			index_set_project(bed.index, "demo", true, index_bed_touch, &bed),
			0);
	assert_int_equal(index_commit(bed.index), 0);
	assert_touched(&bed, "a ");
	assert_listed(&bed, "", false, "a b ");
	assert_int_equal(index_find_path(bed.index, 0, "a", &path), 0);
	assert_true(path.records[0].is_inactive);
	index_path_done(&path);
}

/* ---- contradicting and foreign paths ---- */

static int add_refused(void *context, const char *project, const char *repre,
		       const char *path, const char *reason)
{
	return buf_addf(context, "%s/%s %s: %s\n", project, repre, path, reason);
}

static void assert_refused(struct index_bed *bed, const char *expected)
{
	_cleanup_(buf_done) struct buf lines = { 0 };
	struct index_counts counts;
	int64_t n = 0;

	assert_int_equal(index_each_refused(bed->index, add_refused, &lines), 0);
	assert_string_equal(buf_str(&lines), expected);
	assert_int_equal(index_count(bed->index, &counts), 0);
	for (const char *p = expected; (p = strchr(p, '\n')); p++)
		n++;
	assert_int_equal(counts.refused, n);
}

/* A file where others need a folder: the folder wins, whoever came first, and it holds back nobody. */
static void test_folder_wins_over_file(void **state)
{
	static const char *refusal =
		"demo/r1 {root[work]}/a: path is a folder in which other published files"
		" lie\n";
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/a 0- | 2 {root[work]}/b 0+");
	assert_listed(&bed, "", true, "~a ~b ");
	put(&bed, "demo", "r2", "3 {root[work]}/a/x 0+");
	assert_touched(&bed, "a/x a b ");
	assert_listed(&bed, "", true, "a/ b ");
	assert_refused(&bed, refusal);
	drop(&bed, "demo", "r2");
	assert_touched(&bed, "a/x a b ");
	assert_listed(&bed, "", true, "~a ~b ");
	assert_refused(&bed, "");

	drop(&bed, "demo", "r1");
	put(&bed, "demo", "r2", "3 {root[work]}/a/x 0+");
	put(&bed, "demo", "r1", "1 {root[work]}/a 0- | 2 {root[work]}/b 0+");
	assert_listed(&bed, "", true, "a/ b ");
	assert_refused(&bed, refusal);
}

static void test_refused(void **state)
{
	INDEX_BED(bed);

	put(&bed, "demo", "r1",
	    "1 {root[none]}/a 0+ | 2 {root[work]}/../a 0+ | 3 /elsewhere/a 0+ |"
	    "4 /srv/pub/a 0+ | 5 /home/work/b 0+");
	assert_refused(
		&bed,
		"demo/r1 {root[none]}/a: site 'studio' has no root 'none': add it "
		"to the presets\n"
		"demo/r1 {root[work]}/../a: path has a '..' component\n"
		"demo/r1 /elsewhere/a: path is absolute and lies under no root of a "
		"site of this machine\n");
	assert_listed(&bed, "", false, "b ");
	assert_touched(&bed, "1:a b ");
	put_truth(&bed, "demo", "{root[work]}/b", 4);
	assert_node(&bed, "b", 4, 3000);

	buf_clear(&bed.touched);
	assert_int_equal(index_begin(bed.index), 0);
	assert_int_equal(index_refuse_doc(bed.index, "demo", "r1", "no _id",
					  index_bed_touch, &bed),
			 0);
	assert_int_equal(index_refuse_doc(bed.index, "demo", "r9", "no _id",
					  index_bed_touch, &bed),
			 0);
	assert_int_equal(index_commit(bed.index), 0);
	assert_touched(&bed, "1:a b ");
	assert_refused(&bed, "demo/r1 : no _id\ndemo/r9 : no _id\n");
	put(&bed, "demo", "r1", "4 {root[pub]}/a 0+");
	assert_refused(&bed, "demo/r9 : no _id\n");
}

static void test_one_id_twice(void **state)
{
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/a 0+ | 1 {root[work]}/b 0+");
	assert_listed(&bed, "", true, "a b ");
	put(&bed, "demo", "r1", "1 {root[work]}/c 0+");
	assert_listed(&bed, "", true, "c ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_no_remote_site_shows_nothing),
		cmocka_unit_test(test_any_record_shows_a_name),
		cmocka_unit_test(test_touched),
		cmocka_unit_test(test_nothing_changed_is_not_written),
		cmocka_unit_test(test_rollback),
		cmocka_unit_test(test_size_and_time),
		cmocka_unit_test(test_object_before_its_record),
		cmocka_unit_test(test_published_anew),
		cmocka_unit_test(test_a_further_publish_is_no_newer_one),
		cmocka_unit_test(test_sent_anew),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_object_of_nothing),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_first_seen_is_kept),
		cmocka_unit_test(test_inactive_project),
		cmocka_unit_test(test_folder_wins_over_file),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_one_id_twice),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
