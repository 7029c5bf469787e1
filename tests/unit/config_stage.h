/*
 * Folders of presets for tests of sync/config. One row is one folder: its files, the environment,
 * and what config_load() makes of it, as config_each_key() tells it. In texts "DIR" stands for the
 * folder.
 */
#pragma once

#include "sync/config.h"

struct pair {
	const char *name, *text;
};

struct config_row {
	const char *what;
	struct pair files[8];
	struct pair env[5];
	const char *documents
		[8]; /* OpenPype's and the projects', as extended JSON; with any, they are asked for */
	const char *project; /* or NULL */
	const char *expected
		[8]; /* "key=value" or "key=value @origin"; "key=" alone: no such key */
	const char *error;   /* part of it */
	const char *warning; /* part of what is logged; NULL: nothing is logged */
};

#define CONFIG \
	"{\"local_id\": \"local_0\", \"active_site\": \"studio\", \"remote_site\": \"nas\"}"
#define STUDIO "\"studio\": {\"root\": {\"work\": \"/srv/work\"}}"
#define NAS "\"nas\": {\"root\": \"/mnt/nas\"}"
#define LOCAL "{" STUDIO ", " NAS "}"
#define USUAL                             \
	{ "config.json", CONFIG },        \
	{                                 \
		"local_drive.json", LOCAL \
	}
/* As USUAL, with another config.json. */
#define PRESETS(text)                     \
	{ "config.json", text },          \
	{                                 \
		"local_drive.json", LOCAL \
	}

#define STAGE_DIR "/tmp/test_config.XXXXXX"

/* Makes the folder from a copy of STAGE_DIR, writes the files, sets the environment. */
void stage_begin(const struct config_row *row, char dir[]);
void stage_end(const char *dir);
/* Runs config_load() and gives what it logs, allocated. */
char *stage_load(const struct config_row *row, const char *dir, struct config **ret,
		 struct error *error);
/* The row's documents are what OPTIONS reads. */
void stage_give_documents(const struct config_row *row, struct config_options *options);
/* EXPECTED as in a row. */
void stage_assert_key(const struct config *config, const char *expected);
void stage_run_rows(const struct config_row *rows, size_t n);
