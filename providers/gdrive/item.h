/* One object of a gdrive site: a file with bytes. id = Drive's file id, revision = headRevisionId, document id = id. */
#pragma once

#include "providers/gdrive/errand.h"
#include "providers/gdrive/wire.h"

/* What lies at the errand's path now. */
struct there {
	struct wire_file file; /* id NULL: nothing */
	size_t n_twins;        /* further files of the name */
};
void there_done(struct there *there);

/* The object: by ID where that is known (NULL: not) and still leads to one, else by path. PROVIDER_GONE. RET is the
 * caller's to end, whatever comes. */
_must_check_ int item_find(const struct errand *errand, const char *id,
			   struct wire_file *ret);
/* The same by what was found before, as far as the call allows (census.h). *RET_IS_KNOWN false: it has to be looked for. */
_must_check_ int item_recall(const struct errand *errand, const char *id,
			     bool *ret_is_known, struct wire_file *ret);
/* What has the name in the folder FOLDER_ID; HINT (may be NULL): an id that may be it, which needs no index. 0, also
 * where there is nothing; PROVIDER_REFUSED: a folder or some document has it. */
_must_check_ int item_look(const struct errand *errand, const char *folder_id,
			   const char *hint, struct there *ret);
/* PROVIDER_CHANGED where the file is not REVISION (NULL: any is right). */
int item_check(const struct errand *errand, const struct wire_file *file,
	       const char *revision);
/* 0 or -ENOMEM; RET is unchanged then. */
int item_fill(const struct wire_file *file, struct provider_object *ret);
