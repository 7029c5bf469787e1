/*
 * The table of the store's contract. It knows no implementation: the same rows hold the embedded
 * store and MongoDB to the same bytes. Order of new keys: sorted, as MongoDB adds those of one $set.
 */
#include "tests/contract/store/cases.h"

#include "sync/base/buf.h"
#include "sync/doc.h"

#define DATE(ms) "{'$date': {'$numberLong': '" ms "'}}"
#define D1_MS 1604484000000
#define D1 DATE("1604484000000")
#define D2_MS 1700000000123
#define D2 DATE("1700000000123")
#define D_ID DATE("1604505344000") /* the time in CASE_FILE */
#define STUDIO "{'name': 'studio', 'created_dt': " D1 "}"
#define GDRIVE_DONE "{'name': 'gdrive', 'created_dt': " D2 ", 'id': '1AbC'}"

#define DONE .op = RECORD_DONE, .site = "gdrive", .created_ms = D2_MS, .id = "1AbC"
#define FAILED                                                                      \
	.op = RECORD_FAILED, .site = "gdrive", .tries = 2, .error = "no such file", \
	.failed_ms = D2_MS
#define WANTED .had_presence = DOC_WANTED
#define PRESENT .had_presence = DOC_PRESENT

/* The second file has entries of many shapes that no change may touch. */
#define SITES_2                                                                        \
	"[{'name': 'studio', 'created_dt': " D1 ", 'note': {'$numberDouble': '3.0'}}," \
	" {'name': 'gdrive', 'tries': {'$numberLong': '1'}, 'progress': ''}]"

char *case_document(const char *sites, const char *sites_2, bool is_late)
{
	const char *key = sites ? "'sites': " : "", *value = sites ? sites : "";
	const char *comma = sites ? ", " : "";

	return strf(
		"{'_id': {'$oid': '" CASE_REPRE "'},"
		" 'schema': 'openpype:representation-2.0', 'type': 'representation',"
		" 'parent': {'$oid': '5fa2cf00aabbccddeeff0009'}, 'name': 'exr',"
		" 'dependencies': [], 'data': {'n': {'$numberLong': '7'},"
		" 'real': {'$numberDouble': '1.0'}, 'small': 7,"
		" 'exact': {'$numberDecimal': '1.10'}, 'none': null,"
		" 'bytes': {'$binary': {'base64': 'AAH/', 'subType': '00'}},"
		" 'pattern': {'$regularExpression': {'pattern': 'a', 'options': 'i'}},"
		" 'when': " D1 "},"
		" 'files': [{'_id': {'$oid': '" CASE_FILE "'},"
		" 'path': '" CASE_PATH "', 'size': {'$numberLong': '4822'},%s%s%s%s"
		" 'hash': 'a,1001,exr|1592468963,24|4822',"
		" 'mine': [1, {'$numberLong': '2'}, {'x': []}]%s%s%s},"
		" {'_id': {'$oid': '" CASE_FILE_2 "'},"
		" 'path': '{root[work]}/p/a.1002.exr', 'size': 5, 'sites': %s}],"
		" 'context': {'version': 10, 'asset': 'a'}, 'tail': true}",
		is_late ? "" : " ", is_late ? "" : key, is_late ? "" : value,
		is_late    ? ""
		: comma[0] ? ","
			   : "",
		is_late ? comma : "", is_late ? key : "", is_late ? value : "",
		sites_2 ? sites_2 : SITES_2);
}

/* Of one file only. */
#define ONE(id) .files = (const char *const[]){ id }, .n_files = 1

