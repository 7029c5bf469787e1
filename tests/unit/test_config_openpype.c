/* sync/config_openpype, sync/openpype, sync/doc_settings: what OpenPype's settings say, and what of it counts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bson/bson.h>
#include <cmocka.h>

#include "sync/base/buf.h"
#include "sync/doc_settings.h"
#include "sync/dump.h"
#include "sync/openpype.h"
#include "tests/unit/config_stage.h"
#include "tests/unit/fixture.h"

#define SYSTEM_OF(sites)                                                             \
	"{\"type\": \"system_settings\", \"data\": {\"modules\": {\"sync_server\": " \
	"{\"enabled\": true, \"sites\": {" sites "}}}}}"
#define SYSTEM                                                                          \
	SYSTEM_OF("\"gdrive\": {\"provider\": \"gdrive\", \"alternative_sites\": []}, " \
		  "\"nas\": {\"provider\": \"local_drive\"}, "                          \
		  "\"SFTP\": {\"provider\": \"sftp\"}")
#define PROJECT_DATA(data) "\"data\": {\"global\": {\"sync_server\": " data "}}}"
#define ALL(data) \
	"{\"type\": \"project_settings\", \"is_default\": true, " PROJECT_DATA(data)
#define OF(name, data)                                                                      \
	"{\"type\": \"project_settings\", \"is_default\": false, \"project_name\": \"" name \
	"\", " PROJECT_DATA(data)
#define ALL_OF(version, data)                                                \
	"{\"type\": \"project_settings_versioned\", \"version\": \"" version \
	"\", \"is_default\": true, " PROJECT_DATA(data)
#define MACHINE(id, data)                                   \
	"{\"type\": \"local_settings\", \"site_id\": \"" id \
	"\", \"data\": {\"projects\": {" data "}}}"
#define PROJECT(name, roots)                                                             \
	"{\"type\": \"project\", \"name\": \"" name "\", \"data\": {\"active\": true}, " \
	"\"config\": {\"roots\": {" roots "}}}"
#define WORK(path) \
	"\"work\": {\"windows\": \"C:/p\", \"darwin\": \"\", \"linux\": \"" path "\"}"
#define GDRIVE                                                                                 \
	"\"gdrive\": {\"enabled\": true, \"credentials_url\": {\"windows\": \"\", \"linux\": " \
	"\"/secret/key.json\"}, \"root\": {\"work\": \"/My Drive/work\"}}"
#define CONFIG_OF(active, remote)                                                               \
	"\"config\": {\"retry_cnt\": \"4\", \"loop_delay\": \"30\", \"active_site\": \"" active \
	"\", \"remote_site\": \"" remote "\"}"
#define USUAL_SETTINGS                                                     \
	SYSTEM,                                                            \
		ALL("{\"enabled\": true, " CONFIG_OF(                      \
			"studio", "gdrive") ", \"sites\": {" GDRIVE "}}"), \
		PROJECT("demo", WORK("/mnt/projects"))

static const struct config_row rows[] = {
	{ "all of it from the documents", .documents = { USUAL_SETTINGS },
	  .expected = { "active_site=\"studio\" @OpenPype's project_settings",
			"remote_site=\"gdrive\" @OpenPype's project_settings",
			"retry_cnt=4 @OpenPype's project_settings",
			"loop_delay=30 @OpenPype's project_settings",
			"site.studio.root.work=\"/mnt/projects\" @config.roots of project \"demo\"",
			"site.gdrive.provider=\"gdrive\"",
			"site.gdrive.root.work=\"/My Drive/work\" @OpenPype's project_settings",
			"site.SFTP.provider=" } },
	{ "a file counts before them",
	  .files = { { "config.json", "{\"remote_site\": \"nas\", \"retry_cnt\": 2}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": {\"pub\": \"/srv/pub\"}}, \"nas\": {\"root\": {\"pub\": \"/nas\"}}}" } },
	  .documents = { USUAL_SETTINGS },
	  .expected = { "active_site=\"studio\" @OpenPype's project_settings",
			"remote_site=\"nas\" @DIR/config.json:1",
			"retry_cnt=2 @DIR/config.json:1", "loop_delay=30",
			"site.studio.root.pub=\"/srv/pub\" @DIR/local_drive.json:1",
			"site.studio.root.work=" } },
	{ "a file has one key of a site, they the rest",
	  .files = { { "gdrive.json",
		       "{\"gdrive\": {\"credentials_url\": \"/my/key\"}}" },
		     { "sitefs.json", "{}" } },
	  .documents = { USUAL_SETTINGS },
	  .expected = { "site.gdrive.root.work=\"/My Drive/work\"" } },
	{ "the environment counts before files and documents",
	  .env = { { "SITEFS_REMOTE_SITE", "" }, { "SITEFS_RETRY_CNT", "9" } },
	  .documents = { USUAL_SETTINGS },
	  .expected = { "remote_site=\"\" @$SITEFS_REMOTE_SITE",
			"retry_cnt=9 @$SITEFS_RETRY_CNT" } },
	{ "this machine's own site and folders",
	  .env = { { "OPENPYPE_LOCAL_ID", "ann-1" } },
	  .documents = { USUAL_SETTINGS,
			 MACHINE("ann-1",
				 "\"__default_project__\": {\"active_site\": \"local\", \"remote_site\": \"studio\", "
				 "\"local\": {\"work\": \"/home/ann/site\", \"gone\": \"/x\"}, \"studio\": {\"work\": \"/mnt/s\"}}") },
	  .expected = { "active_site=\"ann-1\" @OpenPype's local_settings of \"ann-1\"",
			"remote_site=\"studio\" @OpenPype's local_settings of \"ann-1\"",
			"site.ann-1.root.work=\"/home/ann/site\" @OpenPype's local_settings of \"ann-1\"",
			"site.studio.root.work=\"/mnt/s\"", "site.ann-1.root.gone=" } },
	{ "of a project before those of all, as older releases name these",
	  .env = { { "OPENPYPE_LOCAL_ID", "ann" } }, .project = "demo",
	  .documents = { USUAL_SETTINGS,
			 MACHINE("ann",
				 "\"__default__\": {\"active_site\": \"local\", \"local\": {\"work\": \"/a\"}}, "
				 "\"demo\": {\"active_site\": \"\", \"local\": {\"work\": \"/home/ann/demo\"}}") },
	  .expected = { "active_site=\"ann\"",
			"site.ann.root.work=\"/home/ann/demo\"" } },
	{ "a project's own settings", .project = "demo",
	  .documents = { USUAL_SETTINGS,
			 OF("demo",
			    "{\"config\": {\"remote_site\": \"nas\"}, \"sites\": {\"nas\": {\"root\": {\"work\": \"/nas\"}}}}"),
			 OF("other", "{\"config\": {\"remote_site\": \"nowhere\"}}") },
	  .expected = { "remote_site=\"nas\" @OpenPype's project_settings of \"demo\"",
			"retry_cnt=4 @OpenPype's project_settings",
			"site.nas.root.work=\"/nas\"",
			"site.gdrive.root.work=\"/My Drive/work\"" } },
	{ "overridden sites replace those of all projects", .project = "demo",
	  .documents = { USUAL_SETTINGS,
			 OF("demo",
			    "{\"config\": {\"remote_site\": \"nas\"}, \"__overriden_keys__\": [\"sites\"], "
			    "\"sites\": {\"nas\": {\"root\": {\"work\": \"/nas\", \"__overriden_keys__\": [\"work\"]}}}}") },
	  .expected = { "site.nas.root.work=\"/nas\"", "site.gdrive.root.work=" } },
	{ "switched on for one project only",
	  .documents = { SYSTEM, PROJECT("demo", WORK("/mnt/p")),
			 PROJECT("other", WORK("/mnt/p")), ALL("{\"enabled\": false}"),
			 OF("demo",
			    "{\"enabled\": true, " CONFIG_OF(
				    "studio", "gdrive") ", \"sites\": {" GDRIVE "}}") },
	  .expected = { "active_site=\"studio\"",
			"remote_site=\"gdrive\" @OpenPype's project_settings of \"demo\"",
			"site.gdrive.root.work=\"/My Drive/work\"" } },
	{ "switched on for two that disagree",
	  .documents = { SYSTEM, PROJECT("a", WORK("/mnt/p")),
			 PROJECT("b", WORK("/mnt/p")),
			 OF("a",
			    "{\"enabled\": true, " CONFIG_OF("studio", "gdrive") "}"),
			 OF("b", "{\"enabled\": true, " CONFIG_OF("studio", "nas") "}") },
	  .error =
		  "OpenPype's settings sync project \"a\" between studio and gdrive, \"b\" between studio and nas: "
		  "name one project" },
	{ "a dropped project's settings do not count",
	  .documents = { SYSTEM, PROJECT("a", WORK("/mnt/p")),
			 OF("a",
			    "{\"enabled\": true, " CONFIG_OF(
				    "studio", "gdrive") ", \"sites\": {" GDRIVE "}}"),
			 OF("b", "{\"enabled\": true, " CONFIG_OF("studio", "nas") "}") },
	  .expected = { "remote_site=\"gdrive\"" } },
	{ "switched off: the studio's folders, and nothing is synced",
	  .documents = { "{\"type\": \"system_settings\", \"data\": {}}",
			 ALL("{\"enabled\": true, " CONFIG_OF("local", "gdrive") "}"),
			 PROJECT("demo", WORK("/mnt/p")) },
	  .expected = { "active_site=\"studio\" @default", "remote_site=\"\" @default",
			"site.studio.root.work=\"/mnt/p\"" } },
	{ "both sites the same: nothing is synced",
	  .documents = { SYSTEM,
			 ALL("{\"enabled\": true, " CONFIG_OF("studio", "studio") "}"),
			 PROJECT("demo", WORK("/mnt/p")) },
	  .expected = { "remote_site=\"\" @OpenPype's project_settings" } },
	{ "the studio's anatomy before those of single projects",
	  .documents = { SYSTEM, PROJECT("a", WORK("/a")), PROJECT("b", WORK("/b")),
			 "{\"type\": \"project_anatomy\", \"is_default\": true, \"data\": {\"roots\": {" WORK(
				 "/mnt/all") "}}}" },
	  .expected = { "site.studio.root.work=\"/mnt/all\" @OpenPype's project_anatomy" } },
	{ "projects with different roots",
	  .documents = { SYSTEM, PROJECT("a", WORK("/a")), PROJECT("b", WORK("/b")) },
	  .error =
		  "projects \"a\" and \"b\" have different roots in their documents: name one project" },
	{ "one of them is named", .project = "b",
	  .documents = { SYSTEM, PROJECT("a", WORK("/a")), PROJECT("b", WORK("/b")) },
	  .expected = { "site.studio.root.work=\"/b\" @config.roots of project \"b\"" } },
	{ "the folders are named here: theirs do not matter", .files = { USUAL },
	  .documents = { SYSTEM, PROJECT("a", WORK("/a")), PROJECT("b", WORK("/b")) },
	  .expected = { "site.studio.root.work=\"/srv/work\" @DIR/local_drive.json:1" } },
	{ "a root that other platforms have",
	  .documents = { SYSTEM,
			 PROJECT("a",
				 WORK("/a") ", \"win\": {\"windows\": \"P:/\", \"linux\": \"\"}") },
	  .expected = { "site.studio.root.work=\"/a\"", "site.studio.root.win=" },
	  .warning = "root \"win\" has no path for \"linux\": it is left out" },
	{ "no roots anywhere", .documents = { SYSTEM },
	  .error =
		  "site \"studio\" has no root: add \"root\": \"/FOLDER\" to it in local_drive.json, or in "
		  "OpenPype's settings" },
	{ "our remote is of a provider that we do not have",
	  .documents = { SYSTEM_OF("\"SFTP\": {\"provider\": \"sftp\"}"),
			 ALL("{\"enabled\": true, " CONFIG_OF(
				 "studio",
				 "SFTP") ", \"sites\": {\"SFTP\": {\"sftp_host\": \"x\"}}}"),
			 PROJECT("demo", WORK("/mnt/p")) },
	  .error =
		  "SFTP: provider \"sftp\" is none that sitefs has: gdrive and local_drive are" },
	{ "our remote is disabled",
	  .documents = { SYSTEM, PROJECT("demo", WORK("/mnt/p")),
			 ALL("{\"enabled\": true, " CONFIG_OF(
				 "studio",
				 "gdrive") ", \"sites\": {\"gdrive\": {\"enabled\": false, \"root\": {\"work\": \"/My Drive\"}}}}") },
	  .error = "OpenPype's project_settings: site \"gdrive\" is disabled" },
	{ "enabled again for one project", .project = "demo",
	  .documents = { SYSTEM, PROJECT("demo", WORK("/mnt/p")),
			 ALL("{\"enabled\": true, " CONFIG_OF(
				 "studio",
				 "gdrive") ", \"sites\": {\"gdrive\": {\"enabled\": false, \"root\": {\"work\": \"/My Drive\"}}}}"),
			 OF("demo", "{\"sites\": {\"gdrive\": {\"enabled\": true}}}") },
	  .expected = { "site.gdrive.root.work=\"/My Drive\"" } },
	{ "sites that always have a copy", .env = { { "OPENPYPE_LOCAL_ID", "ann" } },
	  .documents = { SYSTEM, PROJECT("demo", WORK("/mnt/p")),
			 ALL("{\"enabled\": true, \"config\": {\"always_accessible_on\": [\"backup \", \"local\", \"backup\"]}}") },
	  .expected = { "always_accessible_on=[\"backup\", \"ann\"] @OpenPype's project_settings" } },
	{ "a relative key file",
	  .documents = { SYSTEM, PROJECT("demo", WORK("/mnt/p")),
			 ALL("{\"enabled\": true, " CONFIG_OF(
				 "studio",
				 "gdrive") ", \"sites\": {\"gdrive\": {\"credentials_url\": \"key.json\", \"root\": {\"work\": \"/My Drive\"}}}}") },
	  .error =
		  "OpenPype's project_settings: sites.gdrive.credentials_url: \"key.json\" is no full path" },
};

static const struct config_row odd[] = {
	{ "a part that is no object",
	  .documents = { SYSTEM, ALL("7"), PROJECT("demo", WORK("/mnt/p")) },
	  .error =
		  "OpenPype's project_settings: data.global.sync_server is not the object that is expected there: "
		  "save these settings anew in OpenPype" },
	{ "of a project that is not ours",
	  .documents = { USUAL_SETTINGS, OF("other", "\"x\"") },
	  .expected = { "remote_site=\"gdrive\"" } },
	{ "data that is none",
	  .documents = { "{\"type\": \"system_settings\", \"data\": 5}" },
	  .error =
		  "OpenPype's system_settings: data.modules.sync_server is not the object" },
	{ "a number that is none",
	  .documents = { SYSTEM, PROJECT("demo", WORK("/mnt/p")),
			 ALL("{\"enabled\": true, \"config\": {\"retry_cnt\": \"many\"}}") },
	  .error =
		  "OpenPype's project_settings: retry_cnt: \"many\" is no whole number from 1 to 1000" },
	{ "a name that is none",
	  .documents = { SYSTEM, PROJECT("demo", WORK("/mnt/p")),
			 ALL("{\"enabled\": true, \"config\": {\"active_site\": [1]}}") },
	  .error =
		  "OpenPype's project_settings: config.active_site: a text in double quotes is expected" },
	{ "sites that are a list",
	  .documents = { SYSTEM, PROJECT("demo", WORK("/mnt/p")),
			 ALL("{\"enabled\": true, \"sites\": []}") },
	  .error = "OpenPype's project_settings: sites: sites by name are expected" },
	{ "roots that are a text", .project = "demo",
	  .documents = { SYSTEM,
			 "{\"type\": \"project\", \"name\": \"demo\", \"config\": {\"roots\": \"/x\"}}" },
	  .error = "config.roots of project \"demo\": an object is expected" },
	{ "roots on this platform that are relative", .project = "demo",
	  .documents = { SYSTEM, PROJECT("demo", WORK("projects")) },
	  .error =
		  "config.roots of project \"demo\": work.linux: \"projects\" is no full path" },
	{ "folders of this machine that are a text",
	  .env = { { "SITEFS_LOCAL_ID", "ann" } },
	  .documents = { USUAL_SETTINGS,
			 MACHINE("ann",
				 "\"__default_project__\": {\"studio\": \"/x\"}") },
	  .error =
		  "OpenPype's local_settings of \"ann\": __default_project__.studio: folders by root are expected" },
	{ "documents of another kind, and with nothing in them", .files = { USUAL },
	  .documents = { "{\"type\": \"fish\"}", "{\"a\": 1}",
			 "{\"type\": \"project_settings\"}",
			 "{\"type\": \"local_settings\"}", "{\"type\": 5}",
			 "{\"type\": \"project_settings_versioned\", \"is_default\": true}" },
	  .expected = { "remote_site=\"nas\" @DIR/config.json:1" } },
	{ "the oldest form: a text in JSON",
	  .documents = { PROJECT("demo", WORK("/mnt/p")),
			 "{\"type\": \"system_settings\", \"value\": \"{\\\"modules\\\": {\\\"sync_server\\\": {\\\"enabled\\\": true}}}\"}",
			 ALL("{\"enabled\": true, " CONFIG_OF(
				 "studio", "gdrive") ", \"sites\": {" GDRIVE "}}") },
	  .expected = { "remote_site=\"gdrive\"" } },
	{ "a text that is no JSON",
	  .documents = { "{\"type\": \"system_settings\", \"value\": \"{\"}" },
	  .error =
		  "OpenPype's system_settings: data.modules.sync_server is not the object" },
};

#define VERSIONED(version, remote) \
	ALL_OF(version, "{\"enabled\": true, " CONFIG_OF("studio", remote) "}")
#define NAMES                                                                            \
	SYSTEM_OF(                                                                       \
		"\"a\": {\"provider\": \"local_drive\", \"root\": {\"work\": \"/a\"}}, " \
		"\"b\": {\"provider\": \"local_drive\", \"root\": {\"work\": \"/b\"}}, " \
		"\"c\": {\"provider\": \"local_drive\", \"root\": {\"work\": \"/c\"}}"), \
		PROJECT("demo", WORK("/mnt/p"))
#define VERSIONS                                                            \
	NAMES, VERSIONED("3.9.2", "a"), VERSIONED("3.15.4-nightly.2", "b"), \
		VERSIONED("3.15.4", "c")

static const struct config_row versions[] = {
	{ "the newest where nobody says", .documents = { VERSIONS },
	  .expected = { "remote_site=\"c\" @OpenPype's project_settings 3.15.4" } },
	{ "that of this environment", .env = { { "OPENPYPE_VERSION", "3.9.2" } },
	  .documents = { VERSIONS },
	  .expected = { "remote_site=\"a\" @OpenPype's project_settings 3.9.2" } },
	{ "the newest before it", .env = { { "OPENPYPE_VERSION", "3.15.4-nightly.9" } },
	  .documents = { VERSIONS },
	  .expected = { "remote_site=\"b\" @OpenPype's project_settings 3.15.4-nightly.2" } },
	{ "the oldest after it, where there is no other",
	  .env = { { "OPENPYPE_VERSION", "3.0.0" } }, .documents = { VERSIONS },
	  .expected = { "remote_site=\"a\"" } },
	{ "without a version before newer ones",
	  .env = { { "OPENPYPE_VERSION", "3.0.0" } },
	  .documents = { NAMES, VERSIONED("3.15.4", "c"),
			 ALL("{\"enabled\": true, " CONFIG_OF("studio", "b") "}") },
	  .expected = { "remote_site=\"b\" @OpenPype's project_settings" } },
	{ "without a version after older ones",
	  .env = { { "OPENPYPE_VERSION", "3.16.0" } },
	  .documents = { NAMES, ALL("{\"enabled\": true, " CONFIG_OF("studio", "b") "}"),
			 VERSIONED("3.15.4", "c") },
	  .expected = { "remote_site=\"c\"" } },
	{ "that in production",
	  .documents = { VERSIONS,
			 "{\"type\": \"global_settings\", \"data\": {\"production_version\": \"3.10.0\"}}",
			 "{\"type\": \"versions_order\", \"production_versions\": [\"3.9.2\", \"3.15.4\"]}" },
	  .expected = { "remote_site=\"a\"" } },
	{ "the last that was in production",
	  .documents = { VERSIONS,
			 "{\"type\": \"global_settings\", \"data\": {\"production_version\": \"\"}}",
			 "{\"type\": \"versions_order\", \"production_versions\": [\"3.9.2\", \"3.15.4-nightly.2\"]}" },
	  .expected = { "remote_site=\"b\"" } },
};

/* Said in the system's settings, of a site that is of another machine. */
static void test_alternatives(void **state)
{
	static const struct config_row row = {
		.documents = { SYSTEM_OF(
				       "\"SFTP\": {\"provider\": \"sftp\", \"alternative_sites\": [\"studio\"]}"),
			       PROJECT("demo", WORK("/mnt/p")) },
	};
	char dir[] = STAGE_DIR;
	_cleanup_(config_freep) struct config *config = NULL;
	struct error error = { 0 };

	stage_begin(&row, dir);
	free(stage_load(&row, dir, &config, &error));
	stage_end(dir);
	assert_int_equal(config->active_aliases.n, 1);
	assert_string_equal(config->active_aliases.items[0], "SFTP");
	assert_int_equal(config->remote_aliases.n, 0);
}

