/* sync/journal: facts, outbox, stamps, staged files, uploads; that it lasts; that damage is told. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/base/db.h"
#include "sync/journal.h"
#include "tests/unit/journal_bed.h"

static void test_facts(void **state)
{
	char *value = NULL;
	BED(bed);

	assert_int_equal(journal_get(bed.journal, "site", &value), JOURNAL_NONE);
	assert_int_equal(journal_set(bed.journal, "site", "studio"), 0);
	assert_int_equal(journal_set(bed.journal, "site", "local_0"), 0);
	reopen(&bed);
	assert_int_equal(journal_get(bed.journal, "site", &value), 0);
	assert_string_equal(value, "local_0");
	free(value);
}

/* ---- outbox ---- */

static struct outbox_row row_of(const char *file, const char *site)
{
	return (struct outbox_row){
		.has_record = true,
		.record = { .op = RECORD_DONE,
			    .project = strdup("demo"),
			    .repre = strdup("r1"),
			    .file = strdup(file),
			    .path = strdup("{root[work]}/a"),
			    .site = strdup(site),
			    .had_presence = 2,
			    .had_created_ms = 1234567890123,
			    .had_id = strdup("old"),
			    .id = strdup("new"),
			    .created_ms = 1700000000000,
			    .tries = 3,
			    .error = strdup("it broke"),
			    .failed_ms = 77,
			    .progress = 0.25 },
	};
}

static void add_row(struct bed *bed, const char *file, const char *site)
{
	struct outbox_row row = row_of(file, site);

	assert_int_equal(journal_outbox_add(bed->journal, &row, 1), 0);
	outbox_row_done(&row);
}

static void assert_counts(struct bed *bed, int64_t waiting, int64_t parked)
{
	int64_t has_waiting, has_parked;

	journal_outbox_count(bed->journal, &has_waiting, &has_parked);
	assert_int_equal(has_waiting, waiting);
	assert_int_equal(has_parked, parked);
}

