/* What the parts of the configuration share; not for others. All texts are the caller's to free. */
#pragma once

#include "sync/config.h"
#include "sync/json_file.h"

/* The files of one name: the project's own first, then that of all projects. Either may be missing. */
struct config_files {
	struct json_file *files[2];
	size_t n;
};

/* Where single values are looked for, the strongest first. */
#define CONFIG_LAYERS_MAX 8
struct config_layer {
	struct json_at at;
	bool has_empty; /* an empty text is said, not left out */
};
struct config_layers {
	struct config_layer items[CONFIG_LAYERS_MAX];
	size_t n;
};

/* What config_each_key() tells. */
struct config_origin {
	char *name, *value, *origin;
	const char *help; /* static */
};

struct config_origins {
	struct config_origin *items;
	size_t n;
};

/* ---- config_files: where presets lie ---- */

/* The folder of presets, absolute. -ENOENT, unless CAN_LACK: then where it would be. */
int config_files_dir(const char *option, bool can_lack, char **ret, struct error *error);
/* NAME ("config.json") for PROJECT (NULL: none). No file is no error. */
int config_files_load(const char *dir, const char *project, const char *name,
		      struct config_files *ret, struct error *error);
void config_files_done(struct config_files *files);

/* ---- config_text: texts as people write them ---- */

/* Without blanks around it. NULL on -ENOMEM. */
char *config_strip(const char *text);
/* A JSON text in its quotes. NULL on -ENOMEM. */
char *config_quote(const char *text);
/* Replaces {NAME} by the environment variable of that name; {{ and }} are braces. -ENOENT with the
 * reason in ERROR. */
int config_expand(const char *text, char **ret, struct error *error);
/* PATH in an absolute, normal form; a relative one lies in BASE (NULL: the working folder). */
int config_absolute(const char *path, const char *base, char **ret);
/* The folder that holds FILE. */
char *config_folder_of(const char *file);

/* ---- config_names: lists of sites ---- */

/* Nothing where it is there. -ENOMEM. */
int config_names_add(struct config_names *names, const char *name);
/* "a, b" into RET, which is replaced. -ENOMEM. */
int config_names_parse(const char *text, struct config_names *ret);
/* As JSON. NULL on -ENOMEM. */
char *config_names_format(const struct config_names *names);
void config_names_done(struct config_names *names);

/* ---- config_value: typed values ---- */

enum config_type {
	CONFIG_NAME,     /* char *: stripped */
	CONFIG_PATH,     /* char *: absolute */
	CONFIG_STORE,    /* char *: URI */
	CONFIG_INT,      /* int */
	CONFIG_SECONDS,  /* int64_t, ms; a plain number is seconds */
	CONFIG_DURATION, /* int64_t, ms; "none" = -1 where MIN is so */
	CONFIG_SIZE,     /* int64_t, bytes */
	CONFIG_MODE,     /* mode_t */
	CONFIG_NAMES,    /* struct config_names: a list, or a text with commas */
};

struct config_range {
	enum config_type type;
	int64_t min,
		max; /* of numbers; -1 as MIN allows "none", and then the least is 1 */
};

/* Numbers. -EINVAL with what would be right in ERROR. */
int config_value_parse(const struct config_range *range, const char *text, int64_t *ret,
		       struct error *error);
/* As JSON, so that it can be written into a file again. NULL on -ENOMEM. */
char *config_value_format(enum config_type type, int64_t value);

/* ---- config_find: where a single value stands ---- */

struct config_setting {
	const char *name;
	const char *initial; /* as in a file; NULL: none, or computed */
	size_t field;        /* offset in struct config */
	struct config_range range;
	const char *help;
	bool is_preset;           /* of config.json, not of sitefs.json */
	bool can_be_empty;        /* an empty text is a value */
	const char *alias;        /* another key that the file may have instead */
	const char *override;     /* a further variable that wins over the files */
	const char *fallbacks[2]; /* variables that count where the files say nothing */
};

struct config_found {
	char *text; /* NULL: nowhere */
	char *origin; /* "default", "/etc/sitefs/sitefs.json:3", "$SITEFS_STORE", "--store" */
	char *base; /* folder that relative paths lie in; NULL: the working folder */
	bool is_document; /* OpenPype's settings say it */
};

