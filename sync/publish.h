/*
 * Registers files as one representation, in the documents that Pype's integrator writes: project,
 * asset, subset (those that are missing), version, representation. The files are only looked at.
 *
 * What cannot be told is taken from the path. Under ".../ASSET/publish/FAMILY/SUBSET/..." (Pype's own
 * template) that is asset, family and subset; elsewhere the asset is the first folder below the root
 * (below that of the project's name, if it begins with one), and the subset the folder or file that
 * was named, without frame number, extension and "v003".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sync/base/buf.h"
#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "sync/config.h"
#include "sync/store.h"

enum publish_outcome {
	PUBLISH_EXISTS = 1, /* the subset has that version */
	PUBLISH_NOTHING,    /* no file was left to register; see `refused` */
};

struct publish_request {
	const struct config *config; /* active_site with its roots, remote_site */
	const char *project;
	const char *name; /* of the subset; NULL: from the paths */
	int version;      /* 0: the next one */
	const char *const
		*paths; /* files and folders, absolute, below the active site's roots */
	size_t n_paths;
};

/* A file that was named, or found in a folder, and cannot be registered. */
struct publish_refusal {
	char *path, *why;
};

struct publish {
	struct buf *
		docs; /* for store->ops->publish(): parents first, the representation last */
	size_t n_docs;
	char *asset, *subset;
	char *representation;        /* its name: the files' extension, or "files" */
	char *version_id, *repre_id; /* as in sync/bson_id.h */
	int version;
	size_t n_files;
	int64_t bytes;
	struct publish_refusal *refused;
	size_t n_refused;
};

void publish_done(struct publish *publish);

/*
 * Builds the documents into an empty RET; whoever calls ends it, also after a positive result. Of a
 * folder every regular file below it counts, in byte order; ".tmp" files, ".sitefs" and symlinks are
 * passed over there (and refused where they are named themselves). PUBLISH_EXISTS,
 * PUBLISH_NOTHING; -EINVAL: a path that is not below a root, a project or name that is none; -EFBIG:
 * more files than a document holds; errno of the store.
 */
int publish_build(struct store *store, const struct publish_request *request,
		  struct publish *ret, struct error *error);
/* Builds and registers. Where somebody else was faster, the next version is taken anew, unless it was
 * asked for. Results as publish_build(). */
int publish_run(struct store *store, const struct publish_request *request,
		struct publish *ret, struct error *error);
