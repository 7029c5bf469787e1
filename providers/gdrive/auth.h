/*
 * One identity of a site: a service account's key file, and the access token that all threads share. The token is asked
 * for by a signed JWT (RS256; developers.google.com/identity/protocols/oauth2/service-account), renewed ahead of its
 * end, one request at a time. The key file is read anew each time: a key that was replaced needs no restart.
 *
 * Any thread. Tokens and keys appear in no text.
 */
#pragma once

#include "providers/http.h"
#include "sync/provider.h"

struct auth;

/* PATH, and SUBJECT (may be NULL: the user to act as, by domain-wide delegation), outlive it. 0 or -ENOMEM; no I/O. */
int auth_new(const char *path, const char *subject, struct auth **ret);
void auth_free(struct auth *auth);
DEFINE_CLEANUP(struct auth *, auth_free);

/* The current token, the caller's. PROVIDER_UNAUTHORIZED, _UNREACHABLE, _BUSY with the text set; -ECANCELED, -ENOMEM.
 * Waits while another thread asks for it. */
int auth_token(struct auth *auth, struct http *http, struct provider_call *call,
	       char **ret);
/* Drive refused TOKEN: it is not given out again. */
void auth_refused(struct auth *auth, const char *token);
