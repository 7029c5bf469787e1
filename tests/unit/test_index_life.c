/* sync/index: sweeping, opening, damage, readers beside the writer. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "tests/unit/index_bed.h"

/* ---- sweeping ---- */

/* Kept where nothing is left, and where it comes back bit by bit. */
static bool keep(void *context, const char *project, bool is_empty)
{
	struct index_bed *bed = context;

	if (is_empty)
		buf_addf(&bed->touched, "lost:%s ", project);
	return is_empty || strcmp(project, "returning") == 0;
}

static int sweep(struct index_bed *bed, const char *project, const char *id,
		 const char *files)
{
	int r;

	assert_int_equal(index_sweep_begin(bed->index), 0);
	put(bed, project, id, files);
	buf_clear(&bed->touched);
	assert_int_equal(index_begin(bed->index), 0);
	r = index_sweep_end(bed->index, index_bed_touch, keep, bed);
	assert_int_equal(index_commit(bed->index), 0);
	return r;
}

static void test_sweep(void **state)
{
	INDEX_BED(bed);

	put(&bed, "demo", "r1", "1 {root[work]}/a 0+");
	put(&bed, "demo", "r2", "2 {root[work]}/b 0+");
	assert_int_equal(sweep(&bed, "demo", "r2", "2 {root[work]}/b 0+"), 0);
	assert_touched(&bed, "a ");
	assert_listed(&bed, "", true, "b ");

	/* A project that is gone as a whole is kept and reported; others are swept. */
	put(&bed, "other", "r3", "3 {root[work]}/c 0+");
	put(&bed, "demo", "r1", "1 {root[work]}/a 0+");
	assert_int_equal(sweep(&bed, "demo", "r1", "1 {root[work]}/a 0+"), INDEX_EMPTIED);
	assert_touched(&bed, "b lost:other ");
	assert_listed(&bed, "", true, "a c ");
}

static void test_sweep_of_a_project_that_comes_back(void **state)
{
	INDEX_BED(bed);

	put(&bed, "returning", "r1", "1 {root[work]}/a 0+");
	put(&bed, "returning", "r2", "2 {root[work]}/b 0+");
	assert_int_equal(sweep(&bed, "returning", "r2", "2 {root[work]}/b 0+"), 0);
	assert_touched(&bed, "");
	assert_listed(&bed, "", true, "a b ");
}

/* ---- opening ---- */

static void test_tokens_go_with_rows(void **state)
{
	char *token = NULL;
	INDEX_BED(bed);

	assert_int_equal(index_get_token(bed.index, &token), INDEX_NONE);
	assert_int_equal(index_begin(bed.index), 0);
	assert_int_equal(index_set_token(bed.index, "t1"), 0);
	index_rollback(bed.index);
	assert_int_equal(index_get_token(bed.index, &token), INDEX_NONE);
	assert_int_equal(index_begin(bed.index), 0);
	assert_int_equal(index_set_token(bed.index, "t2"), 0);
	index_set_complete(bed.index);
	assert_false(index_is_complete(bed.index));
	assert_int_equal(index_commit(bed.index), 0);
	assert_true(index_is_complete(bed.index));
	assert_int_equal(index_bed_open(&bed), 0);
	assert_true(index_is_complete(bed.index));
	assert_int_equal(index_get_token(bed.index, &token), 0);
	assert_string_equal(token, "t2");
	free(token);
}

static void damage(const char *path, off_t offset)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
	char junk[4096];

	memset(junk, 0x5a, sizeof(junk));
	assert_int_equal(pwrite(fd, junk, sizeof(junk), offset), sizeof(junk));
}

/* Of another store, site, remote or root: emptied. Damaged: made anew. */
static void test_another_identity_empties(void **state)
{
	char other[] = "other", path[] = "/mnt/work";

	for (int i = 0; i < 6; i++) {
		INDEX_BED(bed);

		put(&bed, "demo", "r1", "1 {root[work]}/a 0+");
		index_set_complete(bed.index);
		assert_int_equal(index_bed_open(&bed), 0);
		assert_listed(&bed, "", true, "a ");
		index_free(steal(bed.index));
		if (i == 0)
			bed.setup.store_identity = "store-2";
		else if (i == 1)
			bed.config.active_site = bed.sites[1].name;
		else if (i == 2)
			bed.config.remote_site = other;
		else if (i == 3)
			bed.roots[0].path = path;
		else
			damage(bed.path, i == 4 ? 0 : 4096);
		assert_int_equal(index_bed_open(&bed), INDEX_FRESH);
		assert_false(index_is_complete(bed.index));
		assert_listed(&bed, "", true, "");
		put(&bed, "demo", "r1", "1 {root[work]}/a 0+");
		assert_listed(&bed, "", true, i == 2 ? "~a " : "a ");
	}
}