static void test_outbox_keeps_every_field(void **state)
{
	struct outbox_row row = row_of("f1", "gdrive"), *rows;
	size_t n;
	BED(bed);

	row.has_truth = row.is_replacing = true;
	row.truth.project = strdup("demo");
	row.truth.key = strdup("{root[work]}/a");
	row.truth.size = 5LL << 32;
	row.truth.mtime_ns = 1700000000123456789;
	row.truth.digest.has_sha256 = true;
	memset(row.truth.digest.sha256, 0xab, DIGEST_SHA256_SIZE);
	assert_int_equal(truth_set_remote(&row.truth, "gdrive", "id1", "rev1"), 0);
	assert_int_equal(truth_set_remote(&row.truth, "nas", "a", NULL), 0);
	assert_int_equal(truth_files_add(&row.truth.files, "r1", "f1"), 0);
	assert_int_equal(truth_files_add(&row.truth.files, "r2", "f2"), 0);
	assert_int_equal(truth_files_add(&row.truth.before, "r1", "f0"), 0);
	assert_int_equal(journal_outbox_add(bed.journal, &row, 1), 0);
	reopen(&bed);
	assert_int_equal(journal_outbox_read(bed.journal, 0, 10, false, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_true(rows[0].has_record && rows[0].has_truth && rows[0].is_replacing);
	assert_int_equal(rows[0].record.op, RECORD_DONE);
	assert_string_equal(rows[0].record.project, "demo");
	assert_string_equal(rows[0].record.repre, "r1");
	assert_string_equal(rows[0].record.file, "f1");
	assert_string_equal(rows[0].record.path, "{root[work]}/a");
	assert_string_equal(rows[0].record.site, "gdrive");
	assert_int_equal(rows[0].record.had_presence, 2);
	assert_int_equal(rows[0].record.had_created_ms, 1234567890123);
	assert_string_equal(rows[0].record.had_id, "old");
	assert_string_equal(rows[0].record.id, "new");
	assert_int_equal(rows[0].record.created_ms, 1700000000000);
	assert_int_equal(rows[0].record.tries, 3);
	assert_string_equal(rows[0].record.error, "it broke");
	assert_int_equal(rows[0].record.failed_ms, 77);
	assert_true(rows[0].record.progress > 0.2 && rows[0].record.progress < 0.3);
	assert_string_equal(rows[0].truth.key, "{root[work]}/a");
	assert_int_equal(rows[0].truth.size, 5LL << 32);
	assert_int_equal(rows[0].truth.mtime_ns, 1700000000123456789);
	assert_true(digest_equal(&rows[0].truth.digest, &row.truth.digest));
	assert_false(rows[0].truth.digest.has_md5);
	assert_int_equal(rows[0].truth.n_remotes, 2);
	assert_string_equal(truth_find_remote(&rows[0].truth, "gdrive")->revision,
			    "rev1");
	assert_null(truth_find_remote(&rows[0].truth, "nas")->revision);
	assert_int_equal(rows[0].truth.files.n, 2);
	assert_string_equal(rows[0].truth.files.refs[1], "r2/f2");
	assert_int_equal(rows[0].truth.before.n, 1);
	assert_string_equal(rows[0].truth.before.refs[0], "r1/f0");
	outbox_row_done(&rows[0]);
	free(rows);
	outbox_row_done(&row);
}

/* Of a sitefs that did not know of which files a truth record is: what waits there is kept. */
static void test_outbox_of_an_older_sitefs(void **state)
{
	struct outbox_row row = row_of("f1", "gdrive"), *rows;
	struct db *db = NULL;
	size_t n;
	BED(bed);

	row.has_truth = true;
	row.truth.project = strdup("demo");
	row.truth.key = strdup("{root[work]}/a");
	assert_int_equal(truth_set_remote(&row.truth, "nas", "a", "1"), 0);
	assert_int_equal(journal_outbox_add(bed.journal, &row, 1), 0);
	journal_free(bed.journal);
	bed.journal = NULL;
	assert_int_equal(db_open(bed.path, DB_EXISTING, 1000, &db, NULL), 0);
	assert_int_equal(db_exec(db, "ALTER TABLE outbox DROP COLUMN before;"
				     "ALTER TABLE outbox DROP COLUMN files"),
			 0);
	db_free(db);
	reopen(&bed);
	assert_int_equal(truth_files_add(&row.truth.files, "r1", "f1"), 0);
	assert_int_equal(journal_outbox_add(bed.journal, &row, 1), 0);
	reopen(&bed);
	assert_int_equal(journal_outbox_read(bed.journal, 0, 10, false, &rows, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(rows[0].truth.key, "{root[work]}/a");
	assert_int_equal(rows[0].truth.n_remotes, 1);
	assert_int_equal(rows[0].truth.files.n, 0);
	assert_int_equal(rows[1].truth.files.n, 1);
	while (n > 0)
		outbox_row_done(&rows[--n]);
	free(rows);
	outbox_row_done(&row);
}

static void test_outbox_once(void **state)
{
	struct outbox_row rows[4] = { row_of("f1", "nas"), row_of("f2", "nas"),
				      row_of("f1", "studio"), row_of("f2", "nas") };
	struct outbox_row *found;
	size_t n;
	BED(bed);

	for (size_t i = 0; i < 4; i++)
		rows[i].is_once = true;
	add_row(&bed, "f1", "nas");
	assert_int_equal(journal_outbox_add(bed.journal, rows, 4), 0);
	assert_counts(&bed, 3, 0);
	assert_int_equal(journal_outbox_read(bed.journal, 0, 10, false, &found, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(found[1].record.file, "f2");
	assert_string_equal(found[2].record.site, "studio");
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(journal_outbox_drop(bed.journal, &found[i].seq, 1), 0);
		outbox_row_done(&found[i]);
	}
	free(found);
	assert_false(journal_outbox_has(bed.journal, "demo", "r1", "f2", "nas"));
	/* none waits any more */
	assert_int_equal(journal_outbox_add(bed.journal, rows, 1), 0);
	assert_counts(&bed, 1, 0);
	for (size_t i = 0; i < 4; i++)
		outbox_row_done(&rows[i]);
}

static void test_outbox_order_drop_and_park(void **state)
{
	struct outbox_row *rows;
	int64_t seqs[2];
	size_t n;
	BED(bed);

	add_row(&bed, "f1", "gdrive");
	add_row(&bed, "f1", "gdrive");
	add_row(&bed, "f2", "gdrive");
	add_row(&bed, "f3", "gdrive");
	assert_counts(&bed, 4, 0);
	assert_int_equal(journal_outbox_read(bed.journal, 0, 2, false, &rows, &n), 0);
	assert_int_equal(n, 2);
	seqs[0] = rows[0].seq;
	seqs[1] = rows[1].seq;
	assert_true(seqs[0] < seqs[1]);
	for (size_t i = 0; i < n; i++)
		outbox_row_done(&rows[i]);
	free(rows);

	assert_int_equal(journal_outbox_drop(bed.journal, seqs, 1), 0);
	assert_true(journal_outbox_has(bed.journal, "demo", "r1", "f1", "gdrive"));
	assert_int_equal(journal_outbox_drop(bed.journal, seqs, 2), 0);
	assert_false(journal_outbox_has(bed.journal, "demo", "r1", "f1", "gdrive"));
	assert_true(journal_outbox_has(bed.journal, "demo", "r1", "f2", "gdrive"));
	assert_false(journal_outbox_has(bed.journal, "demo", "r1", "f2", "studio"));
	assert_counts(&bed, 2, 0);

	assert_int_equal(journal_outbox_park(bed.journal, seqs[1] + 1, "gone"), 0);
	assert_counts(&bed, 1, 1);
	assert_false(journal_outbox_has(bed.journal, "demo", "r1", "f2", "gdrive"));
	reopen(&bed);
	assert_counts(&bed, 1, 1);
	assert_false(journal_outbox_has(bed.journal, "demo", "r1", "f2", "gdrive"));
	assert_int_equal(journal_outbox_read(bed.journal, 0, SIZE_MAX, true, &rows, &n),
			 0);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].parked, "gone");
	assert_int_equal(journal_outbox_drop(bed.journal, &rows[0].seq, 1), 0);
	outbox_row_done(&rows[0]);
	free(rows);
	assert_counts(&bed, 1, 0);
}

static void test_outbox_knows_which_truth_waits(void **state)
{
	struct outbox_row row = {
		.has_truth = true,
		.truth = { .project = strdup("demo"), .key = strdup("{root[work]}/a") },
	};
	struct outbox_row *rows;
	size_t n;
	BED(bed);

	assert_false(journal_outbox_has_truth(bed.journal, "demo", "{root[work]}/a"));
	assert_int_equal(journal_outbox_add(bed.journal, &row, 1), 0);
	assert_true(journal_outbox_has_truth(bed.journal, "demo", "{root[work]}/a"));
	assert_false(journal_outbox_has_truth(bed.journal, "demo", "{root[work]}/b"));
	reopen(&bed);
	assert_true(journal_outbox_has_truth(bed.journal, "demo", "{root[work]}/a"));
	assert_int_equal(journal_outbox_read(bed.journal, 0, 1, false, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(journal_outbox_drop(bed.journal, &rows[0].seq, 1), 0);
	assert_false(journal_outbox_has_truth(bed.journal, "demo", "{root[work]}/a"));
	outbox_row_done(&rows[0]);
	free(rows);
	outbox_row_done(&row);
}

/* ---- stamps ---- */

static void test_stamp_compare(void **state)
{
	static const struct {
		int64_t ino, size, mtime, ctime;
		enum stamp_match expected;
	} rows[] = {
		{ 7, 100, 5, 6, STAMP_SAME },  { 7, 100, 5, 9, STAMP_REHASH },
		{ 8, 100, 5, 6, STAMP_OTHER }, { 7, 101, 5, 6, STAMP_OTHER },
		{ 7, 100, 4, 6, STAMP_OTHER }, { 7, 100, 4, 9, STAMP_OTHER },
	};
	struct stamp stamp = {
		.dev = 1, .ino = 7, .size = 100, .mtime_ns = 5, .ctime_ns = 6
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stat st = { .st_dev = 1,
				   .st_ino = (ino_t)rows[i].ino,
				   .st_size = rows[i].size,
				   .st_mtim = { .tv_nsec = rows[i].mtime },
				   .st_ctim = { .tv_nsec = rows[i].ctime } };

		assert_int_equal(stamp_compare(&stamp, &st), rows[i].expected);
	}
}

static void test_stamps(void **state)
{
	char *files[] = { strdup("demo/r1/f1"), strdup("demo/r2/f2") };
	struct stamp stamp = { .kind = STAMP_COPY,
			       .dev = UINT64_MAX,
			       .ino = 2,
			       .size = 3,
			       .mtime_ns = 4,
			       .ctime_ns = 5,
			       .files = files,
			       .n_files = 2 };
	struct stamp back = { 0 };
	BED(bed);

	assert_int_equal(journal_stamp_get(bed.journal, 0, "a/b", &back), JOURNAL_NONE);
	assert_int_equal(journal_stamp_put(bed.journal, 0, "a/b", &stamp), 0);
	assert_true(journal_has_copy(bed.journal, 0, "a/b"));
	assert_false(journal_has_copy(bed.journal, 1, "a/b"));
	reopen(&bed);
	assert_true(journal_has_copy(bed.journal, 0, "a/b"));
	assert_int_equal(journal_stamp_get(bed.journal, 0, "a/b", &back), 0);
	assert_int_equal(back.kind, STAMP_COPY);
	assert_true(back.dev == UINT64_MAX && back.ino == 2 && back.size == 3);
	assert_true(back.mtime_ns == 4 && back.ctime_ns == 5);
	assert_null(back.remote_id);
	assert_int_equal(back.n_files, 2);
	assert_string_equal(back.files[1], "demo/r2/f2");
	stamp_done(&back);

	stamp.kind = STAMP_UPLOADED;
	assert_int_equal(journal_stamp_put(bed.journal, 0, "a/b", &stamp), 0);
	assert_false(journal_has_copy(bed.journal, 0, "a/b"));
	assert_int_equal(journal_stamp_drop(bed.journal, 0, "a/b"), 0);
	assert_int_equal(journal_stamp_drop(bed.journal, 0, "a/b"), 0);
	assert_int_equal(journal_stamp_get(bed.journal, 0, "a/b", &back), JOURNAL_NONE);
	free(files[0]);
	free(files[1]);
}

struct walk {
	struct journal *journal;
	int n;
	char last[32];
};

/* Drops as it goes: a walk must not stumble over what its listener does. */
static int drop_walked(void *context, int root, const char *rel)
{
	struct walk *walk = context;

	assert_true(strcmp(walk->last, rel) < 0);
	snprintf(walk->last, sizeof(walk->last), "%s", rel);
	walk->n++;
	return journal_stamp_drop(walk->journal, root, rel);
}

static void test_stamp_each_in_slices(void **state)
{
	struct stamp stamp = { .kind = STAMP_COPY };
	struct walk walk = { 0 };
	char rel[32];
	BED(bed);

	for (int i = 0; i < 600; i++) {
		snprintf(rel, sizeof(rel), "f%04d", i);
		stamp.kind = i % 6 ? STAMP_COPY : STAMP_FOREIGN;
		assert_int_equal(journal_stamp_put(bed.journal, i / 300, rel, &stamp), 0);
	}
	walk.journal = bed.journal;
	assert_int_equal(journal_stamp_each(bed.journal, STAMP_COPY, drop_walked, &walk),
			 0);
	assert_int_equal(walk.n, 500);
	walk = (struct walk){ .journal = bed.journal };
	assert_int_equal(journal_stamp_each(bed.journal, STAMP_COPY, drop_walked, &walk),
			 0);
	assert_int_equal(walk.n, 0);
	assert_false(journal_has_copy(bed.journal, 0, "f0001"));
}

/* ---- staged files, uploads ---- */

static int count_staged(void *context, const struct staged *staged)
{
	assert_string_equal(staged->rel, "a/b");
	++*(int *)context;
	return 0;
}

static void test_staged(void **state)
{
	char rel[] = "a/b", name[] = "s1", id[] = "id", revision[] = "r1", other[] = "r2";
	struct staged staged = { .rel = rel,
				 .name = name,
				 .remote_id = id,
				 .revision = revision,
				 .size = 10,
				 .mtime_ns = 11 };
	const struct staged_block blocks[] = { { 4096, 4096, UINT64_MAX },
					       { 0, 4096, 1 } };
	struct staged_block *back_blocks;
	struct staged back;
	size_t n_blocks;
	int n = 0;
	BED(bed);

	assert_int_equal(journal_staged_put(bed.journal, &staged), 0);
	assert_int_equal(journal_staged_add(bed.journal, 0, rel, blocks, 2), 0);
	assert_int_equal(journal_staged_put(bed.journal, &staged), 0);
	reopen(&bed);
	assert_int_equal(
		journal_staged_get(bed.journal, 0, rel, &back, &back_blocks, &n_blocks),
		0);
	assert_string_equal(back.name, "s1");
	assert_string_equal(back.revision, "r1");
	assert_int_equal(n_blocks, 2);
	assert_int_equal(back_blocks[0].offset, 0);
	assert_true(back_blocks[1].xxh3 == UINT64_MAX);
	staged_done(&back);
	free(back_blocks);

	/* Blocks of another revision are no blocks of this file. */
	staged.revision = other;
	assert_int_equal(journal_staged_put(bed.journal, &staged), 0);
	assert_int_equal(
		journal_staged_get(bed.journal, 0, rel, &back, &back_blocks, &n_blocks),
		0);
	assert_int_equal(n_blocks, 0);
	staged_done(&back);
	free(back_blocks);

	assert_int_equal(journal_staged_each(bed.journal, count_staged, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(journal_staged_drop(bed.journal, 0, rel), 0);
	assert_int_equal(
		journal_staged_get(bed.journal, 0, rel, &back, &back_blocks, &n_blocks),
		JOURNAL_NONE);
}

static void test_uploads(void **state)
{
	char token[] = "secret";
	struct upload_resume upload = {
		.dev = 1, .ino = 2, .size = 3, .mtime_ns = 4, .token = token, .bytes = 5
	};
	struct upload_resume back;
	BED(bed);

	assert_int_equal(journal_upload_put(bed.journal, 0, "a", "gdrive", &upload), 0);
	reopen(&bed);
	assert_int_equal(journal_upload_get(bed.journal, 0, "a", "nas", &back),
			 JOURNAL_NONE);
	assert_int_equal(journal_upload_get(bed.journal, 0, "a", "gdrive", &back), 0);
	assert_string_equal(back.token, "secret");
	assert_true(back.dev == 1 && back.ino == 2 && back.bytes == 5);
	free(back.token);
	assert_int_equal(journal_upload_drop(bed.journal, 0, "a", "gdrive"), 0);
	assert_int_equal(journal_upload_get(bed.journal, 0, "a", "gdrive", &back),
			 JOURNAL_NONE);
}

/* ---- that it lasts ---- */

/* Tells of each row after its call returned; is killed in the middle of one. */
static _Noreturn void write_until_killed(const char *path, int fd)
{
	struct journal *journal;
	char rel[32];

	if (journal_open(path, &journal, NULL) < 0)
		_exit(1);
	for (uint32_t i = 0;; i++) {
		char file[] = "f";
		struct outbox_row row = { .has_record = true,
					  .record = { .op = RECORD_PULL,
						      .project = file,
						      .repre = file,
						      .file = file,
						      .path = file,
						      .site = file } };
		struct whiteout whiteout = { .kind = WHITEOUT_NAME, .rel = rel };

		snprintf(rel, sizeof(rel), "w%u", i);
		if (journal_outbox_add(journal, &row, 1) < 0 ||
		    journal_whiteout_put(journal, &whiteout) < 0 ||
		    write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

static void test_kill_loses_nothing_that_was_told(void **state)
{
	uint32_t last = 0;
	int64_t waiting, parked;
	int pipe_fds[2], status;
	char rel[32];
	pid_t child;
	BED(bed);

	journal_free(steal(bed.journal));
	assert_int_equal(pipe(pipe_fds), 0);
	child = fork();
	if (child == 0)
		write_until_killed(bed.path, pipe_fds[1]);
	close(pipe_fds[1]);
	while (last < 50)
		assert_int_equal(read(pipe_fds[0], &last, sizeof(last)), sizeof(last));
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	while (read(pipe_fds[0], &last, sizeof(last)) == sizeof(last))
		;
	close(pipe_fds[0]);
	reopen(&bed);
	journal_outbox_count(bed.journal, &waiting, &parked);
	assert_in_range(waiting, last + 1, last + 2);
	for (uint32_t i = 0; i <= last; i++) {
		snprintf(rel, sizeof(rel), "w%u", i);
		assert_true(journal_has_whiteouts_below(bed.journal, 0, rel));
	}
}

static void damage(const char *path, off_t offset, size_t len)
{
	_cleanup_(freep) char *junk = malloc(len);
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	memset(junk, 0x5a, len);
	assert_int_equal(pwrite(fd, junk, len, offset), len);
}

/* Neither a lost head nor a lost middle may end in an empty journal. */
static void test_damage_is_told(void **state)
{
	static const off_t offsets[] = { 0, 4096 };

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct error error = { 0 };
		struct journal *journal = NULL;
		BED(bed);

		add_row(&bed, "f1", "gdrive");
		journal_free(steal(bed.journal));
		damage(bed.path, offsets[i], 8192);
		assert_int_equal(journal_open(bed.path, &journal, &error), -EUCLEAN);
		assert_non_null(strstr(error.text, bed.path));
		assert_non_null(strstr(error.text, "move it away"));
		assert_int_equal(access(bed.path, F_OK), 0);
	}
}

static void test_file_is_private(void **state)
{
	struct stat st;
	BED(bed);

	assert_int_equal(stat(bed.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_outbox_keeps_every_field),
		cmocka_unit_test(test_outbox_of_an_older_sitefs),
		cmocka_unit_test(test_outbox_once),
		cmocka_unit_test(test_outbox_order_drop_and_park),
		cmocka_unit_test(test_outbox_knows_which_truth_waits),
		cmocka_unit_test(test_stamp_compare),
		cmocka_unit_test(test_stamps),
		cmocka_unit_test(test_stamp_each_in_slices),
		cmocka_unit_test(test_staged),
		cmocka_unit_test(test_uploads),
		cmocka_unit_test(test_kill_loses_nothing_that_was_told),
		cmocka_unit_test(test_damage_is_told),
		cmocka_unit_test(test_file_is_private),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
