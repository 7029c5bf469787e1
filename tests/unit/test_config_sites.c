/* sync/config: sites in every form, and whether they can work together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/config_stage.h"

static const struct config_row sites[] = {
	{ "forms of roots",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": {\" work \": {\"windows\": \"C:/w\", \"linux\": \"/srv/w/\"},"
		       " \"a\": {\"b\": \"/srv//ab\"}}}}" } },
	  .expected = { "site.studio.root.work=\"/srv/w\"",
			"site.studio.root.a.b=\"/srv/ab\"" } },
	{ "one folder by platform",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": {\"windows\": \"C:/w\", \"linux\": \"/srv/w\"}}}" } },
	  .expected = { "site.studio.root=\"/srv/w\"" } },
	{ "none for this platform",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\":\n{\"root\":\n{\"windows\": \"C:/w\"}}}" } },
	  .error =
		  "DIR/local_drive.json:3: studio.root: there is none for \"linux\": add it" },
	{ "a relative root",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json", "{\"studio\": {\"root\": \"srv\"}}" } },
	  .error = "studio.root: \"srv\" is no full path: it begins with \"/\"" },
	{ "a root with ..",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json", "{\"studio\": {\"root\": \"/srv/../x\"}}" } },
	  .error = "studio.root: \"/srv/../x\" has a '..' component" },
	{ "the machine's root",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json", "{\"studio\": {\"root\": \"/\"}}" } },
	  .error = "studio.root: \"/\" is no folder of a site" },
	{ "names of roots that cannot be",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": {\"a/b\": \"/srv\"}}}" } },
	  .error = "studio.root.a/b: \"a/b\" cannot be the name of a root" },
	{ "a variable in a path", .env = { { "STUDIO", "/srv/studio" } },
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": \"{STUDIO}/work\"}}" } },
	  .expected = { "site.studio.root=\"/srv/studio/work\"" } },
	{ "an unknown variable",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": \"{NOWHERE}/work\"}}" } },
	  .error =
		  "DIR/local_drive.json:1: studio.root: there is no environment variable NOWHERE: "
		  "set it, or write the path" },
	{ "a mistake elsewhere",
	  .files = { USUAL, { "gdrive.json", "{\"other\": {\"root\": \"{NOWHERE}\"}}" } },
	  .expected = { "site.other.root=", "site.studio.root.work=\"/srv/work\"" },
	  .warning =
		  "other.root: there is no environment variable NOWHERE: set it, or write the path "
		  "(site \"other\" is passed over)" },
	{ "keys that are unknown",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": \"/srv\", \"sftp_host\": \"x\"}}" } },
	  .expected = { "site.studio.root=\"/srv\"" },
	  .warning = "unknown key \"sftp_host\" of site \"studio\": it changes nothing" },
	{ "alternatives that are no list",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": \"/srv\", \"alternative_sites\": \"nas\"}}" } },
	  .error =
		  "studio.alternative_sites: a list of sites is expected, like [\"studio\"]" },
	{ "another provider's",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": \"/srv\", \"provider\": \"gdrive\"}}" } },
	  .error =
		  "studio.provider: a site of provider \"gdrive\" stands in gdrive.json" },
	{ "disabled, ours",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": \"/srv\", \"enabled\": false}}" } },
	  .error = "site \"studio\" is disabled: take \"enabled\": false out" },
	{ "disabled, elsewhere",
	  .files = { USUAL, { "gdrive.json", "{\"g\": {\"enabled\": false}}" } },
	  .expected = { "site.g.provider=" } },
	{ "in two files",
	  .files = { USUAL, { "gdrive.json", "{\"nas\": {\"root\": \"/My Drive\"}}" } },
	  .error =
		  "nas: a site of that name stands in local_drive.json too: rename one" },
	{ "Google Drive",
	  .files = { PRESETS("{\"remote_site\": \"gdrive\"}"),
		     { "gdrive.json", "{\"gdrive\": {\"credentials_url\": \"key.json\","
				      " \"root\": {\"work\": \"/My Drive/work\"}}}" } },
	  .expected = { "site.gdrive.provider=\"gdrive\"",
			"site.gdrive.root.work=\"/My Drive/work\" @DIR/gdrive.json:1" } },
	{ "Google Drive: no drive",
	  .files = { PRESETS("{\"remote_site\": \"gdrive\"}"),
		     { "gdrive.json", "{\"gdrive\": {\"root\": \"work\"}}" } },
	  .error =
		  "gdrive.root: \"work\" begins neither with \"/My Drive\" nor with the name of a shared "
		  "drive" },
	{ "the flat form",
	  .files = { USUAL, { "gdrive.json", "{\"credentials_url\": \"\"}" } },
	  .expected = { "site.gdrive.provider=\"gdrive\"" },
	  .warning =
		  "DIR/gdrive.json:1: settings without a site's name: taken for site \"gdrive\"" },
	{ "the flat form, used",
	  .files = { PRESETS("{\"remote_site\": \"gdrive\"}"),
		     { "gdrive.json",
		       "{\"credentials_url\": {\"linux\": \"/k\"}, \"root\": \"/My Drive\"}" } },
	  .expected = { "site.gdrive.root=\"/My Drive\"" },
	  .warning = "settings without a site's name" },
	{ "no object",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json", "{\"studio\": \"/srv\"}" } },
	  .error = "studio: the settings of a site are expected: {\"root\": ...}" },
};

static const struct config_row checks[] = {
	{ "active site unknown", .files = { PRESETS("{\n\"active_site\": \"home\"}") },
	  .error =
		  "DIR/config.json:2: active_site \"home\" is not in local_drive.json: add {\"home\": "
		  "{\"root\": \"/FOLDER\"}} to it in DIR" },
	{ "no local_drive.json at all", .files = { { "config.json", "{}" } },
	  .error = "DIR: active_site \"studio\" is not in local_drive.json" },
	{ "active site elsewhere",
	  .files = { { "config.json", "{\"active_site\": \"g\"}" },
		     { "gdrive.json", "{\"g\": {\"root\": \"/My Drive\"}}" } },
	  .error =
		  "active_site \"g\" is a site of gdrive: the active site's folders are here" },
	{ "active site without roots",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json", "{\"studio\": {\"root\": \"\"}}" } },
	  .error =
		  "site \"studio\" has no root: add \"root\": \"/FOLDER\" to it in local_drive.json" },
	{ "remote site unknown", .files = { PRESETS("{\"remote_site\": \"gdrive\"}") },
	  .error =
		  "DIR/config.json:1: remote_site \"gdrive\" is neither in gdrive.json nor in "
		  "local_drive.json of DIR: add it to one" },
	{ "remote site without roots",
	  .files = { PRESETS("{\"remote_site\": \"gdrive\"}"),
		     { "gdrive.json", "{\"gdrive\": {}}" } },
	  .error = "site \"gdrive\" has no root: add \"root\" to it in gdrive.json" },
	{ "active and remote are one",
	  .files = { PRESETS("{\"remote_site\": \"studio\"}") },
	  .error =
		  "DIR/config.json:1: active_site and remote_site are both \"studio\": name another "
		  "remote_site, or leave it empty to sync nothing" },
	{ "roots in each other",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": {\"work\": \"/srv\", \"pub\": \"/srv/pub\"}}}" } },
	  .error = "two roots of site \"studio\" lie in each other (/srv and /srv/pub)" },
	{ "roots with alike names",
	  .files = { { "config.json", "{}" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": {\"work\": \"/srv\", \"pub\": \"/srvpub\"}}}" } },
	  .expected = { "site.studio.root.pub=\"/srvpub\"" } },
	{ "two sites in one folder",
	  .files = { { "config.json", CONFIG },
		     { "local_drive.json",
		       "{" STUDIO ", \"nas\": {\"root\": \"/srv/work\"}}" } },
	  .error =
		  "the folders of sites \"studio\" and \"nas\" lie in each other (/srv/work and "
		  "/srv/work): two sites are two places" },
	{ "a remote inside of a root",
	  .files = { { "config.json", CONFIG },
		     { "local_drive.json",
		       "{" STUDIO ", \"nas\": {\"root\": \"/srv/work/x\"}}" } },
	  .error = "lie in each other (/srv/work and /srv/work/x)" },
	{ "one folder by way of a link",
	  .files = { { "config.json", CONFIG },
		     { "real/sub/x", "" },
		     { "link", "-> real/sub" },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": \"DIR/real\"}, \"nas\": {\"root\": \"DIR/link\"}}" } },
	  .error = "lie in each other (DIR/real and DIR/link)" },
	{ "one folder, on two machines",
	  .files = { { "config.json", CONFIG },
		     { "local_drive.json",
		       "{" STUDIO ", " NAS
		       ", \"local_1\": {\"root\": {\"work\": \"/srv/work\"}}}" } },
	  .expected = { "site.local_1.root.work=\"/srv/work\"" } },
	{ "two roots into one folder",
	  .files = { { "config.json", CONFIG },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": {\"work\": \"/srv/w\", \"pub\": \"/srv/p\"}}, " NAS
		       "}" } },
	  .error =
		  "local_drive.json: site \"nas\" has one folder for the 2 roots of \"studio\": give it a "
		  "map with one for each, like {\"work\": \"/mnt/nas/work\"}" },
	{ "a root without its like",
	  .files = { { "config.json", CONFIG },
		     { "local_drive.json",
		       "{\"studio\": {\"root\": {\"work\": \"/srv/w\", \"pub\": \"/srv/p\"}},"
		       " \"nas\": {\"root\": {\"work\": \"/mnt\"}}}" } },
	  .expected = { "site.nas.root.work=\"/mnt\"" },
	  .warning =
		  "root \"pub\" of site \"studio\" has none of that name at \"nas\": its files are "
		  "not synced" },
	{ "pauses the wrong way round",
	  .files = { USUAL, { "sitefs.json", "{\"timing\": {\"retry_min\": \"10m\"}}" } },
	  .error =
		  "DIR/sitefs.json:1: timing.retry_min is longer than timing.retry_max" },
};

/* The two cases of OpenPype's own test: all of a ring are each other's, and none of another ring. */
static void test_aliases(void **state)
{
	static const struct config_row row = {
		.files = { { "config.json",
			     "{\"active_site\": \"A\", \"remote_site\": \"F\"}" },
			   { "local_drive.json",
			     "{\"A\": {\"root\": \"/a\", \"alternative_sites\": [\"C\"]},"
			     " \"B\": {\"root\": \"relative\", \"alternative_sites\": [\" C \", \"\"]},"
			     " \"C\": {\"enabled\": false, \"alternative_sites\": [\"D\"]},"
			     " \"D\": {\"alternative_sites\": [\"A\", \"D\"]},"
			     " \"F\": {\"root\": \"/f\", \"alternative_sites\": [\"G\"]},"
			     " \"G\": {\"alternative_sites\": [\"F\"]}}" } },
	};
	char dir[] = STAGE_DIR;
	_cleanup_(config_freep) struct config *config = NULL;
	struct error error = { 0 };

	stage_begin(&row, dir);
	free(stage_load(&row, dir, &config, &error));
	stage_end(dir);
	assert_int_equal(config->active_aliases.n, 3);
	assert_true(config_names_have(&config->active_aliases, "B"));
	assert_true(config_names_have(&config->active_aliases, "C"));
	assert_true(config_names_have(&config->active_aliases, "D"));
	assert_int_equal(config->remote_aliases.n, 1);
	assert_true(config_names_have(&config->remote_aliases, "G"));
}

static void test_sites(void **state)
{
	stage_run_rows(sites, ARRAY_SIZE(sites));
}

static void test_checks(void **state)
{
	stage_run_rows(checks, ARRAY_SIZE(checks));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sites),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_checks),
	};

	return cmocka_run_group_tests_name("config_sites", tests, NULL, NULL);
}
