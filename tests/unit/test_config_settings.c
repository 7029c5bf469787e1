/* sync/config: sitefs.json, and what wins: command line, environment, files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/config_stage.h"

static const struct config_row settings[] = {
	{ "all of it by default", .files = { USUAL },
	  .expected = { "store=null @default", "database=\"avalon\"",
			"read.deadline=\"30s\"", "read.verify_first=\"1M\"",
			"transfer.chunk=\"8M\"", "cache.reserve=\"1G\"",
			"modes.file=\"0644\"", "timing.young=\"10m\" @default" } },
	{ "groups and dots",
	  .files = { USUAL,
		     { "sitefs.json",
		       "{\"pools\": {\"readers\": \"2\", \"workers\": 3},\n"
		       "\"read.deadline\": \"none\", \"modes.folder\": \"0750\"}" } },
	  .expected = { "pools.readers=2 @DIR/sitefs.json:1", "pools.workers=3",
			"read.deadline=\"none\" @DIR/sitefs.json:2",
			"modes.folder=\"0750\"" } },
	{ "a range",
	  .files = { USUAL, { "sitefs.json", "{\n\"transfer\": {\n\"chunk\": 1}}" } },
	  .error =
		  "DIR/sitefs.json:3: transfer.chunk: \"1\" is no size (\"512K\", \"8M\", \"1G\") from "
		  "\"4K\" to \"1G\"" },
	{ "unknown keys",
	  .files = { USUAL, { "sitefs.json", "{\"timing\": {\n\"setled\": \"1s\"}}" } },
	  .expected = { "timing.settled=\"2s\"" },
	  .warning =
		  "DIR/sitefs.json:2: unknown key \"timing.setled\": it changes nothing" },
	{ "an unknown group", .files = { USUAL, { "sitefs.json", "{\"prefetch\": {}}" } },
	  .expected = { "timing.settled=\"2s\"" },
	  .warning = "unknown key \"prefetch\"" },
	{ "a preset in sitefs.json",
	  .files = { USUAL, { "sitefs.json", "{\"retry_cnt\": 9}" } },
	  .expected = { "retry_cnt=3" }, .warning = "unknown key \"retry_cnt\"" },
	{ "the environment wins",
	  .files = { USUAL, { "sitefs.json", "{\"timing.settled\": \"1s\"}" } },
	  .env = { { "SITEFS_TIMING_SETTLED", "200ms" },
		   { "SITEFS_POOLS_READERS", "1" },
		   { "SITEFS_RETRY_CNT", "4" } },
	  .expected = { "timing.settled=\"200ms\" @$SITEFS_TIMING_SETTLED",
			"pools.readers=1", "retry_cnt=4 @$SITEFS_RETRY_CNT" } },
	{ "a list",
	  .files = { PRESETS(
		  "{\"always_accessible_on\": [\" a \", \"b\", \"\", \"a\", \"local\"]}") },
	  .expected = { "always_accessible_on=[\"a\", \"b\", \"local_0\"] @DIR/config.json:1" } },
	{ "a list as a text", .files = { USUAL },
	  .env = { { "SITEFS_ALWAYS_ACCESSIBLE_ON", "a, b" } },
	  .expected = { "always_accessible_on=[\"a\", \"b\"] @$SITEFS_ALWAYS_ACCESSIBLE_ON" } },
	{ "a list that is none",
	  .files = { PRESETS("{\n\"always_accessible_on\": {\"a\": 1}}") },
	  .error =
		  "DIR/config.json:2: always_accessible_on: a text in double quotes is expected" },
	{ "a list of something else",
	  .files = { PRESETS("{\"always_accessible_on\": [1]}") },
	  .error =
		  "DIR/config.json:1: always_accessible_on: a text in double quotes is expected" },
	{ "a wrong environment", .files = { USUAL },
	  .env = { { "SITEFS_POOLS_READERS", "x" } },
	  .error =
		  "$SITEFS_POOLS_READERS: pools.readers: \"x\" is no whole number from 1 to 256" },
	{ "an empty environment", .files = { USUAL },
	  .env = { { "SITEFS_POOLS_READERS", "" }, { "SITEFS_REMOTE_SITE", "" } },
	  .expected = { "pools.readers=8 @default",
			"remote_site=\"\" @$SITEFS_REMOTE_SITE" } },
	{ "one folder of presets for all machines",
	  .files = { PRESETS("{\"active_site\": \"local\"}") },
	  .env = { { "OPENPYPE_LOCAL_ID", "studio" } },
	  .expected = { "local_id=\"studio\" @$OPENPYPE_LOCAL_ID",
			"active_site=\"studio\"" } },
	{ "two names for the machine", .files = { USUAL },
	  .env = { { "OPENPYPE_LOCAL_ID", "a" }, { "SITEFS_LOCAL_ID", "b" } },
	  .expected = { "local_id=\"b\" @$SITEFS_LOCAL_ID" } },
	{ "sites from the environment", .files = { USUAL },
	  .env = { { "SITEFS_ACTIVE_SITE", "nas" }, { "SITEFS_REMOTE_SITE", "studio" } },
	  .expected = { "active_site=\"nas\" @$SITEFS_ACTIVE_SITE",
			"remote_site=\"studio\"" } },
	{ "the store in a file, beside it",
	  .files = { USUAL,
		     { "sitefs.json",
		       "{\"store\": \"sqlite:db/s.sqlite\", \"state\": \"st\"}" } },
	  .env = { { "AVALON_MONGO", "mongodb://a" } },
	  .expected = { "store=\"sqlite:DIR/db/s.sqlite\" @DIR/sitefs.json:1",
			"state=\"DIR/st\"" } },
	{ "the store of OpenPype", .files = { USUAL },
	  .env = { { "AVALON_MONGO", "mongodb://a" },
		   { "OPENPYPE_MONGO", "mongodb://u:p@o/?x" },
		   { "AVALON_DB", "pype" } },
	  .expected = { "store=\"mongodb://***@o/\" @$OPENPYPE_MONGO",
			"database=\"pype\" @$AVALON_DB" },
	  .warning = "OPENPYPE_MONGO and AVALON_MONGO differ: OPENPYPE_MONGO is taken" },
	{ "the store of Pype", .files = { USUAL },
	  .env = { { "AVALON_MONGO", "mongodb://a" } },
	  .expected = { "store=\"mongodb://a\" @$AVALON_MONGO" } },
	{ "both the same", .files = { USUAL },
	  .env = { { "AVALON_MONGO", "mongodb://a" },
		   { "OPENPYPE_MONGO", "mongodb://a" } },
	  .expected = { "store=\"mongodb://a\" @$OPENPYPE_MONGO" } },
	{ "no store at all", .files = { USUAL }, .env = { { "SITEFS_STORE", "/srv/db" } },
	  .error =
		  "$SITEFS_STORE: store: this is no store: write sqlite:PATH or mongodb://HOST" },
	{ "a variable in the store", .files = { USUAL },
	  .env = { { "SITEFS_STORE", "sqlite:{NOWHERE}/x" } },
	  .error = "$SITEFS_STORE: store: there is no environment variable NOWHERE" },
	{ "the state folder", .files = { USUAL },
	  .env = { { "XDG_STATE_HOME", "/home/me/state" } },
	  .expected = { "state=\"/home/me/state/sitefs\" @default" } },
	{ "the state folder, named", .files = { USUAL },
	  .env = { { "XDG_STATE_HOME", "/home/me/state" }, { "SITEFS_STATE", "/x//y/" } },
	  .expected = { "state=\"/x/y\" @$SITEFS_STATE" } },
};

static void test_settings(void **state)
{
	stage_run_rows(settings, ARRAY_SIZE(settings));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests_name("config_settings", tests, NULL, NULL);
}
