/*
 * What a person needs to hear of a failure: one line, and what to do about it. Passed by the
 * caller into functions that can fail in ways an errno does not tell; no globals. A value:
 * zero-initialise it; no clean-up. NULL may be passed where the text does not matter.
 */
#pragma once

#include "sync/base/cleanup.h"

struct error {
	char text[480]; /* "" = nothing said; truncated at the end if longer */
};

/* Sets the text (the last one wins). Evaluates to R, so that "return error_set(...)" works. */
int error_set(struct error *error, int r, const char *fmt, ...) _printf_(3, 4);
/* The text, or strerror(-r) where none was set. Borrowed from ERROR or static. */
const char *error_text(const struct error *error, int r);
