/*
 * The contract of the store port: contract-store [URI]. Without a URI: a new sqlite store in a
 * temporary folder. The table and the stories know no implementation; each has more stories of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/doc.h"
#include "tests/contract/store/cases.h"
#include "tests/contract/store/stage.h"
#include "tests/contract/store/stories.h"

/* ---- the table ---- */

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static struct record record_of(const struct store_case *c, const char *project)
{
	const struct case_record *r = &c->record;

	return (struct record){
		.op = r->op,
		.project = copy(project),
		.repre = copy(r->repre ? r->repre : CASE_REPRE),
		.file = copy(r->file ? r->file : CASE_FILE),
		.path = copy(r->path ? r->path : CASE_PATH),
		.site = copy(r->site),
		.had_presence = r->had_presence,
		.had_created_ms = r->had_created_ms,
		.had_id = copy(r->had_id),
		.id = copy(r->id),
		.created_ms = r->created_ms,
		.tries = r->tries,
		.error = copy(r->error),
		.failed_ms = r->failed_ms,
		.progress = r->progress,
	};
}

static struct doc *load_parsed(const char *project)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	struct doc *doc = NULL;

	assert_int_equal(stage.store->ops->load(stage.store, project, CASE_REPRE, &body),
			 0);
	assert_int_equal(doc_parse(body.data, body.len, project, &doc, NULL), 0);
	return doc;
}

/* What the row says was decided on is what a reader of the document decides on. */
static void check_decided_on(const struct record *record)
{
	_cleanup_(doc_freep) struct doc *doc = load_parsed(record->project);
	const struct doc_file *file = doc_find_file(doc, record->file);
	const struct doc_site *site = file ? doc_find_site(file, record->site) : NULL;
	int64_t created = site ? site->created_ms : 0;

	assert_non_null(file);
	assert_int_equal(site ? site->presence : DOC_ABSENT, record->had_presence);
	if (created != CASE_ID_MS) /* converted since: the row that says so */
		assert_int_equal(created, record->had_created_ms);
	assert_int_equal(site && site->id, record->had_id != NULL);
}

static int run_record(const struct store_case *c, const char *project, bool is_first)
{
	_cleanup_(record_done) struct record record = record_of(c, project);
	int result = -1;

	if (is_first && c->want == 0 && c->after)
		check_decided_on(&record);
	assert_int_equal(stage.store->ops->record(stage.store, &record, 1, &result), 0);
	return result;
}

static int run_edit(const struct store_case *c, const char *project, bool is_first)
{
	struct site_edit edit = c->edit;
	struct site_edited edited = { .result = -1 };

	edit.project = project;
	edit.repre = edit.repre ? edit.repre : CASE_REPRE;
	assert_int_equal(stage.store->ops->edit(stage.store, &edit, 1, &edited), 0);
	assert_int_equal(edited.n_changed, is_first ? c->changed : 0);
	return edited.result;
}

static void run_once(const struct store_case *c, const char *project, bool is_first)
{
	const char *sites = c->after ? c->after : c->before;
	_cleanup_(freep) char *after = case_document(sites, c->after_2, !c->before);
	_cleanup_(freep) char *token = stage_now();
	_cleanup_(freep) char *events = NULL;
	bool is_changed = is_first && (c->after || c->after_2);
	int r;

	r = c->record.op ? run_record(c, project, is_first)
			 : run_edit(c, project, is_first);
	assert_int_equal(r, c->want);
	assert_document(project, CASE_REPRE, after);
	events = stage_events(&token, project);
	assert_string_equal(events, is_changed ? "doc " CASE_REPRE ";" : "");
}

static void test_case(void **state)
{
	const struct store_case *c = *state;
	const char *project = stage_project();
	_cleanup_(freep) char *before = case_document(c->before, NULL, false);
	_cleanup_(freep) char *list = strf("[%s]", before);

	stage_insert(project, list);
	run_once(c, project, true);
	/* Doing it twice is doing it once. */
	run_once(c, project, false);
	if (c->want == 0 && c->after) {
		_cleanup_(doc_freep) struct doc *doc = load_parsed(project);

		assert_int_equal(doc->files[0].form, DOC_FORM_LIST);
	}
}

static int run_table(void)
{
	struct CMUnitTest *tests = calloc(n_store_cases, sizeof(*tests));
	int n;

	if (!tests)
		return 1;
	for (size_t i = 0; i < n_store_cases; i++)
		tests[i] = (struct CMUnitTest){
			.name = store_cases[i].name,
			.test_func = test_case,
			.initial_state = (void *)(uintptr_t)&store_cases[i],
		};
	n = _cmocka_run_group_tests("store: sites", tests, n_store_cases, NULL, NULL);
	free(tests);
	return n;
}

int main(int argc, char **argv)
{
	int n;

	if (argc > 1 && strcmp(argv[1], "--child") == 0)
		return child_main(argc, argv);
	if (stage_open(argc > 1 ? argv[1] : NULL) < 0)
		return 1;
	n = run_table();
	n += _cmocka_run_group_tests("store: stories", store_stories, n_store_stories,
				     NULL, NULL);
	n += _cmocka_run_group_tests("store: edits in bulk", edit_stories, n_edit_stories,
				     NULL, NULL);
	n += _cmocka_run_group_tests("store: search", search_stories, n_search_stories,
				     NULL, NULL);
	n += _cmocka_run_group_tests("store: truth", truth_stories, n_truth_stories, NULL,
				     NULL);
	n += _cmocka_run_group_tests("store: holdings", holding_stories,
				     n_holding_stories, NULL, NULL);
	if (stage.hand == &hand_sqlite)
		n += _cmocka_run_group_tests("store: sqlite", sqlite_stories,
					     n_sqlite_stories, NULL, NULL);
	if (stage.hand == &hand_mongo)
		n += _cmocka_run_group_tests("store: mongodb", mongo_stories,
					     n_mongo_stories, NULL, NULL);
	stage_close();
	return n != 0;
}
