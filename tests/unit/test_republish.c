/* sync/republish: of which files a truth record is put, and objects that cannot be those of a newer publish. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/base/cleanup.h"
#include "sync/republish.h"

#define SECOND 1000000000LL
#define MADE (1700000000 * SECOND)
/* An ObjectId of that second. */
#define ID_OF_MADE "6553f100aaaaaaaaaaaaaaaa"

static char r1[] = "r1", r2[] = "r2", f1[] = "f1", f2[] = "f2", f3[] = "f3";
static char id_of_made[] = ID_OF_MADE;

/* The publish before: file f1 of r1, 10 bytes, object revision "old" at nas. */
static struct index_path path_of(struct index_record *records, size_t n)
{
	struct index_path path = {
		.records = records,
		.n_records = n,
		.truth = { .size = -1 },
		.former = { .size = 10 },
	};

	assert_int_equal(truth_files_add(&path.former.files, "r1", "f1"), 0);
	assert_int_equal(truth_set_remote(&path.former, "nas", "a", "old"), 0);
	return path;
}

static struct index_record record_of(char *repre, char *file, enum doc_presence presence,
				     int64_t size, int64_t mtime_ns)
{
	return (struct index_record){ .repre = repre,
				      .file = file,
				      .remote.presence = presence,
				      .size_hint = size,
				      .mtime_ns = mtime_ns };
}

static void test_refusal(void **state)
{
	static char old[] = "old", new[] = "new";
	static const struct {
		const char *what;
		char *file, *revision;
		int64_t hint, made_ns, size, mtime_ns;
		bool is_refused;
	} rows[] = {
		{ "the size fits", f2, new, 20, MADE, 20, MADE, false },
		{ "it does not", f2, new, 20, MADE, 21, MADE, true },
		{ "the document tells none", f2, new, -1, MADE, 21, MADE, false },
		{ "it tells 0", f2, new, 0, MADE, 21, MADE, false },
		{ "the same bytes sent again", f2, new, 10, MADE, 10, MADE - 100 * SECOND,
		  false },
		{ "the old object, older", f2, old, 10, MADE, 10, MADE - 100 * SECOND,
		  true },
		{ "the old object, with no size told", f2, old, -1, MADE, 10,
		  MADE - 100 * SECOND, true },
		{ "the old object, of the time that is told", f2, old, 10, MADE, 10,
		  MADE - SECOND, false },
		{ "the old object, nobody knows how old", f2, old, 10, MADE, 10, -1,
		  false },
		{ "the old object, the document has no hash", f2, old, 10, -1, 10,
		  MADE - 100 * SECOND, false },
		{ "the old object, and the id's time", id_of_made, old, 10, MADE, 10,
		  MADE - 100 * SECOND, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct index_record record = record_of(r1, rows[i].file, DOC_PRESENT,
						       rows[i].hint, rows[i].made_ns);
		struct index_path path = path_of(&record, 1);
		const struct provider_object object = { .size = rows[i].size,
							.mtime_ns = rows[i].mtime_ns,
							.revision = rows[i].revision };

		if (!!republish_refusal(&path, "nas", &object) != rows[i].is_refused)
			fail_msg("row '%s'", rows[i].what);
		/* another remote's object is not that one */
		if (republish_refusal(&path, "gdrive", &object) && rows[i].hint < 0)
			fail_msg("row '%s' at another remote", rows[i].what);
		truth_done(&path.former);
	}
}

/* Two documents of one path tell two sizes (a frame, and what was made a thumbnail of it): one is right. */
static void test_refusal_where_several_name_it(void **state)
{
	struct index_record records[] = {
		record_of(r1, f2, DOC_PRESENT, 20, MADE),
		record_of(r2, f3, DOC_PRESENT, 30, MADE),
	};
	struct index_path path = path_of(records, 2);
	struct provider_object object = { .size = 30, .revision = f1 };

	assert_null(republish_refusal(&path, "nas", &object));
	object.size = 40;
	assert_non_null(republish_refusal(&path, "nas", &object));
	/* what is still to come tells nothing of what is there */
	records[1].remote.presence = DOC_WANTED;
	object.size = 30;
	assert_non_null(republish_refusal(&path, "nas", &object));
	/* nor does the publish before */
	records[1] = record_of(r1, f1, DOC_PRESENT, 30, MADE);
	assert_non_null(republish_refusal(&path, "nas", &object));
	truth_done(&path.former);
	/* without one before, a document's size is a hint */
	assert_null(republish_refusal(&path, "nas", &object));
}

static void test_sign(void **state)
{
	struct index_record records[] = {
		record_of(r1, f2, DOC_PRESENT, 20, MADE),
		record_of(r2, f3, DOC_WANTED, 20, MADE),
	};
	struct index_path path = path_of(records, 2);
	_cleanup_(truth_done) struct truth learnt = { 0 };
	_cleanup_(truth_done) struct truth sent = { 0 };

	assert_int_equal(republish_sign(&path, false, &learnt), 0);
	assert_int_equal(learnt.files.n, 1);
	assert_true(truth_files_have(&learnt.files, "r1", "f2"));
	assert_true(truth_follows(&learnt, &path.former));
	assert_int_equal(republish_sign(&path, true, &sent), 0);
	assert_true(truth_files_have(&sent.files, "r2", "f3"));
	truth_done(&path.former);

	path.truth = learnt;
	assert_true(republish_is_signed(&path));
	records[1].remote.presence = DOC_PRESENT;
	assert_false(republish_is_signed(&path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_refusal_where_several_name_it),
		cmocka_unit_test(test_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
