/* What sites hold without entries that say so: told, told anew, taken back, asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/contract/store/stage.h"
#include "tests/contract/store/stories.h"

#define FILES_MAX 4

/* Of one site and project: what is told; NULL ends the files. */
struct step {
	const char *name;
	const char *repre;
	const char *files[FILES_MAX];
	const char *want; /* of the project then, "REPRE: FILE FILE;" */
};

static int list(void *context, const struct holding *holding)
{
	buf_addf(context, "%s:", holding->repre);
	for (size_t i = 0; i < holding->n_files; i++)
		buf_addf(context, " %s", holding->files[i]);
	return buf_adds(context, ";");
}

static void assert_told(const char *site, const char *project, const char *repre,
			const char *want)
{
	_cleanup_(buf_done) struct buf found = { 0 };

	assert_int_equal(stage.store->ops->holdings(stage.store, site, project, repre,
						    list, &found),
			 0);
	assert_string_equal(buf_str(&found), want);
}

static void tell(const char *site, const char *project, const char *repre,
		 const char *const *files)
{
	struct holding holding = { project, repre, files, 0 };

	while (holding.n_files < FILES_MAX && files[holding.n_files])
		holding.n_files++;
	assert_int_equal(stage.store->ops->put_holdings(stage.store, site, &holding, 1),
			 0);
}

static const struct step steps[] = {
	{ "nothing was ever told", "a", { NULL }, "" },
	{ "one of many", "a", { "2" }, "a: 2;" },
	{ "the same once more", "a", { "2" }, "a: 2;" },
	{ "another set", "a", { "1", "3" }, "a: 1 3;" },
	{ "another representation", "b", { "1" }, "a: 1 3;b: 1;" },
	{ "nothing any more", "a", { NULL }, "b: 1;" },
	{ "still nothing", "a", { NULL }, "b: 1;" },
	{ "odd ids",
	  "=c.$d\n\"'\xc3\xa4 {",
	  { "=$set", "=a.b", "=\n", "=\xf0\x9f\x8e\xac" },
	  "=c.$d\n\"'\xc3\xa4 {: =$set =a.b =\n =\xf0\x9f\x8e\xac;b: 1;" },
};

static void test_told_step_by_step(void **state)
{
	const char *project = stage_project();
	_cleanup_(freep) char *site = strf("site of %s", project);

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const struct step *step = &steps[i];

		print_message("%s\n", step->name);
		tell(site, project, step->repre, step->files);
		assert_told(site, project, NULL, step->want);
	}
}

static const char *const one[] = { "1", NULL }, *const two[] = { "2", NULL };

/* No name is taken for the beginning of another, nor for the end of one and the beginning of the next. */
static void test_sites_and_projects_are_apart(void **state)
{
	const char *name = stage_project();
	_cleanup_(freep) char *a = strf("s-%s", name);
	_cleanup_(freep) char *aa = strf("s-%s\n", name);
	_cleanup_(freep) char *longer = strf("%s\n", name);

	tell(a, name, "r", one);
	tell(a, longer, "r", two);
	tell(aa, name, "r", two);
	tell(a, name, "rr", two);
	assert_told(a, name, "r", "r: 1;");
	assert_told(a, name, "rr", "rr: 2;");
	assert_told(a, name, "r\n", "");
	assert_told(a, name, NULL, "r: 1;rr: 2;");
	assert_told(a, longer, NULL, "r: 2;");
	assert_told(a, NULL, NULL, "r: 1;rr: 2;r: 2;");
	assert_told(aa, NULL, NULL, "r: 2;");
	assert_told("nobody", NULL, NULL, "");
	tell(a, name, "r", &one[1]);
	assert_told(a, NULL, NULL, "rr: 2;r: 2;");
	assert_told(aa, name, "r", "r: 2;");
}

/* Some change, some go, in one call; no document of the studio's does. */
static void test_many_at_once(void **state)
{
	enum { N = 600 };
	const char *project = stage_project();
	_cleanup_(freep) char *token = stage_now();
	_cleanup_(freep) char *events = NULL;
	_cleanup_(buf_done) struct buf found = { 0 };
	struct holding *holdings = calloc(N, sizeof(*holdings));
	char names[N][8];

	assert_non_null(holdings);
	for (size_t i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "r%03zu", i);
		holdings[i] = (struct holding){ project, names[i], one, 1 };
	}
	assert_int_equal(stage.store->ops->put_holdings(stage.store, "many", holdings, N),
			 0);
	for (size_t i = 0; i < N; i++)
		holdings[i].n_files = i % 300 == 7;
	assert_int_equal(stage.store->ops->put_holdings(stage.store, "many", holdings, N),
			 0);
	assert_told("many", project, NULL, "r007: 1;r307: 1;");
	assert_int_equal(stage.store->ops->put_holdings(stage.store, "many", NULL, 0), 0);
	events = stage_events(&token, project);
	assert_string_equal(events, "");
	free(holdings);
}

static int refuse(void *context, const struct holding *holding)
{
	(*(int *)context)++;
	return 7;
}

static void test_asking_ends_with_its_caller(void **state)
{
	const char *project = stage_project();
	int n = 0;

	tell("ends", project, "a", one);
	tell("ends", project, "b", one);
	assert_int_equal(stage.store->ops->holdings(stage.store, "ends", project, NULL,
						    refuse, &n),
			 7);
	assert_int_equal(n, 1);
	/* and leaves nothing behind that stands in the way */
	assert_told("ends", project, NULL, "a: 1;b: 1;");
}

const struct CMUnitTest holding_stories[] = {
	cmocka_unit_test(test_told_step_by_step),
	cmocka_unit_test(test_sites_and_projects_are_apart),
	cmocka_unit_test(test_many_at_once),
	cmocka_unit_test(test_asking_ends_with_its_caller),
};

const size_t n_holding_stories = ARRAY_SIZE(holding_stories);
