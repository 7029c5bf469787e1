/*
 * Relative paths below a root: "a/b/c.exr", components joined by single slashes, none of them
 * empty, "." or "..", no NUL, no leading or trailing slash; "" is the root itself. Whatever comes
 * from a document, a remote or a socket passes path_normalise() before it is used.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sync/base/cleanup.h"

#define PATH_COMPONENT_MAX 255 /* bytes, NAME_MAX of Linux file systems */
#define PATH_LENGTH_MAX 4095   /* bytes, without NUL: PATH_MAX of Linux */

/* Why a path is refused, as a static sentence part ("has a '..' component"); NULL if it is
 * fine. It must be relative already; doubled slashes and "." are refused too: normalise first. */
const char *path_refusal(const char *path);
/* Collapses doubled slashes and "." components, strips leading and trailing slashes. Does not
 * judge: ".." stays. 0 or -ENOMEM. */
int path_normalise(const char *path, char **ret);
/* The last component; borrowed from PATH. */
const char *path_name(const char *path);
/* All but the last component, "" at the top; NULL on -ENOMEM. */
char *path_parent(const char *path);
/* "DIR/NAME", or NAME where DIR is "". NULL on -ENOMEM. */
char *path_join(const char *dir, const char *name);
/* PATH is PREFIX or lies below it. "" is above everything. */
bool path_is_below(const char *path, const char *prefix);
/* PATH with its prefix FROM (it must be below it) replaced by TO. NULL on -ENOMEM. */
char *path_rebase(const char *path, const char *from, const char *to);
/* Length of the well-formed UTF-8 sequence at TEXT (RFC 3629), 1..4, or 0. NUL is a sequence of 1. */
size_t path_utf8_length(const char *text);
/* Valid UTF-8 without NUL: what a remote can be asked to hold. */
bool path_is_utf8(const char *path);