static void test_rows(void **state)
{
	stage_run_rows(rows, ARRAY_SIZE(rows));
}

static void test_odd(void **state)
{
	stage_run_rows(odd, ARRAY_SIZE(odd));
}

static void test_versions(void **state)
{
	stage_run_rows(versions, ARRAY_SIZE(versions));
}

/* ---- what is not synced ---- */

struct out {
	const char *what;
	struct config_row row;
	const char *name;   /* a project */
	const char *doc;    /* its document, or NULL */
	const char *reason; /* part of it; NULL: it is synced */
};

static const struct out outs[] = {
	{ "the machine is one of the sites",
	  { .env = { { "SITEFS_LOCAL_ID", "studio" } }, .documents = { USUAL_SETTINGS } },
	  "demo",
	  PROJECT("demo", WORK("/mnt/projects")),
	  NULL },
	{ "the machine is none of the sites",
	  { .env = { { "SITEFS_LOCAL_ID", "ann" } }, .documents = { USUAL_SETTINGS } },
	  "demo",
	  NULL,
	  "this machine is \"ann\", neither \"studio\" nor \"gdrive\"" },
	{ "but a person has named the sites here",
	  { .env = { { "SITEFS_LOCAL_ID", "ann" } },
	    .files = { { "config.json", "{\"active_site\": \"studio\"}" } },
	    .documents = { USUAL_SETTINGS } },
	  "demo",
	  NULL,
	  NULL },
	{ "the project is switched off",
	  { .env = { { "SITEFS_LOCAL_ID", "studio" } },
	    .documents = { USUAL_SETTINGS, OF("demo", "{\"enabled\": false}") } },
	  "demo",
	  NULL,
	  "site sync is switched off for it in OpenPype's settings" },
	{ "the project has other sites",
	  { .env = { { "SITEFS_LOCAL_ID", "studio" } },
	    .documents = { USUAL_SETTINGS,
			   OF("demo", "{\"config\": {\"remote_site\": \"nas\"}}") } },
	  "demo",
	  NULL,
	  "sync it between \"studio\" and \"nas\": give it a daemon of its own (-o project=demo)" },
	{ "the project has other roots",
	  { .env = { { "SITEFS_LOCAL_ID", "studio" } }, .documents = { USUAL_SETTINGS } },
	  "new",
	  PROJECT("new", WORK("/mnt/new")),
	  "its root \"work\" is /mnt/new in its document" },
	{ "where the roots are named here, the documents' do not matter",
	  { .env = { { "SITEFS_LOCAL_ID", "studio" } },
	    .files = { { "local_drive.json",
			 "{\"studio\": {\"root\": {\"work\": \"/srv\"}}}" },
		       { "sitefs.json", "{}" } },
	    .documents = { USUAL_SETTINGS } },
	  "new",
	  PROJECT("new", WORK("/mnt/new")),
	  NULL },
	{ "a damaged document of the project",
	  { .env = { { "SITEFS_LOCAL_ID", "studio" } },
	    .documents = { USUAL_SETTINGS, OF("demo", "\"x\"") } },
	  "demo",
	  NULL,
	  "OpenPype's project_settings of \"demo\": data.global.sync_server is not the object" },
};

