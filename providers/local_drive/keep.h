/* Moving an object out of its place so that it stays recoverable: `.sitefs/superseded/PATH/TIME`, `.sitefs/trash/PATH/TIME`. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "providers/local_drive/part.h"
#include "providers/local_drive/visit.h"

/* Puts the part into the place of the object that ST says is there, and that one aside; the name is never without one
 * of them. PROVIDER_CHANGED where another object was there: it is back in its place. */
int keep_replace(const struct visit *visit, const struct stat *st, struct part *part);
/* Moves the object that ST says is there into the trash. PROVIDER_GONE, _CHANGED. */
int keep_trash(const struct visit *visit, const struct stat *st);
