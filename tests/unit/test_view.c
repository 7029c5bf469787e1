/* sync/view: stories of whiteouts and renames over an index, and what the mount then shows. */
#include <pthread.h>
#include <stdatomic.h>

#include "sync/base/path.h"
#include "sync/view.h"
#include "tests/unit/index_bed.h"

struct view_bed {
	struct index_bed index;
	char *journal_path;
	struct journal *journal;
	struct view *view;
	struct buf changed;
};

static void note_changed(void *context, int root, const char *rel)
{
	struct view_bed *bed = context;

	buf_addf(&bed->changed, "%s ", rel);
}

static void reopen(struct view_bed *bed)
{
	view_free(bed->view);
	journal_free(bed->journal);
	bed->view = NULL;
	bed->journal = NULL;
	assert_int_equal(journal_open(bed->journal_path, &bed->journal, NULL), 0);
	assert_int_equal(
		view_new(bed->index.index, bed->journal, note_changed, bed, &bed->view),
		0);
}

static void view_bed_init(struct view_bed *bed)
{
	*bed = (struct view_bed){ 0 };
	index_bed_init(&bed->index);
	bed->journal_path = strf("%s/journal", bed->index.scratch.dir);
	reopen(bed);
}

static void view_bed_done(struct view_bed *bed)
{
	view_free(bed->view);
	journal_free(bed->journal);
	free(bed->journal_path);
	buf_done(&bed->changed);
	index_bed_done(&bed->index);
}

#define VIEW_BED(name)                                 \
	_cleanup_(view_bed_done) struct view_bed name; \
	view_bed_init(&(name))

/* ---- what is shown, as text ---- */

struct dump {
	struct view_bed *bed;
	const char *folder;
	struct buf text;    /* of this folder and below */
	struct buf folders; /* names, each with its NUL */
	char last[256];
};

static void check_find(struct view_bed *bed, const char *rel,
		       const struct view_node *expected)
{
	struct view_node node;

	assert_int_equal(view_find(bed->view, 0, rel, &node), 0);
	assert_int_equal(node.is_folder, expected->is_folder);
	assert_int_equal(node.is_failed, expected->is_failed);
	assert_int_equal(node.is_alias, expected->is_alias);
	assert_true(node.ino == expected->ino);
	assert_true(node.ino >> 56 == 0x80);
}

static int dump_child(void *context, const char *name, const struct view_node *node)
{
	struct dump *dump = context;
	_cleanup_(freep) char *rel = path_join(dump->folder, name);

	assert_true(strcmp(dump->last, name) < 0);
	snprintf(dump->last, sizeof(dump->last), "%s", name);
	check_find(dump->bed, rel, node);
	buf_addf(&dump->text, "%s%s%s%s ", name, node->is_alias ? "@" : "",
		 node->is_failed ? "!" : "", node->is_folder ? "/" : "");
	if (node->is_folder)
		buf_add(&dump->folders, rel, strlen(rel) + 1);
	return 0;
}

/* Each page is one name: what paging gives must be what listing gives. */
static int take_one(void *context, const char *name, const struct view_node *node)
{
	dump_child(context, name, node);
	return 7;
}

static void check_paging(struct view_bed *bed, const char *rel, const char *expected)
{
	struct dump page = { .bed = bed, .folder = rel };
	int r = 7;

	while (r == 7)
		r = view_list(bed->view, 0, rel, page.last[0] ? page.last : NULL,
			      take_one, &page);
	assert_string_equal(buf_str(&page.text), expected);
	buf_done(&page.text);
	buf_done(&page.folders);
}

/* "hero/ x | hero: a b!": each shown folder with its names, "@" through a rename, "!" failed. */
static void dump_folder(struct view_bed *bed, const char *rel, struct buf *ret)
{
	struct dump dump = { .bed = bed, .folder = rel };
	int r = view_list(bed->view, 0, rel, NULL, dump_child, &dump);

	assert_int_equal(r, 0);
	assert_int_equal(view_is_empty(bed->view, 0, rel), dump.text.len == 0);
	check_paging(bed, rel, buf_str(&dump.text));
	if (rel[0])
		buf_addf(ret, "| %s: ", rel);
	buf_adds(ret, buf_str(&dump.text));
	for (size_t at = 0; at < dump.folders.len;) {
		const char *folder = dump.folders.data + at;

		dump_folder(bed, folder, ret);
		at += strlen(folder) + 1;
	}
	buf_done(&dump.text);
	buf_done(&dump.folders);
}

