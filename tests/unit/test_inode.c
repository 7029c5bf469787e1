/* fs/inode: one inode per thing, whatever its names; what a name stands for; who keeps an inode alive. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/handle.h"
#include "fs/inode.h"
#include "sync/base/clock.h"
#include "sync/hydrate.h"

/* Handles of this test stream nothing. */
void hydrate_close(struct hydration *hydration)
{
}

static const struct inode_facts top = {
	.kind = INODE_FOLDER, .type = S_IFDIR, .dev = 1, .ino = 2, .st_ino = 2
};

static struct inode_facts folder(uint64_t ino)
{
	return (struct inode_facts){ .kind = INODE_FOLDER,
				     .type = S_IFDIR,
				     .dev = ino ? 1 : 0,
				     .ino = ino,
				     .st_ino = ino ? ino : 9000 };
}

static struct inode_facts disk(uint64_t ino, nlink_t n_links)
{
	return (struct inode_facts){ .kind = INODE_DISK,
				     .type = S_IFREG,
				     .dev = 1,
				     .ino = ino,
				     .n_links = n_links,
				     .st_ino = ino };
}

static struct inode_facts stream(int64_t size)
{
	return (struct inode_facts){ .kind = INODE_STREAM,
				     .type = S_IFREG,
				     .st_ino = 7000,
				     .size = size,
				     .mtime_ns = 5 };
}

static int setup(void **state)
{
	static struct inodes inodes;

	*state = &inodes;
	return inodes_init(&inodes, &top);
}

static int teardown(void **state)
{
	inodes_done(*state);
	return 0;
}

static uint64_t take(struct inodes *inodes, uint64_t parent, const char *name,
		     struct inode_facts found)
{
	struct inode_facts facts;

	assert_int_equal(
		inodes_take(inodes, inodes_at(inodes, parent), name, &found, &facts), 0);
	assert_true(facts.is_named);
	return facts.id;
}

static struct inode_facts facts_of(struct inodes *inodes, uint64_t id)
{
	struct inode_facts facts;

	inodes_facts(inodes, inodes_at(inodes, id), &facts);
	return facts;
}

static void assert_path(struct inodes *inodes, uint64_t id, size_t n, const char *path)
{
	_cleanup_(freep) char *found = NULL;
	int r = inodes_path(inodes, inodes_at(inodes, id), n, &found, NULL);

	if (!path) {
		assert_int_equal(r, -ESTALE);
		return;
	}
	assert_int_equal(r, 0);
	assert_string_equal(found, path);
}

static void test_paths_follow_renames(void **state)
{
	struct inodes *inodes = *state;
	uint64_t a = take(inodes, INODE_TOP_ID, "a", folder(10));
	uint64_t b = take(inodes, a, "b", folder(11));
	uint64_t c = take(inodes, b, "c.exr", disk(12, 1));

	assert_path(inodes, INODE_TOP_ID, 0, "");
	assert_path(inodes, c, 0, "a/b/c.exr");
	inodes_rename(inodes, inodes_at(inodes, a), "b", inodes_at(inodes, INODE_TOP_ID),
		      "z");
	assert_path(inodes, c, 0, "z/c.exr");
	inodes_unname(inodes, inodes_at(inodes, INODE_TOP_ID), "z");
	assert_path(inodes, c, 0, NULL);
}

static void test_hard_links_are_one_inode(void **state)
{
	struct inodes *inodes = *state;
	struct inode *root = inodes_at(inodes, INODE_TOP_ID);
	uint64_t one = take(inodes, INODE_TOP_ID, "one", disk(20, 1));

	assert_int_equal(take(inodes, INODE_TOP_ID, "two", disk(20, 2)), one);
	assert_path(inodes, one, 0, "two");
	assert_path(inodes, one, 1, "one");
	assert_path(inodes, one, 2, NULL);
	inodes_unname(inodes, root, "two");
	assert_path(inodes, one, 0, "one");
	inodes_unname(inodes, root, "one");
	assert_path(inodes, one, 0, NULL);
	/* the disk may use the number again now: another file */
	assert_int_not_equal(take(inodes, INODE_TOP_ID, "new", disk(20, 1)), one);
}

