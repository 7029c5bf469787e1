/* A truth record: what the bytes of a published path are. */
#include "sync/truth.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/base/buf.h"

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
	truth_files_done(&truth->files);
	truth_files_done(&truth->before);
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
	    copy_text(truth->key, &copy.key) < 0 || truth_copy_files(truth, &copy) < 0)
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

/* ---- files ---- */

void truth_files_done(struct truth_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->refs[i]);
	free(files->refs);
	*files = (struct truth_files){ 0 };
}

/* Takes REF (NULL: no memory). */
static int append(struct truth_files *files, char *ref)
{
	char **grown =
		ref ? reallocarray(files->refs, files->n + 1, sizeof(*grown)) : NULL;

	if (!grown) {
		free(ref);
		return -ENOMEM;
	}
	files->refs = grown;
	grown[files->n++] = ref;
	return 0;
}

static bool have_ref(const struct truth_files *files, const char *ref)
{
	for (size_t i = 0; i < files->n; i++)
		if (strcmp(files->refs[i], ref) == 0)
			return true;
	return false;
}

int truth_files_add_ref(struct truth_files *files, const char *ref)
{
	if (files->n >= TRUTH_FILES_MAX || have_ref(files, ref))
		return 0;
	return append(files, strdup(ref));
}

int truth_files_add(struct truth_files *files, const char *repre, const char *file)
{
	_cleanup_(freep) char *ref = strf("%s/%s", repre, file);

	return ref ? truth_files_add_ref(files, ref) : -ENOMEM;
}

int truth_files_copy(const struct truth_files *files, struct truth_files *ret)
{
	struct truth_files copy = { 0 };

	for (size_t i = 0; i < files->n; i++) {
		if (append(&copy, strdup(files->refs[i])) < 0) {
			truth_files_done(&copy);
			return -ENOMEM;
		}
	}
	*ret = copy;
	return 0;
}

int truth_copy_files(const struct truth *truth, struct truth *ret)
{
	int r = truth_files_copy(&truth->files, &ret->files);

	return r < 0 ? r : truth_files_copy(&truth->before, &ret->before);
}

/* The part of REF behind "REPRE/", or NULL. */
static const char *file_of(const char *ref, const char *repre)
{
	size_t len = strlen(repre);

	return strncmp(ref, repre, len) == 0 && ref[len] == '/' ? ref + len + 1 : NULL;
}

bool truth_files_have(const struct truth_files *files, const char *repre,
		      const char *file)
{
	for (size_t i = 0; i < files->n; i++) {
		const char *known = file_of(files->refs[i], repre);

		if (known && strcmp(known, file) == 0)
			return true;
	}
	return false;
}

static bool know_repre(const struct truth_files *files, const char *repre)
{
	for (size_t i = 0; i < files->n; i++)
		if (file_of(files->refs[i], repre))
			return true;
	return false;
}

bool truth_files_precede(const struct truth_files *files, const struct truth_name *name,
			 const struct truth_name *names, size_t n)
{
	bool is_known = know_repre(files, name->repre);

	if (!files->n || truth_files_have(files, name->repre, name->file))
		return false;
	/* those that it knows still name the path: of this representation, or where it is another one any */
	for (size_t i = 0; i < n; i++)
		if (truth_files_have(files, names[i].repre, names[i].file) &&
		    (!is_known || strcmp(names[i].repre, name->repre) == 0))
			return false;
	return true;
}

bool truth_is_former(const struct truth *truth, const struct truth_name *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (names[i].is_there &&
		    truth_files_precede(&truth->files, &names[i], names, n))
			return true;
	return false;
}

bool truth_follows(const struct truth *truth, const struct truth *old)
{
	for (size_t i = 0; i < old->files.n; i++)
		if (!have_ref(&truth->before, old->files.refs[i]))
			return false;
	return old->files.n > 0;
}

/* ---- bytes ---- */

bool truth_same_bytes(const struct truth *a, const struct truth *b)
{
	return a->size == b->size && !digest_differs(&a->digest, &b->digest);
}

static int complete_files(struct truth_files *old, const struct truth *truth,
			  bool *is_changed)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < old->n; i++) {
		if (have_ref(&truth->before, old->refs[i]) &&
		    !have_ref(&truth->files, old->refs[i])) {
			free(old->refs[i]);
			*is_changed = true;
		} else {
			old->refs[n++] = old->refs[i];
		}
	}
	old->n = n;
	for (size_t i = 0; r == 0 && i < truth->files.n; i++) {
		n = old->n;
		r = truth_files_add_ref(old, truth->files.refs[i]);
		*is_changed |= old->n > n;
	}
	return r;
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

		if (known && str_is_same(known->id, remote->id) &&
		    str_is_same(known->revision, remote->revision))
			continue;
		is_changed = true;
		r = truth_set_remote(old, remote->site, remote->id, remote->revision);
	}
	if (r == 0)
		r = complete_files(&old->files, truth, &is_changed);
	*ret_changed = is_changed;
	return r;
}