static void assert_shown(struct view_bed *bed, const char *expected)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	dump_folder(bed, "", &text);
	assert_string_equal(buf_str(&text), expected);
}

/* ---- stories ---- */

enum step_kind { UNLINK = 1, RMDIR, RENAME, RESTORE, UNHIDE, PUT, DROP, LIFT, SHOWN };

struct step {
	enum step_kind kind;
	const char *a, *b;
};

static void do_step(struct view_bed *bed, const struct step *step)
{
	int r = 0;

	switch (step->kind) {
	case UNLINK:
		r = view_hide(bed->view, 0, step->a, false);
		break;
	case RMDIR:
		assert_true(view_is_empty(bed->view, 0, step->a));
		r = view_hide(bed->view, 0, step->a, true);
		break;
	case RENAME:
		r = view_rename(bed->view, 0, step->a, step->b);
		break;
	case RESTORE:
		r = view_restore(bed->view, 0, step->a);
		break;
	case UNHIDE:
		r = view_unhide(bed->view, 0, step->a);
		break;
	case PUT:
		put(&bed->index, "demo", step->a, step->b);
		break;
	case DROP:
		drop(&bed->index, "demo", step->a);
		break;
	case LIFT:
		r = view_lift_if_new(bed->view, 0, step->a, step->b);
		break;
	case SHOWN:
		assert_shown(bed, step->a);
		reopen(bed);
		assert_shown(bed, step->a);
		break;
	}
	assert_int_equal(r, 0);
}

#define A "1 {root[work]}/hero/a 0+"
#define B "2 {root[work]}/hero/b 0+"
#define N "9 {root[work]}/hero/n 0+"
#define A_NEW "7 {root[work]}/hero/a 0+"
#define D "3 {root[work]}/d/x/c 0+ | 4 {root[work]}/d/x/y/e 0+ | 5 {root[work]}/d/f 0-3"