static void test_a_number_that_the_disk_uses_again(void **state)
{
	struct inodes *inodes = *state;
	uint64_t old = take(inodes, INODE_TOP_ID, "old", disk(30, 1));
	uint64_t new;

	/* one link only, and it is not the name that we know: not the same file */
	new = take(inodes, INODE_TOP_ID, "new", disk(30, 1));
	assert_int_not_equal(new, old);
	assert_path(inodes, old, 0, NULL);
	assert_path(inodes, new, 0, "new");
	assert_int_equal(take(inodes, INODE_TOP_ID, "new", disk(30, 1)), new);
}

static void test_an_open_file_moved_behind_our_back(void **state)
{
	struct inodes *inodes = *state;
	uint64_t id = take(inodes, INODE_TOP_ID, "old", disk(31, 1));
	struct handle *handle;

	assert_int_equal(handle_new(inodes, inodes_at(inodes, id),
				    &(struct handle_setup){ .fd = -1 }, &handle),
			 0);
	/* it is open, so that its number is not free */
	assert_int_equal(take(inodes, INODE_TOP_ID, "new", disk(31, 1)), id);
	handle_release(inodes, handle);
}

static void test_a_folder_stays_when_it_becomes_real(void **state)
{
	struct inodes *inodes = *state;
	uint64_t id = take(inodes, INODE_TOP_ID, "shot", folder(0));
	struct inode_facts facts;

	assert_int_equal(take(inodes, INODE_TOP_ID, "shot", folder(40)), id);
	inodes_facts(inodes, inodes_at(inodes, id), &facts);
	assert_int_equal(facts.ino, 40);
	assert_int_equal(facts.st_ino, 9000);
	assert_int_equal(take(inodes, INODE_TOP_ID, "shot", folder(0)), id);
	assert_int_equal(take(inodes, INODE_TOP_ID, "shot", folder(41)), id);
	/* a real one in the place of another real one is another */
	assert_int_not_equal(take(inodes, INODE_TOP_ID, "shot", folder(42)), id);
}

static void test_what_a_stream_is_for_life(void **state)
{
	struct inodes *inodes = *state;
	uint64_t id = take(inodes, INODE_TOP_ID, "f", stream(-1)), other;
	struct inode_facts facts;

	assert_int_equal(take(inodes, INODE_TOP_ID, "f", stream(100)), id);
	inodes_facts(inodes, inodes_at(inodes, id), &facts);
	assert_int_equal(facts.size, 100);
	/* another size is another revision */
	other = take(inodes, INODE_TOP_ID, "f", stream(101));
	assert_int_not_equal(other, id);
	assert_path(inodes, id, 0, NULL);
	/* complete: on the disk, another inode */
	assert_int_not_equal(take(inodes, INODE_TOP_ID, "f", disk(50, 1)), other);
	assert_path(inodes, other, 0, NULL);
}

static void test_forget_frees_from_below(void **state)
{
	struct inodes *inodes = *state;
	size_t before = inodes_count(inodes);
	uint64_t a = take(inodes, INODE_TOP_ID, "a", folder(10));
	uint64_t b = take(inodes, a, "b", disk(11, 1));

	assert_int_equal(take(inodes, a, "b", disk(11, 1)), b);
	assert_int_equal(inodes_count(inodes), before + 2);
	/* the folder goes after what is in it, whatever the order */
	inodes_forget(inodes, a, 1);
	assert_int_equal(inodes_count(inodes), before + 2);
	assert_path(inodes, b, 0, "a/b");
	inodes_forget(inodes, b, 1);
	assert_int_equal(inodes_count(inodes), before + 2);
	inodes_forget(inodes, b, 1);
	assert_int_equal(inodes_count(inodes), before);
	inodes_forget(inodes, INODE_TOP_ID, 1);
	assert_int_equal(inodes_count(inodes), before);
}

