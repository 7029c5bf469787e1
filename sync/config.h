/*
 * The effective configuration: presets of Pype (config.json, gdrive.json, local_drive.json), our
 * sitefs.json, the environment and the command line, merged once at start and then read-only
 * (any thread). Rules: INTERFACE "Files"; C10 of the origin study.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sync/base/cleanup.h"
#include "sync/base/error.h"

struct openpype;
struct store;

struct config_root {
	char *name; /* "work", "a.b" of nested maps; "" where the preset gives one string */
	char *path; /* local_drive: absolute folder; gdrive: "/My Drive/..." or "/DRIVE/...";
		       normalised, environment expanded */
	char *origin;     /* where it was said */
	bool is_document; /* by OpenPype's settings */
};

/* Names of sites, each once. */
struct config_names {
	char **items;
	size_t n;
};

struct config_site {
	char *name;
	char *provider; /* "local_drive", "gdrive": names of providers/registry */
	struct config_root *roots;
	size_t n_roots;
	char **credentials; /* key files, environment expanded */
	size_t n_credentials;
	char *endpoint;                   /* or NULL */
	char *subject;                    /* or NULL */
	bool is_disabled;                 /* while it is read: such a site is left out */
	struct config_names alternatives; /* as written; see config.active_aliases */
};

/* Ours, from sitefs.json; every field has a key in the table of sync/config_settings.c. Times in ms; people
 * write them with a unit ("200ms", "10m"). */
struct config_timing {
	int64_t settled_ms; /* a file unchanged this long is settled: 2 s */
	int64_t young_ms; /* a record is young, a missing source is waited for: 10 min */
	int64_t pull_ms; /* our entry without a file stands this long before it is pulled */
	int64_t gone_ms;      /* a copy that no document names is kept this long: 1 min */
	int64_t retry_min_ms; /* first backoff after a transient fault: 1 s */
	int64_t retry_max_ms; /* longest backoff: 5 min */
	int64_t sweep_ms;     /* what is recorded here is looked at again: 10 min */
	int64_t progress_ms; /* progress of transfers is written this often: 5 s; 0: never */
	int64_t compare_ms; /* the remote as a whole is compared with the records: 24 h */
	int64_t probe_ms;   /* a faulty site or root is probed this often: 10 s */
	int64_t takeover_ms; /* another host is silent this long until its leases are taken: 60 s */
};

struct config {
	char *dir; /* where the presets were found */
	char *local_id, *active_site,
		*remote_site; /* remote_site "" = nothing is synced */
	int retry_cnt;
	int64_t loop_delay_ms;
	/* Sites that hold a copy of everything: asked for there by each publish, and brought there */
	struct config_names always_accessible_on;
	/* Other names of the two sites: what is recorded there is here, or at the remote */
	struct config_names active_aliases, remote_aliases;
	struct config_site *sites;
	size_t n_sites;

	char *store_uri; /* "sqlite:/path" or "mongodb://..."; NULL if none was named */
	char *store_database; /* AVALON_DB, default "avalon" */
	char *state_dir;
	char *runtime_dir; /* of control sockets */

	int n_readers;            /* pool for reads that people wait for: 8 */
	int n_workers;            /* pool for background transfers: 4 */
	int64_t read_deadline_ms; /* 30 s; -1 = none */
	int64_t verify_first_bytes; /* files up to this are verified before a reply: 1 MiB */
	int64_t chunk_bytes;        /* the background takes at a time: 8 MiB */
	int64_t reserve_bytes; /* free space kept on a root's file system: 1 GiB, or 5 % of it if
				  that is less */
	mode_t file_mode, dir_mode; /* of remote-only files and folders: 0644, 0755 */
	struct config_timing timing;
	void *origins; /* of config_each_key() */

	struct openpype
		*openpype; /* what OpenPype's settings say; NULL: they were not read */
	char *openpype_project; /* whose count here; NULL: those of all projects */
	char *openpype_fault;   /* why they could not be read, or NULL */
	int openpype_errno;     /* of that */
	bool is_ruled; /* the sites are named by them: their rule of ownership holds (C16) */
	struct store *reading; /* while it is loaded */
};

/* What the command line says; NULL = not given. */
struct config_options {
	const char *config_dir, *state_dir, *store_uri;
	const char *project; /* a per-project folder of presets may override */
	/* Gives OpenPype's settings instead of the store, for tests; or NULL. PROJECT: the project documents too. */
	int (*documents)(struct openpype *into);
};

/*
 * Errors (-EINVAL, -ENOENT, ...) name file, line and remedy. Unknown keys are logged once as
 * warnings; so are sites that are wrong and neither the active nor the remote one: they are left out. A missing store is no error here: store_uri is NULL then, and config_store_places()
 * tells where it was looked for.
 */
int config_load(const struct config_options *options, struct config **ret,
		struct error *error);
void config_free(struct config *config);
DEFINE_CLEANUP(struct config *, config_free);

/* NULL if there is none of that name. */
const struct config_site *config_find_site(const struct config *config, const char *name);
bool config_names_have(const struct config_names *names, const char *name);
/* Index of the site's root that a document's root name means: exact name, else the only root
 * where either side is unnamed. -1 if none. */
int config_site_root(const struct config_site *site, const char *name);
/* One line: the places where a store could have been named, in order. Static. */
const char *config_store_places(void);

/* One effective key, for `sitefs config show|explain`. Borrowed strings. */
struct config_key {
	const char *name;  /* "timing.settled" */
	const char *value; /* as JSON text, without secrets */
	const char *
		origin; /* "default", "/etc/sitefs/sitefs.json:3", "$SITEFS_STORE", "--store" */
	const char *help; /* one line */
};
/* Calls FN for each key in the order of the manual, then for those of the sites ("site.studio.root.work");
 * stops at its first non-zero result. */
int config_each_key(const struct config *config,
		    int (*fn)(void *context, const struct config_key *key),
		    void *context);

/*
 * Whether PROJECT has no transfers in the background by OpenPype's settings (C16), and why: they name this machine for
 * none of its sites, do not sync it, or sync it between other sites; or its document (BSON, or NULL: not looked at) has
 * other roots than those that are taken from OpenPype here.
 */
struct config_reason {
	char text[400];
};
bool config_leaves_out(const struct config *config, const char *project, const void *bson,
		       size_t len, struct config_reason *ret);
/* Keeps what OpenPype's settings said in the state folder, if that is there: for a start while the store is away. */
void config_keep_settings(const struct config *config);
/* OpenPype's settings in STORE are others than those that were read. 1, 0, or an errno of the store port. */
int config_is_outdated(const struct config *config, struct store *store);
/* What a person should know of how OpenPype's settings count here. False: nothing. */
bool config_find_note(const struct config *config, struct config_reason *ret);

/* 0 where PATH, or the nearest folder above that exists, is on a disk of this machine; -EREMOTE with
 * the reason on a network file system (NFS, SMB, FUSE, ...): no place for a database. */
int config_check_local_fs(const char *path, struct error *error);
/* Where control sockets are: $XDG_RUNTIME_DIR/sitefs, else /run/sitefs of root, else of a user /run/user/UID/sitefs, where
 * the session manager made that, or /tmp/sitefs-UID. For the caller to free; NULL on -ENOMEM. */
char *config_runtime_dir(void);
/* A store's URI as people may see it: without user, password and options. NULL on -ENOMEM. */
char *config_hide_secrets(const char *uri);