static const struct story {
	const char *name;
	struct step steps[20];
} stories[] = {
	{ "published names are listed",
	  { { PUT, "r1", A "|" B },
	    { PUT, "r2", D },
	    { SHOWN, "d/ hero/ | d: f! x/ | d/x: c y/ | d/x/y: e | hero: a b ",
	      NULL } } },
	{ "unlink hides a name until a new file id names it",
	  { { PUT, "r1", A "|" B },
	    { UNLINK, "hero/a", NULL },
	    { SHOWN, "hero/ | hero: b ", NULL },
	    { PUT, "r1", A "|" B "|" N },
	    { SHOWN, "hero/ | hero: b n ", NULL },
	    { PUT, "r1", A_NEW "|" B },
	    { SHOWN, "hero/ | hero: a b ", NULL } } },
	{ "a name that another record also names is hidden for all of them",
	  { { PUT, "r1", A },
	    { PUT, "r2", "8 {root[work]}/hero/a 0+ |" B },
	    { UNLINK, "hero/a", NULL },
	    { SHOWN, "hero/ | hero: b ", NULL } } },
	{ "unlink of a name that is published, but awaited, hides it for later",
	  { { PUT, "r1", "1 {root[work]}/hero/a 0- |" B },
	    { UNLINK, "hero/a", NULL },
	    { PUT, "r1", A "|" B },
	    { SHOWN, "hero/ | hero: b ", NULL } } },
	{ "unlink of what was never published means nothing",
	  { { PUT, "r1", A },
	    { UNLINK, "hero/mine", NULL },
	    { UNLINK, "elsewhere/mine", NULL },
	    { PUT, "r1", A "|2 {root[work]}/hero/mine 0+" },
	    { SHOWN, "hero/ | hero: a mine ", NULL } } },
	{ "a refused unlink is taken back",
	  { { PUT, "r1", A "|" B },
	    { UNLINK, "hero/a", NULL },
	    { UNHIDE, "hero/a", NULL },
	    { SHOWN, "hero/ | hero: a b ", NULL } } },
	{ "rm -rf of a published folder",
	  { { PUT, "r1", A "|" B },
	    { PUT, "r2", D },
	    { UNLINK, "hero/a", NULL },
	    { UNLINK, "hero/b", NULL },
	    { SHOWN, "d/ hero/ | d: f! x/ | d/x: c y/ | d/x/y: e | hero: ", NULL },
	    { RMDIR, "hero", NULL },
	    { UNLINK, "d/x/y/e", NULL },
	    { RMDIR, "d/x/y", NULL },
	    { UNLINK, "d/x/c", NULL },
	    { RMDIR, "d/x", NULL },
	    { SHOWN, "d/ | d: f! ", NULL },
	    { UNLINK, "d/f", NULL },
	    { RMDIR, "d", NULL },
	    { SHOWN, "", NULL },
	    { PUT, "r3", N },
	    { SHOWN, "hero/ | hero: n ", NULL },
	    { RESTORE, "d/x", NULL },
	    { SHOWN, "d/ hero/ | d: x/ | d/x: c y/ | d/x/y: e | hero: n ", NULL } } },
	{ "the hero step: renamed, published anew, removed, on a cold mount",
	  { { PUT, "r1", A "|" B },
	    { RENAME, "hero", "hero.BACKUP" },
	    { SHOWN, "hero.BACKUP@/ | hero.BACKUP: a@ b@ ", NULL },
	    { PUT, "r2", N },
	    { SHOWN, "hero/ hero.BACKUP@/ | hero: n | hero.BACKUP: a@ b@ ", NULL },
	    { UNLINK, "hero.BACKUP/a", NULL },
	    { SHOWN, "hero/ hero.BACKUP@/ | hero: n | hero.BACKUP: b@ ", NULL },
	    { UNLINK, "hero.BACKUP/b", NULL },
	    { SHOWN, "hero/ hero.BACKUP@/ | hero: n | hero.BACKUP: ", NULL },
	    { RMDIR, "hero.BACKUP", NULL },
	    { SHOWN, "hero/ | hero: n ", NULL },
	    { DROP, "r2", NULL },
	    { SHOWN, "", NULL },
	    { RESTORE, "hero", NULL },
	    { SHOWN, "hero/ | hero: a b ", NULL } } },
	{ "the hero step fails and is taken back",
	  { { PUT, "r1", A "|" B },
	    { UNLINK, "hero/b", NULL },
	    { RENAME, "hero", "hero.BACKUP" },
	    { SHOWN, "hero.BACKUP@/ | hero.BACKUP: a@ ", NULL },
	    { RENAME, "hero.BACKUP", "hero" },
	    { SHOWN, "hero/ | hero: a ", NULL },
	    { RESTORE, "hero/b", NULL },
	    { SHOWN, "hero/ | hero: a b ", NULL } } },
	{ "documents of the old folder go: the new name stays until it is removed",
	  { { PUT, "r1", A },
	    { RENAME, "hero", "old" },
	    { DROP, "r1", NULL },
	    { SHOWN, "old@/ | old: ", NULL },
	    { RMDIR, "old", NULL },
	    { SHOWN, "", NULL } } },
	{ "a new file id in the old folder shows there, not under the new name",
	  { { PUT, "r1", A "|" B },
	    { RENAME, "hero", "old" },
	    { PUT, "r1", A_NEW "|" B },
	    { SHOWN, "hero/ old@/ | hero: a | old: b@ ", NULL } } },
	{ "folders below folders are renamed",
	  { { PUT, "r1", D },
	    { RENAME, "d", "e" },
	    { SHOWN, "e@/ | e: f@! x@/ | e/x: c@ y@/ | e/x/y: e@ ", NULL },
	    { RENAME, "e/x/y", "z" },
	    { SHOWN, "e@/ z@/ | e: f@! x@/ | e/x: c@ | z: e@ ", NULL },
	    { RENAME, "e", "e2" },
	    { SHOWN, "e2@/ z@/ | e2: f@! x@/ | e2/x: c@ | z: e@ ", NULL },
	    { RENAME, "z", "e2/x/y" },
	    { RENAME, "e2", "d" },
	    { SHOWN, "d/ | d: f! x/ | d/x: c y/ | d/x/y: e ", NULL } } },
	{ "a renamed folder is moved below a folder that is not published",
	  { { PUT, "r1", A },
	    { RENAME, "hero", "mine/keep" },
	    { SHOWN, "", NULL },
	    { RENAME, "mine", "yours" },
	    { RENAME, "yours/keep", "hero" },
	    { SHOWN, "hero/ | hero: a ", NULL } } },
	{ "a folder is renamed into a new one of its own name",
	  { { PUT, "r1", A },
	    { PUT, "r2", "5 {root[work]}/z 0+" },
	    { RENAME, "hero", "tmp" },
	    { RENAME, "tmp", "hero/old" },
	    { PUT, "r3", N },
	    { SHOWN, "hero/ z | hero: n old@/ | hero/old: a@ ", NULL } } },
	{ "names merge in byte order: a rename among published names",
	  { { PUT, "r1", A },
	    { PUT, "r2",
	      "4 {root[work]}/p/b 0+ | 5 {root[work]}/p/b.1 0+ |"
	      "6 {root[work]}/p/c 0+" },
	    { RENAME, "hero", "p/b-2" },
	    { SHOWN, "p/ | p: b b-2@/ b.1 c | p/b-2: a@ ", NULL } } },
	{ "a removed alias folder stays removed",
	  { { PUT, "r1", D },
	    { RENAME, "d", "e" },
	    { UNLINK, "e/x/y/e", NULL },
	    { SHOWN, "e@/ | e: f@! x@/ | e/x: c@ y@/ | e/x/y: ", NULL },
	    { RMDIR, "e/x/y", NULL },
	    { SHOWN, "e@/ | e: f@! x@/ | e/x: c@ ", NULL },
	    { RENAME, "e", "d" },
	    { SHOWN, "d/ | d: f! x/ | d/x: c ", NULL } } },
	{ "what is removed under a new name while it is still awaited stays removed",
	  { { PUT, "r1", A "| 5 {root[work]}/hero/x/y 0+" },
	    { PUT, "r2", B },
	    { RENAME, "hero", "old" },
	    { PUT, "r1", "1 {root[work]}/hero/a 0- | 5 {root[work]}/hero/x/y 0-" },
	    { SHOWN, "old@/ | old: b@ ", NULL },
	    { UNLINK, "old/a", NULL },
	    { RMDIR, "old/x", NULL },
	    { PUT, "r1", A "| 5 {root[work]}/hero/x/y 0+" },
	    { SHOWN, "old@/ | old: b@ ", NULL } } },
	{ "restore of one name below a renamed folder",
	  { { PUT, "r1", A "|" B },
	    { RENAME, "hero", "old" },
	    { RESTORE, "hero/a", NULL },
	    { SHOWN, "hero/ old@/ | hero: a | old: a@ b@ ", NULL } } },
	{ "a new file id lifts the whiteout of a name, an old one does not",
	  { { PUT, "r1", A "|" B },
	    { UNLINK, "hero/a", NULL },
	    { LIFT, "hero/a", "1" },
	    { SHOWN, "hero/ | hero: b ", NULL },
	    { LIFT, "hero/a", "7" },
	    { SHOWN, "hero/ | hero: a b ", NULL } } },
};

