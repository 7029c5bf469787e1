/*
 * The files of a publish: paths walked, looked at and said as documents say them. Part of
 * sync/publish; nothing is opened but folders.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sync/base/buf.h"
#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "sync/config.h"
#include "sync/publish.h"

struct publish_file {
	char *path;                     /* absolute */
	const struct config_root *root; /* borrowed from the configuration */
	char *rel;                      /* below the root */
	int64_t size, mtime_ns;
};

struct publish_files {
	struct publish_file *list; /* by path, each once */
	size_t n, cap;
};

void publish_files_done(struct publish_files *files);
/* The root of SITE that ABSOLUTE lies below (the deepest) and the rest, allocated. -EINVAL. */
int publish_find_root(const struct config_site *site, const char *absolute,
		      const struct config_root **ret_root, char **ret_rel);
/* Into empty files; what is refused is added to PUBLISH. -EINVAL, -ENOENT ... with text where a path that
 * was named cannot be used at all. */
int publish_files_collect(const struct publish_request *request,
			  const struct config_site *site, struct publish_files *ret,
			  struct publish *publish, struct error *error);

/* "{root[work]}/a/b.exr"; NULL on -ENOMEM. */
char *publish_stored_path(const struct publish_file *file);
/* `hash`: "NAME|MTIME|SIZE" with each '.' a ',', MTIME as Python prints os.stat(path).st_mtime. NULL on
 * -ENOMEM. */
char *publish_hash(const struct publish_file *file);
/* The extension that all have, without its dot ("exr"), allocated; "files" where they differ or have
 * none. NULL on -ENOMEM. */
char *publish_extension(const struct publish_files *files);
