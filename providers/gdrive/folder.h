/*
 * Folders by path: found level by level, remembered with their ids, made without twins. What is remembered is looked at
 * again after a minute, and whenever something is not where it should be.
 */
#pragma once

#include "providers/gdrive/errand.h"

/* The id of the folder PATH below the errand's root ("" is the root itself), the caller's. What was checked MAX_AGE_MS ago
 * (the last one: those above it, a minute) is believed. PROVIDER_GONE: there is none. */
_must_check_ int folder_find(const struct errand *errand, const char *path,
			     int64_t max_age_ms, char **ret);
/* The same, made where it is missing. PROVIDER_REFUSED: a file has its name. */
_must_check_ int folder_make(const struct errand *errand, const char *path,
			     int64_t max_age_ms, char **ret);

struct folder;
void folder_free(struct folder *folder);