static void test_a_handle_keeps_its_inode(void **state)
{
	struct inodes *inodes = *state;
	size_t before = inodes_count(inodes);
	uint64_t id = take(inodes, INODE_TOP_ID, "f", disk(60, 1));
	struct handle_setup setup = { .fd = -1, .is_writing = true };
	struct inode_facts facts;
	struct handle *handle;

	assert_int_equal(handle_new(inodes, inodes_at(inodes, id), &setup, &handle), 0);
	inodes_forget(inodes, id, 1);
	inodes_facts(inodes, handle->inode, &facts);
	assert_true(facts.has_writers);
	assert_ptr_equal(inodes_any_handle(inodes), handle);
	handle_release(inodes, handle);
	assert_int_equal(inodes_count(inodes), before);
	assert_null(inodes_any_handle(inodes));
}

static void test_exchange(void **state)
{
	struct inodes *inodes = *state;
	struct inode *root = inodes_at(inodes, INODE_TOP_ID);
	uint64_t a = take(inodes, INODE_TOP_ID, "a", folder(70));
	uint64_t f = take(inodes, a, "f", disk(71, 1));
	uint64_t g = take(inodes, INODE_TOP_ID, "g", disk(72, 1));

	inodes_exchange(inodes, inodes_at(inodes, a), "f", root, "g");
	assert_path(inodes, f, 0, "g");
	assert_path(inodes, g, 0, "a/f");
	/* of one that is not known nothing stays known */
	inodes_exchange(inodes, root, "g", root, "unknown");
	assert_path(inodes, f, 0, NULL);
}

static void test_rename_over(void **state)
{
	struct inodes *inodes = *state;
	struct inode *root = inodes_at(inodes, INODE_TOP_ID);
	uint64_t new = take(inodes, INODE_TOP_ID, "x.tmp", disk(80, 1));
	uint64_t old = take(inodes, INODE_TOP_ID, "x", disk(81, 1));

	inodes_rename(inodes, root, "x.tmp", root, "x");
	assert_path(inodes, new, 0, "x");
	assert_path(inodes, old, 0, NULL);
	assert_int_equal(take(inodes, INODE_TOP_ID, "x", disk(80, 1)), new);
}