const struct store_case store_cases[] = {
	/* ---- DONE ---- */
	{
		.name = "done: a new entry",
		.before = "[" STUDIO ", {'name': 'gdrive'}]",
		.record = { DONE, WANTED },
		.after = "[" STUDIO ", " GDRIVE_DONE "]",
	},
	{
		.name = "done: what failed before is forgotten, priority, paused and unknown "
			"keys stay",
		.before = "[{'x': {'$numberLong': '1'}, 'name': 'gdrive', 'tries': 2,"
			  " 'priority': {'$numberLong': '90'}, 'error': 'e',"
			  " 'last_failed_dt': " D1
			  ", 'progress': 0.5, 'paused': true}, " STUDIO "]",
		.record = { DONE, WANTED },
		.after = "[{'x': {'$numberLong': '1'}, 'name': 'gdrive',"
			 " 'priority': {'$numberLong': '90'}, 'paused': true,"
			 " 'created_dt': " D2 ", 'id': '1AbC'}, " STUDIO "]",
	},
	{
		.name = "done: keys that are there are set in their place",
		.before = "[{'id': 'old', 'created_dt': null, 'name': 'gdrive'}]",
		.record = { DONE, WANTED, .had_id = "old" },
		.after = "[{'id': '1AbC', 'created_dt': " D2 ", 'name': 'gdrive'}]",
	},
	{
		.name = "done: a date of another type is one",
		.before = "[{'name': 'gdrive', 'created_dt': 'yesterday'}]",
		.record = { DONE, PRESENT },
		.after = "[" GDRIVE_DONE "]",
	},
	{
		.name = "done: pull on open adds the whole entry",
		.before = "[" STUDIO "]",
		.record = { DONE },
		.after = "[" STUDIO ", " GDRIVE_DONE "]",
	},
	{
		.name = "done: the first entry of a list that is empty",
		.before = "[]",
		.record = { DONE },
		.after = "[" GDRIVE_DONE "]",
	},
	{
		.name = "done: was absent, is wanted now",
		.before = "[" STUDIO ", {'name': 'gdrive'}]",
		.record = { DONE },
		.want = STORE_CONFLICT,
	},
	{
		.name = "done: was wanted, is absent now",
		.before = "[" STUDIO "]",
		.record = { DONE, WANTED },
		.want = STORE_CONFLICT,
	},
	{
		.name = "done: was wanted, another hand recorded it",
		.before = "[{'name': 'gdrive', 'created_dt': " D1 ", 'id': '1AbC'}]",
		.record = { DONE, WANTED },
		.want = STORE_CONFLICT,
	},
	{
		.name = "done: the id is another one",
		.before = "[{'name': 'gdrive', 'id': 'other'}]",
		.record = { DONE, WANTED, .had_id = "old" },
		.want = STORE_CONFLICT,
	},
	{
		.name = "done: the id is gone",
		.before = "[{'name': 'gdrive'}]",
		.record = { DONE, WANTED, .had_id = "old" },
		.want = STORE_CONFLICT,
	},
	{
		.name = "done: the date is another one",
		.before = "[{'name': 'gdrive', 'created_dt': " D1 "}]",
		.record = { DONE, PRESENT, .had_created_ms = D1_MS + 1 },
		.want = STORE_CONFLICT,
	},
	{
		.name = "done: recorded again with another id",
		.before = "[{'name': 'gdrive', 'created_dt': " D1 ", 'id': 'old'}]",
		.record = { DONE, PRESENT, .had_created_ms = D1_MS, .had_id = "old" },
		.after = "[" GDRIVE_DONE "]",
	},
	{
		.name = "done: is as wanted already, whatever was decided on",
		.before = "[" STUDIO ", " GDRIVE_DONE "]",
		.record = { DONE, WANTED, .had_id = "old" },
	},
	{
		.name = "done: tries, priority and paused of another hand are no conflict",
		.before =
			"[{'name': 'gdrive', 'tries': 7, 'priority': 1, 'paused': true}]",
		.record = { DONE, WANTED },
		.after =
			"[{'name': 'gdrive', 'priority': 1, 'paused': true, 'created_dt': " D2
			", 'id': '1AbC'}]",
	},
	{
		.name = "done: only the first entry of a name counts",
		.before = "[{'name': 'gdrive'}, {'name': 'gdrive', 'tries': 1}]",
		.record = { DONE, WANTED },
		.after = "[" GDRIVE_DONE ", {'name': 'gdrive', 'tries': 1}]",
	},
	{
		.name = "done: elements that are no entries stay as they are",
		.before = "[7, {'no': 'name'}, null, {'name': 5}, {'name': 'gdrive'}]",
		.record = { DONE, WANTED },
		.after = "[7, {'no': 'name'}, null, {'name': 5}, " GDRIVE_DONE "]",
	},

	/* ---- old forms ---- */
	{
		.name = "strings: converted whole, each with the time of the file's id",
		.before = "['studio', 'nas']",
		.record = { DONE },
		.after = "[{'name': 'studio', 'created_dt': " D_ID
			 "}, {'name': 'nas', 'created_dt': " D_ID "}, " GDRIVE_DONE "]",
	},
	{
		.name = "strings: one of them is decided on as present without a date",
		.before = "['studio', 'gdrive']",
		.record = { DONE, PRESENT },
		.after = "[{'name': 'studio', 'created_dt': " D_ID "}, " GDRIVE_DONE "]",
	},
	{
		.name = "strings: what was decided on before another's conversion holds",
		.before = "[{'name': 'gdrive', 'created_dt': " D_ID "}]",
		.record = { DONE, PRESENT },
		.after = "[" GDRIVE_DONE "]",
	},
	{
		.name = "strings: nothing is converted where nothing changes",
		.before = "['studio']",
		.record = { .op = RECORD_PULL, .site = "gdrive" },
	},
	{
		.name = "strings: nor where it is refused",
		.before = "['studio']",
		.record = { DONE, WANTED },
		.want = STORE_CONFLICT,
	},
	{
		.name = "strings between objects",
		.before = "[" STUDIO ", 'nas', '', {'name': 'gdrive'}]",
		.record = { DONE, WANTED },
		.after = "[" STUDIO ", {'name': 'nas', 'created_dt': " D_ID
			 "}, " GDRIVE_DONE "]",
	},
	{
		.name = "object: keys become names, fields stay",
		.before = "{'studio': {'created_dt': " D1 "}, 'gdrive': {'tries': 1,"
			  " 'y': {'$numberLong': '3'}}, 'nas': null}",
		.record = { DONE, WANTED },
		.after = "[" STUDIO ", {'name': 'gdrive', 'y': {'$numberLong': '3'},"
			 " 'created_dt': " D2 ", 'id': '1AbC'}, {'name': 'nas'}]",
	},
	{
		.name = "object: the key is the name, whatever a field says",
		.before = "{'gdrive': {'name': 'other'}, 'odd': 5}",
		.record = { DONE, WANTED },
		.after = "[" GDRIVE_DONE "]",
	},
	{
		.name = "object: an empty one",
		.before = "{}",
		.record = { DONE },
		.after = "[" GDRIVE_DONE "]",
	},
	{
		.name = "missing: added at the file's end",
		.record = { DONE },
		.after = "[" GDRIVE_DONE "]",
	},
	{
		.name = "null: replaced in its place",
		.before = "null",
		.record = { DONE },
		.after = "[" GDRIVE_DONE "]",
	},
	{
		.name = "a text: replaced in its place",
		.before = "'studio'",
		.record = { DONE },
		.after = "[" GDRIVE_DONE "]",
	},

	/* ---- FAILED ---- */
	{
		.name = "failed: the first time",
		.before = "[" STUDIO ", {'name': 'gdrive', 'progress': 0.25}]",
		.record = { FAILED, WANTED },
		.after = "[" STUDIO ", {'name': 'gdrive', 'error': 'no such file',"
			 " 'last_failed_dt': " D2 ", 'tries': 2}]",
	},
	{
		.name = "failed: again; tries is an int32 whatever it was, priority stays",
		.before = "[{'name': 'gdrive', 'tries': {'$numberDouble': '1.0'},"
			  " 'error': null, 'priority': 90}]",
		.record = { FAILED, WANTED },
		.after = "[{'name': 'gdrive', 'tries': 2, 'error': 'no such file',"
			 " 'priority': 90, 'last_failed_dt': " D2 "}]",
	},
	{
		.name = "failed: recorded in the meantime",
		.before = "[" GDRIVE_DONE "]",
		.record = { FAILED, WANTED },
		.want = STORE_CONFLICT,
	},
	{
		.name = "failed: no entry to say it in",
		.before = "[" STUDIO "]",
		.record = { FAILED },
		.want = STORE_CONFLICT,
	},
	{
		.name = "failed: a message that is not UTF-8",
		.before = "[{'name': 'gdrive'}]",
		.record = { .op = RECORD_FAILED,
			    .site = "gdrive",
			    WANTED,
			    .tries = 2,
			    .error = "no \xff file",
			    .failed_ms = D2_MS },
		.after = "[{'name': 'gdrive', 'error': 'no ? file', 'last_failed_dt': " D2
			 ", 'tries': 2}]",
	},

	/* ---- PROGRESS ---- */
	{
		.name = "progress: a double in its place",
		.before = "[{'name': 'gdrive', 'progress': '', 'priority': 7}]",
		.record = { .op = RECORD_PROGRESS,
			    .site = "gdrive",
			    WANTED,
			    .progress = 1 },
		.after = "[{'name': 'gdrive', 'progress': {'$numberDouble': '1.0'},"
			 " 'priority': 7}]",
	},
	{
		.name = "progress: taken back",
		.before = "[{'name': 'gdrive', 'progress': 0.5, 'priority': 7}]",
		.record = { .op = RECORD_PROGRESS,
			    .site = "gdrive",
			    WANTED,
			    .progress = -1 },
		.after = "[{'name': 'gdrive', 'priority': 7}]",
	},
	{
		.name = "progress: not on what is recorded",
		.before = "[" GDRIVE_DONE "]",
		.record = { .op = RECORD_PROGRESS,
			    .site = "gdrive",
			    WANTED,
			    .progress = 1 },
		.want = STORE_CONFLICT,
	},

	/* ---- PULL ---- */
	{
		.name = "pull: the others close up",
		.before = "[{'name': 'gdrive', 'created_dt': " D1 ", 'id': 'x'}, " STUDIO
			  ", {'name': 'nas'}]",
		.record = { .op = RECORD_PULL,
			    .site = "gdrive",
			    PRESENT,
			    .had_created_ms = D1_MS,
			    .had_id = "x" },
		.after = "[" STUDIO ", {'name': 'nas'}]",
	},
	{
		.name = "pull: all of that name",
		.before = "[{'name': 'gdrive'}, " STUDIO
			  ", {'name': 'gdrive', 'tries': 1}]",
		.record = { .op = RECORD_PULL, .site = "gdrive", WANTED },
		.after = "[" STUDIO "]",
	},
	{
		.name = "pull: it is gone already",
		.before = "[" STUDIO "]",
		.record = { .op = RECORD_PULL,
			    .site = "gdrive",
			    PRESENT,
			    .had_created_ms = D1_MS },
	},
	{
		.name = "pull: another hand recorded it anew",
		.before = "[" GDRIVE_DONE "]",
		.record = { .op = RECORD_PULL,
			    .site = "gdrive",
			    PRESENT,
			    .had_created_ms = D1_MS,
			    .had_id = "1AbC" },
		.want = STORE_CONFLICT,
	},

	/* ---- RETRY ---- */
	{
		.name = "retry: as if it never failed",
		.before =
			"[{'name': 'gdrive', 'tries': 3, 'error': 'e', 'last_failed_dt': " D1
			", 'progress': 0.5, 'priority': 9, 'id': 'x'}]",
		.record = { .op = RECORD_RETRY, .site = "gdrive", WANTED, .had_id = "x" },
		.after = "[{'name': 'gdrive', 'priority': 9, 'id': 'x'}]",
	},
	{
		.name = "retry: nothing to forget",
		.before = "[{'name': 'gdrive'}]",
		.record = { .op = RECORD_RETRY, .site = "gdrive", WANTED },
	},

	/* ---- which file ---- */
	{
		.name = "the path has another file now (published again)",
		.before = "[{'name': 'gdrive'}]",
		.record = { DONE, WANTED, .file = "5fa2cf00aabbccddeeff00ff" },
		.want = STORE_CONFLICT,
	},
	{
		.name = "the file has another path now",
		.before = "[{'name': 'gdrive'}]",
		.record = { DONE, WANTED, .path = "{root[work]}/p/b.exr" },
		.want = STORE_CONFLICT,
	},
	{
		.name = "neither the file nor its path is there",
		.before = "[{'name': 'gdrive'}]",
		.record = { DONE, WANTED, .file = "=no", .path = "{root[work]}/p/b.exr" },
		.want = STORE_GONE,
	},
	{
		.name = "the document is gone",
		.before = "[{'name': 'gdrive'}]",
		.record = { DONE, WANTED, .repre = "5fa2cf00aabbccddeeff00ff" },
		.want = STORE_GONE,
	},

	/* ---- edits ---- */
	{
		.name = "add: to every file that lacks it, without a date",
		.before = "[" STUDIO "]",
		.edit = { .op = SITE_ADD, .site = "nas" },
		.changed = 2,
		.after = "[" STUDIO ", {'name': 'nas'}]",
		.after_2 = "[{'name': 'studio', 'created_dt': " D1
			   ", 'note': {'$numberDouble': '3.0'}}, {'name': 'gdrive',"
			   " 'tries': {'$numberLong': '1'}, 'progress': ''},"
			   " {'name': 'nas'}]",
	},
	{
		.name = "add: to one file only",
		.before = "[" STUDIO "]",
		.edit = { .op = SITE_ADD, .site = "nas", ONE(CASE_FILE) },
		.changed = 1,
		.after = "[" STUDIO ", {'name': 'nas'}]",
	},
	{
		.name = "add: where there is none",
		.before = "[" STUDIO "]",
		.edit = { .op = SITE_ADD, .site = "gdrive" },
		.changed = 1,
		.after = "[" STUDIO ", {'name': 'gdrive'}]",
	},
	{
		.name = "add: converts old forms",
		.before = "['studio']",
		.edit = { .op = SITE_ADD, .site = "gdrive" },
		.changed = 1,
		.after = "[{'name': 'studio', 'created_dt': " D_ID
			 "}, {'name': 'gdrive'}]",
	},
	{
		.name = "add: to a file that is not there",
		.before = "[]",
		.edit = { .op = SITE_ADD, .site = "gdrive", ONE("=no") },
		.want = STORE_GONE,
	},
	{
		.name = "add: to a document that is not there",
		.before = "[]",
		.edit = { .op = SITE_ADD, .site = "gdrive", .repre = "=no" },
		.want = STORE_GONE,
	},
	{
		.name = "remove",
		.before = "[" STUDIO ", " GDRIVE_DONE "]",
		.edit = { .op = SITE_REMOVE, .site = "gdrive" },
		.changed = 2,
		.after = "[" STUDIO "]",
		.after_2 = "[{'name': 'studio', 'created_dt': " D1
			   ", 'note': {'$numberDouble': '3.0'}}]",
	},
	{
		.name = "remove: of one file, converting its old form",
		.before = "{'studio': {'created_dt': " D1 "}, 'gdrive': {}}",
		.edit = { .op = SITE_REMOVE, .site = "gdrive", ONE(CASE_FILE) },
		.changed = 1,
		.after = "[" STUDIO "]",
	},
	{
		.name = "reset: name and priority are left",
		.before = "[" STUDIO ", {'name': 'gdrive', 'created_dt': " D1
			  ", 'id': 'x', 'priority': {'$numberLong': '90'}, 'tries': 1,"
			  " 'paused': true, 'x': 1}]",
		.edit = { .op = SITE_RESET, .site = "gdrive" },
		.changed = 2,
		.after = "[" STUDIO
			 ", {'name': 'gdrive', 'priority': {'$numberLong': '90'}}]",
		.after_2 = "[{'name': 'studio', 'created_dt': " D1
			   ", 'note': {'$numberDouble': '3.0'}}, {'name': 'gdrive'}]",
	},
	{
		.name = "reset: not added where it is not",
		.before = "[" STUDIO "]",
		.edit = { .op = SITE_RESET, .site = "nas" },
	},
	{
		.name = "list form: of texts",
		.before = "['studio', {'name': 'gdrive', 'x': 1}, '']",
		.edit = { .op = SITE_LIST_FORM },
		.changed = 1,
		.after = "[{'name': 'studio', 'created_dt': " D_ID
			 "}, {'name': 'gdrive', 'x': 1}]",
	},
	{
		.name = "list form: of objects by site",
		.before = "{'studio': {'created_dt': " D1
			  ", 'x': {'$numberLong': '3'}}, 'gdrive': {}, 'nas': null}",
		.edit = { .op = SITE_LIST_FORM },
		.changed = 1,
		.after = "[{'name': 'studio', 'created_dt': " D1
			 ", 'x': {'$numberLong': '3'}}, {'name': 'gdrive'},"
			 " {'name': 'nas'}]",
	},
	{
		.name = "list form: a list is one, whatever stands in it",
		.before = "[" STUDIO ", 7, {'no': 'name'}]",
		.edit = { .op = SITE_LIST_FORM },
		.changed = 0,
	},
	{
		.name = "list form: what is missing stays so",
		.edit = { .op = SITE_LIST_FORM },
		.changed = 0,
	},
	{
		.name = "pause",
		.before = "[" STUDIO ", {'name': 'gdrive'}]",
		.edit = { .op = SITE_PAUSE, .site = "gdrive", ONE(CASE_FILE) },
		.changed = 1,
		.after = "[" STUDIO ", {'name': 'gdrive', 'paused': true}]",
	},
	{
		.name = "pause: the key alone says it",
		.before = "[{'name': 'gdrive', 'paused': false}]",
		.edit = { .op = SITE_PAUSE, .site = "gdrive", ONE(CASE_FILE) },
	},
	{
		.name = "unpause",
		.before = "[{'name': 'gdrive', 'paused': true, 'tries': 1}]",
		.edit = { .op = SITE_UNPAUSE, .site = "gdrive", ONE(CASE_FILE) },
		.changed = 1,
		.after = "[{'name': 'gdrive', 'tries': 1}]",
	},
	{
		.name = "add: with a priority, for what may wait",
		.before = "[" STUDIO "]",
		.edit = { .op = SITE_ADD,
			  .site = "gdrive",
			  .priority = 10,
			  ONE(CASE_FILE) },
		.changed = 1,
		.after = "[" STUDIO ", {'name': 'gdrive', 'priority': 10}]",
	},
	{
		.name = "add: to a file that has it, its priority stays",
		.before = "[" STUDIO ", {'name': 'gdrive', 'priority': 90}]",
		.edit = { .op = SITE_ADD,
			  .site = "gdrive",
			  .priority = 10,
			  ONE(CASE_FILE) },
	},
	{
		.name = "retry: what the failure left goes, all else stays",
		.before =
			"[" STUDIO
			", {'name': 'gdrive', 'tries': 3, 'error': 'no', 'priority':"
			" 70, 'last_failed_dt': " D1 ", 'paused': true, 'progress': ''}]",
		.edit = { .op = SITE_RETRY, .site = "gdrive", ONE(CASE_FILE) },
		.changed = 1,
		.after = "[" STUDIO
			 ", {'name': 'gdrive', 'priority': 70, 'paused': true}]",
	},
	{
		.name = "retry: of nothing that failed",
		.before = "[" STUDIO ", {'name': 'gdrive', 'priority': 70}]",
		.edit = { .op = SITE_RETRY, .site = "gdrive", ONE(CASE_FILE) },
	},
	{
		.name = "reset: converts old forms",
		.before = "{'studio': {'created_dt': " D1 "}, 'gdrive': {'tries': 3}}",
		.edit = { .op = SITE_RESET, .site = "gdrive", ONE(CASE_FILE) },
		.changed = 1,
		.after = "[" STUDIO ", {'name': 'gdrive'}]",
	},
	{
		.name = "priority: an int32, in its place",
		.before =
			"[{'name': 'gdrive', 'priority': {'$numberLong': '50'}, 'x': 1}]",
		.edit = { .op = SITE_PRIORITY,
			  .site = "gdrive",
			  ONE(CASE_FILE),
			  .priority = 90 },
		.changed = 1,
		.after = "[{'name': 'gdrive', 'priority': 90, 'x': 1}]",
	},
};

const size_t n_store_cases = sizeof(store_cases) / sizeof(store_cases[0]);