static void run_out(const struct out *out)
{
	char dir[] = STAGE_DIR;
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(freep) char *log = NULL;
	bson_t *doc =
		out->doc ? bson_new_from_json((const uint8_t *)out->doc, -1, NULL) : NULL;
	struct config_reason reason = { 0 };
	struct error error = { 0 };
	bool is_out;

	print_message("  %s\n", out->what);
	assert_true(!out->doc == !doc);
	stage_begin(&out->row, dir);
	log = stage_load(&out->row, dir, &config, &error);
	stage_end(dir);
	assert_string_equal(log, "");
	is_out = config_leaves_out(config, out->name, doc ? bson_get_data(doc) : NULL,
				   doc ? doc->len : 0, &reason);
	bson_destroy(doc);
	assert_int_equal(is_out, out->reason != NULL);
	if (out->reason && !strstr(reason.text, out->reason))
		fail_msg("\"%s\" does not hold \"%s\"", reason.text, out->reason);
}

static void test_left_out(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(outs); i++)
		run_out(&outs[i]);
}

/* ---- this machine's id ---- */

static const struct config_row machine = {
	.files = { USUAL,
		   { "share/openpype/openpype_settings.json",
		     "{\"__metadata__\": {},\n\"registry\": {\"localId\": \"brave-red-fox\"}}" } },
	.env = { { "SITEFS_STORE", "mongodb://127.0.0.1:1/" } },
	.documents = { USUAL_SETTINGS },
	.expected = { "local_id=\"brave-red-fox\"" },
};

