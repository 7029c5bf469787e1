/* Finding files: by id, by name in a folder, all of a folder. */
#pragma once

#include "providers/gdrive/errand.h"
#include "providers/gdrive/wire.h"

/* PROVIDER_GONE: none, or trashed. Twice is for a file that may be in the trash. RET is zeroed first, and the caller's to
 * end, whatever comes. */
_must_check_ int find_by_id(const struct errand *errand, const char *id,
			    struct wire_file *ret);
_must_check_ int find_trashed(const struct errand *errand, const char *id,
			      struct wire_file *ret);
/* The same with all of WIRE_TRACE_FIELDS. */
_must_check_ int find_traced(const struct errand *errand, const char *id,
			     struct wire_file *ret);
/* All that have exactly that name there and lie in the trash, oldest first. */
_must_check_ int find_in_trash(const struct errand *errand, const char *folder_id,
			       const char *name, struct wire_list *ret);
/* All that have exactly that name there and are not in the trash, oldest first. Drive's index of names lags: nothing
 * found is no proof. */
_must_check_ int find_by_name(const struct errand *errand, const char *folder_id,
			      const char *name, struct wire_list *ret);
/* All in a folder that are not in the trash. */
_must_check_ int find_each(const struct errand *errand, const char *folder_id,
			   struct wire_list *ret);
/* The same; of twins only the one that find_by_name() has first, with the number of the others. */
_must_check_ int find_all(const struct errand *errand, const char *folder_id,
			  struct wire_list *ret);
/* find_each(), oldest first; -E2BIG: there are more than MOST. */
_must_check_ int find_some(const struct errand *errand, const char *folder_id,
			   size_t most, struct wire_list *ret);
/* All that answer to a query (`name = 'x' and …`), in no order. */
_must_check_ int find_query(const struct errand *errand, const char *query,
			    struct wire_list *ret);

/* TEXT in quotes, as a query wants it. */
int find_quote(struct buf *query, const char *text);
/* Which of two twins counts, for everybody: < 0: A, the older. */
int find_compare(const struct wire_file *a, const struct wire_file *b);