static char *read_file(const char *path, size_t *ret_len)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st = { 0 };
	char *data;

	if (fd < 0 || fstat(fd, &st) < 0)
		abort();
	*ret_len = (size_t)st.st_size;
	data = malloc(*ret_len);
	assert_non_null(data);
	assert_int_equal(pread(fd, data, *ret_len, 0), *ret_len);
	return data;
}

static void write_file(const char *path, const char *data, size_t len)
{
	_cleanup_(closep) int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(pwrite(fd, data, len, 0), len);
}

static bool find_damage(struct index_bed *bed)
{
	bool is_found = false;

	for (int i = 0; i < 50; i++) {
		_cleanup_(freep) char *rel = strf("d%d/a", i);
		struct index_path path;
		int r = index_find_path(bed->index, 0, rel, &path);

		if (r == 0)
			index_path_done(&path);
		is_found |= r == -EUCLEAN;
	}
	return is_found;
}

/* Each page in turn: damage is met at the start or in use, and the next start has an index again. */
static void test_damage_of_any_page(void **state)
{
	_cleanup_(freep) char *data = NULL;
	int n_met = 0;
	size_t len;
	INDEX_BED(bed);

	for (int i = 0; i < 50; i++) {
		_cleanup_(freep) char *files = strf("%d {root[work]}/d%d/a 0+", i, i);
		_cleanup_(freep) char *id = strf("r%d", i);

		put(&bed, "demo", id, files);
	}
	index_set_complete(bed.index);
	index_free(steal(bed.index));
	data = read_file(bed.path, &len);
	for (size_t at = 4096; at < len; at += 4096) {
		int r;

		write_file(bed.path, data, len);
		damage(bed.path, (off_t)at);
		r = index_bed_open(&bed);
		assert_in_range(r, 0, INDEX_FRESH);
		if (r == 0 && find_damage(&bed)) {
			n_met++;
			assert_int_equal(index_bed_open(&bed), INDEX_FRESH);
			assert_listed(&bed, "", true, "");
		}
		index_free(steal(bed.index));
	}
	assert_true(n_met > 0);
}

/* ---- threads ---- */

struct readers {
	struct index *index;
	atomic_bool is_over;
	atomic_int faults;
};

static int check_pair(void *context, const char *name, const struct index_node *node)
{
	++*(int *)context;
	return 0;
}

/* Each transaction puts two files or drops both: no reader ever sees one. */
static void *read_pairs(void *argument)
{
	struct readers *readers = argument;

	while (!readers->is_over) {
		struct index_path path;
		struct index_node node;
		int n = 0;
		int r = index_list(readers->index, 0, "p", NULL, false, check_pair, &n);

		if (r < 0 || (r == 0 && n != 2))
			readers->faults++;
		r = index_find_path(readers->index, 0, "p/a", &path);
		if (r == 0) {
			readers->faults += path.n_records != 1;
			index_path_done(&path);
		} else if (r < 0) {
			readers->faults++;
		}
		if (index_find(readers->index, 0, "p/b", &node) < 0)
			readers->faults++;
	}
	return NULL;
}

static void test_readers_beside_the_writer(void **state)
{
	struct readers readers = { 0 };
	pthread_t threads[3];
	INDEX_BED(bed);

	readers.index = bed.index;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_pairs, &readers),
				 0);
	for (int i = 0; i < 100; i++) {
		put(&bed, "demo", "r1", "1 {root[work]}/p/a 0+ | 2 {root[work]}/p/b 0+");
		drop(&bed, "demo", "r1");
	}
	readers.is_over = true;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(readers.faults, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_sweep_of_a_project_that_comes_back),
		cmocka_unit_test(test_tokens_go_with_rows),
		cmocka_unit_test(test_another_identity_empties),
		cmocka_unit_test(test_damage_of_any_page),
		cmocka_unit_test(test_readers_beside_the_writer),
	};

	return cmocka_run_group_tests_name("index_life", tests, NULL, NULL);
}
