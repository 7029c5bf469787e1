/*
 * The documents of a publish, as Pype's integrator writes them (origin study 1.2 to 1.6). Part of
 * sync/publish; pure. Each function writes one document into an empty buf; out of memory is told by its
 * has_failed.
 */
#pragma once

#include <stdint.h>

#include "sync/base/buf.h"
#include "sync/publish_files.h"
#include "sync/publish_names.h"

#define PUBLISH_ID_SIZE 25

struct publish_facts {
	const char *project;
	const struct publish_names *names;
	const struct publish_files *files;
	const struct config_site *site; /* the active one */
	const char *remote_site;        /* "" where there is none */
	/* Of them; and those that are asked for everything. */
	const struct config_names *active_aliases, *remote_aliases, *always;
	const char *representation;
	const char *user, *host;
	int version;
	int64_t now_ms;
	char *project_id, *asset_id, *subset_id; /* perhaps of documents that are there */
	char *version_id, *repre_id;
};

/* A new ObjectId. */
void publish_new_id(char ret[PUBLISH_ID_SIZE]);

void publish_project_doc(const struct publish_facts *facts, struct buf *ret);
void publish_asset_doc(const struct publish_facts *facts, struct buf *ret);
void publish_subset_doc(const struct publish_facts *facts, struct buf *ret);
void publish_version_doc(const struct publish_facts *facts, struct buf *ret);
void publish_repre_doc(const struct publish_facts *facts, struct buf *ret);
