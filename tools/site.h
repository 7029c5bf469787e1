/*
 * One site at work in this process: engine, control socket, signals, and the mount if there is one. Put together for
 * `mount` and `sync`; what goes wrong is told through the daemon (tools/daemon.h).
 */
#pragma once

#include <stdbool.h>

#include "sync/config.h"
#include "sync/engine.h"
#include "tools/daemon.h"

struct site;

struct site_setup {
	struct cli *cli;
	const struct config *config;     /* borrowed, outlives the site */
	struct daemon *daemon;           /* borrowed, outlives the site */
	const char *mountpoint;          /* without symlinks; NULL: no mount */
	const char *only_root, *project; /* or NULL */
	bool can_adopt, can_create_root;
	bool is_read_only, is_cache_only, is_partial_shown, is_shared, is_mirror;
	bool has_no_passthrough;
	bool has_sync;
};

/* What can be told before a daemon is made: the remote's provider is in this build, the store exists or was read before,
 * the state folder is on a local disk. 0 or EXIT_USAGE, said. */
int site_check(struct cli *cli, const struct config *config) _must_check_;
/* Starts everything but the mount, and waits until the index may be shown. 0 or an exit code. */
int site_start(const struct site_setup *setup, struct site **ret) _must_check_;
/* Mounts, says that the daemon is ready, and blocks until it is unmounted or stopped. An exit code. */
int site_run_mount(struct site *site);
/* Says that the daemon is ready and blocks until it is stopped. An exit code. */
int site_run(struct site *site);
/* Blocks until nothing is left to do. An exit code. */
int site_run_once(struct site *site);
/* Ends what runs, in order; outbox and staged files stay for the next start. */
void site_free(struct site *site);
DEFINE_CLEANUP(struct site *, site_free);
