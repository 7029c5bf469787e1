/* Every legal UTF-8 name is held as it is; what cannot be is refused, per object and with a reason. */
#include <stddef.h>
#include <stdint.h>

#include "tests/contract/provider/stage.h"

#include <string.h>

static const char *const names[] = {
	"plain.exr",
	" leading",
	"trailing ",
	"trailing.",
	"...",
	".hidden",
	"-rf",
	"--help",
	"it's",
	"\"quoted\"",
	"back\\slash",
	"a\\b\\\\c",
	"new\nline",
	"tab\tand\rreturn",
	"\x01\x02\x1f\x7f",
	"%s%n%20",
	"*?[a-z]{x,y}",
	"<>:|&;$()`!#~",
	"a:b",
	"CON",
	"Foo",
	"foo",
	"FOO",
	"\xc3\xa9",  /* composed */
	"e\xcc\x81", /* decomposed: another name */
	"\xc3\xbc\xe6\xbc\xa2\xd0\xb6\xd7\x90",
	"\xf0\x9f\x8e\xac\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x8e\xa8",
	"\xef\xbf\xbd",
	"\xef\xbb\xbf"
	"bom",
	"\xe2\x80\xae"
	"right to left",
	"\xc2\xa0",
	".sitefs.txt",
	"trashed = false",
	/* 255 bytes */
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678"
	"90123456789012345678901234567890123456789012345678901234567890123456789012345678"
	"90123456789012345678901234567890123456789012345678901234567890123456789012345678"
	"9012345678901.ex",
};

static int find_name(void *context, const char *name, bool is_folder,
		     const struct provider_object *object)
{
	return strcmp(name, context) == 0 ? 1 : 0;
}

static bool is_listed(const struct stage *stage, const char *folder, const char *name)
{
	struct provider_ref ref = { .root = "", .path = folder };
	struct provider_call call = { 0 };
	_cleanup_(freep) char *copy = strdup(name);

	return stage->provider->ops->list(stage->provider, &ref, find_name, copy,
					  &call) == 1;
}

static void test_as_files(void **state)
{
	struct stage *stage = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(freep) char *path = strf("folder/%s", names[i]);
		struct source source = SOURCE(i + 1, 100 + i);

		assert_null(stage->provider->ops->refusal(stage->provider, path));
		free(store_ok(stage, path, &source, NULL));
		assert_true(is_listed(stage, "folder", names[i]));
	}
	assert_int_equal(stage->hand->count(stage->remote), ARRAY_SIZE(names) + 1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(freep) char *path = strf("folder/%s", names[i]);
		struct source source = SOURCE(i + 1, 100 + i);

		assert_holds(stage, path, &source);
	}
}

static void test_as_folders(void **state)
{
	struct stage *stage = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(freep) char *path = strf("%s/file", names[i]);
		struct source source = SOURCE(i + 1, 10);

		free(store_ok(stage, path, &source, NULL));
		assert_holds(stage, path, &source);
		assert_true(is_listed(stage, "", names[i]));
	}
}

/* What is replaced or trashed is kept, whatever its name. */
static void test_replaced_and_trashed(void **state)
{
	struct stage *stage = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(freep) char *path = strf("f/%s", names[i]);
		struct source first = SOURCE(i + 1, 50), second = SOURCE(i + 1000, 50);
		_cleanup_(freep) char *revision = store_ok(stage, path, &first, NULL);
		_cleanup_(freep) char *next = store_ok(stage, path, &second, revision);
		char data[50];

		assert_outcome(do_trash(stage->provider, path, next), 0);
		assert_false(is_listed(stage, "f", names[i]));
		source_bytes(&first, data, 50, 0);
		assert_true(stage->hand->has_old(stage->remote, path, data, 50));
		source_bytes(&second, data, 50, 0);
		assert_true(stage->hand->has_trashed(stage->remote, path, data, 50));
	}
}

static void test_deep(void **state)
{
	struct stage *stage = *state;
	_cleanup_(buf_done) struct buf path = { 0 };
	struct source source = SOURCE(1, 100);

	for (int i = 0; i < (stage->hand->depth ? stage->hand->depth : 100); i++)
		buf_addf(&path, "level-%03d/", i);
	buf_adds(&path, "file");
	free(store_ok(stage, buf_str(&path), &source, NULL));
	assert_holds(stage, buf_str(&path), &source);
}

/* ---- refused ---- */

static void assert_refused(const struct stage *stage, const char *path)
{
	const char *why = stage->provider->ops->refusal(stage->provider, path);
	struct source source = SOURCE(1, 10);
	struct provider_object object = { 0 };
	struct sink sink = { 0 };
	struct digest digest;

	assert_non_null(why);
	assert_true(why[0]);
	assert_outcome(do_store(stage->provider, path, &source, NULL, &object),
		       PROVIDER_REFUSED);
	assert_outcome(do_stat(stage->provider, path, &object), PROVIDER_REFUSED);
	assert_outcome(do_fetch(stage->provider, path, NULL, 0, 1, &sink),
		       PROVIDER_REFUSED);
	assert_outcome(do_digest(stage->provider, path, NULL, &digest), PROVIDER_REFUSED);
	assert_outcome(do_trash(stage->provider, path, NULL), PROVIDER_REFUSED);
	assert_int_equal(source.n_given + sink.n_taken, 0);
}

static void test_refused(void **state)
{
	struct stage *stage = *state;
	static const char *const paths[] = {
		"",
		"/",
		"/a",
		"a/",
		"a//b",
		".",
		"..",
		"./a",
		"../a",
		"a/..",
		"a/../b",
		"a/./b",
		"\xff",
		"a/\xc3",
		"\xc0\x80",
		"\xed\xa0\x80",
		"a\xf5\x80\x80\x80",
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		assert_refused(stage, paths[i]);
	assert_int_equal(stage->hand->count(stage->remote), 0);
}

static void test_too_long(void **state)
{
	struct stage *stage = *state;
	_cleanup_(freep) char *name = strf("a/%0256d", 0);
	_cleanup_(buf_done) struct buf path = { 0 };

	assert_refused(stage, name);
	for (int i = 0; i < 500; i++)
		buf_addf(&path, "%07d/", i);
	buf_addf(&path, "%095d", 0);
	assert_true(path.len <= 4095);
	buf_addc(&path, 'x');
	assert_refused(stage, buf_str(&path));
}

static const struct CMUnitTest tests[] = {
	CASE(test_as_files), CASE(test_as_folders), CASE(test_replaced_and_trashed),
	CASE(test_deep),     CASE(test_refused),    CASE(test_too_long),
};
const struct cases cases_names = { "names", tests, ARRAY_SIZE(tests) };
