/*
 * The JSON of Drive API v3 and of Google's token endpoint, to and from our types: the one place that touches it. All
 * of it is hostile: lengths, types and digits are checked, what is odd is left out or refused. Pure.
 *
 * Parsers: 0; -EINVAL: no such JSON; -ENOMEM. RET is zeroed first and the caller's to end, whatever comes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/base/cleanup.h"
#include "sync/base/digest.h"

#define WIRE_FOLDER "application/vnd.google-apps.folder"
#define WIRE_SHORTCUT "application/vnd.google-apps.shortcut"
/* What of a file resource is asked for everywhere. */
#define WIRE_FILE_FIELDS                                                               \
	"id,name,mimeType,parents,driveId,size,md5Checksum,sha256Checksum,"            \
	"headRevisionId,createdTime,modifiedTime,trashed,capabilities(canAddChildren," \
	"canDownload)"
/* And what became of it, by whom. */
#define WIRE_TRACE_FIELDS                                                           \
	WIRE_FILE_FIELDS ",explicitlyTrashed,trashedTime,trashingUser(displayName," \
			 "emailAddress),lastModifyingUser(displayName,emailAddress)"

struct wire_file {
	char *id, *name, *mime, *parent, *drive_id, *revision;
	char *created; /* RFC 3339 as it came; orders by strcmp */
	int64_t size;  /* -1: none (folders, documents, shortcuts) */
	int64_t mtime_ns;
	struct digest digest;
	bool is_trashed, can_add, can_download;
	int n_twins; /* of find_all() */
	/* of WIRE_TRACE_FIELDS */
	char *editor, *trasher; /* "Ann Smith <ann@studio.test>" */
	int64_t trashed_ns;     /* 0: not told */
	bool is_trashed_itself; /* and not with a folder above */
};
void wire_file_done(struct wire_file *file);
/* A folder; an object with bytes; else it is a document of Google's, or a shortcut. */
bool wire_is_folder(const struct wire_file *file);
bool wire_is_object(const struct wire_file *file);

struct wire_list {
	struct wire_file *files; /* those without id or name are left out */
	size_t n;
	char *next;         /* NULL: the last page */
	bool is_incomplete; /* the service says that it did not look everywhere */
};
void wire_list_done(struct wire_list *list);

/* A page of the changes feed. */
struct wire_change {
	char *id;
	bool is_removed; /* or not to be seen any more: there is no file then */
	int64_t time_ns; /* 0: not told */
	struct wire_file file;
};
struct wire_changes {
	struct wire_change *changes;
	size_t n;
	char *next; /* NULL: the last page, which has START */
	char *start;
};
void wire_changes_done(struct wire_changes *changes);

/* A shared drive. */
struct wire_drives {
	char **ids, **names;
	size_t n;
	char *next;
};
void wire_drives_done(struct wire_drives *drives);

struct wire_ids {
	char **ids;
	size_t n;
};
void wire_ids_done(struct wire_ids *ids);

#define WIRE_REASONS 4
struct wire_error {
	char reasons[WIRE_REASONS][64]; /* "" where there are fewer */
	char message[200];              /* for people; one line */
};
bool wire_error_is(const struct wire_error *error, const char *reason);

struct wire_token {
	char *access_token; /* secret */
	int64_t expires_ms; /* from now */
	char error[64];     /* "invalid_grant"; "" where there is a token */
	char description[200];
};
void wire_token_done(struct wire_token *token);

int wire_parse_file(const char *text, size_t len, struct wire_file *ret);
int wire_parse_list(const char *text, size_t len, struct wire_list *ret);
int wire_parse_changes(const char *text, size_t len, struct wire_changes *ret);
/* Of changes/startPageToken. */
int wire_parse_start(const char *text, size_t len, char **ret);
int wire_parse_drives(const char *text, size_t len, struct wire_drives *ret);
int wire_parse_ids(const char *text, size_t len, struct wire_ids *ret);
/* Answers that are no JSON (HTML of a front end) have no reason. */
int wire_parse_error(const char *text, size_t len, struct wire_error *ret);
int wire_parse_token(const char *text, size_t len, struct wire_token *ret);
/* Of `about`: the storage that the account may use; INT64_MAX: unlimited. */
int wire_parse_limit(const char *text, size_t len, int64_t *ret);

/* Metadata of a file to be made or changed; NULL and 0 are left out. */
struct wire_meta {
	const char *id, *name, *mime, *parent;
	bool has_mtime;
	int64_t mtime_ns;
};
/* NULL on -ENOMEM. */
char *wire_format_meta(const struct wire_meta *meta);
char *wire_format_trashed(bool is_trashed);
/* Header and claims of a JWT. SUBJECT may be NULL. Seconds. */
char *wire_format_jwt_header(const char *key_id);
char *wire_format_claims(const char *email, const char *audience, const char *subject,
			 int64_t issued_s, int64_t expires_s);

/* "bytes 5-9/10" (Content-Range) and "bytes=5-9" (Range); size 0 where it is not told. -EINVAL. */
struct wire_range {
	uint64_t first, last, size;
};
int wire_parse_range(const char *text, struct wire_range *ret);
/* "2023-11-27T08:56:24.512Z" to nanoseconds since 1970; -EINVAL. */
int wire_parse_time(const char *text, int64_t *ret);
