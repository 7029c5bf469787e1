/* sync/doc: paths of documents in every spelling, hostile ones among them; times in `hash`. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/base/path.h"
#include "sync/doc.h"

#define ABSOLUTE NULL

static void test_spellings(void **state)
{
	static const struct {
		const char *path, *root, *rel;
	} rows[] = {
		{ "{root}/a/b.exr", "", "a/b.exr" },
		{ "{root[work]}/a/b.exr", "work", "a/b.exr" },
		{ "{root[a][b]}/x", "a.b", "x" },
		{ "{root[wörk 1]}/x", "wörk 1", "x" },
		{ "{root[work]}\\a\\b.exr", "work", "a/b.exr" },
		{ "{root[work]}/test_project//test_asset/hero/x", "work",
		  "test_project/test_asset/hero/x" },
		{ "{root[work]}/a/./b/", "work", "a/b" },
		{ "{root[work]}proj/x", "work", "proj/x" },
		{ "{root}proj/x", "", "proj/x" },
		{ "{root[work]}{root[work]}/x", "work", "x" },
		{ "{root[work]}/{root[work]}/x", "work", "x" },
		{ "{root}{root}{root}x", "", "x" },
		{ "{root[work]}/./{root[work]}/x", "work", "x" },
		{ "{root[work]}.//./{root[work]}x", "work", "x" },
		{ "{root}/a/{b}.exr", "", "a/{b}.exr" },
		{ "{root}/{a}{{b}}", "", "{a}{{b}}" },
		{ "{root}/a/{root}/b", "", "a/{root}/b" },
		{ "{root}/{rooted}/b", "", "{rooted}/b" },
		{ "{root}/..a/b..", "", "..a/b.." },
		{ "{root}/a/.sitefs/b", "", "a/.sitefs/b" },
		{ "{root}/.sitefsx", "", ".sitefsx" },
		{ "{root}/line\nbreak", "", "line\nbreak" },
		{ "/srv/work/a", ABSOLUTE, "/srv/work/a" },
		{ "/srv//work/./a/", ABSOLUTE, "/srv/work/a" },
		{ "//server/share/a", ABSOLUTE, "//server/share/a" },
		{ "\\\\server\\share\\a", ABSOLUTE, "//server/share/a" },
		{ "///srv/a", ABSOLUTE, "/srv/a" },
		{ "C:\\projects\\a.ma", ABSOLUTE, "C:/projects/a.ma" },
		{ "p://a//b", ABSOLUTE, "p:/a/b" },
		{ "/srv/{root}/a", ABSOLUTE, "/srv/{root}/a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) char *root = NULL, *rel = NULL, *refused = NULL;

		assert_int_equal(doc_path_parse(rows[i].path, &root, &rel, &refused), 0);
		assert_string_equal(rel, rows[i].rel);
		if (rows[i].root)
			assert_string_equal(root, rows[i].root);
		else
			assert_null(root);
		assert_null(refused);
	}
}

static void assert_refused(const char *path, const char *why)
{
	_cleanup_(freep) char *root = NULL, *rel = NULL, *refused = NULL;

	assert_int_equal(doc_path_parse(path, &root, &rel, &refused), -EINVAL);
	assert_non_null(refused);
	assert_string_equal(refused, why);
	assert_null(root);
	assert_null(rel);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *path, *why;
	} rows[] = {
		{ "", "path is empty" },
		{ "{root}", "path is empty" },
		{ "{root[work]}/./", "path is empty" },
		{ "/", "path is empty" },
		{ "{root}/../etc/passwd", "path has a '..' component" },
		{ "{root}/a/..", "path has a '..' component" },
		{ "{root}..\\..\\x", "path has a '..' component" },
		{ "{root[work]}/a\\..\\b", "path has a '..' component" },
		{ "/srv/../x", "path has a '..' component" },
		{ "C:\\..\\x", "path has a '..' component" },
		{ "a/b", "path begins with no {root} and is not absolute" },
		{ "c:a", "path begins with no {root} and is not absolute" },
		{ "~/a", "path begins with no {root} and is not absolute" },
		{ "{project[name]}/a",
		  "path begins with a placeholder that is no {root}" },
		{ "{root[work/a", "path begins with a placeholder that is no {root}" },
		{ "{root[]}/a", "path begins with a placeholder that is no {root}" },
		{ "{root[work]/a", "path begins with a placeholder that is no {root}" },
		{ "{root[../x]}/a", "path begins with a placeholder that is no {root}" },
		{ "{root", "path begins with a placeholder that is no {root}" },
		{ "{roots}/a", "path begins with a placeholder that is no {root}" },
		{ "{root[..]}/a", "path has a root that is named like a folder above" },
		{ "{root[.]}/a", "path has a root that is named like a folder above" },
		{ "{root[a]}{root[b]}/x", "path begins with two different roots" },
		{ "{root[a]}/./{root[b]}/x", "path begins with two different roots" },
		{ "{root}/.sitefs/staged/x",
		  "path lies in .sitefs, the private folder of a root" },
		{ "{root[work]}.sitefs",
		  "path lies in .sitefs, the private folder of a root" },
		{ "{root}/./\\.SiteFS/x",
		  "path lies in .sitefs, the private folder of a root" },
		{ "{root}/a\xff", "path is not UTF-8" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_refused(rows[i].path, rows[i].why);
}

/* "{root}/" and then N times "x", in names of at most 255 bytes where SPLIT. */
static char *long_path(size_t n, bool split)
{
	_cleanup_(buf_done) struct buf buf = { 0 };

	buf_adds(&buf, "{root}/");
	for (size_t i = 0; i < n; i++)
		buf_addc(&buf, split && i % 100 == 99 ? '/' : 'x');
	return buf_take(&buf);
}

