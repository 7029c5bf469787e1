/*
 * Surveying the remote: published files against what lies there, a path or a folder at a time. What is found is given
 * to a function; nothing is changed. On threads that may block on the remote.
 */
#pragma once

#include "sync/engine_private.h"

/* One published file, or with WANTS_OTHERS something else that lies there. Borrowed. */
struct survey_finding {
	int root;
	const char *rel;
	struct index_object object; /* as it is now */
	const struct index_path
		*path;  /* as the index knows it; NULL: no document names it */
	bool is_news;   /* the index says otherwise */
	bool is_folder; /* then only twins are told of */
	int n_twins;    /* further ones of that name in the folder */
	bool is_learnt; /* no truth record is known, and the digest is told */
};
typedef int survey_fn(void *context, const struct survey_finding *finding);

struct survey {
	struct engine *engine;
	struct provider_call *call;
	bool can_read;     /* content is read where the remote tells no digest */
	bool wants_others; /* objects that no document names are told of, and folders */
	survey_fn *fn;
	void *context;
};

/* Every published file that is recorded at the remote and lies directly in the folder; few requests, and one for each that
 * is missing or different. 0, FN's result, a provider_outcome (but GONE: then the folder holds nothing) or a
 * negative errno. */
int survey_folder(const struct survey *survey, int root, const char *folder);
/* The same for one path. INDEX_NONE is 0: nothing is told of it. */
int survey_path(const struct survey *survey, int root, const char *rel);

/* What the remote says of an object against the truth record, without asking: OBJECT_UNKNOWN where it does not tell
 * enough. */
enum index_object_state survey_judge(const struct engine *engine,
				     const struct index_path *path,
				     const struct provider_object *object);
/* The id that documents and truth record know the object by, or NULL. Borrowed. */
const char *survey_known_id(const struct engine *engine, const struct index_path *path);
/* A record says that the remote has it. */
bool survey_is_recorded(const struct index_path *path);
