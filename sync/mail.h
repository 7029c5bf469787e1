/*
 * Mail to the sync thread: results of jobs and requests of people, handled there one by one, so that the
 * index has one writer and decisions are taken in one place. Posting never waits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "sync/base/cleanup.h"
#include "sync/index.h"
#include "sync/truth.h"

struct engine;

struct mail {
	struct mail *next;
	/* On the sync thread. */
	void (*handle)(struct engine *engine, struct mail *mail);
	int root;
	char *rel;
	int result;
	char *text;
	bool flag;
	struct index_object object;
	char **names; /* MAIL of a listing: n_objects of each, rel is the folder */
	struct index_object *objects;
	size_t n_objects;
	struct digest digest;
	struct stat st;
	int64_t again_ms; /* not before: as the remote asked; 0: it did not */
	void *data;       /* whatever else, ended by FREE_DATA */
	void (*free_data)(void *data);
};

/* REL may be NULL. NULL on -ENOMEM. */
struct mail *mail_new(void (*handle)(struct engine *engine, struct mail *mail), int root,
		      const char *rel);
void mail_free(struct mail *mail);
DEFINE_CLEANUP(struct mail *, mail_free);
void index_object_done(struct index_object *object);
int index_object_copy(const struct index_object *object, struct index_object *ret);
