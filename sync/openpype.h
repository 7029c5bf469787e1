/*
 * What OpenPype's own settings say of sites and roots (origin study 1.6, 1.7): the documents that count, of several
 * versions the right one, as JSON that points into them. sync/config_openpype.c makes configuration of it.
 *
 * Which version counts, as OpenPype itself decides: that of $OPENPYPE_VERSION, else the one in production; where it has
 * saved none, the newest older one, else what was saved before settings had versions, else the oldest newer one.
 *
 * Filled by one thread, then read-only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sync/json_file.h"

struct buf;
struct openpype;
struct store;

/* The keyword for this machine's own site, and the only other one that is always there. */
#define OPENPYPE_LOCAL "local"
#define OPENPYPE_STUDIO "studio"

/* What counts for one project. No value where nothing is said. */
struct openpype_view {
	/* This machine's: of the project, of all. {active_site, remote_site, SITE: {ROOT: PATH}} */
	struct json_at local[2];
	/* Of the project, of all: {enabled, config, sites} */
	struct json_at settings[2];
	struct json_at system; /* {enabled, sites} */
};

/* Empty, for the machine of that id: what others keep for themselves is passed over. NULL on -ENOMEM. */
struct openpype *openpype_new(const char *machine);
void openpype_free(struct openpype *openpype);
DEFINE_CLEANUP(struct openpype *, openpype_free);

/* One of its documents; what is none is passed over. -ENOMEM. */
int openpype_add(struct openpype *openpype, const void *bson, size_t len);
/* The document of the project of that name. -ENOMEM. */
int openpype_add_project(struct openpype *openpype, const char *name, const void *bson,
			 size_t len);
/* Reads the documents. Errnos of the store port. */
int openpype_read(struct openpype *openpype, struct store *store);
/* Reads the documents of PROJECT, or of all (NULL). */
int openpype_read_projects(struct openpype *openpype, struct store *store,
			   const char *project);

/* All that was taken so far, one BSON document after the other: settings, and documents of projects. Borrowed. */
const struct buf *openpype_bytes(const struct openpype *openpype);
const struct buf *openpype_project_bytes(const struct openpype *openpype);

/* Nothing at all was found. */
bool openpype_is_empty(const struct openpype *openpype);
/* PROJECT may be NULL: what counts for all of them. -EINVAL with the document and what to do where one that counts is
 * damaged. */
int openpype_view(const struct openpype *openpype, const char *project,
		  struct openpype_view *ret, struct error *error);
/* Roots of the project of that name: {ROOT: {PLATFORM: PATH}}; where NAME is NULL, or has none, those of new projects, else those that all
 * active projects share. -EINVAL, also where these differ. */
int openpype_roots(const struct openpype *openpype, const char *name, struct json_at *ret,
		   struct error *error);
/* Site sync is switched on in the system's settings, and in the project's. */
bool openpype_is_enabled(const struct openpype_view *view);
/* The site of that key ("active_site", "remote_site") by the documents alone; "" where none. Borrowed. */
const char *openpype_site(const struct openpype_view *view, const char *key,
			  const char *machine);
/* Names of the projects with settings of their own, NULL behind the last (I counts from 0). Borrowed. */
const char *openpype_project(const struct openpype *openpype, size_t i);
/* The project's document was read, and does not say that it is inactive. */
bool openpype_has_active(const struct openpype *openpype, const char *name);
/* Of two maps of roots: the folders on this platform are the same. */
bool openpype_are_same_roots(struct json_at a, struct json_at b);
