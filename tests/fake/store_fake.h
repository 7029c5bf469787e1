/* store() of a remote in memory, and what it shares with the other calls. */
#pragma once

#include "tests/fake/remote_fake_private.h"

struct provider_fake {
	struct provider base;
	struct remote_fake *remote;
	unsigned known; /* identity of the root; 0: never seen. Guarded by remote->lock */
};

/* As in provider_ops, checked and counted by the caller, who says the outcome too. */
int store_fake(struct provider_fake *fake, const struct provider_put *put,
	       struct provider_call *call, struct provider_object *ret);

/* ---- of provider_fake.c ---- */

int provider_fake_say(struct provider_call *call, int outcome, const char *path);
int provider_fake_judge_root(struct provider_fake *fake) REQUIRES(&fake->remote->lock);
void provider_fake_fill(const struct remote_fake *remote,
			const struct object_fake *object, struct provider_object *ret);
void provider_fake_digest(const void *data, size_t len, struct digest *ret);
bool provider_fake_is_revision(const struct object_fake *object, const char *revision);