static void test_stories(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(stories); i++) {
		VIEW_BED(bed);

		print_message("%s\n", stories[i].name);
		for (size_t k = 0; k < 20 && stories[i].steps[k].kind; k++)
			do_step(&bed, &stories[i].steps[k]);
	}
}

/* ---- single facts ---- */

static void assert_changed(struct view_bed *bed, const char *expected)
{
	assert_string_equal(buf_str(&bed->changed), expected);
	buf_clear(&bed->changed);
}

static void test_what_changed_is_told(void **state)
{
	VIEW_BED(bed);

	put(&bed.index, "demo", "r1", A "|" B);
	assert_int_equal(view_hide(bed.view, 0, "hero/a", false), 0);
	assert_changed(&bed, "hero/a ");
	assert_int_equal(view_hide(bed.view, 0, "hero/a", false), 0);
	assert_changed(&bed, "");
	assert_int_equal(view_hide(bed.view, 0, "none", true), 0);
	assert_changed(&bed, "");
	assert_int_equal(view_rename(bed.view, 0, "none", "other"), 0);
	assert_changed(&bed, "");
	assert_int_equal(view_rename(bed.view, 0, "hero", "old"), 0);
	assert_changed(&bed, "hero hero/a hero/b old ");
	assert_int_equal(view_restore(bed.view, 0, "hero"), 0);
	assert_changed(&bed, "hero hero/a hero/b ");
	assert_int_equal(view_restore(bed.view, 0, "hero"), VIEW_NONE);
	assert_changed(&bed, "");
}

