/* Putting back what a file held before: where its new content arrived damaged, the name must not stand for that. */
#pragma once

#include "providers/gdrive/errand.h"
#include "providers/gdrive/wire.h"

/* OLD is the file as it was, with the revision that Drive keeps among its versions. 0: it holds those bytes again (as a
 * new revision); else an outcome, and the damaged ones are there still. */
_must_check_ int restore_file(const struct errand *errand, const struct wire_file *old);
