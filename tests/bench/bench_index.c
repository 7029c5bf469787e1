/*
 * The index and the view at size: generated documents, as a studio has them (sequences of a hundred
 * frames, a version folder each), then what readers and the second reading of the store cost.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "sync/base/buf.h"
#include "sync/base/clock.h"
#include "sync/view.h"

#define FRAMES 100
#define VERSIONS 10 /* of a shot */
#define SHOTS 100   /* of a sequence */
#define BATCH 2000  /* documents a transaction */
#define LOOKUPS 200000
#define LISTINGS 20000

struct bench {
	char *index_path, *journal_path;
	struct config_root roots[1];
	struct config_site sites[1];
	struct config config;
	struct index *index;
	struct journal *journal;
	struct view *view;
	int n_docs;
};

static void must(const char *what, int r)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_index: %s: %s\n", what, strerror(-r));
	exit(1);
}

static double seconds(int64_t since_ms)
{
	int64_t took = clock_mono_ms() - since_ms;

	return (double)(took ? took : 1) / 1e3;
}

static void make_folder(char *ret, size_t size, int doc)
{
	int shot = doc / VERSIONS;

	snprintf(ret, size, "demo/sq%02d/sh%04d/publish/render/beauty/v%03d",
		 shot / SHOTS, shot, doc % VERSIONS);
}

static void make_file(struct doc_file *file, int doc, int frame)
{
	char folder[128];

	make_folder(folder, sizeof(folder), doc);
	*file = (struct doc_file){
		.id = strf("%012x%012x", (unsigned)doc, (unsigned)frame),
		.root = strdup("work"),
		.rel = strf("%s/sh_beauty_v%03d.%04d.exr", folder, doc % VERSIONS,
			    1001 + frame),
		.size = 1 << 20,
		.mtime_ns = 1700000000000000000,
		.sites = calloc(2, sizeof(struct doc_site)),
		.n_sites = 2,
	};
	file->path = strf("{root[work]}/%s", file->rel);
	file->key = strdup(file->path);
	for (int i = 0; i < 2; i++)
		file->sites[i] = (struct doc_site){
			.name = strdup(i ? "gdrive" : "studio"),
			.presence = i ? DOC_PRESENT : DOC_WANTED,
			.created_ms = 1700000000000,
			.id = i ? strf("1AbCdEfGhIjKlMnOpQrStUvWx%08x", (unsigned)frame)
				: NULL,
			.priority = DOC_PRIORITY_NONE,
			.progress = -1,
		};
}

static struct doc *make_doc(int n)
{
	struct doc *doc = calloc(1, sizeof(*doc));

	*doc = (struct doc){
		.project = strdup("demo"),
		.id = strf("%024x", (unsigned)n),
		.name = strdup("exr"),
		.asset = strdup("sh"),
		.subset = strdup("renderBeauty"),
		.version = strdup("v001"),
		.files = calloc(FRAMES, sizeof(struct doc_file)),
		.n_files = FRAMES,
	};
	for (int i = 0; i < FRAMES; i++)
		make_file(&doc->files[i], n, i);
	return doc;
}

static int count_touched(void *context, int root, const char *rel)
{
	++*(int64_t *)context;
	return 0;
}

/* Time in the index only: making documents is not counted. */
static void report_reading(struct bench *bench, const char *what)
{
	int64_t n_touched = 0;
	double spent = 0;

	for (int i = 0; i < bench->n_docs; i++) {
		_cleanup_(doc_freep) struct doc *doc = make_doc(i);
		struct timespec before, after;

		clock_gettime(CLOCK_MONOTONIC, &before);
		if (i % BATCH == 0)
			must("begin", index_begin(bench->index));
		must("put", index_put_doc(bench->index, doc, count_touched, &n_touched));
		if (i % BATCH == BATCH - 1 || i == bench->n_docs - 1)
			must("commit", index_commit(bench->index));
		clock_gettime(CLOCK_MONOTONIC, &after);
		spent += (double)(timespec_ns(after) - timespec_ns(before)) / 1e9;
	}
	printf("%-16s %8.1f s, %lld paths told of\n", what, spent, (long long)n_touched);
}

static void open_all(struct bench *bench)
{
	struct index_setup setup = { .path = bench->index_path,
				     .store_identity = "bench",
				     .config = &bench->config };

	must("open index", index_open(&setup, &bench->index, NULL));
	must("open journal", journal_open(bench->journal_path, &bench->journal, NULL));
	must("view", view_new(bench->index, bench->journal, NULL, NULL, &bench->view));
}

static void close_all(struct bench *bench)
{
	view_free(steal(bench->view));
	journal_free(steal(bench->journal));
	index_free(steal(bench->index));
}

