/* Content that follows from a seed and its offset. */
#include "tests/contract/provider/source.h"

#include <string.h>

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9;
	x ^= x >> 27;
	x *= 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint8_t byte_at(const struct source *source, uint64_t offset)
{
	if (!source->seed || (offset >= source->zero_from && offset < source->zero_to))
		return 0;
	return (uint8_t)(mix(source->seed * 0x9e3779b97f4a7c15 + offset / 8) >>
			 offset % 8 * 8);
}

void source_bytes(const struct source *source, void *data, size_t len, uint64_t offset)
{
	uint8_t *bytes = data;

	if (!source->seed) {
		memset(data, 0, len);
		return;
	}
	for (size_t i = 0; i < len; i++)
		bytes[i] = byte_at(source, offset + i);
}

void source_digest(const struct source *source, struct digest *ret)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	char chunk[4096];

	if (hasher_new(&hasher) < 0)
		abort();
	for (uint64_t at = 0; at < source->size; at += sizeof(chunk)) {
		uint64_t left = source->size - at;
		size_t len = left < sizeof(chunk) ? (size_t)left : sizeof(chunk);

		source_bytes(source, chunk, len, at);
		hasher_add(hasher, chunk, len);
	}
	hasher_take(hasher, ret);
}

static void call_hook(struct source *source)
{
	void (*hook)(void *) = source->hook;

	source->hook = NULL;
	if (hook)
		hook(source->hook_context);
}

ssize_t source_read(void *context, void *data, size_t len, uint64_t offset)
{
	struct source *source = context;
	uint64_t size = source->actual_size ? source->actual_size : source->size;

	if (offset + len > source->hook_at && source->hook_at != UINT64_MAX)
		call_hook(source);
	if (source->error && offset + len > source->fail_at)
		return source->error;
	if (offset >= size)
		return 0;
	if (len > size - offset)
		len = (size_t)(size - offset);
	if (source->most && len > source->most)
		len = source->most;
	source_bytes(source, data, len, offset);
	source->n_given += len;
	return (ssize_t)len;
}

bool source_is_same(void *context)
{
	struct source *source = context;

	if (source->hook_at == UINT64_MAX)
		call_hook(source);
	source->n_asked_same++;
	return !source->same_for || source->n_asked_same <= source->same_for;
}

int sink_take(void *context, const void *data, size_t len, uint64_t offset)
{
	struct sink *sink = context;
	const uint8_t *bytes = data;

	if (offset != sink->next)
		sink->is_wrong = true;
	for (size_t i = 0; sink->wanted && i < len; i++) {
		if (bytes[i] != byte_at(sink->wanted, offset + i))
			sink->is_wrong = true;
	}
	sink->next = offset + len;
	sink->n_taken += len;
	if (sink->hook && sink->n_taken > sink->hook_after) {
		void (*hook)(void *) = sink->hook;

		sink->hook = NULL;
		hook(sink->hook_context);
	}
	return sink->error && sink->n_taken > sink->fail_after ? sink->error : 0;
}
