/*
 * The changes feeds of Drive: one of each shared drive that a root lies in, and the account's own where one lies there.
 * All are asked as the first identity: a token is of one account.
 */
#pragma once

#include "providers/gdrive/errand.h"

/* As the port's changes(). */
_must_check_ int changes_follow(const struct errand *errand, const char *token,
				provider_change_fn *fn, void *context, char **ret_token);
