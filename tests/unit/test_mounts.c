/* tools/mounts: the kernel's table, as proc(5) has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/mounts.h"

static const char table[] =
	"22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw\n"
	"27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
	"90 27 0:50 / /mnt/a\\040show rw,nosuid shared:9 master:3 - fuse.sitefs studio rw\n"
	"91 27 0:51 / /mnt/b rw - fuse.sshfs host: rw\n"
	"92 27 0:52 / /mnt/c rw - fuse.sitefs studio rw\n"
	"93 27 0:53 / /mnt/c rw - tmpfs none rw\n"
	"94 27 0:54 / /mnt/d rw - tmpfs none rw\n"
	"95 27 0:55 / /mnt/d rw - fuse.sitefs studio rw\n";

static void test_table(void **state)
{
	assert_int_equal(mounts_find_in(table, "/mnt/a show"), MOUNTS_OURS);
	assert_int_equal(mounts_find_in(table, "/mnt/b"), MOUNTS_OTHER);
	assert_int_equal(mounts_find_in(table, "/mnt/c"), MOUNTS_OTHER);
	assert_int_equal(mounts_find_in(table, "/mnt/d"), MOUNTS_OURS);
	assert_int_equal(mounts_find_in(table, "/mnt"), MOUNTS_NONE);
	assert_int_equal(mounts_find_in(table, "/"), MOUNTS_OTHER);
}

static void test_torn_tables(void **state)
{
	assert_int_equal(mounts_find_in("", "/"), MOUNTS_NONE);
	assert_int_equal(mounts_find_in("1 2", ""), MOUNTS_OTHER);
	assert_int_equal(mounts_find_in("1 2 3 4 /mnt", "/mnt"), MOUNTS_OTHER);
	assert_int_equal(
		mounts_find_in("1 2 3 4 /a rw\n5 6 7 8 /b rw - fuse.sitefs x\n", "/a"),
		MOUNTS_OTHER);
	assert_int_equal(mounts_find_in("1 2 3 4 /a\\04", "/a\\04"), MOUNTS_OTHER);
}

static void test_own_namespace(void **state)
{
	assert_int_equal(mounts_find("/proc"), MOUNTS_OTHER);
	assert_int_equal(mounts_find("/no/such/place"), MOUNTS_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_torn_tables),
		cmocka_unit_test(test_own_namespace),
	};

	return cmocka_run_group_tests_name("mounts", tests, NULL, NULL);
}
