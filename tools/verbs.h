/* The table of verbs: what `sitefs --help`, the dispatcher and the completion list. */
#pragma once

#include "tools/cli.h"

/* In the order of --help; NULL at the end. */
extern const struct verb *const verbs[];

extern const struct verb verb_add_site;
extern const struct verb verb_config;
extern const struct verb verb_doctor;
extern const struct verb verb_explain;
extern const struct verb verb_export;
extern const struct verb verb_import;
extern const struct verb verb_info;
extern const struct verb verb_mount;
extern const struct verb verb_sync;
extern const struct verb verb_init;
extern const struct verb verb_ls;
extern const struct verb verb_publish;
extern const struct verb verb_pause;
extern const struct verb verb_priority;
extern const struct verb verb_remove_site;
extern const struct verb verb_reset;
extern const struct verb verb_restore;
extern const struct verb verb_resume;
extern const struct verb verb_retry;
extern const struct verb verb_scan;
extern const struct verb verb_status;
extern const struct verb verb_umount;
extern const struct verb verb_verify;
extern const struct verb verb_version;
extern const struct verb verb_watch;

/* NULL if there is none of that name. */
const struct verb *verb_find(const char *name);
