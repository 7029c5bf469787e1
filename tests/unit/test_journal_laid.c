/* sync/journal: whiteouts and renames. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/journal_private.h"
#include "tests/unit/journal_bed.h"

#define MAX_HASHES 8

static const char *kind_names[] = { "", "NAME", "FOLDER", "TREE", "ALIAS" };

/* "TREE hero 1,2": whiteouts in order, then "hero.BACKUP <- hero 1,2": renames. */
static void dump_hashes(struct buf *buf, const uint64_t *hashes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(buf, "%c%d", i ? ',' : ' ', (int)hashes[i]);
	buf_addc(buf, '\n');
}

static char *dump(struct journal *journal) NO_THREAD_SAFETY
{
	struct buf buf = { 0 };

	for (size_t i = 0; i < journal->whiteouts.n; i++) {
		const struct whiteout *w = journal->whiteouts.items[i].value;

		buf_addf(&buf, "%s %s", kind_names[w->kind], w->rel);
		dump_hashes(&buf, w->hashes, w->n_hashes);
	}
	for (size_t i = 0; i < journal->aliases.n; i++) {
		const struct alias *a = journal->aliases.items[i].value;

		buf_addf(&buf, "%s <- %s", a->to, a->from);
		dump_hashes(&buf, a->hashes, a->n_hashes);
	}
	return buf_take(&buf);
}

static void assert_laid(struct bed *bed, const char *expected)
{
	_cleanup_(freep) char *before = dump(bed->journal), *after = NULL;

	assert_string_equal(before, expected);
	reopen(bed);
	after = dump(bed->journal);
	assert_string_equal(after, expected);
}

enum step_kind { HIDE = 1, RENAME, DROP_ALIAS, DROP, LIFT };

struct step {
	enum step_kind kind;
	const char *rel, *to;
	enum whiteout_kind whiteout; /* 0 in RENAME: no old name */
	uint64_t hashes[MAX_HASHES];
};

static size_t count(const uint64_t *hashes)
{
	size_t n = 0;

	while (n < MAX_HASHES && hashes[n])
		n++;
	return n;
}

static void do_step(struct journal *journal, const struct step *step)
{
	_cleanup_(whiteout_freep) struct whiteout *w = whiteout_new(
		step->whiteout, 0, step->rel, step->hashes, count(step->hashes));
	int r = -1;

	switch (step->kind) {
	case HIDE:
		r = journal_whiteout_put(journal, w);
		break;
	case RENAME:
		r = journal_rename(journal, 0, step->rel, step->to,
				   step->whiteout ? w : NULL);
		break;
	case DROP_ALIAS:
		r = journal_alias_drop(journal, 0, step->rel);
		break;
	case DROP:
		r = journal_whiteout_drop(journal, 0, step->rel);
		break;
	case LIFT:
		r = journal_whiteout_lift(journal, 0, step->rel, step->hashes,
					  count(step->hashes));
		break;
	}
	assert_int_equal(r, 0);
}

