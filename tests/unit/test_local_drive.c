/* providers/local_drive: its tokens and its table of faults. What it does is the contract suite's to test. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "providers/local_drive/fault.h"
#include "providers/local_drive/token.h"
#include "providers/registry.h"

#define HASH "0123456789abcdef0123456789abcdef"
#define RANDOM "fedcba9876543210"
#define SHA HASH HASH

static void test_token_round_trip(void **state)
{
	struct token token = { .part = HASH ".12." RANDOM,
			       .offset = 5,
			       .size = 12,
			       .mtime_ns = -7,
			       .prefix = { .has_sha256 = true, .sha256 = { 1, 2, 3 } } };
	struct provider_put put = { .size = 12, .mtime_ns = -7 };
	struct token parsed;

	for (int i = 0; i < 2; i++) {
		_cleanup_(freep) char *text = NULL;

		token.source.has_sha256 = put.digest.has_sha256 = i == 1;
		text = token_format(&token);
		assert_non_null(text);
		assert_int_equal(token_parse(text, &parsed), 0);
		assert_string_equal(parsed.part, token.part);
		assert_int_equal(parsed.offset, 5);
		assert_true(digest_equal(&parsed.prefix, &token.prefix));
		assert_int_equal(parsed.source.has_sha256, i == 1);
		assert_true(token_is_of(&parsed, &put));
	}
	put.digest.sha256[0] = 1;
	assert_false(token_is_of(&parsed, &put));
	put.digest.sha256[0] = 0;
	put.mtime_ns = 0;
	assert_false(token_is_of(&parsed, &put));
}

static void test_token_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"1",
		"2 " HASH ".12." RANDOM " 5 12 0 " SHA " -",
		"1 " HASH ".12." RANDOM " 13 12 0 " SHA " -",
		"1 " HASH ".12." RANDOM " -1 12 0 " SHA " -",
		"1 " HASH ".12." RANDOM " 5 -12 0 " SHA " -",
		"1 " HASH ".12." RANDOM " 5 12 0 - -",
		"1 " HASH ".12." RANDOM " 5 12 0 " SHA "00 -",
		"1 " HASH ".12." RANDOM " 5 12 0 " HASH " -",
		"1 " HASH ".12." RANDOM " 5 12 0 " SHA " - more",
		"1 ../../etc/passwd 5 12 0 " SHA " -",
		"1 " HASH ".12./" RANDOM " 5 12 0 " SHA " -",
		"1 " HASH ".12." RANDOM "0 5 12 0 " SHA " -",
		"1 " HASH ".." RANDOM " 5 12 0 " SHA " -",
	};
	struct token token;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(token_parse(texts[i], &token), -EINVAL);
	assert_int_equal(token_parse("1 " HASH ".12." RANDOM " 5 12 0 " SHA " -", &token),
			 0);
}

static void test_part_names(void **state)
{
	struct provider_put a = { .ref = { .path = "a/b" }, .size = 12 };
	struct provider_put b = { .ref = { .path = "a/c" }, .size = 12 };
	_cleanup_(freep) char *prefix = token_part_prefix(&a);
	_cleanup_(freep) char *other = token_part_prefix(&b);
	char name[TOKEN_PART_SIZE];

	assert_non_null(prefix);
	assert_non_null(other);
	assert_true((size_t)snprintf(name, sizeof(name), "%s" RANDOM, prefix) <
		    sizeof(name));
	assert_true(token_is_part(name, prefix));
	assert_true(token_is_part(name, NULL));
	assert_false(token_is_part(name, other));
	assert_false(token_is_part("remote-id", NULL));
}

static void test_faults(void **state)
{
	assert_int_equal(fault_outcome(ENOENT, false), PROVIDER_GONE);
	assert_int_equal(fault_outcome(ENOTDIR, true), PROVIDER_REFUSED);
	assert_int_equal(fault_outcome(EROFS, true), PROVIDER_DENIED);
	assert_int_equal(fault_outcome(EDQUOT, true), PROVIDER_FULL);
	assert_int_equal(fault_outcome(ENOSPC, true), PROVIDER_FULL);
	assert_int_equal(fault_outcome(EIO, false), PROVIDER_UNREACHABLE);
	assert_int_equal(fault_outcome(ESTALE, false), PROVIDER_UNREACHABLE);
	assert_int_equal(fault_outcome(ENOTCONN, true), PROVIDER_UNREACHABLE);
	assert_int_equal(fault_outcome(ENOMEM, true), -ENOMEM);
	assert_int_equal(fault_outcome(EMFILE, false), -EMFILE);
}

static void test_registry(void **state)
{
	struct config_root root = { .name = (char[]){ "work" }, .path = (char[]){ "x" } };
	struct config_site site = { .name = (char[]){ "nas" } };
	struct provider *provider = NULL;
	struct error error = { 0 };

	site.provider = (char[]){ "gdrive" };
	assert_int_equal(provider_open(&site, &provider, &error), -EOPNOTSUPP);
	assert_string_equal(error.text, "site 'nas': this build has no gdrive provider");
	site.provider = (char[]){ "floppy" };
	assert_int_equal(provider_open(&site, &provider, &error), -EINVAL);
	site.provider = (char[]){ "local_drive" };
	assert_int_equal(provider_open(&site, &provider, &error), -EINVAL);
	site.roots = &root;
	site.n_roots = 1;
	assert_int_equal(provider_open(&site, &provider, &error), -EINVAL);
	assert_non_null(strstr(error.text, "no absolute path"));
	root.path[0] = '/';
	assert_int_equal(provider_open(&site, &provider, &error), 0);
	assert_string_equal(provider->ops->name, "local_drive");
	provider_free(provider);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_round_trip),
		cmocka_unit_test(test_token_refused),
		cmocka_unit_test(test_part_names),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_registry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
