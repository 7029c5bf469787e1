/*
 * One root folder of a local_drive site, and whether what lies at its path now is still that folder.
 *
 * The identity is the text in `.sitefs/remote-id`: it survives a remount. Where the folder cannot be written it is
 * the folder's inode with the time of its birth, or with its device where the file system tells no birth.
 *
 * Any thread.
 */
#pragma once

#include <stdint.h>

#include "sync/base/lock.h"
#include "sync/provider.h"

#define PRIVATE_FOLDER ".sitefs"

/* A folder as it was seen. */
struct root_seen {
	uint64_t dev, ino; /* ino 0: never seen */
	int64_t birth_ns;  /* 0: unknown */
	char *id;          /* NULL: it has no remote-id, or we may not read it */
};

struct root {
	const char *name, *path; /* of the configuration; site too */
	const char *site;
	struct mutex lock;
	struct root_seen known GUARDED_BY(&lock);
};

void root_init(struct root *root, const char *site, const struct config_root *config);
void root_done(struct root *root);

/* An O_PATH descriptor of the folder. 0, a site fault, or -ENOMEM and the like. */
int root_open(struct root *root, struct error *error, int *ret_fd);
/* The same for a probe: makes the folder where CAN_CREATE, and gives it an identity where it has none and can
 * be written. */
int root_probe(struct root *root, bool can_create, struct error *error, int *ret_fd);
/* As in provider_ops. */
int root_identity(struct root *root, char **ret);
int root_expect(struct root *root, const char *identity);
