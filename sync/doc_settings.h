/*
 * OpenPype's settings documents (origin study 1.6 and 1.7): what kind one is, for whom it counts, and the part that
 * is about sites and roots, as JSON. Of project documents too. Pure; hostile input; fuzzed.
 *
 * Each holds what differs from the defaults of the program that wrote it, so a missing part is no fault.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"

enum doc_settings_kind {
	SETTINGS_SYSTEM = 1, /* data.modules.sync_server: {enabled, sites} */
	SETTINGS_PROJECT, /* data.global.sync_server: {enabled, config, sites}, of one project or all */
	SETTINGS_ANATOMY, /* data.roots, of new projects */
	SETTINGS_LOCAL, /* data.projects: project -> {active_site, remote_site, SITE: ...} of one machine */
	SETTINGS_GLOBAL, /* data.production_version */
	SETTINGS_ORDER,  /* production_versions, the oldest first */
};

/* All owned; texts that are not there are NULL. */
struct doc_settings {
	enum doc_settings_kind kind;
	char *version; /* of OpenPype; NULL: from before settings had one */
	char *project; /* PROJECT: NULL where it is for all */
	char *machine; /* LOCAL: its id */
	char *part;    /* an object as JSON, or NULL */
	char *current; /* GLOBAL, ORDER: the version that is in use */
};

enum doc_settings_outcome {
	DOC_SETTINGS_OTHER = 1, /* a document that is nothing of these */
};

/* The types in the database: those that are versioned, with that suffix too. */
#define DOC_SETTINGS_VERSIONED "_versioned"
extern const char *const doc_settings_types[];

/* DOC_SETTINGS_OTHER. -EINVAL: the part is there and no object; RET says whose then. -EBADMSG: no BSON. */
int doc_settings_parse(const void *bson, size_t len, struct doc_settings *ret,
		       struct error *error);
void doc_settings_done(struct doc_settings *settings);
/* config.roots of a project document as JSON; *ret stays NULL where it has none. -EINVAL: it is
 * something else; -ENOMEM. */
int doc_project_roots(const void *bson, size_t len, char **ret);