static const struct story {
	const char *name;
	struct step steps[6];
	const char *expected;
} stories[] = {
	{ "a folder is renamed",
	  { { RENAME, "hero", "hero.BACKUP", WHITEOUT_TREE, { 1, 2 } } },
	  "TREE hero 1,2\nhero.BACKUP <- hero 1,2\n" },
	{ "the hero step: renamed, emptied, removed",
	  { { RENAME, "hero", "hero.BACKUP", WHITEOUT_TREE, { 1, 2 } },
	    { HIDE, "hero.BACKUP/a", NULL, WHITEOUT_ALIAS, { 1 } },
	    { HIDE, "hero.BACKUP/b", NULL, WHITEOUT_ALIAS, { 2 } },
	    { DROP_ALIAS, "hero.BACKUP", NULL, 0, { 0 } } },
	  "TREE hero 1,2\n" },
	{ "renamed and back: nothing is left",
	  { { RENAME, "hero", "hero.BACKUP", WHITEOUT_TREE, { 1, 2 } },
	    { RENAME, "hero.BACKUP", "hero", 0, { 0 } } },
	  "" },
	{ "renamed, one name removed, and back: it stays removed, until a new id",
	  { { RENAME, "hero", "hero.BACKUP", WHITEOUT_TREE, { 1, 2 } },
	    { HIDE, "hero.BACKUP/a", NULL, WHITEOUT_ALIAS, { 1 } },
	    { RENAME, "hero.BACKUP", "hero", 0, { 0 } } },
	  "TREE hero/a 1\n" },
	{ "a name that was removed before stays removed under the new name",
	  { { HIDE, "hero/a", NULL, WHITEOUT_NAME, { 1 } },
	    { RENAME, "hero", "b", WHITEOUT_TREE, { 1, 2 } } },
	  "NAME b/a 1\nTREE hero 1,2\nb <- hero 1,2\n" },
	{ "... and after it came back",
	  { { HIDE, "hero/a", NULL, WHITEOUT_NAME, { 1 } },
	    { RENAME, "hero", "b", WHITEOUT_TREE, { 1, 2 } },
	    { RENAME, "b", "hero", 0, { 0 } } },
	  "NAME hero/a 1\n" },
	{ "an alias is renamed: its row moves",
	  { { RENAME, "a", "b", WHITEOUT_TREE, { 1 } }, { RENAME, "b", "c", 0, { 0 } } },
	  "TREE a 1\nc <- a 1\n" },
	{ "a folder inside an alias is renamed out of it",
	  { { RENAME, "a", "b", WHITEOUT_TREE, { 1, 2 } },
	    { HIDE, "b/x/f", NULL, WHITEOUT_ALIAS, { 1 } },
	    { RENAME, "b/x", "c", WHITEOUT_ALIAS, { 1, 2 } } },
	  "TREE a 1,2\nALIAS b/x 1,2\nALIAS c/f 1\nb <- a 1,2\nc <- a/x 1,2\n" },
	{ "... and back into it",
	  { { RENAME, "a", "b", WHITEOUT_TREE, { 1, 2 } },
	    { HIDE, "b/x/f", NULL, WHITEOUT_ALIAS, { 1 } },
	    { RENAME, "b/x", "c", WHITEOUT_ALIAS, { 1, 2 } },
	    { RENAME, "c", "b/x", 0, { 0 } } },
	  "TREE a 1,2\nALIAS b/x/f 1\nb <- a 1,2\nb/x <- a/x 1,2\n" },
	{ "an alias inside an alias is renamed away: nothing of the outer one shines through",
	  { { RENAME, "a", "b", WHITEOUT_TREE, { 1 } },
	    { RENAME, "s", "b/x", WHITEOUT_TREE, { 7 } },
	    { RENAME, "b/x", "c", 0, { 0 } } },
	  "TREE a 1\nALIAS b/x\nTREE s 7\nb <- a 1\nc <- s 7\n" },
	{ "a folder above an alias is renamed: the alias goes along",
	  { { RENAME, "d/hero", "d/old", WHITEOUT_TREE, { 1 } },
	    { HIDE, "d/old/f", NULL, WHITEOUT_ALIAS, { 9 } },
	    { RENAME, "d", "e", WHITEOUT_TREE, { 1, 2 } } },
	  "TREE d 1,2\nTREE e/hero 1\nALIAS e/old/f 9\n"
	  "e <- d 1,2\ne/old <- d/hero 1\n" },
	{ "a real folder above an alias is renamed: only what is laid below moves",
	  { { RENAME, "s", "d/q", WHITEOUT_TREE, { 1 } },
	    { RENAME, "d", "e", 0, { 0 } } },
	  "TREE s 1\ne/q <- s 1\n" },
	{ "a folder is renamed into a new one of its own name",
	  { { RENAME, "a", "tmp", WHITEOUT_TREE, { 1 } },
	    { RENAME, "tmp", "a/old", 0, { 0 } } },
	  "TREE a 1\na/old <- a 1\n" },
	{ "renamed, published anew, renamed again: each keeps its own",
	  { { RENAME, "a", "b", WHITEOUT_TREE, { 1 } },
	    { RENAME, "a", "c", WHITEOUT_TREE, { 1, 2 } },
	    { RENAME, "b", "a", 0, { 0 } } },
	  "TREE a 2\nTREE c 1\nc <- a 1,2\n" },
	{ "a folder takes the place of an emptied one",
	  { { HIDE, "new/f", NULL, WHITEOUT_NAME, { 5 } },
	    { HIDE, "new", NULL, WHITEOUT_FOLDER, { 0 } },
	    { RENAME, "a", "new", WHITEOUT_TREE, { 1 } } },
	  "TREE a 1\nNAME new/f 5\nnew <- a 1\n" },
	{ "restore takes one name out of a renamed folder",
	  { { RENAME, "a", "b", WHITEOUT_TREE, { 1, 2 } },
	    { LIFT, "a/f", NULL, 0, { 2 } } },
	  "TREE a 1\nb <- a 1,2\n" },
	{ "restore lifts all below",
	  { { HIDE, "a/f", NULL, WHITEOUT_NAME, { 1 } },
	    { HIDE, "a/g", NULL, WHITEOUT_NAME, { 2 } },
	    { HIDE, "a-b", NULL, WHITEOUT_NAME, { 3 } },
	    { LIFT, "a", NULL, 0, { 1, 2 } } },
	  "NAME a-b 3\n" },
	{ "undo",
	  { { HIDE, "a/f", NULL, WHITEOUT_NAME, { 1 } },
	    { DROP, "a/f", NULL, 0, { 0 } } },
	  "" },
};

