/* Requests that wait for the network. */
#include "fs/stream.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "fs/fs.h"
#include "fs/handle.h"
#include "fs/reply.h"
#include "sync/base/log.h"

struct wait {
	struct wait *next, *prev; /* guarded by the lock, as the next three */
	uint64_t id;
	bool is_submitted; /* the hydrator has it: may be cancelled */
	bool is_interrupted;
	atomic_uint n_refs; /* who submits, who is called when it is done, who cancels */
	struct fs *fs;
	fuse_req_t req;
	struct handle *handle; /* of a read, held; else NULL */
	struct hydrate_read read;
	size_t size;
	struct hydrate_learn learn;
	int root;
	char *rel; /* of the learning, else NULL */
};

#define WAIT_OF(pointer, member) \
	((struct wait *)(void *)((char *)(pointer) - offsetof(struct wait, member)))

void streams_init(struct streams *streams)
{
	*streams = (struct streams){ 0 };
	mutex_init(&streams->lock);
	cond_init(&streams->empty);
}

void streams_done(struct streams *streams)
{
	cond_done(&streams->empty);
	mutex_done(&streams->lock);
}

static void unref(struct wait *wait)
{
	struct streams *streams = &wait->fs->streams;

	if (atomic_fetch_sub(&wait->n_refs, 1) != 1)
		return;
	if (wait->handle)
		handle_unref(wait->handle);
	free(wait->rel);
	free(wait);
	mutex_lock(&streams->lock);
	if (--streams->n_waits == 0)
		cond_broadcast(&streams->empty);
	mutex_unlock(&streams->lock);
}

/* Two references: of who submits and of "done". */
static struct wait *new_wait(struct fs *fs, fuse_req_t req)
{
	struct wait *wait = calloc(1, sizeof(*wait));

	if (!wait)
		return NULL;
	atomic_init(&wait->n_refs, 2);
	wait->fs = fs;
	wait->req = req;
	mutex_lock(&fs->streams.lock);
	fs->streams.n_waits++;
	mutex_unlock(&fs->streams.lock);
	return wait;
}

static void enlist(struct streams *streams, struct wait *wait)
{
	mutex_lock(&streams->lock);
	wait->id = ++streams->last_id;
	wait->next = streams->first;
	if (wait->next)
		wait->next->prev = wait;
	streams->first = wait;
	mutex_unlock(&streams->lock);
}

/* From now on no INTERRUPT finds it. */
static void delist(struct streams *streams, struct wait *wait)
{
	mutex_lock(&streams->lock);
	if (wait->next)
		wait->next->prev = wait->prev;
	if (wait->prev)
		wait->prev->next = wait->next;
	else
		streams->first = wait->next;
	mutex_unlock(&streams->lock);
}

static void cancel(struct wait *wait)
{
	if (wait->handle)
		hydrate_cancel(&wait->read);
	else
		hydrate_learn_cancel(&wait->learn);
}

/* libfuse calls this with its own lock on the request held, also from within fuse_req_interrupt_func(): there
 * nothing is submitted yet, so nothing is answered under that lock. */
static void on_interrupt(fuse_req_t req, void *data)
{
	struct streams *streams = &fs_of(req)->streams;
	uint64_t id = (uintptr_t)data;
	struct wait *wait;
	bool cancels = false;

	mutex_lock(&streams->lock);
	wait = streams->first;
	while (wait && wait->id != id)
		wait = wait->next;
	if (wait) {
		wait->is_interrupted = true;
		cancels = wait->is_submitted;
		if (cancels)
			atomic_fetch_add(&wait->n_refs, 1);
	}
	mutex_unlock(&streams->lock);
	if (!cancels)
		return;
	cancel(wait);
	unref(wait);
}

/* True: go on and submit; false: interrupted already, answered. */
static bool prepare(struct wait *wait)
{
	struct streams *streams = &wait->fs->streams;
	bool is_interrupted;

	enlist(streams, wait);
	fuse_req_interrupt_func(wait->req, on_interrupt, (void *)(uintptr_t)wait->id);
	mutex_lock(&streams->lock);
	is_interrupted = wait->is_interrupted;
	mutex_unlock(&streams->lock);
	if (!is_interrupted)
		return true;
	delist(streams, wait);
	reply_error(wait->req, -EINTR);
	return false;
}

/* The hydrator has it. An INTERRUPT that came meanwhile could not cancel: done here. */
static void submitted(struct wait *wait)
{
	struct streams *streams = &wait->fs->streams;
	bool cancels;

	mutex_lock(&streams->lock);
	wait->is_submitted = true;
	cancels = wait->is_interrupted;
	mutex_unlock(&streams->lock);
	if (cancels)
		cancel(wait);
	unref(wait);
}