static void assert_source(struct view_bed *bed, const char *rel, const char *expected)
{
	_cleanup_(freep) char *source = view_source(bed->view, 0, rel);

	assert_string_equal(source, expected);
}

static void test_source_and_ino(void **state)
{
	struct view_node before, after;
	VIEW_BED(bed);

	put(&bed.index, "demo", "r1", A "|" B);
	assert_int_equal(view_find(bed.view, 0, "hero/a", &before), 0);
	assert_true(before.ino == view_ino(0, "hero/a"));
	assert_true(view_ino(0, "hero/a") != view_ino(1, "hero/a"));
	assert_int_equal(view_rename(bed.view, 0, "hero", "hero/old"), 0);
	assert_int_equal(view_find(bed.view, 0, "hero/old/a", &after), 0);
	assert_true(before.ino == after.ino);
	/* A folder below the one that it shows is not the same folder. */
	assert_int_equal(view_find(bed.view, 0, "hero/old", &after), 0);
	assert_true(after.ino != view_ino(0, "hero"));
	assert_source(&bed, "hero/old/a", "hero/a");
	assert_source(&bed, "hero/old", "hero");
	assert_source(&bed, "hero/a", "hero/a");
	assert_source(&bed, "elsewhere", "elsewhere");
}

static void test_not_shown(void **state)
{
	static const char *rels[] = { "none", "hero/none", "hero/a/x", "awaited" };
	struct view_node node;
	VIEW_BED(bed);

	put(&bed.index, "demo", "r1", A);
	put(&bed.index, "demo", "r2", "3 {root[work]}/awaited 0-");
	for (size_t i = 0; i < ARRAY_SIZE(rels); i++) {
		assert_int_equal(view_find(bed.view, 0, rels[i], &node), VIEW_NONE);
		assert_int_equal(view_list(bed.view, 0, rels[i], NULL, dump_child, NULL),
				 VIEW_NONE);
		assert_true(view_is_empty(bed.view, 0, rels[i]));
	}
	assert_int_equal(view_list(bed.view, 0, "hero/a", NULL, dump_child, NULL),
			 VIEW_NONE);
	assert_int_equal(view_find(bed.view, 0, "", &node), 0);
	assert_true(node.is_folder);
	assert_int_equal(view_find(bed.view, 5, "", &node), VIEW_NONE);
}

static void test_project_filter(void **state)
{
	VIEW_BED(bed);

	view_set_project(bed.view, "demo");
	assert_shown(&bed, "");
	put(&bed.index, "demo", "r1", "1 {root[work]}/s/a 0+ | 2 {root[work]}/s/c 0+");
	put(&bed.index, "other", "r2",
	    "3 {root[work]}/s/b 0+ | 4 {root[work]}/s/c 0+ | 5 {root[work]}/o/x 0+ |"
	    "6 {root[work]}/s/t/x 0+");
	assert_shown(&bed, "s/ | s: a c ");
	assert_int_equal(view_hide(bed.view, 0, "s/a", false), 0);
	assert_int_equal(view_rename(bed.view, 0, "s", "q"), 0);
	assert_shown(&bed, "q@/ | q: c@ ");
	view_set_project(bed.view, "other");
	assert_shown(&bed, "o/ q@/ | o: x | q: b@ c@ t@/ | q/t: x@ ");
	view_set_project(bed.view, NULL);
	assert_shown(&bed, "o/ q@/ | o: x | q: b@ c@ t@/ | q/t: x@ ");
}

