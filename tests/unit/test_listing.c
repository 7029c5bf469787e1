/* fs/listing: the union of disk and view, no name twice, positions that stay, modest memory. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/listing.h"

static void add_disk(struct listing *listing, const char *names)
{
	for (; *names; names++)
		assert_int_equal(
			listing_add_disk(listing, (char[]){ *names, '\0' }, DT_REG, 5),
			0);
}

static void add_view(struct listing *listing, const char *names)
{
	for (; *names; names++)
		assert_int_equal(
			listing_add_view(listing, (char[]){ *names, '\0' },
					 &(struct view_node){ .size = 9, .ino = 7 }),
			0);
}

/* One letter per name; of the result the disk's in capitals, in its order until the view has names to compare. */
static void test_merge(void **state)
{
	static const struct {
		const char *disk, *view, *result;
	} rows[] = {
		{ "", "", "" },           { "ba", "", "BA" },      { "", "ab", "ab" },
		{ "db", "abcd", "BDac" }, { "abc", "abc", "ABC" }, { "z", "abz", "Zab" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(listing_freep) struct listing *listing = NULL;
		char found[16] = "";

		assert_int_equal(listing_new(1, &listing), 0);
		add_disk(listing, rows[i].disk);
		add_view(listing, rows[i].view);
		for (size_t j = 0; j < listing_count(listing); j++) {
			struct listing_entry entry;

			listing_get(listing, j, &entry);
			found[j] = entry.name[0];
			if (entry.is_disk)
				found[j] = (char)(found[j] - 'a' + 'A');
			assert_int_equal(entry.ino, entry.is_disk ? 5 : 7);
		}
		assert_string_equal(found, rows[i].result);
	}
}

static void test_unknown_sizes_are_seen(void **state)
{
	_cleanup_(listing_freep) struct listing *listing = NULL;
	struct view_node folder = { .is_folder = true, .size = -1 };
	struct view_node unknown = { .size = -1 };

	assert_int_equal(listing_new(1, &listing), 0);
	assert_int_equal(listing_add_disk(listing, "here", DT_REG, 1), 0);
	assert_int_equal(listing_add_view(listing, "folder", &folder), 0);
	assert_int_equal(listing_add_view(listing, "here", &unknown), 0);
	assert_false(listing_has_unknown(listing));
	assert_int_equal(listing_add_view(listing, "there", &unknown), 0);
	assert_true(listing_has_unknown(listing));
}

static void test_memory_is_modest(void **state)
{
	_cleanup_(listing_freep) struct listing *listing = NULL;
	struct view_node node = { .size = 1 };
	char name[40];

	assert_int_equal(listing_new(1, &listing), 0);
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "beauty_v001.%07d.exr", i);
		assert_int_equal(listing_add_view(listing, name, &node), 0);
	}
	assert_int_equal(listing_count(listing), 100000);
	assert_in_range(listing_memory(listing), 1, 12 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_unknown_sizes_are_seen),
		cmocka_unit_test(test_memory_is_modest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