static void test_walk(void **state)
{
	_cleanup_(freep) char *last = NULL;
	struct inodes *inodes = *state;
	uint64_t a = take(inodes, INODE_TOP_ID, "a", folder(90));
	uint64_t f = take(inodes, a, "f", stream(1));
	struct inode_facts facts;
	static const struct {
		const char *path, *name;
		bool is_whole, is_in_top;
	} rows[] = {
		{ "a/f", "f", true, false },    { "a/g", "g", false, false },
		{ "a/g/h", "g", false, false }, /* the topmost that may be held as missing */
		{ "b/c/d", "b", false, true },  { "a", "a", true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct inode_spot spot;

		inodes_walk(inodes, rows[i].path, &spot);
		assert_int_equal(spot.is_whole, rows[i].is_whole);
		assert_int_equal(spot.parent_id, rows[i].is_in_top ? INODE_TOP_ID : a);
		assert_int_equal(spot.name_len, strlen(rows[i].name));
		assert_memory_equal(spot.name, rows[i].name, spot.name_len);
	}
	facts = facts_of(inodes, f);
	inodes_set_size_path(inodes, "a/f", &facts, 2, 3);
	facts.generation--; /* another inode by now, which has got the number of the first: nothing */
	inodes_set_size_path(inodes, "a/f", &facts, 4, 5);
	inodes_unname_path(inodes, "a/f", &facts);
	assert_path(inodes, f, 0, "a/f");
	facts = facts_of(inodes, f);
	assert_int_equal(facts.size, 2);
	assert_true(inodes_unname_path(inodes, "a/f", &facts));
	assert_path(inodes, f, 0, NULL);
	assert_int_equal(inodes_last_path(inodes, inodes_at(inodes, f), &last), 0);
	assert_string_equal(last, "a/f");
}

static void test_pages_wait_for_reads(void **state)
{
	struct inodes *inodes = *state;
	uint64_t f = take(inodes, INODE_TOP_ID, "f", stream(1));
	struct inode *inode = inodes_at(inodes, f);
	struct inode_facts facts = facts_of(inodes, f);
	struct handle *handle;

	assert_int_equal(
		handle_new(inodes, inode, &(struct handle_setup){ .fd = -1 }, &handle),
		0);
	inodes_begin_read(inodes, inode);
	inodes_begin_read(inodes, inode);
	assert_false(inodes_unname_path(inodes, "f", &facts));
	assert_false(inodes_end_read(inodes, inode));
	assert_true(inodes_end_read(inodes, inode));
	inodes_begin_read(inodes, inode);
	assert_false(inodes_end_read(inodes, inode));
	handle_release(inodes, handle);
}

static void test_who_was_opened_may_have_pages(void **state)
{
	struct inodes *inodes = *state;
	uint64_t id = take(inodes, INODE_TOP_ID, "f", stream(1));
	struct inode *inode = inodes_at(inodes, id);
	_cleanup_(freep) char *rel = NULL;
	struct inode_facts facts;

	/* the name is told as the open begins: who sees the open may take it away */
	assert_int_equal(inodes_begin_open(inodes, inode, &rel, &facts), 0);
	assert_true(facts.has_opens);
	assert_true(inodes_unname_path(inodes, "f", &facts));
	assert_string_equal(rel, "f");
	inodes_fail_open(inodes, inode);
	free(steal(rel));
	assert_int_equal(inodes_begin_open(inodes, inode, &rel, &facts), -ESTALE);
	inodes_fail_open(inodes, inode);
	inodes_facts(inodes, inode, &facts);
	assert_false(facts.has_opens);
}

static void test_a_listing_is_kept_while_unchanged(void **state)
{
	struct inodes *inodes = *state;
	struct inode *inode =
		inodes_at(inodes, take(inodes, INODE_TOP_ID, "d", folder(96)));
	struct stat st = { .st_mtim.tv_sec = 1000, .st_ctim.tv_sec = 1000 };
	struct inode_spot spot;

	assert_false(inodes_keep_listing(inodes, inode, &st));
	inodes_list(inodes, inode, 0, &st);
	assert_true(inodes_keep_listing(inodes, inode, &st));
	assert_true(inodes_keep_listing(inodes, inode, &st));
	/* a name of the view comes: the disk knows nothing of it */
	inodes_walk(inodes, "d/new", &spot);
	assert_false(inodes_keep_listing(inodes, inode, &st));
	inodes_list(inodes, inode, 1, &st);
	assert_true(inodes_keep_listing(inodes, inode, &st));
	st.st_mtim.tv_nsec = 1;
	assert_false(inodes_keep_listing(inodes, inode, &st));
}

static void test_pages_kept_while_unchanged(void **state)
{
	struct inodes *inodes = *state;
	struct inode *inode =
		inodes_at(inodes, take(inodes, INODE_TOP_ID, "f", disk(95, 1)));
	struct stat st = { .st_size = 5, .st_mtim.tv_sec = 1000, .st_ctim.tv_sec = 1000 };

	assert_false(inodes_keep_pages(inodes, inode, &st));
	assert_true(inodes_keep_pages(inodes, inode, &st));
	st.st_ctim.tv_nsec = 1;
	assert_false(inodes_keep_pages(inodes, inode, &st));
	assert_true(inodes_keep_pages(inodes, inode, &st));
	/* a young file may change within one tick of its clock */
	clock_gettime(CLOCK_REALTIME, &st.st_mtim);
	st.st_mtim.tv_nsec = 0;
	assert_false(inodes_keep_pages(inodes, inode, &st));
	assert_false(inodes_keep_pages(inodes, inode, &st));
	/* ... which is a short one where it tells more than milliseconds */
	st.st_mtim = ns_timespec(clock_wall_ms() * 1000000 - 300000000 + 1);
	assert_false(inodes_keep_pages(inodes, inode, &st));
	assert_true(inodes_keep_pages(inodes, inode, &st));
	st.st_mtim = ns_timespec((clock_wall_ms() + 3600000) * 1000000 + 1);
	assert_false(inodes_keep_pages(inodes, inode, &st));
	assert_false(inodes_keep_pages(inodes, inode, &st));
}

static void test_many_names(void **state)
{
	struct inodes *inodes = *state;
	size_t before = inodes_count(inodes);
	uint64_t a = take(inodes, INODE_TOP_ID, "a", folder(100)), ids[3000];
	char name[32];

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		snprintf(name, sizeof(name), "f%zu", i);
		ids[i] = take(inodes, a, name, disk(1000 + i, 1));
	}
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		snprintf(name, sizeof(name), "a/f%zu", i);
		assert_path(inodes, ids[i], 0, name);
		inodes_forget(inodes, ids[i], 1);
	}
	assert_int_equal(inodes_count(inodes), before + 1);
}