static int count_one(void *context, const char *name, const struct view_node *node)
{
	++*(int *)context;
	return 0;
}

/* More names than a slice holds, from two sources, with holes. */
static void test_large_folder(void **state)
{
	_cleanup_(buf_done) struct buf files = { 0 }, more = { 0 };
	int n = 0;
	VIEW_BED(bed);

	for (int i = 0; i < 1500; i++) {
		buf_addf(&files, "f%d {root[work]}/s/%s.%04d.exr 0+|", i,
			 i % 3 ? "a" : "b", i);
		if (i % 2)
			buf_addf(&more, "g%d {root[work]}/t/%s.%04d.exr 0+|", i,
				 i % 3 ? "a" : "b", i);
	}
	put(&bed.index, "demo", "r1", buf_str(&files));
	assert_int_equal(view_rename(bed.view, 0, "s", "t"), 0);
	put(&bed.index, "demo", "r2", buf_str(&more));
	for (int i = 0; i < 1500; i += 10) {
		_cleanup_(freep) char *rel = strf("t/%s.%04d.exr", i % 3 ? "a" : "b", i);

		assert_int_equal(view_hide(bed.view, 0, rel, false), 0);
	}
	assert_int_equal(view_list(bed.view, 0, "t", NULL, count_one, &n), 0);
	assert_int_equal(n, 1500 - 150);
	n = 0;
	assert_int_equal(view_list(bed.view, 0, "t", "a.0700.exr", count_one, &n), 0);
	assert_int_equal(n, 1000 - 467 - 53 + 500 - 50);
}

/* ---- threads ---- */

struct lookers {
	struct view_bed *bed;
	atomic_bool is_over;
	atomic_int faults;
};

static void *look(void *argument)
{
	struct lookers *lookers = argument;

	while (!lookers->is_over) {
		struct view_node node;
		int n = 0;
		int r = view_find(lookers->bed->view, 0, "hero/a", &node);

		lookers->faults += r != 0 && r != VIEW_NONE;
		r = view_list(lookers->bed->view, 0, "", NULL, count_one, &n);
		lookers->faults += r != 0 || n > 2;
	}
	return NULL;
}

static void ignore_changed(void *context, int root, const char *rel)
{
}

static void test_threads(void **state)
{
	struct lookers lookers = { 0 };
	pthread_t threads[3];
	VIEW_BED(bed);

	view_free(steal(bed.view));
	assert_int_equal(
		view_new(bed.index.index, bed.journal, ignore_changed, NULL, &bed.view),
		0);
	put(&bed.index, "demo", "r1", A "|" B);
	lookers.bed = &bed;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look, &lookers), 0);
	for (int i = 0; i < 30; i++) {
		assert_int_equal(view_rename(bed.view, 0, "hero", "old"), 0);
		put(&bed.index, "demo", "r2", i % 2 ? N : A_NEW);
		assert_int_equal(view_hide(bed.view, 0, "old/a", false), 0);
		drop(&bed.index, "demo", "r2");
		assert_int_equal(view_rename(bed.view, 0, "old", "hero"), 0);
		assert_int_equal(view_restore(bed.view, 0, "hero"), 0);
	}
	lookers.is_over = true;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(lookers.faults, 0);
	assert_shown(&bed, "hero/ | hero: a b ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_what_changed_is_told),
		cmocka_unit_test(test_source_and_ino),
		cmocka_unit_test(test_not_shown),
		cmocka_unit_test(test_project_filter),
		cmocka_unit_test(test_large_folder),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
