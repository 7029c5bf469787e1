/*
 * An index in a temporary folder, for one test, and documents in shorthand:
 *
 *   put(&bed, "demo", "r1", "f1 {root[work]}/a/b ++ | f2 {root[work]}/a/c +-3")
 *
 * One representation of two files: id, path, our entry and the remote's ("0" none, "-" without
 * created_dt, "+" with), then the remote's tries.
 */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/index.h"
#include "tests/unit/scratch.h"

struct index_bed {
	struct scratch scratch;
	char *path;
	struct config_site sites[2];
	struct config_root roots[3];
	struct config config;
	struct index_setup setup;
	struct index *index;
	struct buf touched; /* "a/b a/c " */
};

static inline int index_bed_open(struct index_bed *bed)
{
	index_free(bed->index);
	bed->index = NULL;
	return index_open(&bed->setup, &bed->index, NULL);
}

static inline void index_bed_init(struct index_bed *bed)
{
	static char studio[] = "studio", local[] = "local_0", gdrive[] = "gdrive";
	static char provider[] = "local_drive", work[] = "work", pub[] = "pub";
	static char work_path[] = "/srv/work", pub_path[] = "/srv/pub";
	static char old_path[] = "/home/work";

	*bed = (struct index_bed){ .scratch = scratch_new() };
	bed->path = strf("%s/index", bed->scratch.dir);
	bed->roots[0] = (struct config_root){ work, work_path };
	bed->roots[1] = (struct config_root){ pub, pub_path };
	bed->roots[2] = (struct config_root){ work, old_path };
	bed->sites[0] = (struct config_site){
		.name = studio, .provider = provider, .roots = bed->roots, .n_roots = 2
	};
	bed->sites[1] = (struct config_site){
		.name = local, .provider = provider, .roots = bed->roots + 2, .n_roots = 1
	};
	bed->config = (struct config){ .active_site = studio,
				       .remote_site = gdrive,
				       .retry_cnt = 3,
				       .sites = bed->sites,
				       .n_sites = 2 };
	bed->setup = (struct index_setup){ .path = bed->path,
					   .store_identity = "store-1",
					   .config = &bed->config };
	assert_int_equal(index_bed_open(bed), INDEX_FRESH);
}

static inline void index_bed_done(struct index_bed *bed)
{
	index_free(bed->index);
	buf_done(&bed->touched);
	free(bed->path);
	scratch_done(&bed->scratch);
}

#define INDEX_BED(name)                                  \
	_cleanup_(index_bed_done) struct index_bed name; \
	index_bed_init(&(name))

static inline int index_bed_touch(void *context, int root, const char *rel)
{
	struct index_bed *bed = context;

	return buf_addf(&bed->touched, "%s%s ", root ? "1:" : "", rel);
}

static inline void doc_add_site(struct doc_file *file, const char *name, char sign)
{
	struct doc_site *site = &file->sites[file->n_sites];

	if (sign == '0')
		return;
	*site = (struct doc_site){
		.name = strdup(name),
		.presence = sign == '+' ? DOC_PRESENT : DOC_WANTED,
		.created_ms = sign == '+' ? 1700000000000 : 0,
		.id = sign == '+' ? strf("%s-id", name) : NULL,
		.priority = DOC_PRIORITY_NONE,
		.progress = -1,
	};
	file->n_sites++;
}

static inline void doc_add_file(struct doc *doc, const char *text)
{
	struct doc_file *file = &doc->files[doc->n_files++];
	char id[32], path[512], signs[32];

	assert_int_equal(sscanf(text, " %31s %511s %31s", id, path, signs), 3);
	*file = (struct doc_file){
		.id = strdup(id), .path = strdup(path), .size = 7, .mtime_ns = 1000
	};
	doc_path_parse(path, &file->root, &file->rel, &file->refused);
	if (file->root)
		file->key = doc_path_key(file->root, file->rel);
	file->sites = calloc(2, sizeof(*file->sites));
	doc_add_site(file, "studio", signs[0]);
	doc_add_site(file, "gdrive", signs[1]);
	if (signs[2])
		file->sites[file->n_sites - 1].tries = signs[2] - '0';
}