/* Told once, for each half; what is left is found in the smaller tables. */
static void test_many_forgotten(void **state)
{
	enum { N = 50000, KEPT = 100 };
	static uint64_t ids[N];
	struct inodes *inodes = *state;
	size_t n_told = 0;
	char name[32];

	for (size_t i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "m%zu", i);
		ids[i] = take(inodes, INODE_TOP_ID, name, disk(200000 + i, 1));
	}
	assert_false(inodes_have_shrunk(inodes));
	for (size_t i = KEPT; i < N; i++) {
		inodes_forget(inodes, ids[i], 1);
		if (!inodes_have_shrunk(inodes))
			continue;
		n_told++;
		inodes_shrink(inodes);
		assert_false(inodes_have_shrunk(inodes));
	}
	assert_int_equal(n_told, 2); /* 25,000, 12,500; then they are few */
	for (size_t i = 0; i < KEPT; i++) {
		snprintf(name, sizeof(name), "m%zu", i);
		assert_int_equal(take(inodes, INODE_TOP_ID, name, disk(200000 + i, 1)),
				 ids[i]);
	}
	assert_int_equal(inodes_count(inodes), 1 + KEPT);
}

static void test_changes_are_counted(void **state)
{
	struct inodes *inodes = *state;
	uint64_t a = take(inodes, INODE_TOP_ID, "a", folder(110));
	struct inode_facts before, after;
	struct inode_spot spot;

	take(inodes, a, "f", stream(1));
	inodes_facts(inodes, inodes_at(inodes, a), &before);
	take(inodes, a, "g", stream(1));
	inodes_facts(inodes, inodes_at(inodes, a), &after);
	/* to look is no change */
	assert_int_equal(after.n_changes, before.n_changes);
	inodes_unname(inodes, inodes_at(inodes, a), "f");
	inodes_facts(inodes, inodes_at(inodes, a), &after);
	assert_int_not_equal(after.n_changes, before.n_changes);
	before = after;
	inodes_walk(inodes, "a/unknown/f", &spot);
	inodes_facts(inodes, inodes_at(inodes, a), &after);
	assert_int_not_equal(after.n_changes, before.n_changes);

	/* that the kernel forgets a name is no change of the folder */
	before = after;
	inodes_forget(inodes, take(inodes, a, "forgotten", disk(990, 1)), 1);
	inodes_facts(inodes, inodes_at(inodes, a), &after);
	assert_int_equal(after.n_changes, before.n_changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		CASE(test_paths_follow_renames),
		CASE(test_hard_links_are_one_inode),
		CASE(test_a_number_that_the_disk_uses_again),
		CASE(test_an_open_file_moved_behind_our_back),
		CASE(test_a_folder_stays_when_it_becomes_real),
		CASE(test_what_a_stream_is_for_life),
		CASE(test_forget_frees_from_below),
		CASE(test_a_handle_keeps_its_inode),
		CASE(test_exchange),
		CASE(test_rename_over),
		CASE(test_walk),
		CASE(test_pages_wait_for_reads),
		CASE(test_who_was_opened_may_have_pages),
		CASE(test_a_listing_is_kept_while_unchanged),
		CASE(test_pages_kept_while_unchanged),
		CASE(test_many_names),
		CASE(test_many_forgotten),
		CASE(test_changes_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
