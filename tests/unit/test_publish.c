/* sync/publish: the documents that Pype's integrator writes, and what is registered of a folder. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <bson/bson.h>
#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/base/path.h"
#include "sync/bson_id.h"
#include "sync/doc.h"
#include "sync/dump.h"
#include "sync/publish.h"
#include "sync/publish_files.h"
#include "sync/publish_names.h"
#include "tests/unit/fixture.h"
#include "tests/unit/scratch.h"

/* ---- stage: a root, a store, a configuration ---- */

struct bed {
	struct scratch scratch;
	struct store *store;
	struct config config;
	struct config_site site;
	struct config_root roots[2];
	char root[96], deep[96];
	char studio[8], remote[8], empty[1], work[8], pub[8];
};

static void bed_done(struct bed *bed)
{
	store_free(bed->store);
	scratch_done(&bed->scratch);
}

#define BED _cleanup_(bed_done) struct bed

static void bed_init(struct bed *bed)
{
	_cleanup_(freep) char *uri = NULL;

	*bed = (struct bed){ .scratch = scratch_new(),
			     .studio = "studio",
			     .remote = "nas",
			     .work = "work",
			     .pub = "pub" };
	snprintf(bed->root, sizeof(bed->root), "%s/root", bed->scratch.dir);
	snprintf(bed->deep, sizeof(bed->deep), "%s/root/deep/", bed->scratch.dir);
	assert_int_equal(mkdir(bed->root, 0700), 0);
	bed->roots[0] = (struct config_root){ bed->work, bed->root };
	bed->roots[1] = (struct config_root){ bed->pub, bed->deep };
	bed->site = (struct config_site){ .name = bed->studio,
					  .roots = bed->roots,
					  .n_roots = 2 };
	bed->config = (struct config){ .active_site = bed->studio,
				       .remote_site = bed->remote,
				       .sites = &bed->site,
				       .n_sites = 1 };
	uri = strf("sqlite:%s/store.db", bed->scratch.dir);
	assert_int_equal(store_open(uri, "avalon", false, &bed->store, NULL), 0);
}

