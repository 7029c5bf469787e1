/*
 * What lies in a folder, by one listing of it: so that a thousand questions for its names are one request per thousand
 * entries. It is as old as its listing; who asks says how old it may be (provider_call.max_age_ms). What this process
 * does there meanwhile is noted. Folders of more than some ten thousand entries are not listed.
 */
#pragma once

#include "providers/gdrive/errand.h"
#include "providers/gdrive/item.h"

/* What has the name of the errand's path in that folder. Lists the folder where nothing is known of it. *RET_IS_KNOWN
 * false: ask by name instead (the caller wants no old answers, the folder is huge, the name is a folder's). 0, RET zeroed
 * first and the caller's to end. */
_must_check_ int census_ask(const struct errand *errand, const char *folder_id,
			    bool *ret_is_known, struct there *ret);
/* The folder was made just now: nothing is in it. */
void census_begin(const struct errand *errand, const char *folder_id);
/* The file lies there now, by our hand; its parent and name say where. */
void census_note(const struct errand *errand, const struct wire_file *file);
/* Something there is not as it was. */
void census_forget(const struct errand *errand, const char *folder_id);
/* The feed of changes tells of a file (FILE NULL: it was removed): what is not as it was found counts no more. */
void census_heard(struct drive *drive, const char *id, const struct wire_file *file);
/* All of a site's. */
void census_free_all(struct drive *drive);