/* OPTION is what the command line says, or NULL. -EINVAL where it stands in a file with a wrong type. */
int config_find(const struct config_setting *setting, const char *option,
		const struct config_layers *layers, struct config_found *ret,
		struct error *error);
void config_found_done(struct config_found *found);

/* ---- config_site: one site ---- */

#define CONFIG_LOCAL_DRIVE "local_drive"
#define CONFIG_GDRIVE "gdrive"

/* Lays the settings in OBJECT over those that SITE has; its name and provider are set. -EINVAL with file,
 * line and remedy. */
int config_site_read(struct config_site *site, struct json_at object,
		     struct error *error);
void config_site_done(struct config_site *site);

/* Lays roots over those that SITE has: a map, or one folder. -EINVAL. */
int config_site_set_roots(struct config_site *site, struct json_at at,
			  struct error *error);
/* The same of a map, but only for roots that SITE has, if it has any. */
int config_site_override_roots(struct config_site *site, struct json_at map,
			       struct error *error);
int config_site_set_credentials(struct config_site *site, struct json_at at,
				struct error *error);

int config_site_set_alternatives(struct config_site *site, struct json_at at,
				 struct error *error);

/* ---- config_draft: sites while they are read ---- */

struct config_draft {
	struct config_site site;
	char *origin;     /* "/etc/sitefs/gdrive.json:3" */
	char *fault;      /* the first thing that is wrong with it, or NULL */
	bool is_document; /* so far of OpenPype's settings only */
};

struct config_drafts {
	struct config *config;
	struct config_draft *items;
	size_t n;
	const char *provider;
	struct error *error;
};

void config_drafts_done(struct config_drafts *drafts);
/* NULL where there is none of that name. */
struct config_draft *config_drafts_find(struct config_drafts *drafts, const char *name);
/* A new one, of the provider that is being read. -ENOMEM. */
int config_drafts_add(struct config_drafts *drafts, const char *name,
		      struct config_draft **ret);
/* Lays what OBJECT says over it; the first file replaces what OpenPype's settings had wrong. As config_site_read(). */
int config_draft_fill(struct config_drafts *drafts, struct config_draft *draft,
		      struct json_at object);
/* What it names as alternatives; done by config_draft_fill(). -EINVAL. */
int config_draft_alternatives(struct config_drafts *drafts, struct config_draft *draft,
			      struct json_at object);
/* Keeps an -EINVAL: it is told once it is known whether the site is ours. 0 then, else R. */
int config_draft_keep_fault(struct config_drafts *drafts, struct config_draft *draft,
			    int r);

/* ---- config_documents: the sites of OpenPype's settings ---- */

/* FILES are those of local_drive.json, which count before them. */
int config_documents_read(struct config_drafts *drafts, const char *project,
			  const struct config_files *files);

/* ---- config_openpype: what OpenPype's settings have to say, behind the files ---- */

/* This machine's id by OpenPype's own registry of the user; *ret stays NULL where there is none. -ENOMEM. */
int config_openpype_machine(char **ret_machine, char **ret_origin);
/* What config_keep_settings() has kept; nothing where there is nothing. -ENOMEM. */
int config_kept_load(struct config *config);
/* Reads the documents, where the store may have some; local_id and the store are there. What cannot be read is kept in
 * openpype_fault. -EINVAL: the documents are at odds with each other. */
int config_openpype_load(struct config *config, const struct config_options *options,
			 struct error *error);
/* Adds the documents' values behind those of files. */
void config_openpype_add_layers(const struct config *config,
				struct config_layers *layers);
/* Roots are asked for that no file has: reads the projects' documents. -EINVAL. */
int config_openpype_load_roots(struct config *config, const char *project,
			       struct error *error);

/* ---- the steps of config_load() ---- */

/* Everything but the sites. */
int config_settings_load(struct config *config, const struct config_options *options,
			 struct error *error);
/* The sites of every provider; local_id, active_site and remote_site are there. A site that cannot be
 * used is an error only where it is one of the two, else a warning. */
int config_sites_load(struct config *config, const char *project, struct error *error);
/* Whether all of it can work together. */
int config_check(const struct config *config, struct error *error);

/* Takes NAME, VALUE and ORIGIN, whatever it returns: 0 or -ENOMEM (as where one of them is NULL). */
int config_add_origin(struct config *config, struct config_origin origin);
/* The origin of a key, for errors. Borrowed; "" where there is none. */
const char *config_origin_of(const struct config *config, const char *name);
