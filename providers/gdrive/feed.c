/* The source of one upload. */
#include "providers/gdrive/feed.h"

#include <errno.h>
#include <string.h>

#define PIECE ((size_t)1 << 20)

int feed_init(struct feed *feed, const struct errand *errand,
	      const struct provider_put *put)
{
	*feed = (struct feed){ .errand = errand, .put = put };
	return hasher_new(&feed->hasher);
}

void feed_done(struct feed *feed)
{
	hasher_free(feed->hasher);
	feed->hasher = NULL;
}

void feed_restart(struct feed *feed)
{
	struct digest digest;

	hasher_take(feed->hasher, &digest);
	feed->hashed = feed->next = feed->offered = 0;
	feed->is_short = false;
}

bool feed_is_source_same(const struct feed *feed)
{
	const struct provider_put *put = feed->put;

	return !put->is_source_same || put->is_source_same(put->source_context);
}

int feed_source_changed(const struct feed *feed, const char *how)
{
	return errand_say(feed->errand, PROVIDER_SOURCE_CHANGED, "%s", how);
}

/* Bytes that were read at OFFSET, as far as they are not hashed yet. */
static void hash(struct feed *feed, const char *data, size_t len, uint64_t offset)
{
	size_t skip = feed->hashed > offset ? (size_t)(feed->hashed - offset) : 0;

	if (skip >= len)
		return;
	hasher_add(feed->hasher, data + skip, len - skip);
	feed->hashed += len - skip;
}

void feed_tell(struct feed *feed, uint64_t bytes)
{
	struct provider_call *call = feed->errand->call;

	if (bytes <= feed->told)
		return;
	feed->told = bytes;
	if (call->progress)
		call->progress(call->progress_context, bytes);
}

/* Up to LEN bytes at OFFSET, hashed. 0: the source ends there. */
static ssize_t read_at(struct feed *feed, char *data, size_t len, uint64_t offset)
{
	const struct provider_put *put = feed->put;
	ssize_t n;

	if (errand_is_canceled(feed->errand))
		return -ECANCELED;
	n = put->source(put->source_context, data, len, offset);
	if (n > 0)
		hash(feed, data, (size_t)n, offset);
	return n;
}

ssize_t feed_give(void *context, void *data, size_t len)
{
	struct feed *feed = context;
	uint64_t to_step = FEED_STEP - feed->next % FEED_STEP;
	ssize_t n;

	if (feed->next == feed->hashed && feed->next > feed->offered &&
	    feed->next % FEED_STEP == 0 && feed->step) {
		int r = feed->step(feed->context);

		if (r < 0)
			return r;
		feed->offered = feed->next;
	}
	if (len > to_step)
		len = (size_t)to_step;
	if (len > feed->limit - feed->next)
		len = (size_t)(feed->limit - feed->next);
	n = read_at(feed, data, len, feed->next);
	if (n == 0) {
		feed->is_short = true;
		return -EIO;
	}
	if (n > 0) {
		feed->next += (uint64_t)n;
		feed_tell(feed, feed->next);
	}
	return n;
}

int feed_hash_to(struct feed *feed, uint64_t end)
{
	_cleanup_(freep) char *piece = NULL;

	if (feed->hashed >= end)
		return 0;
	piece = malloc(PIECE);
	if (!piece)
		return -ENOMEM;
	while (feed->hashed < end) {
		uint64_t left = end - feed->hashed;
		ssize_t n = read_at(feed, piece, left < PIECE ? (size_t)left : PIECE,
				    feed->hashed);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return feed_source_changed(feed, "became shorter at its source");
	}
	return 0;
}

/* It ends where its size says. */
static int check_end(struct feed *feed)
{
	char byte;
	ssize_t n = feed->put->source(feed->put->source_context, &byte, 1,
				      (uint64_t)feed->put->size);

	if (n < 0)
		return (int)n;
	return n ? feed_source_changed(feed, "became longer at its source") : 0;
}

int feed_end(struct feed *feed, char *data, struct digest *ret)
{
	uint64_t size = (uint64_t)feed->put->size, first = feed->next;
	int r;

	while (feed->next < size) {
		uint64_t left = size - feed->next;
		ssize_t n;

		if (left <= PIECE && !feed_is_source_same(feed))
			return feed_source_changed(
				feed, "changed at its source while it was sent");
		n = read_at(feed, data + (feed->next - first),
			    left < PIECE ? (size_t)left : PIECE, feed->next);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return feed_source_changed(feed, "became shorter at its source");
		feed->next += (uint64_t)n;
	}
	r = check_end(feed);
	if (r != 0)
		return r;
	if (!feed_is_source_same(feed))
		return feed_source_changed(feed,
					   "changed at its source while it was sent");
	r = hasher_peek(feed->hasher, ret);
	if (r == 0 && digest_differs(ret, &feed->put->digest))
		return feed_source_changed(feed, "is not what it was when it was hashed");
	return r;
}