/* By OpenPype's own registry of the user, where config.json does not say. */
static void test_machine(void **state)
{
	static const struct {
		const char *config, *expected;
	} cases[] = {
		{ "{}",
		  "local_id=\"brave-red-fox\" @DIR/share/openpype/openpype_settings.json:2" },
		{ "{\"local_id\": \"me\"}", "local_id=\"me\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_row row = machine;
		char dir[] = STAGE_DIR;
		_cleanup_(config_freep) struct config *config = NULL;
		_cleanup_(freep) char *log = NULL, *share = NULL, *name = NULL,
				      *value = NULL;
		struct error error = { 0 };
		const char *at = strstr(cases[i].expected, "DIR");

		row.files[0].text = cases[i].config;
		stage_begin(&row, dir);
		share = strf("%s/share", dir);
		setenv("XDG_DATA_HOME", share, 1);
		log = stage_load(&row, dir, &config, &error);
		stage_end(dir);
		assert_string_equal(log, "");
		name = strf("%.*s%s%s", at ? (int)(at - cases[i].expected) : 999,
			    cases[i].expected, at ? dir : "", at ? at + 3 : "");
		stage_assert_key(config, name);
	}
}

/* ---- a real studio's ---- */

static int add_fixture(void *context, const void *bson, size_t len)
{
	return openpype_add(context, bson, len);
}

/* Site sync is on in the system's settings and, by OpenPype's default, off in the projects'. */
static void test_fixture(void **state)
{
	_cleanup_(openpype_freep) struct openpype *openpype = openpype_new("me");
	_cleanup_(freep) char *path = NULL;
	struct openpype_view view;
	bool is_on = false;
	FILE *file;

	fixture_skip_if_missing();
	path = fixture_path("openpype/site_sync/openpype.settings.bson");
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(dump_read(file, path, add_fixture, openpype, NULL), 0);
	fclose(file);
	assert_int_equal(openpype_view(openpype, NULL, &view, NULL), 0);
	assert_int_equal(json_at_bool(json_at_find(view.system, "enabled"), &is_on, NULL),
			 0);
	assert_true(is_on);
	assert_false(openpype_is_enabled(&view));
	assert_string_equal(openpype_site(&view, "active_site", "me"), "studio");
	assert_null(openpype_project(openpype, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),         cmocka_unit_test(test_odd),
		cmocka_unit_test(test_versions),     cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_alternatives), cmocka_unit_test(test_machine),
		cmocka_unit_test(test_fixture),
	};

	return cmocka_run_group_tests_name("config_openpype", tests, NULL, NULL);
}