static void reply_bytes(const struct wait *wait, int fd, size_t size)
{
	struct fuse_bufvec buf = FUSE_BUFVEC_INIT(size);

	buf.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK | FUSE_BUF_FD_RETRY;
	buf.buf[0].fd = fd;
	buf.buf[0].pos = wait->read.offset;
	/* a pipe to splice through would be kept for each thread that answers, beyond the session's end */
	fuse_reply_data(wait->req, &buf, FUSE_BUF_NO_SPLICE);
}

/* What a read must bring: less would be taken for the end of the file. */
static int64_t expected(const struct wait *wait)
{
	int64_t left = wait->handle->size - wait->read.offset;

	if (left < 0)
		left = 0;
	return left < (int64_t)wait->size ? left : (int64_t)wait->size;
}

static void read_done(struct hydrate_read *read, int64_t result, int fd)
{
	struct wait *wait = WAIT_OF(read, read);
	struct fs *fs = wait->fs;
	struct inode_facts facts;

	delist(&fs->streams, wait);
	inodes_facts(&fs->inodes, wait->handle->inode, &facts);
	if (inodes_end_read(&fs->inodes, wait->handle->inode))
		notifier_push(fs->notifier, &(struct notice){ .kind = NOTICE_PAGES,
							      .id = facts.id,
							      .rel = "" });
	if (result >= 0 && result < expected(wait)) {
		log_error("a read at %lld got %lld bytes of %lld: EIO",
			  (long long)read->offset, (long long)result,
			  (long long)expected(wait));
		result = -EIO;
	}
	if (result < 0)
		reply_error(wait->req, (int)result);
	else if (result == 0)
		fuse_reply_buf(wait->req, NULL, 0);
	else
		reply_bytes(wait, fd, (size_t)result);
	unref(wait);
}

void stream_read(struct fs *fs, fuse_req_t req, struct handle *handle, off_t offset,
		 size_t size)
{
	struct wait *wait = new_wait(fs, req);

	if (!wait) {
		reply_error(req, -ENOMEM);
		return;
	}
	handle_ref(handle);
	wait->handle = handle;
	wait->size = size;
	wait->read.offset = offset;
	wait->read.length = (int64_t)size;
	wait->read.done = read_done;
	if (!prepare(wait)) {
		unref(wait);
		unref(wait);
		return;
	}
	inodes_begin_read(&fs->inodes, handle->inode);
	hydrate_read(handle->hydration, &wait->read);
	submitted(wait);
}

static void learn_done(struct hydrate_learn *learn, int result)
{
	struct wait *wait = WAIT_OF(learn, learn);
	struct fs *fs = wait->fs;
	struct view_node node;
	int r = result;

	delist(&fs->streams, wait);
	if (r >= 0)
		r = view_find(fs->view, wait->root, wait->rel, &node);
	/* known, or gone: the kernel looks again and finds out */
	if (r >= 0)
		r = r == VIEW_NONE || node.size >= 0 ? -ESTALE : -EIO;
	reply_error(wait->req, r);
	unref(wait);
}

void stream_learn(struct fs *fs, fuse_req_t req, int root, const char *rel)
{
	_cleanup_(freep) char *source = view_source(fs->view, root, rel);
	_cleanup_(freep) char *name = strdup(rel);
	struct wait *wait = source && name ? new_wait(fs, req) : NULL;

	if (!wait) {
		reply_error(req, -ENOMEM);
		return;
	}
	wait->root = root;
	wait->rel = steal(name);
	wait->learn.done = learn_done;
	if (!prepare(wait)) {
		unref(wait);
		unref(wait);
		return;
	}
	hydrate_learn(fs->hydrator, root, source, &wait->learn);
	submitted(wait);
}

/* One that was not cancelled yet, referenced. */
static struct wait *pick(struct streams *streams) REQUIRES(&streams->lock)
{
	struct wait *wait = streams->first;

	while (wait && (wait->is_interrupted || !wait->is_submitted))
		wait = wait->next;
	if (!wait)
		return NULL;
	wait->is_interrupted = true;
	atomic_fetch_add(&wait->n_refs, 1);
	return wait;
}

void streams_end(struct streams *streams)
{
	struct wait *wait;

	mutex_lock(&streams->lock);
	while ((wait = pick(streams))) {
		mutex_unlock(&streams->lock);
		cancel(wait);
		unref(wait);
		mutex_lock(&streams->lock);
	}
	while (streams->n_waits)
		cond_wait(&streams->empty, &streams->lock);
	mutex_unlock(&streams->lock);
}