static void report_size(struct bench *bench)
{
	struct stat st = { 0 };
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	stat(bench->index_path, &st);
	printf("file             %8.1f MB\n", (double)st.st_size / 1e6);
	printf("resident at most %8.1f MB\n", (double)usage.ru_maxrss / 1e3);
}

static void report_lookups(struct bench *bench)
{
	int64_t start = clock_mono_ms();
	unsigned seed = 1;

	for (int i = 0; i < LOOKUPS; i++) {
		struct view_node node;
		char folder[128], rel[256];
		int doc = (int)((seed >> 8) % (unsigned)bench->n_docs);

		seed = seed * 1103515245 + 12345;
		make_folder(folder, sizeof(folder), doc);
		snprintf(rel, sizeof(rel), "%s/sh_beauty_v%03d.%04d.exr", folder,
			 doc % VERSIONS, 1001 + (int)(seed >> 16) % FRAMES);
		if (view_find(bench->view, 0, rel, &node) != 0)
			must(rel, -ENOENT);
	}
	printf("lookups          %8.0f /s\n", LOOKUPS / seconds(start));
}

static int count_name(void *context, const char *name, const struct view_node *node)
{
	++*(int64_t *)context;
	return 0;
}

static void report_listings(struct bench *bench)
{
	int64_t start = clock_mono_ms(), n_names = 0;

	for (int64_t i = 0; i < LISTINGS; i++) {
		char folder[128];

		make_folder(folder, sizeof(folder), (int)(i * 7919 % bench->n_docs));
		must("list",
		     view_list(bench->view, 0, folder, NULL, count_name, &n_names));
	}
	printf("listings         %8.0f /s of %d names\n", LISTINGS / seconds(start),
	       (int)(n_names / LISTINGS));
}

/* A sequence's folder renamed away: what its parent's listing then has to find out, first and again. */
static void report_hidden(struct bench *bench)
{
	int n = bench->n_docs < SHOTS * VERSIONS ? bench->n_docs : SHOTS * VERSIONS;
	struct view_node node;
	int64_t start = clock_mono_ms();

	must("rename", view_rename(bench->view, 0, "demo/sq00", "demo/old"));
	printf("rename           %8.3f s, of %d files\n", seconds(start), n * FRAMES);
	start = clock_mono_ms();
	must("find", view_find(bench->view, 0, "demo/sq00", &node));
	printf("is it hidden     %8.3f s\n", seconds(start));
	start = clock_mono_ms();
	for (int i = 0; i < 1000; i++)
		must("find", view_find(bench->view, 0, "demo/sq00", &node));
	printf("... asked again  %8.6f s\n", seconds(start) / 1000);
	start = clock_mono_ms();
	must("rename", view_rename(bench->view, 0, "demo/old", "demo/sq00"));
	printf("renamed back     %8.3f s\n", seconds(start));
}

static void run(struct bench *bench)
{
	int64_t start;

	open_all(bench);
	report_reading(bench, "load");
	index_set_complete(bench->index);
	report_size(bench);
	report_reading(bench, "second reading");
	close_all(bench);
	start = clock_mono_ms();
	open_all(bench);
	printf("start            %8.3f s\n", seconds(start));
	report_lookups(bench);
	report_listings(bench);
	report_size(bench);
	report_hidden(bench);
	close_all(bench);
}

int main(int argc, char **argv)
{
	static char studio[] = "studio", gdrive[] = "gdrive", work[] = "work";
	static char path[] = "/srv/work", provider[] = "local_drive";
	const char *folder = argc > 2 ? argv[2] : "/tmp";
	long n_files = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
	struct bench bench = { .n_docs = (int)(n_files / FRAMES) };

	if (bench.n_docs < 1) {
		fprintf(stderr, "usage: bench_index [FILES (%d at least)] [FOLDER]\n",
			FRAMES);
		return 2;
	}
	bench.roots[0] = (struct config_root){ work, path };
	bench.sites[0] = (struct config_site){
		.name = studio, .provider = provider, .roots = bench.roots, .n_roots = 1
	};
	bench.config = (struct config){ .active_site = studio,
					.remote_site = gdrive,
					.retry_cnt = 3,
					.sites = bench.sites,
					.n_sites = 1 };
	bench.index_path = strf("%s/bench-index.%d", folder, (int)getpid());
	bench.journal_path = strf("%s/bench-journal.%d", folder, (int)getpid());
	run(&bench);
	unlink(bench.index_path);
	unlink(bench.journal_path);
	free(bench.index_path);
	free(bench.journal_path);
	return 0;
}
