/* sync/base: the growable buffer, the map, paths, digests. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/base/digest.h"
#include "sync/base/lock.h"
#include "sync/base/map.h"
#include "sync/base/path.h"

static void test_buf_grows(void **state)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_addf(&buf, "%03d,", i), 0);
	assert_int_equal(buf.len, 4000);
	assert_string_equal(buf_str(&buf) + 3996, "999,");
}

static void test_map_keeps_what_was_put(void **state)
{
	struct map map = { 0 };
	char key[16];
	size_t n = 0, pos = 0;

	for (intptr_t i = 1; i <= 2000; i++) {
		snprintf(key, sizeof(key), "k%d", (int)i);
		assert_int_equal(map_put(&map, key, (void *)i, NULL), 0);
	}
	for (intptr_t i = 1; i <= 2000; i += 2) {
		snprintf(key, sizeof(key), "k%d", (int)i);
		assert_ptr_equal(map_remove(&map, key), (void *)i);
		assert_null(map_get(&map, key));
	}
	while (map_next(&map, &pos))
		n++;
	assert_int_equal(n, 1000);
	assert_int_equal(map_size(&map), 1000);
	assert_ptr_equal(map_get(&map, "k1000"), (void *)1000);
	map_done(&map, NULL);
}

static void test_paths(void **state)
{
	static const struct {
		const char *in, *out;
		bool is_refused;
	} rows[] = {
		{ "a/b", "a/b", false },
		{ "//a//b/", "a/b", false },
		{ "./a/./b", "a/b", false },
		{ "a/../b", "a/../b", true },
		{ "..", "..", true },
		{ "/", "", true },
		{ "a/..b/c", "a/..b/c", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) char *out = NULL;

		assert_int_equal(path_normalise(rows[i].in, &out), 0);
		assert_string_equal(out, rows[i].out);
		assert_int_equal(path_refusal(out) != NULL, rows[i].is_refused);
	}
	assert_true(path_is_below("a/b", "a"));
	assert_false(path_is_below("ab", "a"));
	assert_true(path_is_below("a", ""));
}

static void test_utf8(void **state)
{
	assert_true(path_is_utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xac"));
	assert_false(path_is_utf8("\xc0\xaf"));
	assert_false(path_is_utf8("\xed\xa0\x80"));
	assert_false(path_is_utf8("\xff"));
	assert_false(path_is_utf8("a\xc3"));
}

static void test_digest(void **state)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	char hex[DIGEST_HEX_SIZE];
	struct digest digest;

	assert_int_equal(hasher_new(&hasher), 0);
	for (int i = 0; i < 2; i++) {
		hasher_add(hasher, "abc", 3);
		hasher_take(hasher, &digest);
		hex_encode(digest.md5, sizeof(digest.md5), hex);
		assert_string_equal(hex, "900150983cd24fb0d6963f7d28e17f72");
	}
}

static void test_clock_format(void **state)
{
	char when[CLOCK_RFC3339_SIZE];

	clock_format(1701075384512, when);
	assert_string_equal(when, "2023-11-27T08:56:24.512Z");
}

/* A deadline is on the moved clock, the kernel's is not. */
static void test_deadline_on_a_moved_clock(void **state)
{
	struct mutex lock = MUTEX_INIT;
	struct cond never;

	cond_init(&never);
	clock_advance(3600000);
	mutex_lock(&lock);
	assert_int_equal(cond_wait_until(&never, &lock, clock_mono_ms() + 1), -ETIMEDOUT);
	mutex_unlock(&lock);
	clock_advance(-3600000);
	cond_done(&never);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_grows),
		cmocka_unit_test(test_map_keeps_what_was_put),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_deadline_on_a_moved_clock),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_clock_format),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