static void test_lengths(void **state)
{
	_cleanup_(freep) char *name = long_path(256, false);
	_cleanup_(freep) char *path = long_path(4096, true);
	_cleanup_(freep) char *fits = long_path(4095, true);
	_cleanup_(freep) char *root = NULL, *rel = NULL, *refused = NULL;

	assert_refused(name, "path has a name longer than 255 bytes");
	assert_refused(path, "path is longer than 4095 bytes");
	assert_int_equal(doc_path_parse(fits, &root, &rel, &refused), 0);
	assert_int_equal(strlen(rel), 4095);
}

static void test_key(void **state)
{
	_cleanup_(freep) char *named = doc_path_key("work", "a/b");
	_cleanup_(freep) char *unnamed = doc_path_key("", "a/b");

	assert_string_equal(named, "{root[work]}/a/b");
	assert_string_equal(unnamed, "{root}/a/b");
}

static void test_absolute_below_a_root(void **state)
{
	struct config_root studio_roots[] = {
		{ (char[]){ "work" }, (char[]){ "/srv/work" } },
		{ (char[]){ "pub" }, (char[]){ "/srv/pub" } }
	};
	struct config_root home_roots[] = { { (char[]){ "w" },
					      (char[]){ "/srv/work" } } };
	struct config_root nas_roots[] = { { (char[]){ "" },
					     (char[]){ "/srv/work/deep" } } };
	struct config_root drive_roots[] = { { (char[]){ "d" },
					       (char[]){ "/My Drive" } } };
	struct config_site sites[] = {
		{ .name = (char[]){ "home" },
		  .provider = (char[]){ "local_drive" },
		  .roots = home_roots,
		  .n_roots = 1 },
		{ .name = (char[]){ "studio" },
		  .provider = (char[]){ "local_drive" },
		  .roots = studio_roots,
		  .n_roots = 2 },
		{ .name = (char[]){ "nas" },
		  .provider = (char[]){ "local_drive" },
		  .roots = nas_roots,
		  .n_roots = 1 },
		{ .name = (char[]){ "gdrive" },
		  .provider = (char[]){ "gdrive" },
		  .roots = drive_roots,
		  .n_roots = 1 },
	};
	struct config config = { .active_site = (char[]){ "studio" },
				 .sites = sites,
				 .n_sites = ARRAY_SIZE(sites) };
	static const struct {
		const char *absolute, *root, *rel;
	} rows[] = {
		{ "/srv/work/a/b", "work", "a/b" },    { "/srv/pub/x", "pub", "x" },
		{ "/srv/work/deep/x", "", "x" },       { "/srv/workshop/x", NULL, NULL },
		{ "/srv/work", NULL, NULL },           { "/srv/work/", NULL, NULL },
		{ "/srv/work/.sitefs/x", NULL, NULL }, { "/My Drive/x", NULL, NULL },
		{ "//srv/work/x", NULL, NULL },        { "C:/srv/work/x", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) char *root = NULL, *rel = NULL;

		assert_int_equal(
			doc_path_resolve_absolute(&config, rows[i].absolute, &root, &rel),
			rows[i].root ? 0 : -ENOENT);
		if (!rows[i].root)
			continue;
		assert_string_equal(root, rows[i].root);
		assert_string_equal(rel, rows[i].rel);
	}
}

static void test_hash_times(void **state)
{
	static const struct {
		const char *hash;
		int64_t ns;
	} rows[] = {
		{ "x,ma|1701075384,4640148|52085", 1701075384464014800 },
		{ "x,ma|1592468963,24|4822", 1592468963240000000 },
		{ "x,ma|1592468963|4822", 1592468963000000000 },
		{ "x,ma|1592468963.5|4822", 1592468963500000000 },
		{ "x,ma|1,0000000019|4822", 1000000001 },
		{ "a|b|c,ma|1592468963,24|4822", 1592468963240000000 },
		{ "|0,0|", 0 },
		{ "x,ma|9223372035,0|1", 9223372035000000000 },
		{ "x,ma|9223372036,9|1", -1 },
		{ "x,ma|99999999999999999999999|1", -1 },
		{ "x,ma|-1,0|1", -1 },
		{ "x,ma||1", -1 },
		{ "x,ma|,5|1", -1 },
		{ "x,ma|1e9|1", -1 },
		{ "x,ma|1,5,5|1", -1 },
		{ "1592468963|4822", -1 },
		{ "x,ma", -1 },
		{ "", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(doc_hash_mtime_ns(rows[i].hash), rows[i].ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_absolute_below_a_root),
		cmocka_unit_test(test_hash_times),
	};

	return cmocka_run_group_tests_name("doc_path", tests, NULL, NULL);
}
