/*
 * The same bytes under two names (a hero version, a texture used twice). What the remote holds already is copied there;
 * what is being sent this moment is waited for, as far as samples of the sources tell: whoever came first sends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync/base/beneath.h"
#include "sync/upload_private.h"

#define TWIN_LEAST (1 << 20) /* smaller ones are sent as soon as copied there */
#define WAIT_MS 2000         /* before another look whether the first one has come */
#define SAMPLE 65536         /* bytes at the start, in the middle, and at the end */

/* On its way to the remote, the newest first. */
struct sending {
	struct sending *next;
	char *rel;
	int root;
	int64_t size;
};

static void sending_free(struct sending *sending)
{
	if (!sending)
		return;
	free(sending->rel);
	free(sending);
}
DEFINE_CLEANUP(struct sending *, sending_free);

static struct sending *sending_new(int root, const char *rel, int64_t size)
{
	_cleanup_(sending_freep) struct sending *sending = calloc(1, sizeof(*sending));

	if (!sending)
		return NULL;
	sending->root = root;
	sending->size = size;
	sending->rel = strdup(rel);
	return sending->rel ? steal(sending) : NULL;
}

void upload_sent(struct engine *engine, int root, const char *rel)
{
	_cleanup_(sending_freep) struct sending *found = NULL;
	struct sending **at;

	mutex_lock(&engine->lock);
	for (at = &engine->sending; *at; at = &(*at)->next)
		if ((*at)->root == root && strcmp((*at)->rel, rel) == 0)
			break;
	found = *at;
	if (found)
		*at = found->next;
	mutex_unlock(&engine->lock);
}

void upload_sent_all(struct engine *engine)
{
	struct sending *first;

	mutex_lock(&engine->lock);
	first = engine->sending;
	engine->sending = NULL;
	mutex_unlock(&engine->lock);
	while (first) {
		struct sending *next = first->next;

		sending_free(first);
		first = next;
	}
}

/* Copies of those of our size that began before, in RET. */
static int begin_sending(struct upload *upload, struct sending **ret)
{
	struct engine *engine = upload->base.engine;
	struct sending *ours = sending_new(upload->root, upload->rel, upload->st.st_size);
	int r = 0;

	*ret = NULL;
	if (!ours)
		return -ENOMEM;
	mutex_lock(&engine->lock);
	for (const struct sending *other = engine->sending; r == 0 && other;
	     other = other->next) {
		struct sending *copy;

		if (other->size != ours->size)
			continue;
		copy = sending_new(other->root, other->rel, other->size);
		if (copy) {
			copy->next = *ret;
			*ret = copy;
		} else {
			r = -ENOMEM;
		}
	}
	ours->next = engine->sending;
	engine->sending = ours;
	mutex_unlock(&engine->lock);
	return r;
}

static bool is_same_sample(int a, int b, off_t offset, size_t len)
{
	_cleanup_(freep) char *ours = malloc(2 * SAMPLE);

	return ours && fd_pread_all(a, ours, len, offset) == (ssize_t)len &&
	       fd_pread_all(b, ours + SAMPLE, len, offset) == (ssize_t)len &&
	       memcmp(ours, ours + SAMPLE, len) == 0;
}

static bool looks_same(const struct upload *upload, const struct sending *other)
{
	int fd = beneath_open(roots_fd(upload->base.engine->roots, other->root),
			      other->rel, O_RDONLY | O_NOFOLLOW, 0);
	off_t size = upload->st.st_size;
	bool is_same;

	if (fd < 0)
		return false;
	is_same = is_same_sample(fd, upload->fd, 0, SAMPLE) &&
		  is_same_sample(fd, upload->fd, size / 2, SAMPLE) &&
		  is_same_sample(fd, upload->fd, size - SAMPLE, SAMPLE);
	close(fd);
	return is_same;
}

/* PROVIDER_BUSY: the first of them has to come first. */
static int wait_for_first(struct upload *upload)
{
	struct provider_call *call = &upload->call.provider;
	struct sending *others;
	int r = begin_sending(upload, &others);

	while (others) {
		struct sending *next = others->next;

		if (r == 0 && looks_same(upload, others)) {
			call->retry_after_ms = WAIT_MS;
			r = error_set(&call->error, PROVIDER_BUSY,
				      "the same bytes are being sent as '%s': it waits "
				      "to be copied there",
				      others->rel);
		}
		sending_free(others);
		others = next;
	}
	return r;
}

/* Hashes only where something of that size is there. */
static int find_there(struct upload *upload, struct truth *ret)
{
	struct engine *engine = upload->base.engine;
	const char *site = engine->config->remote_site;
	struct truth any = { 0 };
	int r = index_find_bytes(engine->index, site, upload->st.st_size, NULL, &any);

	truth_done(&any);
	if (r == 0)
		r = digest_fd(upload->fd, 0, -1, &upload->call.provider.cancel,
			      &upload->digest, NULL);
	return r == 0 ? index_find_bytes(engine->index, site, upload->st.st_size,
					 &upload->digest, ret)
		      : r;
}

int upload_find_twin(struct upload *upload, struct truth *ret)
{
	int r;

	if (upload->st.st_size < TWIN_LEAST ||
	    !upload->base.engine->provider->ops->has_twins)
		return INDEX_NONE;
	r = wait_for_first(upload);
	return r == 0 ? find_there(upload, ret) : r;
}
