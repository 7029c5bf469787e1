/* sync/doc: representations in every form, odd types, hostile files that leave the rest alone, and
 * the documents of a real studio. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bson/bson.h>
#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/doc.h"
#include "tests/unit/fixture.h"

#define OID "60e578d0c987036c6a7b741d"
#define FILE_OID "60e578d0c987036c6a7b741f"

static int parse_json(const char *json, struct doc **ret, struct error *error)
{
	bson_error_t why;
	bson_t *bson = bson_new_from_json((const uint8_t *)json, -1, &why);
	int r;

	if (!bson)
		fail_msg("%s: %s", why.message, json);
	r = doc_parse(bson_get_data(bson), bson->len, "Proj", ret, error);
	bson_destroy(bson);
	return r;
}

/* A representation with one file of these further keys. */
static struct doc *parse_file(const char *keys)
{
	_cleanup_(freep) char *json =
		strf("{\"_id\": {\"$oid\": \"" OID
		     "\"}, \"type\": \"representation\", \"files\": [{%s}]}",
		     keys);
	struct doc *doc = NULL;

	assert_int_equal(parse_json(json, &doc, NULL), 0);
	assert_int_equal(doc->n_files, 1);
	return doc;
}

static void test_a_whole_one(void **state)
{
	_cleanup_(doc_freep) struct doc *doc = NULL;
	const struct doc_file *file;
	int r;

	r = parse_json(
		"{\"files\": [{\"_id\": {\"$oid\": \"" FILE_OID "\"},"
		" \"path\": \"{root[work]}/p//a.ma\", \"size\": 4822,"
		" \"hash\": \"a,ma|1592468963,24|4822\","
		" \"sites\": [{\"name\": \"studio\", \"created_dt\": {\"$date\": \"2020-11-04T10:00:00Z\"}},"
		" {\"name\": \"gdrive\"}]}, {\"_id\": \"two\", \"path\": \"{root}/b\"}],"
		" \"name\": \"ma\", \"type\": \"representation\","
		" \"parent\": {\"$oid\": \"60e578d0c987036c6a7b741c\"},"
		" \"context\": {\"asset\": \"Cylinder\", \"subset\": \"lookMain\", \"version\": 10},"
		" \"_id\": {\"$oid\": \"" OID "\"}}",
		&doc, NULL);
	assert_int_equal(r, 0);
	assert_string_equal(doc->project, "Proj");
	assert_string_equal(doc->id, OID);
	assert_string_equal(doc->parent, "60e578d0c987036c6a7b741c");
	assert_string_equal(doc->name, "ma");
	assert_string_equal(doc->asset, "Cylinder");
	assert_string_equal(doc->subset, "lookMain");
	assert_string_equal(doc->version, "v010");
	assert_int_equal(doc->n_files, 2);
	file = doc_find_file(doc, FILE_OID);
	assert_ptr_equal(file, &doc->files[0]);
	assert_string_equal(file->path, "{root[work]}/p//a.ma");
	assert_string_equal(file->root, "work");
	assert_string_equal(file->rel, "p/a.ma");
	assert_string_equal(file->key, "{root[work]}/p/a.ma");
	assert_int_equal(file->size, 4822);
	assert_int_equal(file->mtime_ns, 1592468963240000000);
	assert_int_equal(doc_find_site(file, "studio")->created_ms, 1604484000000);
	assert_int_equal(doc_find_site(file, "gdrive")->presence, DOC_WANTED);
	assert_null(doc_find_site(file, "nas"));
	assert_string_equal(doc->files[1].id, "=two");
	assert_int_equal(doc->files[1].size, -1);
	assert_int_equal(doc->files[1].mtime_ns, -1);
	assert_null(doc_find_file(doc, "=three"));
}