static inline struct doc *doc_of(const char *project, const char *id, const char *files)
{
	_cleanup_(freep) char *text = strdup(files);
	struct doc *doc = calloc(1, sizeof(*doc));
	char *rest = text, *one;

	*doc = (struct doc){
		.project = strdup(project),
		.id = strdup(id),
		.name = strdup("exr"),
		.asset = strdup("sh010"),
		.subset = strdup("beauty"),
		.version = strdup("v001"),
		.files = calloc(strlen(files) / 4 + 1, sizeof(*doc->files)),
	};
	while ((one = strsep(&rest, "|")))
		if (one[0])
			doc_add_file(doc, one);
	return doc;
}

static inline void put_doc(struct index_bed *bed, const struct doc *doc)
{
	buf_clear(&bed->touched);
	assert_int_equal(index_begin(bed->index), 0);
	assert_int_equal(index_put_doc(bed->index, doc, index_bed_touch, bed), 0);
	assert_int_equal(index_commit(bed->index), 0);
}

static inline void put(struct index_bed *bed, const char *project, const char *id,
		       const char *files)
{
	_cleanup_(doc_freep) struct doc *doc = doc_of(project, id, files);

	put_doc(bed, doc);
}

static inline void drop(struct index_bed *bed, const char *project, const char *id)
{
	buf_clear(&bed->touched);
	assert_int_equal(index_begin(bed->index), 0);
	assert_int_equal(index_drop_doc(bed->index, project, id, index_bed_touch, bed),
			 0);
	assert_int_equal(index_commit(bed->index), 0);
}

static inline void put_object(struct index_bed *bed, const char *rel,
			      enum index_object_state state, int64_t size)
{
	struct index_object object = {
		.state = state, .size = size, .mtime_ns = 2000, .seen_ms = 1
	};

	buf_clear(&bed->touched);
	assert_int_equal(index_begin(bed->index), 0);
	assert_int_equal(
		index_put_object(bed->index, 0, rel, &object, index_bed_touch, bed), 0);
	assert_int_equal(index_commit(bed->index), 0);
}

/* FILES: "r1/f1 r2/f2", of which it is. */
static inline void put_truth_of(struct index_bed *bed, const char *project,
				const char *key, int64_t size, const char *files)
{
	struct truth truth = { .size = size, .mtime_ns = 3000 };
	_cleanup_(freep) char *copy = strdup(files);
	char *rest = copy, *ref;

	while ((ref = strsep(&rest, " ")))
		if (*ref)
			assert_int_equal(truth_files_add_ref(&truth.files, ref), 0);
	truth.project = strdup(project);
	truth.key = strdup(key);
	buf_clear(&bed->touched);
	assert_int_equal(index_begin(bed->index), 0);
	assert_int_equal(index_put_truth(bed->index, &truth, index_bed_touch, bed), 0);
	assert_int_equal(index_commit(bed->index), 0);
	truth_done(&truth);
}

static inline void put_truth(struct index_bed *bed, const char *project, const char *key,
			     int64_t size)
{
	put_truth_of(bed, project, key, size, "");
}

/* ---- how a listing looks ---- */

static inline int add_listed(void *context, const char *name,
			     const struct index_node *node)
{
	static const char *marks[] = { "~", "", "!" };

	return buf_addf(context, "%s%s%s ", marks[node->shown], name,
			node->is_folder ? "/" : "");
}

/* "~" not shown, "!" failed, "/" a folder. */
static inline void assert_listed(struct index_bed *bed, const char *rel, bool all,
				 const char *expected)
{
	_cleanup_(buf_done) struct buf names = { 0 };

	assert_int_equal(index_list(bed->index, 0, rel, NULL, all, add_listed, &names),
			 0);
	assert_string_equal(buf_str(&names), expected);
}

static inline void assert_touched(struct index_bed *bed, const char *expected)
{
	assert_string_equal(buf_str(&bed->touched), expected);
}
