/* The `sites` of a document's file, in each of its four forms. Part of sync/doc.h; pure. */
#pragma once

#include <bson/bson.h>

#include "sync/doc.h"

#define DOC_SITES_MAX 512 /* per file; a file with more is refused */

/* Fills form, sites and n_sites of an empty FILE from the value of `sites` (NULL: no such key).
 * -EINVAL with a static reason, that goes on after "the file ", in ret_refused; -ENOMEM. */
int doc_sites_parse(const bson_iter_t *value, struct doc_file *file,
		    const char **ret_refused);
void doc_sites_done(struct doc_file *file);
