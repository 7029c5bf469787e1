/*
 * The runtime folder (config_runtime_dir()): where daemons publish NAME.sock and NAME.json, and
 * clients find them. A daemon's NAME comes from its state folder, which it holds locked: so what lies there under its
 * own name is stale. A file lock on the folder keeps a client that removes stale entries from meeting a daemon that
 * publishes itself. Used by one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"
#include "tools/json.h"

struct daemon_root {
	char *name, *path; /* path without symlinks */
};

/* What NAME.json says of a daemon. */
struct daemon_facts {
	char *name;
	char *dir; /* the runtime folder */
	pid_t pid;
	char *state_dir;
	char *mountpoint; /* or NULL */
	char *active_site;
	struct daemon_root *roots; /* of the active site */
	size_t n_roots;
	char *only_root; /* name of the root that the mount shows without a folder for it, or NULL */
};

void daemon_facts_done(struct daemon_facts *facts);
struct json *daemon_facts_json(const struct daemon_facts *facts);

/* "show-1f2e3d4c" for "/var/lib/sitefs/show"; NULL on -ENOMEM. */
char *runtime_name(const char *state_dir);

/* A descriptor of DIR, made where it is missing: 0700, or 0755 for /run/sitefs, where root's daemons are found by name.
 * -EPERM where it is somebody else's or others may write there. */
int runtime_open(const char *dir, struct error *error);
/* Binds, listens and publishes FACTS. The listening socket, or a negative errno. */
int runtime_publish(int dir_fd, const struct daemon_facts *facts, struct error *error);
/* Takes back what runtime_publish() put there. */
void runtime_withdraw(int dir_fd, const char *name);

/* Daemons that answer, of DIR; stale entries are removed. No folder is no daemon. Array for the caller to end with
 * daemon_list_free(). */
int runtime_list(const char *dir, struct daemon_facts **ret, size_t *ret_n);
void daemon_list_free(struct daemon_facts *list, size_t n);
/* A connected socket, or a negative errno: -ECONNREFUSED nobody listens, -EACCES. */
int runtime_connect(const struct daemon_facts *facts);
/* Its process is there and gets no time: SIGSTOP, a debugger. It answers nobody, and neither does its mount. */
bool runtime_is_stopped(const struct daemon_facts *facts);