/* Makes a file of SIZE bytes and the folders above it. */
static void make_file(struct bed *bed, const char *rel, off_t size)
{
	_cleanup_(freep) char *path = strf("%s/%s", bed->root, rel);
	struct timespec times[2] = { { 1592468963, 240000000 },
				     { 1592468963, 240000000 } };
	int fd;

	for (char *c = path + strlen(bed->root) + 1; *c; c++)
		if (*c == '/') {
			*c = 0;
			assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
			*c = '/';
		}
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static int run(struct bed *bed, const char *rel, int version, struct publish *ret,
	       struct error *error)
{
	_cleanup_(freep) char *path = strf("%s/%s", bed->root, rel);
	const char *paths[] = { path };
	const struct publish_request request = { .config = &bed->config,
						 .project = "Proj",
						 .version = version,
						 .paths = paths,
						 .n_paths = 1 };

	return publish_run(bed->store, &request, ret, error);
}

/* ---- looking at documents ---- */

static bool find_key(const struct buf *doc, const char *key, bson_iter_t *ret)
{
	bson_iter_t it;

	return bson_iter_init_from_data(&it, (const uint8_t *)doc->data, doc->len) &&
	       bson_iter_find_descendant(&it, key, ret);
}

static void assert_text(const struct buf *doc, const char *key, const char *want)
{
	bson_iter_t it;

	if (!find_key(doc, key, &it))
		fail_msg("no %s", key);
	if (!bson_get_text(&it) || strcmp(bson_get_text(&it), want) != 0)
		fail_msg("%s is %s, wanted %s", key, bson_get_text(&it), want);
}

static void assert_number(const struct buf *doc, const char *key, bson_type_t type,
			  int64_t want)
{
	bson_iter_t it;

	assert_true(find_key(doc, key, &it));
	assert_int_equal(bson_iter_type(&it), type);
	assert_int_equal(bson_iter_as_int64(&it), want);
}

static void assert_id(const struct buf *doc, const char *key, const char *want)
{
	_cleanup_(freep) char *id = NULL;
	bson_iter_t it;

	assert_true(find_key(doc, key, &it));
	id = bson_id_text(&it);
	assert_string_equal(id, want);
}

static char *id_of(const struct buf *doc)
{
	bson_iter_t it;

	assert_true(find_key(doc, "_id", &it));
	assert_true(BSON_ITER_HOLDS_OID(&it));
	return bson_id_text(&it);
}

/* ---- stories ---- */

static void test_first_publish(void **state)
{
	BED bed;
	_cleanup_(publish_done) struct publish p = { 0 };
	_cleanup_(freep) char *project = NULL, *asset = NULL, *subset = NULL;
	_cleanup_(freep) char *first = NULL;
	struct buf *repre;

	bed_init(&bed);
	make_file(&bed, "sh010/beauty/a.1002.exr", 7);
	make_file(&bed, "sh010/beauty/a.1001.exr", (off_t)5 << 30);
	assert_int_equal(run(&bed, "sh010/beauty", 0, &p, NULL), 0);
	assert_int_equal(p.n_docs, 5);
	assert_int_equal(p.version, 1);
	assert_int_equal(p.n_files, 2);
	assert_int_equal(p.bytes, ((int64_t)5 << 30) + 7);
	project = id_of(&p.docs[0]);
	asset = id_of(&p.docs[1]);
	subset = id_of(&p.docs[2]);
	assert_text(&p.docs[0], "schema", "avalon-core:project-2.0");
	assert_text(&p.docs[0], "name", "Proj");
	assert_text(&p.docs[1], "name", "sh010");
	assert_id(&p.docs[1], "parent", project);
	assert_text(&p.docs[2], "name", "beauty");
	assert_id(&p.docs[2], "parent", asset);
	assert_number(&p.docs[3], "name", BSON_TYPE_INT32, 1);
	assert_id(&p.docs[3], "parent", subset);
	assert_id(&p.docs[3], "_id", p.version_id);

	repre = &p.docs[4];
	first = strf("%s/sh010/beauty/a.1001.exr", bed.root);
	assert_id(repre, "_id", p.repre_id);
	assert_id(repre, "parent", p.version_id);
	assert_text(repre, "type", "representation");
	assert_text(repre, "name", "exr");
	assert_text(repre, "data.path", first);
	assert_text(repre, "data.template", "{root[work]}/sh010/beauty/a.1001.exr");
	assert_text(repre, "context.asset", "sh010");
	assert_text(repre, "context.root.work", bed.root);
	assert_text(repre, "files.0.path", "{root[work]}/sh010/beauty/a.1001.exr");
	assert_number(repre, "files.0.size", BSON_TYPE_INT64, (int64_t)5 << 30);
	assert_number(repre, "files.1.size", BSON_TYPE_INT32, 7);
	assert_text(repre, "files.1.hash", "a,1002,exr|1592468963,24|7");
	assert_text(repre, "files.1.sites.0.name", "studio");
	assert_text(repre, "files.1.sites.1.name", "nas");
}

/* What was registered is what the rest of sitefs reads. */
static void test_is_read_back(void **state)
{
	BED bed;
	_cleanup_(publish_done) struct publish p = { 0 };
	_cleanup_(buf_done) struct buf body = { 0 };
	_cleanup_(doc_freep) struct doc *doc = NULL;
	const struct doc_file *file;

	bed_init(&bed);
	make_file(&bed, "deep/x/publish/render/main/v007/b{1}.ma", 3);
	assert_int_equal(run(&bed, "deep/x", 7, &p, NULL), 0);
	assert_int_equal(bed.store->ops->load(bed.store, "Proj", p.repre_id, &body), 0);
	assert_int_equal(body.len, p.docs[4].len);
	assert_memory_equal(body.data, p.docs[4].data, body.len);
	assert_int_equal(doc_parse(body.data, body.len, "Proj", &doc, NULL), 0);
	assert_string_equal(doc->version, "v007");
	assert_int_equal(doc->n_files, 1);
	file = &doc->files[0];
	assert_null(file->refused);
	assert_string_equal(file->root, "pub");
	assert_string_equal(file->rel, "x/publish/render/main/v007/b{1}.ma");
	assert_int_equal(file->size, 3);
	assert_int_equal(file->mtime_ns, 1592468963240000000);
	assert_int_equal(file->form, DOC_FORM_LIST);
	assert_int_equal(doc_find_site(file, "studio")->presence, DOC_PRESENT);
	assert_int_equal(doc_find_site(file, "nas")->presence, DOC_WANTED);
	assert_text(&p.docs[4], "data.template",
		    "{root[pub]}/x/publish/render/main/v007/b{{1}}.ma");
}

static void test_versions(void **state)
{
	BED bed;
	_cleanup_(publish_done) struct publish first = { 0 }, second = { 0 },
					       third = { 0 }, last = { 0 };
	_cleanup_(freep) char *subset = NULL;
	struct error error = { 0 };

	bed_init(&bed);
	make_file(&bed, "sh010/beauty.exr", 7);
	assert_int_equal(run(&bed, "sh010/beauty.exr", 5, &first, NULL), 0);
	subset = id_of(&first.docs[2]);
	/* What is there above the version is taken. */
	assert_int_equal(run(&bed, "sh010/beauty.exr", 0, &second, NULL), 0);
	assert_int_equal(second.version, 6);
	assert_int_equal(second.n_docs, 2);
	assert_id(&second.docs[0], "parent", subset);
	assert_int_equal(run(&bed, "sh010/beauty.exr", 5, &third, &error),
			 PUBLISH_EXISTS);
	assert_non_null(strstr(error.text, "sh010/beauty has version 5"));
	assert_int_equal(run(&bed, "sh010/beauty.exr", 3, &third, NULL), 0);
	assert_int_equal(run(&bed, "sh010/beauty.exr", 0, &last, NULL), 0);
	assert_int_equal(last.version, 7);
}

/* ---- somebody is faster ---- */

static struct bed *racer;
static const struct store_ops *real_ops;

/* Before our documents come in, another publish of the same subset does. */
static int publish_after_another(struct store *store, const char *project,
				 const struct buf *docs, size_t n)
{
	_cleanup_(publish_done) struct publish other = { 0 };

	store->ops = real_ops;
	assert_int_equal(run(racer, "sh010/beauty.exr", 0, &other, NULL), 0);
	return store->ops->publish(store, project, docs, n);
}

static void test_race(void **state)
{
	BED bed;
	_cleanup_(publish_done) struct publish p = { 0 };
	struct store_ops raced;

	bed_init(&bed);
	make_file(&bed, "sh010/beauty.exr", 7);
	racer = &bed;
	real_ops = bed.store->ops;
	raced = *real_ops;
	raced.publish = publish_after_another;
	bed.store->ops = &raced;
	assert_int_equal(run(&bed, "sh010/beauty.exr", 0, &p, NULL), 0);
	assert_int_equal(p.version, 2);
	assert_int_equal(p.n_docs, 2);
}

/* ---- which files ---- */

static void test_passed_over_and_refused(void **state)
{
	BED bed;
	_cleanup_(publish_done) struct publish p = { 0 }, none = { 0 };
	_cleanup_(freep) char *link = NULL;
	struct error error = { 0 };

	bed_init(&bed);
	make_file(&bed, "a/b/z.exr", 1);
	make_file(&bed, "a/a.exr", 1);
	make_file(&bed, "a/b.exr.tmp", 1);
	make_file(&bed, "a/.sitefs/c.exr", 1);
	make_file(&bed, "a/bad\xff.exr", 1);
	make_file(&bed, "a/back\\slash.exr", 1);
	link = strf("%s/a/link.exr", bed.root);
	assert_int_equal(symlink("a.exr", link), 0);
	assert_int_equal(run(&bed, "a", 0, &p, NULL), 0);
	assert_int_equal(p.n_files, 2);
	assert_text(&p.docs[4], "files.0.path", "{root[work]}/a/a.exr");
	assert_text(&p.docs[4], "files.1.path", "{root[work]}/a/b/z.exr");
	assert_int_equal(p.n_refused, 2);
	for (size_t i = 0; i < 2; i++) {
		bool is_bytes = strstr(p.refused[i].path, "bad\xff.exr");

		assert_true(is_bytes || strstr(p.refused[i].path, "back\\slash.exr"));
		assert_non_null(strstr(p.refused[i].why, is_bytes ? "UTF-8" : "slash"));
	}

	assert_int_equal(run(&bed, "a/link.exr", 0, &none, &error), PUBLISH_NOTHING);
	assert_int_equal(none.n_refused, 1);
	assert_string_equal(none.refused[0].why, "it is no regular file");
	assert_int_equal(run(&bed, "a/b.exr.tmp", 0, &none, &error), PUBLISH_NOTHING);
	assert_int_equal(run(&bed, "a/.sitefs", 0, &none, &error), PUBLISH_NOTHING);
}

static void test_bad_requests(void **state)
{
	BED bed;
	_cleanup_(publish_done) struct publish p = { 0 };
	struct error error = { 0 };

	bed_init(&bed);
	assert_int_equal(run(&bed, "no.exr", 0, &p, &error), -ENOENT);
	assert_non_null(strstr(error.text, "no.exr"));
	assert_int_equal(run(&bed, "../no.exr", 0, &p, &error), -EINVAL);
	assert_non_null(strstr(error.text, "not below a root of site studio"));
	bed.site.n_roots = 0;
	assert_int_equal(run(&bed, "no.exr", 0, &p, &error), -EINVAL);
	assert_non_null(strstr(error.text, "local_drive.json"));
	bed.config.n_sites = 0;
	assert_int_equal(run(&bed, "no.exr", 0, &p, &error), -EINVAL);
}

static void test_sites_and_one_root(void **state)
{
	BED bed;
	_cleanup_(publish_done) struct publish p = { 0 }, q = { 0 };
	bson_iter_t it;

	bed_init(&bed);
	make_file(&bed, "a.exr", 1);
	bed.site.n_roots = 1;
	bed.roots[0].name = bed.empty;
	bed.config.remote_site = bed.empty;
	assert_int_equal(run(&bed, "a.exr", 0, &p, NULL), 0);
	assert_text(&p.docs[4], "files.0.path", "{root}/a.exr");
	assert_text(&p.docs[4], "data.template", "{root}/a.exr");
	assert_text(&p.docs[4], "context.root", bed.root);
	assert_false(find_key(&p.docs[4], "files.0.sites.1", &it));
	bed.config.remote_site = bed.studio;
	assert_int_equal(run(&bed, "a.exr", 0, &q, NULL), 0);
	assert_false(find_key(&q.docs[1], "files.0.sites.1", &it));
}

/* As OpenPype's integrator: other names of a place have its state, and each site has one entry. */
static void test_other_sites(void **state)
{
	char *ours[] = { (char[]){ "SFTP" } };
	char *theirs[] = { (char[]){ "cloud" }, (char[]){ "SFTP" } };
	char *always[] = { (char[]){ "backup" }, (char[]){ "nas" }, (char[]){ "cloud" } };
	static const struct {
		const char *name;
		bool is_there;
	} expected[] = { { "studio", true },
			 { "nas", false },
			 { "SFTP", true },
			 { "cloud", false },
			 { "backup", false } };
	BED bed;
	_cleanup_(publish_done) struct publish p = { 0 };
	bson_iter_t it;

	bed_init(&bed);
	make_file(&bed, "a.exr", 1);
	bed.config.active_aliases = (struct config_names){ ours, 1 };
	bed.config.remote_aliases = (struct config_names){ theirs, 2 };
	bed.config.always_accessible_on = (struct config_names){ always, 3 };
	assert_int_equal(run(&bed, "a.exr", 0, &p, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		_cleanup_(freep) char *name = strf("files.0.sites.%zu.name", i);
		_cleanup_(freep) char *date = strf("files.0.sites.%zu.created_dt", i);

		assert_text(&p.docs[4], name, expected[i].name);
		assert_int_equal(find_key(&p.docs[4], date, &it), expected[i].is_there);
	}
	assert_false(find_key(&p.docs[4], "files.0.sites.5", &it));
}

/* ---- tables ---- */

static void test_hash(void **state)
{
	static const struct {
		const char *path;
		int64_t mtime_ns, size;
		const char *want; /* as Python 3 prints these times */
	} rows[] = {
		{ "/a/b.c.exr", 1625651404132317800, 3, "b,c,exr|1625651404,1323178|3" },
		{ "/a/b.ma", 1592468963240000000, 4822, "b,ma|1592468963,24|4822" },
		{ "/a/b", 1592468963000000000, 0, "b|1592468963,0|0" },
		{ "/a/b", 1700000000123456789, 0, "b|1700000000,1234567|0" },
		{ "/a/b", 1604505344999999999, 0, "b|1604505345,0|0" },
		{ "/a/b", 0, 0, "b|0,0|0" },
		{ "/a/b", -1500000000, 0, "b|-1,5|0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) char *path = strdup(rows[i].path);
		struct publish_file file = { .path = path,
					     .mtime_ns = rows[i].mtime_ns,
					     .size = rows[i].size };
		_cleanup_(freep) char *hash = publish_hash(&file);

		assert_string_equal(hash, rows[i].want);
	}
}

/* what was named; files below the root; hierarchy, asset, family, subset, extension */
static const struct {
	const char *folder, *files[3];
	const char *hierarchy, *asset, *family, *subset, *extension;
} name_rows[] = {
	{ "sh010/beauty",
	  { "sh010/beauty/a.1.exr" },
	  "",
	  "sh010",
	  "publish",
	  "beauty",
	  "exr" },
	{ "sh010/beauty/v003",
	  { "sh010/beauty/v003/a.exr" },
	  "",
	  "sh010",
	  "publish",
	  "beauty",
	  "exr" },
	{ "P/sh010/beauty",
	  { "P/sh010/beauty/a.exr" },
	  "",
	  "sh010",
	  "publish",
	  "beauty",
	  "exr" },
	{ "", { "a.exr" }, "", "P", "publish", "P", "exr" },
	{ "P", { "P/a.exr" }, "", "P", "publish", "P", "exr" },
	{ NULL, { "a.1001.exr" }, "", "P", "publish", "a", "exr" },
	{ NULL,
	  { "x/beauty_v003.1001.exr", "x/beauty_v003.1002.exr" },
	  "",
	  "x",
	  "publish",
	  "beauty",
	  "exr" },
	{ NULL, { "x/sh010.ma" }, "", "x", "publish", "sh010", "ma" },
	{ NULL, { "x/1001.exr" }, "", "x", "publish", "1001", "exr" },
	{ NULL, { "x/y/a.ma", "x/y/b.abc" }, "", "x", "publish", "y", "files" },
	{ NULL, { "x/y/a.ma", "z/b.ma" }, "", "P", "publish", "P", "ma" },
	{ NULL, { "x/README" }, "", "x", "publish", "README", "files" },
	{ NULL, { "x/.hidden" }, "", "x", "publish", ".hidden", "files" },
	{ "P/shots/sq1/sh010/publish/render/main/v003",
	  { "P/shots/sq1/sh010/publish/render/main/v003/a.exr" },
	  "shots/sq1",
	  "sh010",
	  "render",
	  "main",
	  "exr" },
	{ NULL,
	  { "sh010/publish/model/main/v003/a.ma" },
	  "",
	  "sh010",
	  "model",
	  "main",
	  "ma" },
	{ "publish/a/b", { "publish/a/b/c" }, "", "publish", "publish", "b", "files" },
};

static void test_names(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(name_rows); i++) {
		_cleanup_(publish_names_done) struct publish_names names = { 0 };
		_cleanup_(publish_files_done) struct publish_files files = { 0 };
		_cleanup_(freep) char *extension = NULL;

		files.list = calloc(3, sizeof(*files.list));
		for (; files.n < 3 && name_rows[i].files[files.n]; files.n++) {
			files.list[files.n].rel = strdup(name_rows[i].files[files.n]);
			files.list[files.n].path =
				strf("/r/%s", name_rows[i].files[files.n]);
		}
		assert_int_equal(publish_names_take("P", NULL, name_rows[i].folder,
						    &files, &names),
				 0);
		extension = publish_extension(&files);
		if (strcmp(names.hierarchy, name_rows[i].hierarchy) != 0 ||
		    strcmp(names.asset, name_rows[i].asset) != 0 ||
		    strcmp(names.family, name_rows[i].family) != 0 ||
		    strcmp(names.subset, name_rows[i].subset) != 0 ||
		    strcmp(extension, name_rows[i].extension) != 0)
			fail_msg("row %zu: %s %s %s %s %s", i, names.hierarchy,
				 names.asset, names.family, names.subset, extension);
	}
}

/* ---- the shape of real documents ---- */

struct shape {
	const struct publish *publish;
	int n_compared;
};

/* Every key of the real one is in ours, with the same type; deeper for what both have as documents. */
static void compare_shape(const bson_iter_t *real, const bson_iter_t *ours,
			  const char *const *ours_differ)
{
	bson_iter_t theirs, it, mine;

	assert_true(bson_iter_recurse(real, &theirs));
	while (bson_iter_next(&theirs)) {
		const char *key = bson_iter_key(&theirs);
		/* Of an array the first element stands for all. */
		bool is_excepted = BSON_ITER_HOLDS_ARRAY(real) && strcmp(key, "0") != 0;

		for (size_t i = 0; ours_differ[i]; i++)
			is_excepted |= strcmp(ours_differ[i], key) == 0;
		if (is_excepted)
			continue;
		assert_true(bson_iter_recurse(ours, &it));
		if (!bson_iter_find(&it, key))
			fail_msg("no key %s", key);
		mine = it;
		if (bson_iter_type(&mine) != bson_iter_type(&theirs))
			fail_msg("%s has type %d, in a real one %d", key,
				 (int)bson_iter_type(&mine),
				 (int)bson_iter_type(&theirs));
		if (BSON_ITER_HOLDS_DOCUMENT(&mine) || BSON_ITER_HOLDS_ARRAY(&mine))
			compare_shape(&theirs, &mine, ours_differ);
	}
}

static int compare_with_ours(void *context, const void *bson, size_t len)
{
	/* What a publish without a host application has not. */
	static const char *const differ[] = { "fps", "intent", "frameStart", "frameEnd",
					      NULL };
	struct shape *shape = context;
	struct buf real = { 0 };
	bson_iter_t type, their_doc, our_doc;
	bson_t *theirs = bson_new(), *ours = bson_new();
	bson_t value;
	size_t i;

	assert_true(bson_init_static(&value, bson, len));
	assert_int_equal(buf_add(&real, bson, len), 0);
	assert_true(find_key(&real, "type", &type));
	for (i = 2; i < shape->publish->n_docs; i++) {
		bson_iter_t our_type;
		bson_t our_value;

		assert_true(find_key(&shape->publish->docs[i], "type", &our_type));
		if (strcmp(bson_get_text(&our_type), bson_get_text(&type)) != 0)
			continue;
		assert_true(bson_init_static(
			&our_value, (const uint8_t *)shape->publish->docs[i].data,
			shape->publish->docs[i].len));
		BSON_APPEND_DOCUMENT(theirs, "d", &value);
		BSON_APPEND_DOCUMENT(ours, "d", &our_value);
		assert_true(bson_iter_init_find(&their_doc, theirs, "d"));
		assert_true(bson_iter_init_find(&our_doc, ours, "d"));
		compare_shape(&their_doc, &our_doc, differ);
		shape->n_compared++;
		break;
	}
	bson_destroy(theirs);
	bson_destroy(ours);
	buf_done(&real);
	return 0;
}

static void test_shape_of_real_documents(void **state)
{
	BED bed;
	_cleanup_(publish_done) struct publish p = { 0 };
	_cleanup_(freep) char *path = NULL;
	_cleanup_(fclosep) FILE *file = NULL;
	struct shape shape = { &p, 0 };

	fixture_skip_if_missing();
	bed_init(&bed);
	make_file(&bed, "a/b/c.png", 1);
	assert_int_equal(run(&bed, "a/b", 0, &p, NULL), 0);
	path = fixture_path("openpype/site_sync/test_db.test_project.bson");
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(dump_read(file, path, compare_with_ours, &shape, NULL), 0);
	/* Subsets, versions and representations of one kind each: project and asset are OpenPype's. */
	assert_true(shape.n_compared >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_publish),
		cmocka_unit_test(test_is_read_back),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_race),
		cmocka_unit_test(test_passed_over_and_refused),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_sites_and_one_root),
		cmocka_unit_test(test_other_sites),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_shape_of_real_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