static void test_documents_as_a_whole(void **state)
{
	static const struct {
		const char *json;
		int r;
		const char *text;
	} rows[] = {
		{ "{}", DOC_OTHER, "" },
		{ "{\"type\": 5}", DOC_OTHER, "" },
		{ "{\"type\": \"version\", \"files\": 5}", DOC_OTHER, "" },
		{ "{\"type\": \"archived_representation\"}", DOC_OTHER, "" },
		{ "{\"type\": \"representation\"}", -EBADMSG,
		  "Proj: a representation has no _id that is an ObjectId or a text" },
		{ "{\"type\": \"representation\", \"_id\": 5}", -EBADMSG,
		  "Proj: a representation has no _id that is an ObjectId or a text" },
		{ "{\"type\": \"representation\", \"_id\": \"x\", \"files\": {}}",
		  -EBADMSG, "Proj: representation =x: \"files\" is no array" },
		{ "{\"type\": \"representation\", \"_id\": \"x\", \"files\": null}", 0,
		  "" },
		{ "{\"type\": \"representation\", \"_id\": \"x\"}", 0, "" },
		{ "{\"type\": \"representation\", \"_id\": \"x\", \"files\": []}", 0,
		  "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(doc_freep) struct doc *doc = NULL;
		struct error error = { 0 };

		assert_int_equal(parse_json(rows[i].json, &doc, &error), rows[i].r);
		assert_string_equal(error.text, rows[i].text);
		if (doc)
			assert_int_equal(doc->n_files, 0);
	}
}

static void test_damaged(void **state)
{
	static const uint8_t rows[][12] = {
		{ 0 },
		{ 5 },
		{ 12, 0, 0, 0, 2, 'a', 0, 99 },
		{ 12, 0, 0, 0, 0x55, 'a', 0 },
	};
	struct doc *doc = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(doc_parse(rows[i], sizeof(rows[i]), "P", &doc, NULL),
				 -EBADMSG);
	assert_int_equal(doc_parse("", 0, "P", &doc, NULL), -EBADMSG);
	assert_null(doc);
}

static void test_versions(void **state)
{
	static const struct {
		const char *context, *version;
	} rows[] = {
		{ "{\"version\": 1}", "v001" },
		{ "{\"version\": {\"$numberLong\": \"1234\"}}", "v1234" },
		{ "{\"version\": 3.0}", "v003" },
		{ "{\"version\": \"4\"}", "v004" },
		{ "{\"version\": \"v005\"}", "v005" },
		{ "{\"version\": null}", "" },
		{ "{\"asset\": \"a\"}", "hero" },
		{ "null", "" },
		{ "\"text\"", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(doc_freep) struct doc *doc = NULL;
		_cleanup_(freep) char *json = strf(
			"{\"_id\": \"x\", \"type\": \"representation\", \"context\": %s}",
			rows[i].context);

		assert_int_equal(parse_json(json, &doc, NULL), 0);
		assert_string_equal(doc->version, rows[i].version);
		assert_string_equal(doc->subset, "");
	}
}

static void test_sizes(void **state)
{
	static const struct {
		const char *json;
		int64_t size;
	} rows[] = {
		{ "\"size\": 5", 5 },
		{ "\"size\": 0", 0 },
		{ "\"size\": {\"$numberLong\": \"5000000000\"}", 5000000000 },
		{ "\"size\": 5000000000.0", 5000000000 },
		{ "\"size\": \"52\"", 52 },
		{ "\"size\": \"a lot\"", -1 },
		{ "\"size\": -5", -1 },
		{ "\"size\": null", -1 },
		{ "\"size\": {\"$numberDouble\": \"NaN\"}", -1 },
		{ "\"size\": 1e300", -1 },
		{ "\"size\": [5]", -1 },
		{ "\"other\": 5", -1 },
		{ "\"size\": 5, \"size\": 6", 5 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) char *keys =
			strf("\"_id\": \"x\", \"path\": \"{root}/a\", %s", rows[i].json);
		_cleanup_(doc_freep) struct doc *doc = parse_file(keys);

		assert_int_equal(doc->files[0].size, rows[i].size);
		assert_null(doc->files[0].refused);
	}
}

static void test_times(void **state)
{
	static const struct {
		const char *json;
		int64_t ns;
	} rows[] = {
		{ "\"_id\": {\"$oid\": \"" FILE_OID "\"}, \"hash\": \"a|1,5|1\"",
		  1500000000 },
		{ "\"_id\": {\"$oid\": \"" FILE_OID "\"}, \"hash\": null",
		  1625651408000000000 },
		{ "\"_id\": {\"$oid\": \"" FILE_OID "\"}", 1625651408000000000 },
		{ "\"_id\": \"x\", \"hash\": \"nonsense\"", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) char *keys =
			strf("%s, \"path\": \"{root}/a\"", rows[i].json);
		_cleanup_(doc_freep) struct doc *doc = parse_file(keys);

		assert_int_equal(doc->files[0].mtime_ns, rows[i].ns);
	}
}

/* "name presence tries priority paused progress id error", one per site, with ";" between. */
static char *describe_sites(const struct doc_file *file)
{
	static const char *const signs[] = { "0", "-", "+" };
	_cleanup_(buf_done) struct buf buf = { 0 };

	for (size_t i = 0; i < file->n_sites; i++) {
		const struct doc_site *site = &file->sites[i];

		buf_addf(&buf, "%s%s%s", i ? ";" : "", site->name, signs[site->presence]);
		if (site->created_ms)
			buf_addf(&buf, " at=%lld", (long long)site->created_ms);
		if (site->failed_ms)
			buf_addf(&buf, " failed=%lld", (long long)site->failed_ms);
		if (site->tries)
			buf_addf(&buf, " tries=%d", site->tries);
		if (site->priority != DOC_PRIORITY_NONE)
			buf_addf(&buf, " priority=%d", site->priority);
		if (site->is_paused)
			buf_adds(&buf, " paused");
		if (site->progress >= 0)
			buf_addf(&buf, " progress=%g", site->progress);
		if (site->id)
			buf_addf(&buf, " id=%s", site->id);
		if (site->error)
			buf_addf(&buf, " error=%s", site->error);
	}
	return buf_take(&buf);
}

struct sites_row {
	const char *json;
	enum doc_form form;
	const char *sites;
};

static const struct sites_row sites_rows[] = {
	/* the four forms */
	{ "\"sites\": [{\"name\": \"studio\", \"created_dt\": {\"$date\": \"1970-01-01T00:00:01Z\"}},"
	  " {\"name\": \"gdrive\"}]",
	  DOC_FORM_LIST, "studio+ at=1000;gdrive-" },
	{ "\"sites\": [\"studio\", \"nas\"]", DOC_FORM_STRINGS, "studio+;nas+" },
	{ "\"sites\": {\"studio\": {\"created_dt\": {\"$date\": \"1970-01-01T00:00:01Z\"}},"
	  " \"gdrive\": {}, \"nas\": null, \"bad\": 5}",
	  DOC_FORM_OBJECT, "studio+ at=1000;gdrive-;nas-" },
	{ "\"x\": 1", DOC_FORM_MISSING, "" },
	{ "\"sites\": null", DOC_FORM_MISSING, "" },
	{ "\"sites\": \"studio\"", DOC_FORM_MISSING, "" },
	{ "\"sites\": []", DOC_FORM_LIST, "" },
	{ "\"sites\": {}", DOC_FORM_OBJECT, "" },
	{ "\"sites\": [{\"name\": \"nas\"}, \"studio\"]", DOC_FORM_STRINGS,
	  "nas-;studio+" },
	/* entries that are none; the first of a name */
	{ "\"sites\": [{}, {\"name\": 5}, {\"name\": \"\"}, 5, null, [], \"\", {\"name\": \"a\"}]",
	  DOC_FORM_STRINGS, "a-" },
	{ "\"sites\": [{\"name\": \"a\", \"tries\": 1}, {\"name\": \"a\","
	  " \"created_dt\": {\"$date\": \"2020-11-04T10:00:00Z\"}}]",
	  DOC_FORM_LIST, "a- tries=1" },
	{ "\"sites\": [{\"name\": \" a \"}]", DOC_FORM_LIST, " a -" },
	/* created_dt */
	{ "\"sites\": [{\"name\": \"a\", \"created_dt\": null}]", DOC_FORM_LIST, "a-" },
	{ "\"sites\": [{\"name\": \"a\", \"created_dt\": \"2020\"}]", DOC_FORM_LIST,
	  "a+" },
	{ "\"sites\": [{\"name\": \"a\", \"created_dt\": 5}]", DOC_FORM_LIST, "a+" },
	/* failures */
	{ "\"sites\": [{\"name\": \"a\", \"tries\": 2, \"error\": \"no room\","
	  " \"last_failed_dt\": {\"$date\": \"1970-01-01T00:00:02Z\"}}]",
	  DOC_FORM_LIST, "a- failed=2000 tries=2 error=no room" },
	{ "\"sites\": [{\"name\": \"a\", \"tries\": {\"$numberLong\": \"3\"}, \"error\": null}]",
	  DOC_FORM_LIST, "a- tries=3" },
	{ "\"sites\": [{\"name\": \"a\", \"tries\": 2.0}]", DOC_FORM_LIST, "a- tries=2" },
	{ "\"sites\": [{\"name\": \"a\", \"tries\": \"2\"}]", DOC_FORM_LIST,
	  "a- tries=2" },
	{ "\"sites\": [{\"name\": \"a\", \"tries\": null}]", DOC_FORM_LIST, "a-" },
	{ "\"sites\": [{\"name\": \"a\", \"tries\": -2}]", DOC_FORM_LIST, "a-" },
	{ "\"sites\": [{\"name\": \"a\", \"tries\": 1e15}]", DOC_FORM_LIST,
	  "a- tries=2147483647" },
	/* the rest */
	{ "\"sites\": [{\"name\": \"a\", \"id\": \"1AbC\"}]", DOC_FORM_LIST,
	  "a- id=1AbC" },
	{ "\"sites\": [{\"name\": \"a\", \"id\": null}]", DOC_FORM_LIST, "a-" },
	{ "\"sites\": [{\"name\": \"a\", \"paused\": false}]", DOC_FORM_LIST,
	  "a- paused" },
	{ "\"sites\": [{\"name\": \"a\", \"priority\": 90}]", DOC_FORM_LIST,
	  "a- priority=90" },
	{ "\"sites\": [{\"name\": \"a\", \"priority\": \"high\"}]", DOC_FORM_LIST, "a-" },
	{ "\"sites\": [{\"name\": \"a\", \"progress\": 0.5}]", DOC_FORM_LIST,
	  "a- progress=0.5" },
	{ "\"sites\": [{\"name\": \"a\", \"progress\": 1}]", DOC_FORM_LIST,
	  "a- progress=1" },
	{ "\"sites\": [{\"name\": \"a\", \"progress\": 100}]", DOC_FORM_LIST, "a-" },
	{ "\"sites\": [{\"name\": \"a\", \"progress\": \"\"}]", DOC_FORM_LIST, "a-" },
	{ "\"sites\": [{\"name\": \"a\", \"progress\": {\"$numberDouble\": \"NaN\"}}]",
	  DOC_FORM_LIST, "a-" },
	{ "\"sites\": [{\"name\": \"a\", \"progress\": {\"x\": [1]}}]", DOC_FORM_LIST,
	  "a-" },
};

static void test_sites(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(sites_rows); i++) {
		const struct sites_row *row = &sites_rows[i];
		_cleanup_(freep) char *keys =
			strf("\"_id\": \"x\", \"path\": \"{root}/a\", %s", row->json);
		_cleanup_(doc_freep) struct doc *doc = parse_file(keys);
		_cleanup_(freep) char *sites = describe_sites(&doc->files[0]);

		assert_string_equal(sites, row->sites);
		assert_int_equal(doc->files[0].form, row->form);
		assert_null(doc->files[0].refused);
	}
}

static void test_refused_files_leave_the_rest(void **state)
{
	static const struct {
		const char *file, *why;
	} rows[] = {
		{ "5", "file is no object" },
		{ "\"{root}/a\"", "file is no object" },
		{ "{\"path\": \"{root}/b\"}",
		  "file has no _id that is an ObjectId or a text" },
		{ "{\"_id\": 5, \"path\": \"{root}/b\"}",
		  "file has no _id that is an ObjectId or a text" },
		{ "{\"_id\": \"b\"}", "file has no path" },
		{ "{\"_id\": \"b\", \"path\": null}", "file has a path that is no text" },
		{ "{\"_id\": \"b\", \"path\": \"\"}", "path is empty" },
		{ "{\"_id\": \"b\", \"path\": \"{root}/a\\u0000b\"}",
		  "file has a path with a NUL in it" },
		{ "{\"_id\": \"b\", \"path\": \"{root}/../b\"}",
		  "path has a '..' component" },
		{ "{\"_id\": \"good\", \"path\": \"{root}/b\"}",
		  "file has the _id of another file of its representation" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(doc_freep) struct doc *doc = NULL;
		_cleanup_(freep) char *json =
			strf("{\"_id\": \"x\", \"type\": \"representation\", \"files\": ["
			     "{\"_id\": \"good\", \"path\": \"{root}/a\"}, %s,"
			     "{\"_id\": \"last\", \"path\": \"{root}/z\"}]}",
			     rows[i].file);

		assert_int_equal(parse_json(json, &doc, NULL), 0);
		assert_int_equal(doc->n_files, 3);
		assert_null(doc->files[0].refused);
		assert_non_null(doc->files[1].refused);
		assert_string_equal(doc->files[1].refused, rows[i].why);
		assert_null(doc->files[2].refused);
		assert_string_equal(doc->files[2].key, "{root}/z");
	}
}

static void test_many_sites(void **state)
{
	_cleanup_(buf_done) struct buf keys = { 0 };
	struct doc *doc;

	buf_adds(&keys,
		 "\"_id\": \"x\", \"path\": \"{root}/a\", \"sites\": [{\"name\": \"0\"}");
	for (int i = 1; i < 512; i++)
		buf_addf(&keys, ", {\"name\": \"%d\"}", i);
	buf_adds(&keys, "]");
	doc = parse_file(buf_str(&keys));
	assert_int_equal(doc->files[0].n_sites, 512);
	assert_null(doc->files[0].refused);
	doc_free(doc);

	keys.data[keys.len - 1] = ',';
	buf_adds(&keys, "{\"name\": \"512\"}]");
	doc = parse_file(buf_str(&keys));
	assert_string_equal(doc->files[0].refused, "file lists more than 512 sites");
	doc_free(doc);
}

static void test_long_sequence(void **state)
{
	_cleanup_(doc_freep) struct doc *doc = NULL;
	_cleanup_(buf_done) struct buf json = { 0 };

	buf_adds(&json, "{\"_id\": \"x\", \"type\": \"representation\", \"files\": [");
	for (int i = 0; i < 3000; i++)
		buf_addf(&json, "%s{\"_id\": \"f%d\", \"path\": \"{root}/a.%04d.exr\"}",
			 i ? "," : "", i % 2999, i);
	buf_adds(&json, "]}");
	assert_int_equal(parse_json(buf_str(&json), &doc, NULL), 0);
	assert_int_equal(doc->n_files, 3000);
	assert_string_equal(doc->files[2998].rel, "a.2998.exr");
	assert_null(doc->files[2998].refused);
	assert_non_null(doc->files[2999].refused);
}

struct totals {
	size_t n_docs, n_files, n_present;
	int64_t bytes;
};

static void add_up(const bson_t *bson, struct totals *totals)
{
	_cleanup_(doc_freep) struct doc *doc = NULL;
	int r = doc_parse(bson_get_data(bson), bson->len, "test_project", &doc, NULL);

	if (r == DOC_OTHER)
		return;
	assert_int_equal(r, 0);
	totals->n_docs++;
	for (size_t i = 0; i < doc->n_files; i++) {
		const struct doc_file *file = &doc->files[i];
		const struct doc_site *site = doc_find_site(file, "studio");

		assert_null(file->refused);
		assert_string_equal(file->root, "work");
		assert_null(strstr(file->rel, "//"));
		assert_true(file->mtime_ns > 1600000000000000000);
		totals->n_files++;
		totals->bytes += file->size;
		totals->n_present += site && site->presence == DOC_PRESENT;
	}
}

static struct totals read_dump(const char *name)
{
	_cleanup_(freep) char *path = fixture_path(name);
	struct totals totals = { 0 };
	bson_reader_t *reader = bson_reader_new_from_file(path, NULL);
	const bson_t *bson;
	bool is_end;

	assert_non_null(reader);
	while ((bson = bson_reader_read(reader, &is_end)))
		add_up(bson, &totals);
	assert_true(is_end);
	bson_reader_destroy(reader);
	return totals;
}

static void test_dumps_of_a_studio(void **state)
{
	struct totals sync, settings, input;

	fixture_skip_if_missing();
	sync = read_dump("openpype/site_sync/test_db.test_project.bson");
	settings = read_dump("openpype/site_sync/openpype.settings.bson");
	input = read_dump("openpype/maya_publish/input.test_project.bson");
	assert_int_equal(sync.n_docs, 6);
	assert_int_equal(sync.n_files, 6);
	assert_int_equal(sync.n_present, 6);
	assert_int_equal(sync.bytes, 14324191 + 110216 * 2 + 2808 + 10604 + 733759);
	assert_int_equal(settings.n_docs, 0);
	assert_int_equal(input.n_docs, 0);
}

static void test_extended_json_of_a_studio(void **state)
{
	_cleanup_(freep) char *path =
		fixture_path("openpype/maya_publish/avalon_tests.test_project.json");
	struct totals totals = { 0 };
	bson_t *list;
	bson_iter_t iter;

	fixture_skip_if_missing();
	list = fixture_read_json_list(path);
	assert_true(bson_iter_init(&iter, list));
	while (bson_iter_next(&iter)) {
		const uint8_t *data;
		uint32_t len;
		bson_t bson;

		bson_iter_document(&iter, &len, &data);
		assert_true(bson_init_static(&bson, data, len));
		add_up(&bson, &totals);
	}
	bson_destroy(list);
	assert_int_equal(totals.n_docs, 5);
	assert_int_equal(totals.n_present, 5);
	assert_int_equal(totals.bytes, 52085 * 2 + 24658 * 2 + 71702);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_one),
		cmocka_unit_test(test_documents_as_a_whole),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_sites),
		cmocka_unit_test(test_refused_files_leave_the_rest),
		cmocka_unit_test(test_many_sites),
		cmocka_unit_test(test_long_sequence),
		cmocka_unit_test(test_dumps_of_a_studio),
		cmocka_unit_test(test_extended_json_of_a_studio),
	};

	return cmocka_run_group_tests_name("doc", tests, NULL, NULL);
}
