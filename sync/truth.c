/* A truth record: what the bytes of a published path are. */
#include "sync/truth.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static void remote_done(struct truth_remote *remote)
{
	free(remote->site);
	free(remote->id);
	free(remote->revision);
	*remote = (struct truth_remote){ 0 };
}

/* NULL stays NULL. */
static int copy_text(const char *text, char **ret)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int remote_init(struct truth_remote *remote, const char *site, const char *id,
		       const char *revision)
{
	*remote = (struct truth_remote){ 0 };
	if (copy_text(site, &remote->site) < 0 || copy_text(id, &remote->id) < 0 ||
	    copy_text(revision, &remote->revision) < 0) {
		remote_done(remote);
		return -ENOMEM;
	}
	return 0;
}

void truth_done(struct truth *truth)
{
	for (size_t i = 0; i < truth->n_remotes; i++)
		remote_done(&truth->remotes[i]);
	free(truth->remotes);
	free(truth->project);
	free(truth->key);
	*truth = (struct truth){ 0 };
}

int truth_copy(const struct truth *truth, struct truth *ret)
{
	_cleanup_(truth_done) struct truth copy = {
		.size = truth->size,
		.mtime_ns = truth->mtime_ns,
		.digest = truth->digest,
	};

	if (copy_text(truth->project, &copy.project) < 0 ||
	    copy_text(truth->key, &copy.key) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < truth->n_remotes; i++) {
		const struct truth_remote *remote = &truth->remotes[i];

		if (truth_set_remote(&copy, remote->site, remote->id, remote->revision) <
		    0)
			return -ENOMEM;
	}
	*ret = copy;
	copy = (struct truth){ 0 };
	return 0;
}

const struct truth_remote *truth_find_remote(const struct truth *truth, const char *site)
{
	for (size_t i = 0; i < truth->n_remotes; i++)
		if (strcmp(truth->remotes[i].site, site) == 0)
			return &truth->remotes[i];
	return NULL;
}

int truth_set_remote(struct truth *truth, const char *site, const char *id,
		     const char *revision)
{
	struct truth_remote remote, *grown;

	assert(site);
	if (remote_init(&remote, site, id, revision) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < truth->n_remotes; i++) {
		if (strcmp(truth->remotes[i].site, site) != 0)
			continue;
		remote_done(&truth->remotes[i]);
		truth->remotes[i] = remote;
		return 0;
	}
	grown = reallocarray(truth->remotes, truth->n_remotes + 1, sizeof(*grown));
	if (!grown) {
		remote_done(&remote);
		return -ENOMEM;
	}
	grown[truth->n_remotes++] = remote;
	truth->remotes = grown;
	return 0;
}

bool truth_same_bytes(const struct truth *a, const struct truth *b)
{
	return a->size == b->size && !digest_differs(&a->digest, &b->digest);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

int truth_complete(struct truth *old, const struct truth *truth, bool replace,
		   bool *ret_changed)
{
	bool is_changed = false;
	int r = 0;

	if (truth->digest.has_sha256 && !old->digest.has_sha256) {
		memcpy(old->digest.sha256, truth->digest.sha256,
		       sizeof(old->digest.sha256));
		old->digest.has_sha256 = is_changed = true;
	}
	if (truth->digest.has_md5 && !old->digest.has_md5) {
		memcpy(old->digest.md5, truth->digest.md5, sizeof(old->digest.md5));
		old->digest.has_md5 = is_changed = true;
	}
	if (truth->mtime_ns != old->mtime_ns && replace) {
		old->mtime_ns = truth->mtime_ns;
		is_changed = true;
	}
	for (size_t i = 0; r == 0 && i < truth->n_remotes; i++) {
		const struct truth_remote *remote = &truth->remotes[i];
		const struct truth_remote *known = truth_find_remote(old, remote->site);

		if (known && same_text(known->id, remote->id) &&
		    same_text(known->revision, remote->revision))
			continue;
		is_changed = true;
		r = truth_set_remote(old, remote->site, remote->id, remote->revision);
	}
	*ret_changed = is_changed;
	return r;
}
