/*
 * Drive lets two files have one name: after a file was made it is asked whether another one of the name is there. The
 * older one stays, everywhere, and ours goes where it is the younger. One request tells it of some hundred names of a
 * folder.
 */
#pragma once

#include "providers/gdrive/errand.h"

/* Each store's result is set; ERRANDS are theirs, of one call. 0, or why nothing can be told of any. */
_must_check_ int settle_stores(const struct errand *errands,
			       struct provider_settle *stores, size_t n);