static void test_stories(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(stories); i++) {
		BED(bed);

		print_message("%s\n", stories[i].name);
		for (size_t k = 0; k < 6 && stories[i].steps[k].kind; k++)
			do_step(bed.journal, &stories[i].steps[k]);
		assert_laid(&bed, stories[i].expected);
	}
}

static void put(struct bed *bed, enum whiteout_kind kind, const char *rel, uint64_t hash)
{
	do_step(bed->journal, &(struct step){ HIDE, rel, NULL, kind, { hash } });
}

static void test_what_is_hidden(void **state)
{
	static const struct {
		const char *rel;
		uint64_t hash;
		bool is_hidden;
	} rows[] = {
		{ "a/name", 1, true },    { "a/name", 2, false },
		{ "a/name/x", 1, false }, { "a", 1, false },
		{ "tree", 3, true },      { "tree/x/y", 3, true },
		{ "tree/x/y", 4, false }, { "tree-2", 3, false },
		{ "tre", 3, false },      { "", 3, false },
	};
	struct whiteout w;
	BED(bed);

	put(&bed, WHITEOUT_NAME, "a/name", 1);
	put(&bed, WHITEOUT_TREE, "tree", 3);
	put(&bed, WHITEOUT_FOLDER, "tree/x", 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(
			journal_is_hidden(bed.journal, 0, rows[i].rel, rows[i].hash),
			rows[i].is_hidden);
	assert_false(journal_is_hidden(bed.journal, 1, "a/name", 1));

	assert_int_equal(journal_whiteout_find(bed.journal, 0, "tree/x/y", &w), 0);
	assert_string_equal(w.rel, "tree");
	whiteout_done(&w);
	assert_int_equal(journal_whiteout_find(bed.journal, 0, "tree/x", &w), 0);
	assert_int_equal(w.kind, WHITEOUT_FOLDER);
	whiteout_done(&w);
	assert_int_equal(journal_whiteout_find(bed.journal, 0, "a", &w), JOURNAL_NONE);

	assert_true(journal_has_whiteouts_below(bed.journal, 0, ""));
	assert_true(journal_has_whiteouts_below(bed.journal, 0, "a"));
	assert_true(journal_has_whiteouts_below(bed.journal, 0, "a/name"));
	assert_false(journal_has_whiteouts_below(bed.journal, 0, "tree/x/y"));
	assert_false(journal_has_whiteouts_below(bed.journal, 1, ""));
	assert_int_equal(journal_whiteout_marks(bed.journal, 0, "tree/x", false),
			 1u << WHITEOUT_FOLDER | WHITEOUT_MARK_TREE_ABOVE);
	assert_int_equal(journal_whiteout_drop(bed.journal, 0, "none"), JOURNAL_NONE);
}

static int add_name(void *context, const char *name)
{
	return buf_addf(context, "%s ", name);
}

static void assert_names(struct bed *bed, const char *rel, const char *expected)
{
	_cleanup_(buf_done) struct buf names = { 0 };

	assert_int_equal(journal_alias_list(bed->journal, 0, rel, add_name, &names), 0);
	assert_string_equal(buf_str(&names), expected);
}

static void assert_source(struct bed *bed, const char *rel, const char *expected)
{
	_cleanup_(freep) char *source = NULL;

	assert_int_equal(journal_alias_resolve(bed->journal, 0, rel, &source),
			 expected ? 0 : JOURNAL_NONE);
	if (expected)
		assert_string_equal(source, expected);
}

static void test_aliases(void **state)
{
	BED(bed);

	do_step(bed.journal,
		&(struct step){ RENAME, "s", "x/b", WHITEOUT_TREE, { 1, 2 } });
	do_step(bed.journal,
		&(struct step){ RENAME, "t/u", "x/b/c", WHITEOUT_TREE, { 3 } });
	do_step(bed.journal,
		&(struct step){ RENAME, "t/v", "x/y/d", WHITEOUT_TREE, { 4 } });
	put(&bed, WHITEOUT_ALIAS, "x/b/gone", 0);
	assert_source(&bed, "x/b", "s");
	assert_source(&bed, "x/b/f", "s/f");
	assert_source(&bed, "x/b/c/f", "t/u/f");
	assert_source(&bed, "x", NULL);
	assert_source(&bed, "x/bb", NULL);
	assert_names(&bed, "", "x ");
	assert_names(&bed, "x", "b y ");
	assert_names(&bed, "x/b", "c ");
	assert_names(&bed, "x/b/c", "");
	assert_true(journal_alias_has(bed.journal, 0, "x/b"));
	assert_false(journal_alias_has(bed.journal, 0, "x/y"));
	assert_true(journal_alias_shows(bed.journal, 0, "x/b/f", 1));
	assert_false(journal_alias_shows(bed.journal, 0, "x/b/f", 3));
	assert_false(journal_alias_shows(bed.journal, 0, "x/b/gone", 1));
	assert_false(journal_alias_shows(bed.journal, 0, "x/b/gone/f", 1));
	assert_true(journal_alias_shows(bed.journal, 0, "x/b/c/f", 3));
	assert_false(journal_alias_shows(bed.journal, 0, "s/f", 1));
	assert_int_equal(journal_alias_drop(bed.journal, 0, "x"), JOURNAL_NONE);
}

/* a, renamed and moved into a new folder of its old name, shows there what the TREE hides above. */
static void test_alias_below_its_own_whiteout(void **state)
{
	BED(bed);

	do_step(bed.journal, &(struct step){ RENAME, "a", "t", WHITEOUT_TREE, { 1 } });
	do_step(bed.journal, &(struct step){ RENAME, "t", "a/old", 0, { 0 } });
	assert_true(journal_alias_shows(bed.journal, 0, "a/old/f", 1));
	assert_true(journal_is_hidden(bed.journal, 0, "a/f", 1));
	assert_int_equal(journal_whiteout_marks(bed.journal, 0, "a/old/f", true), 0);
}

/* ---- threads ---- */

static void *ask(void *argument)
{
	struct journal *journal = argument;
	int64_t waiting, parked;
	int n = 0;

	while (n < 2000 && !journal_is_hidden(journal, 0, "last", 1)) {
		char *source;

		if (journal_alias_resolve(journal, 0, "b/f", &source) == 0)
			free(source);
		journal_outbox_count(journal, &waiting, &parked);
		n += journal_has_whiteouts_below(journal, 0, "w");
	}
	return NULL;
}

/* NULL, or something where a call failed: asserts belong to the test's own thread. */
static void *hide(void *argument)
{
	struct journal *journal = argument;
	uint64_t hash = 1;

	for (int i = 0; i < 50; i++) {
		_cleanup_(freep) char *rel = strf("w/%d-%p", i, (void *)&i);
		struct whiteout w = {
			.kind = WHITEOUT_NAME, .rel = rel, .hashes = &hash, .n_hashes = 1
		};

		if (journal_whiteout_put(journal, &w) != 0)
			return journal;
	}
	return NULL;
}

static void test_threads(void **state)
{
	_cleanup_(freep) char *text = NULL;
	pthread_t threads[4];
	int n = 0;
	BED(bed);

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? ask : hide,
						bed.journal),
				 0);
	for (int i = 0; i < 20; i++) {
		do_step(bed.journal,
			&(struct step){ RENAME, "a", "b", WHITEOUT_TREE, { 1 } });
		do_step(bed.journal, &(struct step){ RENAME, "b", "a", 0, { 0 } });
	}
	put(&bed, WHITEOUT_NAME, "last", 1);
	for (int i = 0; i < 4; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	text = dump(bed.journal);
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		n++;
	assert_int_equal(n, 101);
	assert_null(strstr(text, "<-"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_what_is_hidden),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_alias_below_its_own_whiteout),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("journal_laid", tests, NULL, NULL);
}
